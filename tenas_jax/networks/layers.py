"""The layers that scoring networks are made of, as functions of arrays (channels last).

Batch normalisation here always uses the statistics of the batch it is given, keeps no running ones,
and lets gradients flow through them: samples are coupled, as in the networks that the papers score.
"""

import jax
from jax import lax

EPSILON = 1e-5  # added to the variance, PyTorch's default for batch normalisation


def convolve(x: jax.Array, kernel: jax.Array, stride: int = 1) -> jax.Array:
    """A convolution without bias, padded by half the kernel.

    Args:
        x: images [N, H, W, C].
        kernel: [k, k, C, F] with odd k.
        stride: step in both directions; it must divide H and W.

    Returns:
        [N, H / stride, W / stride, F]
    """
    half = kernel.shape[0] // 2
    return lax.conv_general_dilated(
        x,
        kernel,
        window_strides=(stride, stride),
        padding=[(half, half), (half, half)],
        dimension_numbers=("NHWC", "HWIO", "NHWC"),
    )


def standardise(x: jax.Array) -> tuple[jax.Array, jax.Array, jax.Array]:
    """Zero mean and unit variance for each channel of [..., C], over all other axes.

    Returns:
        The standardised array, and for each channel the mean and 1 / sqrt(variance + epsilon).
    """
    axes = tuple(range(x.ndim - 1))
    mean = x.mean(axes)
    centred = x - _as_last(mean, x.ndim)
    inverse_deviation = lax.rsqrt((centred * centred).mean(axes) + EPSILON)
    return centred * _as_last(inverse_deviation, x.ndim), mean, inverse_deviation


def normalise(x: jax.Array, scale: jax.Array, bias: jax.Array) -> jax.Array:
    """Batch normalisation of [..., C] by the batch's own statistics; scale and bias are [C]."""
    standard, _, _ = standardise(x)
    return standard * _as_last(scale, x.ndim) + _as_last(bias, x.ndim)


def average_pool_2x2(x: jax.Array) -> jax.Array:
    """The mean of each 2x2 square, at stride 2: [N, H, W, C] to [N, H / 2, W / 2, C]."""
    n, height, width, channels = x.shape
    return x.reshape(n, height // 2, 2, width // 2, 2, channels).mean((2, 4))


def _as_last(vector: jax.Array, ndim: int) -> jax.Array:
    """[C] with leading axes of one, so that broadcasting is always explicit."""
    return vector.reshape((1,) * (ndim - 1) + vector.shape)
