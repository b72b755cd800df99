"""Which side of every ReLU a sample falls on, for any Flax module.

A ReLU network is linear on each set of inputs that share the signs of all its ReLUs. The signs are
read off the traced program, so the module needs no hooks and no change: every `max(x, 0)` in it,
which is what `jax.nn.relu` traces to, is a ReLU. What is written in another way, such as
`jnp.where(x > 0, x, 0)` or a maximum with an array of zeros, is not seen.
"""

from collections.abc import Callable

import jax
import jax.numpy as jnp
import numpy as np
from jax.extend import core

from tenas_jax.errors import UserError
from tenas_jax.tracing.programs import holds, inner_programs

# Primitives that hold a program of their own, with the parameter that names it.
_INNER = {
    "jit": "jaxpr",
    "pjit": "jaxpr",
    "closed_call": "call_jaxpr",
    "custom_jvp_call": "call_jaxpr",
    "custom_vjp_call": "call_jaxpr",
    "remat": "jaxpr",
    "remat2": "jaxpr",
    "checkpoint": "jaxpr",
}
_LOOPS = ("while", "scan", "cond")


def relu_patterns(f: Callable, x: jax.Array) -> jax.Array:
    """The sign pattern of each sample: 1 where a ReLU's input is positive.

    Args:
        f: a function of a batch [N, ...], such as a network with its parameters.
        x: the batch.

    Returns:
        bool [N, V], V being the outputs of all ReLUs for one sample, in the program's order.

    Raises:
        UserError: there is no ReLU, or one inside a loop.
    """
    return relu_inputs(f, x) > 0


def relu_inputs(f: Callable, x: jax.Array) -> jax.Array:
    """What every ReLU is given, [N, V]; see `relu_patterns`."""
    found = _all_inputs(f, x)
    # Samples may lie along any axis: it is the one that is longer for a batch of one more.
    more = jax.eval_shape(
        lambda x: _all_inputs(f, x), jax.ShapeDtypeStruct((len(x) + 1, *x.shape[1:]), x.dtype)
    )
    # A maximum with zero that has no axis for samples clips a statistic, such as the variance in
    # flax.linen.BatchNorm; in other norms there is one, but the sign is the same for all.
    samples = [
        jnp.moveaxis(array, axis, 0).reshape(len(x), -1)
        for array, longer in zip(found, more, strict=True)
        for axis in range(array.ndim)
        if array.ndim >= 2 and (array.shape[axis], longer.shape[axis]) == (len(x), len(x) + 1)
    ]
    if not samples:
        shapes = ", ".join(str(array.shape) for array in found)
        raise UserError(
            "linear regions need a network with ReLU, but its program holds no max(x, 0)"
            + (f" with an axis for the batch of {len(x)}: shapes are {shapes}" if found else "")
        )
    return jnp.concatenate(samples, axis=1)


def _all_inputs(f: Callable, x: jax.Array) -> list[jax.Array]:
    """The inputs of all maxima with zero, in the program's order."""
    closed = jax.make_jaxpr(f)(x)
    found: list[jax.Array] = []
    _run(closed.jaxpr, closed.consts, [x], found)
    return found


def _run(jaxpr, consts: list, args: list, found: list) -> list:
    """Evaluates a program, appending the input of every ReLU to `found`."""
    values = dict(zip(jaxpr.constvars, consts, strict=True))
    values.update(zip(jaxpr.invars, args, strict=True))

    def read(atom):
        return atom.val if isinstance(atom, core.Literal) else values[atom]

    for eqn in jaxpr.eqns:
        inputs = [read(atom) for atom in eqn.invars]
        name = eqn.primitive.name
        if name in _INNER:
            inner = eqn.params[_INNER[name]]
            closed = isinstance(inner, core.ClosedJaxpr)
            results = _run(
                inner.jaxpr if closed else inner, inner.consts if closed else [], inputs, found
            )
        else:
            if name in _LOOPS and any(holds(body, "max") for body in inner_programs(eqn)):
                raise UserError(f"a ReLU inside `{name}` cannot be counted; unroll the loop")
            results = eqn.primitive.bind(*inputs, **eqn.primitive.get_bind_params(eqn.params))
            results = results if eqn.primitive.multiple_results else [results]
            if name == "max" and any(map(_is_zero, inputs)):
                found.append(inputs[1] if _is_zero(inputs[0]) else inputs[0])
        values.update(zip(eqn.outvars, results, strict=True))
    return [read(atom) for atom in jaxpr.outvars]


def _is_zero(value) -> bool:
    """Whether a value is the constant zero of the program's text, not an array that may be zero."""
    return not isinstance(value, jax.Array) and np.ndim(value) == 0 and float(value) == 0
