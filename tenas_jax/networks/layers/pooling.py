"""The 3x3 pooling of a cell, in two forms that give the same numbers."""

import functools
from collections.abc import Callable

import jax
import jax.numpy as jnp
import numpy as np
from jax import lax

from tenas_jax.networks.layers.conv_norm import resolve_form


def average_pool_3x3(x: jax.Array, *, stride: int = 1, form: str) -> jax.Array:
    """Takes the mean over 3x3 neighbours; padding is left out of the count.

    Args:
        x: feature maps [C, H, W, N].
        stride: step in both directions.
        form: `plain`, a window reduction; `condensed`, sums of shifted arrays, or `auto`, see
            `conv_norm`.

    Returns:
        [C, ⌈H / stride⌉, ⌈W / stride⌉, N]
    """
    return SUMS[resolve_form(form)](x, stride) / _count(x, stride)


def max_pool_3x3(x: jax.Array, *, stride: int = 1, form: str) -> jax.Array:
    """Takes the largest of 3x3 neighbours, never padding; see `average_pool_3x3`."""
    return MAXIMA[resolve_form(form)](x, stride)


def _plain_sum(x: jax.Array, stride: int) -> jax.Array:
    """Sums over 3x3 neighbours."""
    # known when traced: under `jit` only a known zero makes this a sum
    return _over_windows(x, np.zeros((), x.dtype), lax.add, stride)


def _plain_max(x: jax.Array, stride: int) -> jax.Array:
    return _over_windows(x, np.array(-np.inf, x.dtype), lax.max, stride)


def _over_windows(x: jax.Array, start: np.ndarray, combine: Callable, stride: int) -> jax.Array:
    pad = [(0, 0), (1, 1), (1, 1), (0, 0)]
    return lax.reduce_window(x, start, combine, (1, 3, 3, 1), (1, stride, stride, 1), pad)


@functools.partial(jax.custom_vjp, nondiff_argnums=(1,))
def _condensed_sum(x: jax.Array, stride: int) -> jax.Array:
    """Sums over 3x3 neighbours, along one axis after the other: four additions, not eight."""
    rows = jnp.pad(x, ((0, 0), (1, 1), (0, 0), (0, 0)))
    rows = rows[:, :-2:stride] + rows[:, 1:-1:stride] + rows[:, 2::stride]
    columns = jnp.pad(rows, ((0, 0), (0, 0), (1, 1), (0, 0)))
    return columns[:, :, :-2:stride] + columns[:, :, 1:-1:stride] + columns[:, :, 2::stride]


def _condensed_sum_forward(x, stride):
    # The shape of x travels as an array that holds nothing.
    return _condensed_sum(x, stride), jnp.zeros((0, *x.shape), x.dtype)


def _condensed_sum_backward(stride, like_x, dy):
    # To be a neighbour is mutual: at stride 1 the transpose is the function itself.
    return (_condensed_sum(_between_zeros(dy, stride, like_x.shape[1:]), 1),)


_condensed_sum.defvjp(_condensed_sum_forward, _condensed_sum_backward)


@functools.partial(jax.custom_vjp, nondiff_argnums=(1,))
def _condensed_max(x: jax.Array, stride: int) -> jax.Array:
    """Takes the largest of nine shifted arrays."""
    return functools.reduce(jnp.maximum, _neighbours(x, stride))


def _condensed_max_forward(x, stride):
    neighbours = jnp.stack(_neighbours(x, stride))
    which = jnp.argmax(neighbours, 0).astype(jnp.int8)  # of equal ones the first, as elsewhere
    return neighbours.max(0), (which, jnp.zeros((0, *x.shape), x.dtype))


def _condensed_max_backward(stride, residuals, dy):
    which, like_x = residuals
    _, _, height, width, _ = like_x.shape
    zero, total = jnp.zeros((), dy.dtype), 0
    for tap in range(9):
        i, j = divmod(tap, 3)
        edges = [
            (start - 1, size - (start - 1) - ((out - 1) * stride + 1), stride - 1)
            for start, size, out in ((i, height, dy.shape[1]), (j, width, dy.shape[2]))
        ]
        own = jnp.where(which == tap, dy, zero)
        total = total + lax.pad(own, zero, [(0, 0, 0), *edges, (0, 0, 0)])
    return (total,)


_condensed_max.defvjp(_condensed_max_forward, _condensed_max_backward)


def _neighbours(x: jax.Array, stride: int) -> list[jax.Array]:
    """Lists the nine arrays that hold a position's 3x3 neighbours; -inf lies outside."""
    _, height, width, _ = x.shape
    padded = jnp.pad(x, ((0, 0), (1, 1), (1, 1), (0, 0)), constant_values=-jnp.inf)
    return [
        padded[:, i : i + height : stride, j : j + width : stride]
        for i in range(3)
        for j in range(3)
    ]


def _between_zeros(y: jax.Array, stride: int, shape: tuple) -> jax.Array:
    """Puts zeros between the positions of y [C, h, w, N], to undo a stride: of `shape`."""
    edges = [
        (0, size - ((out - 1) * stride + 1), stride - 1)
        for size, out in zip(shape[1:3], y.shape[1:3], strict=True)
    ]
    return lax.pad(y, jnp.zeros((), y.dtype), [(0, 0, 0), *edges, (0, 0, 0)])


def _count(x: jax.Array, stride: int) -> jax.Array:
    """Counts how many of a position's 3x3 neighbours lie in the image: [1, H, W, 1]."""
    _, height, width, _ = x.shape
    along = [
        np.minimum(np.arange(n) + 2, n) - np.maximum(np.arange(n) - 1, 0) for n in (height, width)
    ]
    return jnp.asarray(np.outer(*(a[::stride] for a in along))[None, :, :, None], x.dtype)


SUMS: dict[str, Callable] = {"plain": _plain_sum, "condensed": _condensed_sum}
MAXIMA: dict[str, Callable] = {"plain": _plain_max, "condensed": _condensed_max}
