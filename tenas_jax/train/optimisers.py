"""Optimisers by Optax's names, and the learning rate that they follow."""

import ast
import inspect
from collections.abc import Callable, Mapping
from typing import Any

import jax
import jax.numpy as jnp
import optax

from tenas_jax.errors import UserError, lookup, shorten, unknown
from tenas_jax.train.recipe import Recipe

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
