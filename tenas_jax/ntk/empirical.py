"""Empirical neural tangent kernels of any network, by any engine."""

from collections.abc import Callable, Sequence
from typing import Any

import jax
from flax import traverse_util

from tenas_jax.errors import UserError, lookup
from tenas_jax.ntk import jacobian

# The last name of a parameter says whether it takes part: weights do, biases do not.
WEIGHTS = ("kernel", "scale", "weight")


def _neural_tangents(f, params, x1, x2=None, *, chunk=None, coupled=True):
    from tenas_jax.ntk import neural_tangents_engine  # slow to import, and optional

    del chunk  # its Jacobian contraction takes all cotangents at once
    return neural_tangents_engine.kernel(f, params, x1, x2, coupled=coupled)


ENGINES: dict[str, Callable] = {"jacobian": jacobian.kernel, "neural_tangents": _neural_tangents}


def resolve_engine(name: str) -> str:
    """The engine's name; `auto` is `jacobian` on CPU and `neural_tangents` elsewhere.

    Raises:
        UserError: no such engine.
    """
    if name == "auto":
        return "jacobian" if jax.default_backend() == "cpu" else "neural_tangents"
    lookup("engine", {"auto": None, **ENGINES}, name)
    return name


def ntk(
    network: Callable[[Any, jax.Array], jax.Array],
    params: Any,
    images: jax.Array,
    images2: jax.Array | None = None,
    *,
    engine: str = "auto",
    chunk: int | None = None,
    weights: Sequence[str] = WEIGHTS,
    within: str | None = None,
) -> jax.Array:
    """The empirical NTK of the sum of the logits: Θ = J J'ᵀ, J[n] = ∂ Σ_c f_c(x_n) / ∂θ.

    Summing the outputs is what TE-NAS's program does; it is not the trace over outputs. A network
    with batch statistics couples its samples, and gradients flow through the statistics.

    Args:
        network: `(params, images) -> logits [N, C]` (or [N]). If it has an attribute `coupled` that
            is false, an image's logits depend on that image alone, and rows of J are cheaper.
        params: the module's parameters, a tree of dicts.
        images: [N, H, W, C].
        images2: a second batch [M, ...], evaluated apart; None is the first.
        engine: a name in `ENGINES` or `auto`.
        chunk: cotangents in memory at once, engine `jacobian` alone.
        weights: last names of the parameters that take part.
        within: what one of the names before must begin with, as `cell`; None takes all.

    Returns:
        [N, M]

    Raises:
        UserError: an unknown engine, or no such parameter.
    """
    f, some = summed_logits(network, params), taking_part(params, weights, within)
    kernel = ENGINES[resolve_engine(engine)]
    coupled = getattr(network, "coupled", True)
    return kernel(f, some, images, images2, chunk=chunk, coupled=coupled)


def taking_part(
    params: Any, weights: Sequence[str] = WEIGHTS, within: str | None = None
) -> dict[tuple[str, ...], jax.Array]:
    """The parameters that take part in a kernel, by path; arguments and errors as for `ntk`."""
    flat = traverse_util.flatten_dict(params)
    found = {
        path: leaf
        for path, leaf in flat.items()
        if path[-1] in weights
        and (within is None or any(name.startswith(within) for name in path[:-1]))
    }
    if not found:
        where = "" if within is None else f" in a module {within}…"
        names = sorted({path[-1] for path in flat})
        raise UserError(f"no parameter{where} is named {', '.join(weights)}; there are {names}")
    return found


def summed_logits(
    network: Callable[[Any, jax.Array], jax.Array], params: Any
) -> Callable[[dict, jax.Array], jax.Array]:
    """Σ_c f_c(x_n), [N], as a function of some of the parameters, by path, and images."""
    flat = traverse_util.flatten_dict(params)

    def f(some: dict, x: jax.Array) -> jax.Array:
        logits = network(traverse_util.unflatten_dict({**flat, **some}), x)
        if not isinstance(logits, jax.Array):
            raise UserError(f"the network must return logits, not a {type(logits).__name__}")
        return logits.reshape(len(x), -1).sum(-1)

    return f
