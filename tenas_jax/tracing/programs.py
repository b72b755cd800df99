"""What traced programs hold, at any depth: primitives by name, and the arithmetic of products."""

import math

import jax
from jax.extend import core


def inner_programs(equation: core.JaxprEqn) -> list[core.Jaxpr]:
    """Returns the programs that an operation holds, under whatever name, one by one or several."""
    held = [getattr(value, "jaxpr", value) for value in jax.tree.leaves(equation.params)]
    return [value for value in held if hasattr(value, "eqns")]


def holds(program: core.Jaxpr, primitive: str) -> bool:
    """Says whether a program has an operation of this name, such as `conv_general_dilated`."""
    return any(
        equation.primitive.name == primitive
        or any(holds(inner, primitive) for inner in inner_programs(equation))
        for equation in program.eqns
    )


def multiply_adds(program: core.Jaxpr) -> int:
    """Multiply-adds of all products and convolutions; other operations are left out.

    A `scan` counts as often as it turns, a loop of unknown length once, a branch as its dearest.

    Args:
        program: as of `jax.make_jaxpr(f)(...).jaxpr`.
    """
    return sum(_multiply_adds(equation) for equation in program.eqns)


def _multiply_adds(equation: core.JaxprEqn) -> int:
    name, params = equation.primitive.name, equation.params
    if name == "dot_general":
        (contracted, _), _ = params["dimension_numbers"]
        left = equation.invars[0].aval.shape
        return math.prod(equation.outvars[0].aval.shape) * math.prod(left[i] for i in contracted)
    if name == "conv_general_dilated":
        # A kernel's input channels are those of one group, what one output adds up.
        kernel = equation.invars[1].aval.shape
        features = kernel[params["dimension_numbers"].rhs_spec[0]]
        return math.prod(equation.outvars[0].aval.shape) * (math.prod(kernel) // features)
    inner = [multiply_adds(program) for program in inner_programs(equation)]
    if name == "cond":
        return max(inner)
    return sum(inner) * (params["length"] if name == "scan" else 1)
