"""Doing the same for many inputs, in a loop on the device or one after the other in the program."""

from collections.abc import Callable

import jax
import jax.numpy as jnp
from jax import lax
from jax.extend import core

from tenas_jax.traced_programs import holds


def map_or_unroll(f: Callable, xs: jax.Array, *, unroll: bool) -> jax.Array:
    """`f` of each of the first axis's entries, stacked: `lax.map`, or so many copies of `f`."""
    return jnp.stack([f(x) for x in xs]) if unroll else lax.map(f, xs)


def needs_unrolling(program: core.Jaxpr) -> bool:
    """Whether a program is better repeated than put in a loop.

    XLA's CPU convolutions are several times slower inside a device loop.
    """
    return jax.default_backend() == "cpu" and holds(program, "conv_general_dilated")
