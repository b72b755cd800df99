"""One step of training, as a single program spread over all devices.

The mesh has one axis, "data". Parameters lie on every device, and so do the images, as they were
read; each device gathers, changes and passes through the network its share of a batch. Norms use
the statistics of the whole batch, so that the result does not depend on the number of devices,
but for rounding.
"""

import functools
import time
from collections.abc import Callable, Mapping
from typing import Any

import flax.linen as nn
import jax
import jax.numpy as jnp
import optax
from jax.sharding import Mesh, NamedSharding, PartitionSpec

from tenas_jax.tracing.drawing import lazy_init
from tenas_jax.train.augmentation import Mixed, augment, mix_batch, mixed_loss
from tenas_jax.train.card import Card
from tenas_jax.train.recipe import Recipe

AXIS = "data"
GOOD = -1  # `sums["bad_step"]` while all losses were finite

# {"weights": {"params", "batch_stats"}, "rest": {"step", "opt_state", "sums"}}
State = dict[str, Any]


def initial_weights(module: nn.Module, card: Card, key: jax.Array) -> State:
    """Draws what is trained and kept: parameters, of an auxiliary head too, and statistics.

    Returns:
        `{"params": ..., "batch_stats": ...}`, float32.
    """
    rngs = dict(zip(("params", "drop_path", "dropout"), jax.random.split(key, 3), strict=True))
    variables = lazy_init(module, rngs, card.example(), train=True)
    return {"params": variables["params"], "batch_stats": variables.get("batch_stats", {})}


def initial_state(
    module: nn.Module, optimiser: optax.GradientTransformation, card: Card, key: jax.Array
) -> State:
    """Makes what a training starts from.

    Returns:
        `weights`, the network's variables; and `rest`: how many steps were done, the optimiser's
        state, and sums over the steps of the epoch so far.
    """
    weights = initial_weights(module, card, key)
    sums = {
        "loss": jnp.zeros((), jnp.float32),
        "correct": jnp.zeros((), jnp.int32),
        "bad_step": jnp.full((), GOOD, jnp.int32),
    }
    rest = {
        "step": jnp.zeros((), jnp.int32),
        "opt_state": optimiser.init(weights["params"]),
        "sums": sums,
    }
    return {"weights": weights, "rest": rest}


def train_step(
    module: nn.Module,
    recipe: Recipe,
    optimiser: optax.GradientTransformation,
    card: Card,
    mesh: Mesh,
    steps_per_epoch: int,
    *,
    coarse: int = 1,
) -> Callable[[State, dict, jax.Array, jax.Array, jax.Array], State]:
    """Makes the jitted function of one step.

    Args:
        module: of the card.
        recipe: how to train.
        optimiser: of the recipe.
        card: has the moments that images are normalised with.
        mesh: the devices.
        steps_per_epoch: after so many the sums start anew.
        coarse: how many times larger the sides of tokens are, of a network that has any.

    Returns:
        `(state, data, indices, key, drop_path) -> state`, with data `{"images", "labels"}`, indices
        int32 [batch_size] into them, a key that is the same for all steps, and the probability of
        dropping a branch, float32 []. The state given is used up.
    """
    whole, split = (NamedSharding(mesh, spec) for spec in (PartitionSpec(), PartitionSpec(AXIS)))
    tokens = {} if coarse == 1 else {"coarse": coarse}

    def step(state: State, data: dict, indices: jax.Array, key: jax.Array, drop_path: jax.Array):
        weights, rest = state["weights"], state["rest"]
        keys = jax.random.split(jax.random.fold_in(key, rest["step"]), 4)
        images = jax.lax.with_sharding_constraint(data["images"][indices], split)
        labels = jax.lax.with_sharding_constraint(data["labels"][indices], split)
        images = augment(keys[0], images, card, recipe)
        mixed = mix_batch(keys[3], images, labels, recipe)
        # A network that never drops is not asked for the random numbers of it.
        rate = drop_path if recipe.drop_path else 0.0
        call = {"drop_path": rate, "rngs": {"drop_path": keys[1], "dropout": keys[2]}, **tokens}
        loss_of = functools.partial(_loss, module, recipe, weights["batch_stats"], mixed, call)
        (loss, (logits, batch_stats)), gradients = jax.value_and_grad(loss_of, has_aux=True)(
            weights["params"]
        )
        updates, opt_state = optimiser.update(gradients, rest["opt_state"], weights["params"])
        params = optax.apply_updates(weights["params"], updates)
        correct = (logits.argmax(-1) == mixed.larger).sum(dtype=jnp.int32)
        sums = _add(rest["sums"], rest["step"], loss, correct, steps_per_epoch)
        return {
            "weights": {"params": params, "batch_stats": batch_stats},
            "rest": {"step": rest["step"] + 1, "opt_state": opt_state, "sums": sums},
        }

    return jax.jit(
        step,
        in_shardings=(whole, whole, split, whole, whole),
        out_shardings=whole,
        donate_argnums=0,
    )


def _loss(
    module: nn.Module,
    recipe: Recipe,
    batch_stats: dict,
    mixed: Mixed,
    call: Mapping[str, Any],
    params: dict,
) -> tuple[jax.Array, tuple[jax.Array, dict]]:
    """Computes the loss of a batch, of an auxiliary head too; and logits and new statistics."""
    (logits, auxiliary), changed = module.apply(
        {"params": params, "batch_stats": batch_stats},
        mixed.images,
        train=True,
        mutable=["batch_stats"],
        **call,
    )
    loss = batch_loss(logits, mixed, recipe.label_smoothing)
    if auxiliary is not None and recipe.auxiliary_weight:
        more = batch_loss(auxiliary, mixed, recipe.label_smoothing)
        loss = loss + recipe.auxiliary_weight * more
    return loss, (logits, changed.get("batch_stats", {}))


class Programs:
    """Compiles a step at its first call with a factor, and keeps it.

    Attributes:
        compile_seconds: spent compiling so far.
    """

    def __init__(
        self,
        module: nn.Module,
        recipe: Recipe,
        optimiser: optax.GradientTransformation,
        card: Card,
        mesh: Mesh,
        steps_per_epoch: int,
    ):
        """Takes the arguments of `train_step`; nothing is compiled yet."""
        self._build: Callable[..., Callable[..., State]] = functools.partial(
            train_step, module, recipe, optimiser, card, mesh, steps_per_epoch
        )
        self._compiled: dict[int, jax.stages.Compiled] = {}
        self.compile_seconds = 0.0

    def step(self, coarse: int, *args) -> State:
        """Does one step.

        Args:
            coarse: how many times larger the sides of tokens are; 1 for a network without tokens.
            *args: of the function that `train_step` gives; their shapes never change.
        """
        if coarse not in self._compiled:
            begun = time.perf_counter()
            self._compiled[coarse] = self._build(coarse=coarse).lower(*args).compile()
            self.compile_seconds += time.perf_counter() - begun
        return self._compiled[coarse](*args)


def batch_loss(logits: jax.Array, mixed: Mixed, smoothing: float) -> jax.Array:
    """Computes `mean_loss` with the labels of a batch, of mixed ones by their shares."""
    return mixed_loss(lambda labels: mean_loss(logits, labels, smoothing), mixed)


def mean_loss(logits: jax.Array, labels: jax.Array, smoothing: float) -> jax.Array:
    """Computes the mean cross-entropy of logits [N, classes] with labels int32 [N], smoothed.

    With smoothing s, a label counts for 1 - s and each class for s / classes more.
    """
    log_p = jax.nn.log_softmax(logits)
    own = jnp.take_along_axis(log_p, labels[:, None], axis=1).mean()
    return -((1 - smoothing) * own + smoothing * log_p.mean())


def _add(sums: dict, step: jax.Array, loss: jax.Array, correct: jax.Array, every: int) -> dict:
    """Adds one step to the sums of an epoch; `bad_step` is the first whose loss is not finite."""
    fresh = step % every == 0
    first_bad = (sums["bad_step"] == GOOD) & ~jnp.isfinite(loss)
    return {
        "loss": jnp.where(fresh, 0.0, sums["loss"]) + loss,
        "correct": jnp.where(fresh, 0, sums["correct"]) + correct,
        "bad_step": jnp.where(first_bad, step, sums["bad_step"]),
    }
