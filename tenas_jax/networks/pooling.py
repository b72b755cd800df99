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
        x: images [N, H, W, C].
        form: `plain`, differentiated by JAX; `condensed`, with a backward pass that is a matrix
            product, or `auto`, see `conv_norm`.

    Returns:
        The same shape.
    """
    return FORMS[resolve_form(form)](x)


def _plain(x: jax.Array) -> jax.Array:
    zero = np.zeros(
        (), x.dtype
    )  # known when traced: under `jit` only a known zero makes this a sum
    pad = [(0, 0), (1, 1), (1, 1), (0, 0)]
    total = lax.reduce_window(x, zero, lax.add, (1, 3, 3, 1), (1, 1, 1, 1), pad)
    return total / _count(x)


_condensed = jax.custom_vjp(_plain)


def _condensed_backward(_, dy: jax.Array) -> tuple[jax.Array]:
    """The transpose of the pooling: a sum over neighbours too, of dy / count.

    Along the height it is three shifted arrays, along the width one product with a banded matrix
    [W C, W C] of zeros and ones: over few channels, half the time of a window reduction on CPU.
    """
    n, height, width, channels = dy.shape
    rows = (dy / _count(dy)).reshape(n, height, width * channels)
    rows = jnp.pad(rows, ((0, 0), (1, 1), (0, 0)))
    rows = rows[:, :-2] + rows[:, 1:-1] + rows[:, 2:]
    band = np.kron(_neighbours(width), np.eye(channels)).astype(dy.dtype)
    return ((rows @ band).reshape(dy.shape),)


_condensed.defvjp(lambda x: (_plain(x), None), _condensed_backward)


def _count(x: jax.Array) -> jax.Array:
    """How many of a position's 3x3 neighbours lie in the image: [1, H, W, 1]."""
    _, height, width, _ = x.shape
    count = np.outer(_neighbours(height).sum(0), _neighbours(width).sum(0))
    return jnp.asarray(count[None, :, :, None], x.dtype)


def _neighbours(length: int) -> np.ndarray:
    """The matrix [length, length] of ones where two places are at most one apart."""
    return (np.abs(np.subtract.outer(np.arange(length), np.arange(length))) <= 1).astype(float)


FORMS: dict[str, Callable] = {"plain": _plain, "condensed": _condensed}
