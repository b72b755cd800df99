"""The 3x3 average pooling of a cell, in two forms that give the same numbers."""

from collections.abc import Callable

import jax
import jax.numpy as jnp
import numpy as np
from jax import lax

from tenas_jax.networks.conv_norm import resolve_form


def average_pool_3x3(x: jax.Array, *, form: str) -> jax.Array:
    """The mean over 3x3 neighbours at stride 1; padding is left out of the count.

    Args:
        x: feature maps [C, H, W, N].
        form: `plain`, a window reduction; `condensed`, sums of shifted arrays, or `auto`, see
            `conv_norm`.

    Returns:
        The same shape.
    """
    return FORMS[resolve_form(form)](x) / _count(x)


def _plain(x: jax.Array) -> jax.Array:
    """The sum over 3x3 neighbours."""
    zero = np.zeros(
        (), x.dtype
    )  # known when traced: under `jit` only a known zero makes this a sum
    pad = [(0, 0), (1, 1), (1, 1), (0, 0)]
    return lax.reduce_window(x, zero, lax.add, (1, 3, 3, 1), (1, 1, 1, 1), pad)


@jax.custom_vjp
def _condensed(x: jax.Array) -> jax.Array:
    """The sum over 3x3 neighbours, along one axis after the other: four additions, not eight."""
    rows = jnp.pad(x, ((0, 0), (1, 1), (0, 0), (0, 0)))
    rows = rows[:, :-2] + rows[:, 1:-1] + rows[:, 2:]
    columns = jnp.pad(rows, ((0, 0), (0, 0), (1, 1), (0, 0)))
    return columns[:, :, :-2] + columns[:, :, 1:-1] + columns[:, :, 2:]


# To be a neighbour is mutual: the transpose is the function itself.
_condensed.defvjp(lambda x: (_condensed(x), None), lambda _, dy: (_condensed(dy),))


def _count(x: jax.Array) -> jax.Array:
    """How many of a position's 3x3 neighbours lie in the image: [1, H, W, 1]."""
    _, height, width, _ = x.shape
    along = [
        np.minimum(np.arange(n) + 2, n) - np.maximum(np.arange(n) - 1, 0) for n in (height, width)
    ]
    return jnp.asarray(np.outer(*along)[None, :, :, None], x.dtype)


FORMS: dict[str, Callable] = {"plain": _plain, "condensed": _condensed}
