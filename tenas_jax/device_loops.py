"""Doing the same for many inputs, in a loop on the device or one after the other in the program."""

from collections.abc import Callable

import jax
import jax.numpy as jnp
from jax import lax
from jax.extend import core


def map_or_unroll(f: Callable, xs: jax.Array, *, unroll: bool) -> jax.Array:
    """`f` of each of the first axis's entries, stacked: `lax.map`, or so many copies of `f`."""
    return jnp.stack([f(x) for x in xs]) if unroll else lax.map(f, xs)


def needs_unrolling(program: core.Jaxpr) -> bool:
    """Whether a program is better repeated than put in a loop.

    XLA's CPU convolutions are several times slower inside a device loop.
    """
    return jax.default_backend() == "cpu" and holds_convolution(program)


def holds_convolution(program: core.Jaxpr) -> bool:
    """Whether a program has a convolution at any depth."""
    return any(
        eqn.primitive.name == "conv_general_dilated"
        or any(
            holds_convolution(getattr(inner, "jaxpr", inner))
            for inner in jax.tree.leaves(list(eqn.params.values()))
            if hasattr(getattr(inner, "jaxpr", inner), "eqns")
        )
        for eqn in program.eqns
    )
