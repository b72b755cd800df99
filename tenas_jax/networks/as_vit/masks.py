"""Layers of a network whose sizes are run-time arguments: what is left over is zero.

Of arrays that are as large as the largest choice the first places are used, or the middle taps of a
kernel. What a layer is given is zero in the places that are not used, so that weights there have no
effect and no derivative.
"""

from collections.abc import Callable
from typing import Any

import flax.linen as nn
import jax
import jax.numpy as jnp

from tenas_jax.networks.as_vit.blocks import EPSILON, grid, windows


def first(length: int, count: Any, dtype: Any) -> jax.Array:
    """[length]: 1 in the first `count` places, 0 in the others."""
    return (jnp.arange(length) < count).astype(dtype)


def middle(largest: int, size: Any, stride: int, dtype: Any) -> jax.Array:
    """[largest²]: 1 where the largest kernel has the taps of one of a size, by its padding."""
    before = (largest - stride) // 2 - (size - stride) // 2
    taps = jnp.arange(largest)
    one = ((taps >= before) & (taps < before + size)).astype(dtype)
    return (one[:, None] * one[None, :]).ravel()


def affine(
    x: jax.Array,
    kernel: jax.Array,
    bias: jax.Array | None,
    count: Any,
    activation: Callable[[jax.Array], jax.Array] = lambda x: x,
) -> jax.Array:
    """A dense layer on the last axis, of which the first `count` outputs are used."""
    x = x @ kernel
    if bias is not None:
        x = x + across(bias, x)
    return activation(x) * across(first(x.shape[-1], count, x.dtype), x)


def normalise(
    x: jax.Array, weights: tuple[jax.Array, jax.Array], used: jax.Array, on: bool
) -> jax.Array:
    """Layer normalisation over the used places of the last axis, or the identity.

    Args:
        x: [..., C], zero where it is not used.
        weights: scale and bias, [C].
        used: [C], 1 or 0.
        on: whether it normalises.
    """
    if not on:
        return x
    used, count = across(used, x), used.sum()
    centred = (x - x.sum(-1, keepdims=True) / count) * used
    inverse = jax.lax.rsqrt((centred * centred).sum(-1, keepdims=True) / count + EPSILON)
    scale, bias = (across(weight, x) for weight in weights)
    return (centred * inverse * scale + bias) * used


def attend(qkv: jax.Array, split: int, group: Any, size: Any, several: bool) -> jax.Array:
    """Attention within windows, with heads that are groups of parts.

    Args:
        qkv: [N, H, W, 3, parts, D], of D the first `size` are used and the others zero.
        split: windows along a side.
        group: neighbouring parts that make a head.
        size: of a part.
        several: whether `group` may be other than 1.

    Returns:
        [N, H, W, parts · D]
    """
    height, width, _, parts, _ = qkv.shape[1:]
    q, k, v = jnp.moveaxis(windows(qkv, split), 2, 0)
    scores = jnp.einsum("nqhd,nkhd->nhqk", q, k)
    if several:  # a head's score is the sum of those of its parts
        head = jnp.arange(parts) // group
        scores = jnp.einsum("gh,nhqk->ngqk", (head[:, None] == head[None, :]) * 1.0, scores)
    scale = jnp.asarray(group * size, scores.dtype) ** -0.5
    out = jnp.einsum("nhqk,nkhd->nqhd", nn.softmax(scores * scale), v)
    return grid(out, split, height, width).reshape(*qkv.shape[:3], -1)


def across(vector: jax.Array, x: jax.Array) -> jax.Array:
    """[C] with axes of one before it, as many as x [..., C] has."""
    return vector.reshape((1,) * (x.ndim - 1) + (-1,))
