"""Doing the same for many inputs, in a loop on the device or one after the other in the program."""

from collections.abc import Callable
from typing import Any

import jax
import jax.numpy as jnp
from jax import lax
from jax.extend import core

from tenas_jax.tracing.programs import holds


def map_or_unroll(f: Callable, xs: Any, *, unroll: bool) -> jax.Array:
    """`f` of each of the first axis's entries, stacked: `lax.map`, or so many copies of `f`.

    Args:
        f: gives an array.
        xs: an array, or a tree of arrays with the same first axis.
        unroll: whether there is no loop.
    """
    if not unroll:
        return lax.map(f, xs)
    count = len(jax.tree.leaves(xs)[0])
    return jnp.stack([f(jax.tree.map(lambda x, i=i: x[i], xs)) for i in range(count)])


def needs_unrolling(program: core.Jaxpr) -> bool:
    """Says whether a program is better repeated than put in a loop.

    XLA's CPU convolutions are several times slower inside a device loop.
    """
    return jax.default_backend() == "cpu" and holds(program, "conv_general_dilated")
