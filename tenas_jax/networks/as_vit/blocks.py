"""The parts of a vision transformer of As-ViT (Chen et al. 2022, arXiv:2202.11921).

Tokens lie on a grid, [N, H, W, C]. Attention is within windows of that grid, without position bias
and without shift: what tells positions apart is the overlap of the kernels.

The functions from `first` on are layers whose sizes are run-time arguments. Of arrays as large as
the largest choice they use the first entries, or the middle taps of a kernel. The others of what
they are given are zero, so that weights there have no effect and no derivative.
"""

from collections.abc import Callable
from typing import Any

import flax.linen as nn
import jax
import jax.numpy as jnp

EPSILON = 1e-5  # added to the variance

Kernel = Callable[..., jax.Array]  # an initialiser


class Norm(nn.Module):
    """Normalises over the last axis, or is the identity with the same parameters.

    Attributes:
        dtype: of the result; statistics are float32 at least.
    """

    dtype: Any = None

    @nn.compact
    def __call__(self, x: jax.Array, on: bool = True) -> jax.Array:
        """Maps [..., C] to the same; with `on` false to `x`, and the parameters play no part."""
        shape = x.shape[-1:]
        scale = self.param("scale", nn.initializers.ones, shape)
        bias = self.param("bias", nn.initializers.zeros, shape)
        if not on:
            return x
        wide = x.astype(jnp.promote_types(x.dtype, jnp.float32))
        centred = wide - wide.mean(-1, keepdims=True)
        inverse = jax.lax.rsqrt((centred * centred).mean(-1, keepdims=True) + EPSILON)
        out = centred * inverse * across(scale, x) + across(bias, x)
        return out.astype(x.dtype if self.dtype is None else self.dtype)


def unfold(x: jax.Array, kernel: int, stride: int) -> jax.Array:
    """Lays the pixels or tokens under each position of a kernel side by side.

    Zeros around x, rather after than before, make each side ⌊side / stride⌋ positions. Blocks
    of the stride's size are put together: a few slices, where tap by tap it would take K².

    Args:
        x: [N, H, W, C].
        kernel: K, taps along a side.
        stride: from position to position, at most K.

    Returns:
        [N, ⌊H / stride⌋, ⌊W / stride⌋, K · K, C], taps by row, then column.
    """
    n, *sides, channels = x.shape
    before, blocks = (kernel - stride) // 2, -(-kernel // stride)
    rows, columns = (side // stride for side in sides)
    pads = [
        (before, max(0, (count + blocks - 1) * stride - before - side))
        for side, count in zip(sides, (rows, columns), strict=True)
    ]
    x = jnp.pad(x, ((0, 0), *pads, (0, 0)))
    x = x[:, : (rows + blocks - 1) * stride, : (columns + blocks - 1) * stride]
    x = x.reshape(n, rows + blocks - 1, stride, columns + blocks - 1, stride, channels)
    x = jnp.concatenate([x[:, at : at + rows] for at in range(blocks)], axis=2)[:, :, :kernel]
    x = jnp.concatenate([x[:, :, :, at : at + columns] for at in range(blocks)], axis=4)
    x = jnp.moveaxis(x[:, :, :, :, :kernel], 3, 2)
    return x.reshape(n, rows, columns, kernel * kernel, channels)


def attend(q: jax.Array, k: jax.Array, v: jax.Array) -> jax.Array:
    """Computes softmax(q kᵀ / √D) v for each head, of [..., T, heads, D] each; the same shape."""
    scores = jnp.einsum("...qhd,...khd->...hqk", q, k) * q.shape[-1] ** -0.5
    return jnp.einsum("...hqk,...khd->...qhd", nn.softmax(scores), v)


def windows(x: jax.Array, split: int) -> jax.Array:
    """Cuts a grid [N, H, W, ...] into windows [N · S², (H / S) · (W / S), ...]."""
    n, height, width, *rest = x.shape
    rows, columns = height // split, width // split
    x = x.reshape(n * split, rows, split, columns, *rest)
    return jnp.moveaxis(x, 2, 1).reshape(n * split * split, rows * columns, *rest)


def grid(x: jax.Array, split: int, height: int, width: int) -> jax.Array:
    """Puts what `windows` made together to a grid [N, H, W, ...]."""
    rest = x.shape[2:]
    rows, columns = height // split, width // split
    x = jnp.moveaxis(x.reshape(-1, split, rows, columns, *rest), 1, 2)
    return x.reshape(-1, height, width, *rest)


def _dense(part: Any, features: int, name: str, **options: Any) -> nn.Dense:
    """Makes a dense layer by the initialiser and the dtype of the part that it belongs to."""
    return nn.Dense(features, kernel_init=part.kernel, dtype=part.dtype, name=name, **options)


class Attention(nn.Module):
    """Attends within windows, with heads × ⌊C / heads⌋ channels.

    Attributes:
        heads: how many.
        split: windows along a side.
        kernel: initialiser.
        dtype: of the computation.
    """

    heads: int
    split: int
    kernel: Kernel
    dtype: Any = None

    @nn.compact
    def __call__(self, x: jax.Array) -> jax.Array:
        """Maps [N, H, W, C] to the same."""
        height, width, channels = x.shape[1:]
        size = channels // self.heads
        qkv = windows(_dense(self, 3 * self.heads * size, "qkv")(x), self.split)
        parts = qkv.reshape(*qkv.shape[:2], 3, self.heads, size)
        out = attend(parts[:, :, 0], parts[:, :, 1], parts[:, :, 2])
        out = grid(out, self.split, height, width).reshape(*x.shape[:3], -1)
        return _dense(self, channels, "proj")(out)


class Mlp(nn.Module):
    """Applies a norm, and two dense layers with an exact GELU between them.

    Attributes:
        ratio: hidden features for each feature.
        kernel: initialiser.
        dtype: of the computation.
    """

    ratio: int
    kernel: Kernel
    dtype: Any = None

    @nn.compact
    def __call__(self, x: jax.Array, norms: bool) -> jax.Array:
        """Maps [N, H, W, C] to the same."""
        channels = x.shape[-1]
        x = Norm(self.dtype, name="norm")(x, norms)
        x = nn.gelu(_dense(self, self.ratio * channels, "fc1")(x), approximate=False)
        return _dense(self, channels, "fc2")(x)


class Downsample(nn.Module):
    """Halves the grid: K × K tokens at stride 2, their norm, and a dense layer without bias.

    Attributes:
        size: K.
        features: of the result.
        kernel: initialiser.
        dtype: of the computation.
    """

    size: int
    features: int
    kernel: Kernel
    dtype: Any = None

    @nn.compact
    def __call__(self, x: jax.Array, norms: bool) -> jax.Array:
        """Maps [N, H, W, C] to [N, ⌊H / 2⌋, ⌊W / 2⌋, features]."""
        taps = unfold(x, self.size, 2)
        x = taps.swapaxes(-1, -2).reshape(*taps.shape[:3], -1)  # by channel, row, column
        x = Norm(self.dtype, name="norm")(x, norms)
        return _dense(self, self.features, "reduction", use_bias=False)(x)


def first(length: int, count: Any, dtype: Any) -> jax.Array:
    """Returns [length]: 1 in the first `count` entries, 0 in the others."""
    return (jnp.arange(length) < count).astype(dtype)


def middle(largest: int, size: Any, stride: int, dtype: Any) -> jax.Array:
    """Returns [largest²]: 1 at those taps of the largest kernel that one of a size has."""
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
    """Applies a dense layer on the last axis, of which the first `count` outputs are used."""
    x = x @ kernel
    if bias is not None:
        x = x + across(bias, x)
    return activation(x) * across(first(x.shape[-1], count, x.dtype), x)


def normalise(
    x: jax.Array, weights: tuple[jax.Array, jax.Array], used: jax.Array, on: bool
) -> jax.Array:
    """Normalises over the used entries of the last axis, or is the identity.

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


def attend_in_groups(qkv: jax.Array, split: int, group: Any, size: Any, several: bool) -> jax.Array:
    """Attends within windows, with heads that are groups of parts.

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
    """Gives [C] axes of one before its own, as many as x [..., C] has."""
    return vector.reshape((1,) * (x.ndim - 1) + (-1,))
