"""Layers that the derived networks of several spaces share, on images [N, H, W, C].

Each takes `train`: with True its norms use the batch's statistics and update the running ones, with
False they use the running ones. Running statistics start from mean 0 and variance 1, and keep 0.9
of themselves in an update (PyTorch's momentum 0.1). Unlike PyTorch's, the variance in an update
is the batch's own, not scaled by n / (n - 1).
"""

from typing import Any

import flax.linen as nn
import jax
import jax.numpy as jnp

from tenas_jax.networks.layers.initialisers import initialiser

# What the programs of both benchmarks leave PyTorch to do.
INITIALISER = "pytorch_default"


def norm(dtype: Any, train: bool, name: str) -> nn.BatchNorm:
    """Makes a batch normalisation in `dtype`; scale, bias and statistics are float32."""
    return nn.BatchNorm(
        use_running_average=not train, momentum=0.9, epsilon=1e-5, dtype=dtype, name=name
    )


def conv(
    features: int,
    size: int,
    dtype: Any,
    name: str,
    *,
    stride: int = 1,
    dilation: int = 1,
    groups: int = 1,
    padding: int | None = None,
) -> nn.Conv:
    """Makes a square convolution without bias that computes in `dtype`; its kernel is float32.

    The same padding lies on all four sides, as in PyTorch: by default half the kernel, so that
    stride 1 keeps the image's size. With stride 2 this is not what JAX calls SAME.
    """
    padding = dilation * (size - 1) // 2 if padding is None else padding
    return nn.Conv(
        features,
        (size, size),
        strides=(stride, stride),
        padding=padding,
        kernel_dilation=dilation,
        feature_group_count=groups,
        use_bias=False,
        dtype=dtype,
        kernel_init=initialiser(INITIALISER),
        name=name,
    )


class ConvNorm(nn.Module):
    """Applies ReLU where asked for, convolution, normalisation."""

    features: int
    size: int
    dtype: Any
    stride: int = 1
    relu: bool = True

    @nn.compact
    def __call__(self, x: jax.Array, train: bool) -> jax.Array:
        """Maps [N, H, W, C] to [N, H / stride, W / stride, features]."""
        x = nn.relu(x) if self.relu else x
        x = conv(self.features, self.size, self.dtype, "conv", stride=self.stride)(x)
        return norm(self.dtype, train, "norm")(x)


class Pool(nn.Module):
    """Takes a 3x3 average or maximum; padding is not counted."""

    kind: str
    stride: int = 1

    def __call__(self, x: jax.Array, train: bool = False) -> jax.Array:
        """Maps [N, H, W, C] to [N, H / stride, W / stride, C]."""
        del train
        strides, padding = (self.stride, self.stride), ((1, 1), (1, 1))
        if self.kind == "max":
            return nn.max_pool(x, (3, 3), strides, padding)
        return nn.avg_pool(x, (3, 3), strides, padding, count_include_pad=False)


class Classifier(nn.Module):
    """Applies the mean over positions, dropout where asked for, a dense layer; all in float32."""

    classes: int
    dropout: float = 0.0

    @nn.compact
    def __call__(self, x: jax.Array, train: bool) -> jax.Array:
        """Maps [N, H, W, C] to logits float32 [N, classes]."""
        x = x.astype(jnp.float32).mean((1, 2))
        x = nn.Dropout(self.dropout, deterministic=not train, name="dropout")(x)
        return nn.Dense(self.classes, kernel_init=initialiser(INITIALISER), name="dense")(x)


def drop_path(x: jax.Array, rate: float | jax.Array, key: jax.Array) -> jax.Array:
    """Sets a branch to zero for some of the images and scales it for the others.

    Each image's branch is dropped by itself with probability `rate`, and divided by 1 - `rate`
    otherwise, so that its expectation stays (Larsson, Maire and Shakhnarovich 2016,
    arXiv:1605.07648; by image as in DARTS's program).

    Args:
        x: [N, H, W, C].
        rate: a number or a scalar in [0, 1); it may be traced.
        key: what is dropped is drawn with it.

    Returns:
        [N, H, W, C] in the dtype of `x`.
    """
    keep = 1 - rate
    kept = jax.random.bernoulli(key, keep, (len(x), 1, 1, 1))
    return x * (kept / keep).astype(x.dtype)
