"""Empirical neural tangent kernels of any network, by any engine."""

from collections.abc import Callable, Sequence
from typing import Any

import jax
import numpy as np

from tenas_jax.errors import UserError, lookup
from tenas_jax.networks.adapters import ready
from tenas_jax.networks.names import path_names
from tenas_jax.ntk import jacobian

# The last name of a parameter says whether it takes part: weights do, biases do not.
WEIGHTS = ("kernel", "scale", "weight")


def _neural_tangents(f, params, x1, x2=None, *, chunk=None, coupled=True):
    from tenas_jax.ntk import _compat  # slow to import, and optional

    del chunk  # its Jacobian contraction takes all cotangents at once
    return _compat.kernel(f, params, x1, x2, coupled=coupled)


ENGINES: dict[str, Callable] = {"jacobian": jacobian.kernel, "neural_tangents": _neural_tangents}


def resolve_engine(name: str) -> str:
    """Returns the engine's name; `auto` is `jacobian` on CPU and `neural_tangents` elsewhere.

    Raises:
        UserError: no such engine.
    """
    if name == "auto":
        return "jacobian" if jax.default_backend() == "cpu" else "neural_tangents"
    lookup("engine", {"auto": None, **ENGINES}, name)
    return name


def ntk(
    model: Callable[[Any, Any], jax.Array],
    params: Any,
    inputs: Any,
    inputs2: Any = None,
    *,
    engine: str = "auto",
    chunk: int | None = None,
    weights: Sequence[str] = WEIGHTS,
    within: str | None = None,
) -> jax.Array:
    """Computes the empirical NTK of the summed outputs: Θ = J J'ᵀ, J[n] = ∂ Σ_c f_c(x_n) / ∂θ.

    Summing the outputs is what TE-NAS's program does; it is not the trace over outputs. A network
    with batch statistics couples its examples, and gradients flow through the statistics.

    Args:
        model: `(params, inputs) -> outputs [N, ...]`, or a module of Flax or Equinox (see
            `tenas_jax.networks.adapters.as_model`). If it has an attribute `coupled` that is
            false, an example's outputs depend on that example alone, and rows of J are cheaper.
        params: its parameters, any tree of arrays; None for those that a module holds.
        inputs: [N, ...], or a tree of such arrays.
        inputs2: a second batch [M, ...], evaluated apart; None is the first.
        engine: a name in `ENGINES` or `auto`.
        chunk: cotangents in memory at once, engine `jacobian` alone.
        weights: last names of the parameters that take part.
        within: what one of the names before must begin with, as `cell`; None takes all.

    Returns:
        [N, M]

    Raises:
        UserError: an unknown engine, or no such parameter.
    """
    model, params = ready(model, params, inputs)
    f, some = summed_outputs(model, params), taking_part(params, weights, within)
    kernel = ENGINES[resolve_engine(engine)]
    coupled = getattr(model, "coupled", True)
    return kernel(f, some, inputs, inputs2, chunk=chunk, coupled=coupled)


def taking_part(
    params: Any, weights: Sequence[str] = WEIGHTS, within: str | None = None
) -> dict[tuple[str, ...], jax.Array]:
    """Returns the parameters that take part in a kernel, by path.

    Args:
        params: any tree of arrays.
        weights: see `ntk`, and so for `within`.

    Raises:
        UserError: there is no such parameter.
    """
    weights = (weights,) if isinstance(weights, str) else weights
    every = _by_path(params)
    chosen = {
        path: leaf
        for path, leaf in every.items()
        if path
        and path[-1] in weights
        and (within is None or any(name.startswith(within) for name in path[:-1]))
    }
    if not chosen:
        where = "" if within is None else f" in a module {within}…"
        names = sorted({path[-1] for path in every if path})
        raise UserError(f"no parameter{where} is named {', '.join(weights)}; there are {names}")
    return chosen


def columns_of(params: Any, weights: Sequence[str], within: str | None) -> np.ndarray | None:
    """Returns which columns of a Jacobian of all weights are those within some modules.

    Returns:
        int [P], or None for all.
    """
    if within is None:
        return None
    chosen = taking_part(params, weights, within)
    # In the order of a tree's leaves, as the engine lays them.
    flags = {p: np.full(a.size, p in chosen) for p, a in taking_part(params, weights).items()}
    return np.flatnonzero(np.concatenate(jax.tree.leaves(flags)))


def summed_outputs(
    model: Callable[[Any, Any], jax.Array], params: Any
) -> Callable[[dict, Any], jax.Array]:
    """Returns Σ_c f_c(x_n), [N], as a function of some of the parameters, by path, and inputs."""
    every, tree = _by_path(params), jax.tree.structure(params)

    def f(some: dict, inputs: Any) -> jax.Array:
        leaves = [some.get(path, leaf) for path, leaf in every.items()]
        outputs = model(jax.tree.unflatten(tree, leaves), inputs)
        if not isinstance(outputs, jax.Array):
            raise UserError(f"the network must return one array, not a {type(outputs).__name__}")
        return outputs.reshape(len(jax.tree.leaves(inputs)[0]), -1).sum(-1)

    return f


def _by_path(params: Any) -> dict[tuple[str, ...], jax.Array]:
    """Returns the leaves of a tree by the names on the way to each, in the tree's order."""
    leaves = jax.tree_util.tree_leaves_with_path(params)
    return {path_names(path): leaf for path, leaf in leaves}
