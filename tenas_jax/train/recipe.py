"""How a network is trained: every choice but network, data and seed, and its optimiser."""

import ast
import dataclasses
import inspect
import math
from collections.abc import Callable, Mapping
from typing import Any

import jax
import jax.numpy as jnp
import optax

from tenas_jax.errors import UserError, lookup, shorten, unknown
from tenas_jax.train.coarse import Stages, checked_stages, factor_at

DTYPES = {"float32": jnp.float32, "bfloat16": jnp.bfloat16}


def _whole(least: int) -> tuple[Callable[[Any], bool], str]:
    """Makes a test for whole numbers, and says in words what passes."""

    def passes(value: Any) -> bool:
        return isinstance(value, int) and not isinstance(value, bool) and value >= least

    return passes, f"a whole number from {least}"


def _number(above: float | None = None) -> tuple[Callable[[Any], bool], str]:
    """Makes a test for finite numbers, and says in words what passes."""

    def passes(value: Any) -> bool:
        real = isinstance(value, int | float) and not isinstance(value, bool)
        return real and math.isfinite(value) and (value >= 0 if above is None else value > above)

    return passes, "a number from 0" if above is None else f"a number above {above:g}"


def _fraction(value: Any) -> bool:
    """Says whether a value is a number from 0 to below 1."""
    return isinstance(value, int | float) and not isinstance(value, bool) and 0 <= value < 1


def _boolean(value: Any) -> bool:
    """Says whether a value is a truth value."""
    return isinstance(value, bool)


# field -> (test, what passes it)
FIELDS = {
    "epochs": _whole(1),
    "batch_size": _whole(2),
    "learning_rate": _number(above=0),
    "warmup_epochs": _number(),
    "weight_decay": _number(),
    "clip_norm": (lambda v: v is None or _number(above=0)[0](v), "a number above 0, or None"),
    "label_smoothing": (_fraction, "a number from 0 to below 1"),
    "auxiliary_weight": _number(),
    "drop_path": (_fraction, "a number from 0 to below 1"),
    "drop_path_rises": (_boolean, "True, False"),
    "mixup": _number(),
    "cutmix": _number(),
    "flip": (_boolean, "True, False"),
    "pad": _whole(0),
    "cutout": _whole(0),
    "evaluate_every": _whole(1),
}


@dataclasses.dataclass(frozen=True)
class Recipe:
    """Says how a network is trained.

    Attributes:
        epochs: passes over the training images.
        batch_size: images of a step, over all devices. What an epoch has left over after its last
            whole batch, other images each time, is not used.
        learning_rate: at its highest; it falls to 0 along a cosine, a little in every step.
        optimizer: a name in `optimisers.OPTIMISERS`.
        optimizer_options: its keyword options, as a dict or as text: "momentum=0.9,nesterov=True".
        warmup_epochs: over which the learning rate first rises from 0 in a straight line.
        weight_decay: on all parameters; see `optimisers.optimiser`.
        clip_norm: the global norm that gradients are scaled down to; None leaves them.
        label_smoothing: the share of a label that is spread over all classes.
        auxiliary_weight: of the auxiliary head's loss, where the network has one.
        drop_path: probability of dropping a branch, at its highest.
        drop_path_rises: whether it rises from 0 by the epoch, as in DARTS's program, or is the same
            in all epochs, as for transformers, where it differs by block.
        flip: whether images are flipped left to right with chance 1/2.
        pad: zeros around an image before it is cropped back at random; 0: no crops.
        cutout: side of the square that is erased from each normalised image; 0: none.
        mixup: α of the Beta distribution of the weights with which images of a batch are mixed;
            0: none. Where `cutmix` is above 0 too, each batch has one of them with chance 1/2.
        cutmix: α of that of the share that a box of another image leaves; 0: none.
        coarse: (factor, epochs) of each stage of coarse tokens, the first of a training of a vision
            transformer, with falling factors; after them tokens are as they will be used.
        dtype: of the computation, "float32" or "bfloat16"; parameters are float32.
        evaluate_every: epochs from one evaluation to the next; the last one always has one.

    Raises:
        UserError: a value that its field does not take.
    """

    epochs: int
    batch_size: int
    learning_rate: float
    optimizer: str = "sgd"
    optimizer_options: str | Mapping[str, Any] = ""
    warmup_epochs: float = 0
    weight_decay: float = 0.0
    clip_norm: float | None = None
    label_smoothing: float = 0.0
    auxiliary_weight: float = 0.0
    drop_path: float = 0.0
    drop_path_rises: bool = True
    flip: bool = True
    pad: int = 4
    cutout: int = 0
    mixup: float = 0.0
    cutmix: float = 0.0
    coarse: Stages = ()
    dtype: str = "float32"
    evaluate_every: int = 1

    def __post_init__(self) -> None:
        """Checks every field."""
        for name, (passes, valid) in FIELDS.items():
            value = getattr(self, name)
            if not passes(value):
                raise UserError(f"{name} is {shorten(value)}; valid: {valid}")
        lookup("dtype", DTYPES, self.dtype)
        object.__setattr__(self, "coarse", checked_stages(self.coarse, self.epochs))
        if self.warmup_epochs >= self.epochs:
            raise UserError(
                f"warmup_epochs is {self.warmup_epochs}; valid: less than the {self.epochs} epochs"
            )

    @classmethod
    def of(cls, fields: Mapping[str, Any]) -> "Recipe":
        """Makes the recipe of a config's fields.

        Raises:
            UserError: an unknown field, one that is missing, or a bad value.
        """
        known = {field.name: field for field in dataclasses.fields(cls)}
        for name in fields:
            if name not in known:
                raise unknown("config field", name, known)
        for name, field in known.items():
            if name not in fields and field.default is dataclasses.MISSING:
                raise UserError(f"the config has no field {name!r}; valid: {', '.join(known)}")
        return cls(**fields)

    def drop_path_at(self, epoch: int) -> float:
        """Returns the probability of dropping a branch in an epoch, the first of which is 0."""
        if not self.drop_path_rises:
            return self.drop_path
        return self.drop_path * epoch / self.epochs

    def coarse_at(self, epoch: int) -> int:
        """Returns how many times larger tokens' sides are in an epoch, the first of which is 0."""
        return factor_at(self.coarse, epoch)


# They take a learning rate, but a step needs more than gradients, or the rate may not vary.
UNFIT = ("lbfgs", "noisy_sgd", "optimistic_adam", "polyak_sgd", "rprop", "sm3")


def _fits(name: str, value: object) -> bool:
    """Says whether a name of Optax is an optimiser that a step can use."""
    if name in UNFIT or name.startswith(("_", "scale_")) or not inspect.isfunction(value):
        return False
    return next(iter(inspect.signature(value).parameters), None) == "learning_rate"


# name -> function of (learning_rate, options by keyword)
OPTIMISERS: dict[str, Callable[..., optax.GradientTransformation]] = {
    name: value for name, value in sorted(vars(optax).items()) if _fits(name, value)
}


def optimiser(recipe: Recipe, steps: int) -> optax.GradientTransformation:
    """Makes what turns gradients into updates of the parameters.

    Gradients are clipped first. Weight decay is the optimiser's own where it has an option of that
    name (`adamw`, `lion`); for all others it is added to the gradients, as in PyTorch's SGD. Either
    way it applies to all parameters, biases and norms too, as in the recipes of both benchmarks.

    Args:
        recipe: names the optimiser.
        steps: of the whole training.

    Raises:
        UserError: an unknown optimiser or option, or an option that the optimiser does not take.
    """
    if recipe.optimizer in UNFIT:
        raise UserError(
            f"optimizer {recipe.optimizer!r} needs more than gradients, or a constant rate; "
            f"valid: {', '.join(OPTIMISERS)}"
        )
    build = lookup("optimizer", OPTIMISERS, recipe.optimizer)
    valid = [name for name in inspect.signature(build).parameters if name != "learning_rate"]
    options = _options(recipe.optimizer_options)
    for name in options:
        if name in ("learning_rate", "weight_decay"):
            raise UserError(f"{name} is a field of the config, not one of optimizer_options")
        if name not in valid:
            raise unknown(f"option of {recipe.optimizer}", name, valid)
    # What is done to gradients before the optimiser has them.
    parts = [] if recipe.clip_norm is None else [optax.clip_by_global_norm(recipe.clip_norm)]
    if "weight_decay" in valid:
        options["weight_decay"] = recipe.weight_decay
    elif recipe.weight_decay:
        parts.append(optax.add_decayed_weights(recipe.weight_decay))
    rate = schedule(recipe, steps)
    try:
        built = optax.chain(*parts, build(rate, **options))
        jax.eval_shape(_one_step(built), jnp.zeros((2, 2)))
    except Exception as error:  # Optax looks at options in many ways, some of them in a step alone
        reason = str(error).split("\n")[0]
        raise UserError(f"{recipe.optimizer} does not take {shorten(options)}: {reason}") from error
    return built


def _one_step(optimiser: optax.GradientTransformation) -> Callable[[jax.Array], jax.Array]:
    """Makes a function of a step from weights, to see whether there is one."""
    return lambda w: optimiser.update({"w": w}, optimiser.init({"w": w}), {"w": w})[0]["w"]


def schedule(recipe: Recipe, steps: int) -> optax.Schedule:
    """Makes the learning rate by step: up in a straight line if asked, and down along a cosine.

    Args:
        recipe: says how high and for how long.
        steps: of the whole training; at this one the rate is 0.

    Raises:
        UserError: the rise leaves no step.
    """
    warmup = round(recipe.warmup_epochs * steps / recipe.epochs)
    if warmup >= steps:
        raise UserError(
            f"warmup_epochs is {recipe.warmup_epochs}: all {steps} steps; valid: what leaves some"
        )
    falling = optax.cosine_decay_schedule(recipe.learning_rate, steps - warmup)
    if not warmup:
        return falling
    rising = optax.linear_schedule(0.0, recipe.learning_rate, warmup)
    return optax.join_schedules([rising, falling], [warmup])


def _options(given: str | Mapping[str, Any]) -> dict[str, Any]:
    """Reads options into a dict, from one or from text such as "momentum=0.9,nesterov=True"."""
    if isinstance(given, Mapping):
        return dict(given)
    try:
        call = ast.parse(f"f({given})", mode="eval").body
        if not isinstance(call, ast.Call) or call.args or any(k.arg is None for k in call.keywords):
            raise ValueError
        return {k.arg: ast.literal_eval(k.value) for k in call.keywords}
    except (SyntaxError, ValueError) as error:
        raise UserError(
            f"optimizer_options is {shorten(given)}; valid: NAME=VALUE,… as momentum=0.9"
        ) from error
