"""The arithmetic of a traced program: what its products and convolutions take."""

import math

from jax.extend import core


def product_flops(jaxpr: core.Jaxpr) -> float:
    """Floating-point operations of all products and convolutions, loops included.

    A multiplication and an addition are two. Other operations are left out: where they take time,
    it is for moving numbers. A loop without a known count is counted as one turn, a branch as its
    dearest.

    Args:
        jaxpr: as of `jax.make_jaxpr(f)(...).jaxpr`.
    """
    return sum(_flops(eqn) for eqn in jaxpr.eqns)


def _flops(eqn: core.JaxprEqn) -> float:
    name, params = eqn.primitive.name, eqn.params
    if name == "dot_general":
        (contracted, _), _ = params["dimension_numbers"]
        left = eqn.invars[0].aval.shape
        return 2 * math.prod(eqn.outvars[0].aval.shape) * math.prod(left[i] for i in contracted)
    if name == "conv_general_dilated":
        kernel = eqn.invars[1].aval.shape
        features = kernel[params["dimension_numbers"].rhs_spec[0]]
        return 2 * math.prod(eqn.outvars[0].aval.shape) * math.prod(kernel) / features
    if name == "cond":
        return max(product_flops(branch.jaxpr) for branch in params["branches"])
    turns = params["length"] if name == "scan" else 1
    return turns * sum(product_flops(inner) for inner in _inner(params))


def _inner(params: dict) -> list[core.Jaxpr]:
    """The programs that an operation holds, by whatever parameter."""
    found = [getattr(value, "jaxpr", value) for value in params.values()]
    return [value for value in found if hasattr(value, "eqns")]
