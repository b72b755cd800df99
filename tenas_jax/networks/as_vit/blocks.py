"""The parts of a vision transformer of As-ViT (Chen et al. 2022, arXiv:2202.11921).

Tokens lie on a grid, [N, H, W, C]. Attention is within windows of that grid, without position bias
and without shift: what tells positions apart is the overlap of the kernels.
"""

from collections.abc import Callable
from typing import Any

import flax.linen as nn
import jax
import jax.numpy as jnp

EPSILON = 1e-5  # added to the variance

Kernel = Callable[..., jax.Array]  # an initialiser


class Norm(nn.Module):
    """Layer normalisation over the last axis, or the identity with the same parameters.

    Attributes:
        dtype: of the result; statistics are float32 at least.
    """

    dtype: Any = None

    @nn.compact
    def __call__(self, x: jax.Array, on: bool = True) -> jax.Array:
        """[..., C] to the same; with `on` false it is `x`, and the parameters play no part."""
        shape = x.shape[-1:]
        scale = self.param("scale", nn.initializers.ones, shape)
        bias = self.param("bias", nn.initializers.zeros, shape)
        if not on:
            return x
        wide = x.astype(jnp.promote_types(x.dtype, jnp.float32))
        centred = wide - wide.mean(-1, keepdims=True)
        inverse = jax.lax.rsqrt((centred * centred).mean(-1, keepdims=True) + EPSILON)
        across = (1,) * (x.ndim - 1) + shape
        out = centred * inverse * scale.reshape(across) + bias.reshape(across)
        return out.astype(x.dtype if self.dtype is None else self.dtype)


def unfold(x: jax.Array, kernel: int, stride: int) -> jax.Array:
    """The pixels or tokens under each place of a kernel.

    Zeros are put around x, as many as make each side ⌊side / stride⌋ places, a little more after
    than before. x is cut into blocks as large as the stride, and neighbouring blocks are put
    together: a few slices, where taking each tap by itself would take K².

    Args:
        x: [N, H, W, C].
        kernel: K, taps along a side.
        stride: from place to place, at most K.

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
    """softmax(q kᵀ / √D) v for each head, of [..., T, heads, D] each; the same shape."""
    scores = jnp.einsum("...qhd,...khd->...hqk", q, k) * q.shape[-1] ** -0.5
    return jnp.einsum("...hqk,...khd->...qhd", nn.softmax(scores), v)


def windows(x: jax.Array, split: int) -> jax.Array:
    """A grid [N, H, W, ...] as windows [N · S², (H / S) · (W / S), ...]."""
    n, height, width, *rest = x.shape
    rows, columns = height // split, width // split
    x = x.reshape(n * split, rows, split, columns, *rest)
    return jnp.moveaxis(x, 2, 1).reshape(n * split * split, rows * columns, *rest)


def grid(x: jax.Array, split: int, height: int, width: int) -> jax.Array:
    """What `windows` made, as a grid [N, H, W, ...] again."""
    rest = x.shape[2:]
    rows, columns = height // split, width // split
    x = jnp.moveaxis(x.reshape(-1, split, rows, columns, *rest), 1, 2)
    return x.reshape(-1, height, width, *rest)


class Attention(nn.Module):
    """Self-attention within windows, heads × ⌊C / heads⌋ wide.

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
        """[N, H, W, C] to the same."""
        height, width, channels = x.shape[1:]
        size = channels // self.heads
        dense = lambda n, name: nn.Dense(n, kernel_init=self.kernel, dtype=self.dtype, name=name)  # noqa: E731
        qkv = windows(dense(3 * self.heads * size, "qkv")(x), self.split)
        parts = qkv.reshape(*qkv.shape[:2], 3, self.heads, size)
        out = attend(parts[:, :, 0], parts[:, :, 1], parts[:, :, 2])
        out = grid(out, self.split, height, width).reshape(*x.shape[:3], -1)
        return dense(channels, "proj")(out)


class Mlp(nn.Module):
    """Norm, and two dense layers with an exact GELU between them.

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
        """[N, H, W, C] to the same."""
        channels = x.shape[-1]
        dense = lambda n, name: nn.Dense(n, kernel_init=self.kernel, dtype=self.dtype, name=name)  # noqa: E731
        x = Norm(self.dtype, name="norm")(x, norms)
        x = nn.gelu(dense(self.ratio * channels, "fc1")(x), approximate=False)
        return dense(channels, "fc2")(x)


class Downsample(nn.Module):
    """Half the grid: K × K tokens at stride 2, their norm, and a dense layer without bias.

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
        """[N, H, W, C] to [N, ⌊H / 2⌋, ⌊W / 2⌋, features]."""
        taps = unfold(x, self.size, 2)
        x = taps.swapaxes(-1, -2).reshape(*taps.shape[:3], -1)  # by channel, row, column
        x = Norm(self.dtype, name="norm")(x, norms)
        return nn.Dense(
            self.features, use_bias=False, kernel_init=self.kernel, dtype=self.dtype,
            name="reduction",
        )(x)  # fmt: skip
