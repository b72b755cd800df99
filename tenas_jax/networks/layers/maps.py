"""The layers that scoring networks are made of, as functions of arrays.

Feature maps are [C, H, W, N], channels first and samples last: flattened, they are the matrices
[C, H W N] that convolutions as matrix products need, and neighbours along height and width lie
whole rows of samples apart, which is what XLA's CPU compiler vectorises best. On accelerators XLA
chooses how an array lies in memory whatever the order of its axes.

Batch normalisation here uses the statistics of the batch it is given and keeps no running ones. By
default gradients flow through them: samples are coupled, as in the networks that the papers score;
`NORMS` has what else may stand in a norm's place.
"""

from collections.abc import Callable

import jax
import jax.numpy as jnp
from jax import lax

EPSILON = 1e-5  # added to the variance, PyTorch's default for batch normalisation


def feature_maps(images: jax.Array) -> jax.Array:
    """Transposes images [N, H, W, C] to feature maps [C, H, W, N]."""
    return images.transpose(3, 1, 2, 0)


def convolve(x: jax.Array, kernel: jax.Array, stride: int = 1, dilation: int = 1) -> jax.Array:
    """Convolves without bias, padded by half of what the kernel spans.

    Args:
        x: [C, H, W, N].
        kernel: [k, k, C, F] with odd k.
        stride: step in both directions.
        dilation: distance between the kernel's taps.

    Returns:
        [F, ⌈H / stride⌉, ⌈W / stride⌉, N]
    """
    half = kernel.shape[0] // 2 * dilation
    return lax.conv_general_dilated(
        x,
        kernel,
        window_strides=(stride, stride),
        padding=[(half, half), (half, half)],
        rhs_dilation=(dilation, dilation),
        dimension_numbers=("CHWN", "HWIO", "CHWN"),
    )


def mix(x: jax.Array, kernel: jax.Array) -> jax.Array:
    """Convolves 1x1, as one matrix product: [C, H, W, N] and [1, 1, C, F] to [F, H, W, N]."""
    _, _, channels, features = kernel.shape
    product = kernel.reshape(channels, features).T @ x.reshape(channels, -1)
    return product.reshape(features, *x.shape[1:])


def standardise(
    x: jax.Array, axes: tuple[int, ...] | None = None
) -> tuple[jax.Array, jax.Array, jax.Array]:
    """Gives each channel of [C, ...] zero mean and unit variance, over all other axes by default.

    Returns:
        The standardised array, and for each channel the mean and 1 / sqrt(variance + epsilon), of
        the axes that are left.
    """
    axes = tuple(range(1, x.ndim)) if axes is None else axes
    mean = x.mean(axes)
    centred = x - _spread(mean, x, axes)
    inverse_deviation = lax.rsqrt((centred * centred).mean(axes) + EPSILON)
    return centred * _spread(inverse_deviation, x, axes), mean, inverse_deviation


def _of_batch(x: jax.Array) -> jax.Array:
    """Standardises by the statistics of the batch, through which gradients flow."""
    return standardise(x)[0]


def _frozen(x: jax.Array) -> jax.Array:
    """Standardises by the statistics of the batch, held constant in derivatives."""
    _, mean, inverse = jax.tree.map(lax.stop_gradient, standardise(x))
    return (x - per_channel(mean, x)) * per_channel(inverse, x)


def _of_sample(x: jax.Array) -> jax.Array:
    """Standardises each example [C, H, W] of [C, H, W, N] by itself, channel by channel."""
    return standardise(x, tuple(range(1, x.ndim - 1)))[0]


# name -> what stands in place of a norm, before its scale and bias
NORMS: dict[str, Callable[[jax.Array], jax.Array]] = {
    "on": _of_batch,
    "frozen": _frozen,
    "sample": _of_sample,
    "identity": lambda x: x,
}


def normalise(x: jax.Array, scale: jax.Array, bias: jax.Array, norms: str = "on") -> jax.Array:
    """Normalises [C, ...] by what `NORMS` names, by the batch's own statistics by default.

    Args:
        x: feature maps [C, ..., N].
        scale: [C].
        bias: [C].
        norms: a name in `NORMS`.
    """
    return NORMS[norms](x) * per_channel(scale, x) + per_channel(bias, x)


def _spread(statistics: jax.Array, x: jax.Array, axes: tuple[int, ...]) -> jax.Array:
    """Returns statistics of x over some axes with axes of one in their place."""
    return jnp.expand_dims(statistics, axes)


def average_pool_2x2(x: jax.Array) -> jax.Array:
    """Takes the mean of each 2x2 square, at stride 2: [C, H, W, N] to [C, H / 2, W / 2, N]."""
    channels, height, width, n = x.shape
    return x.reshape(channels, height // 2, 2, width // 2, 2, n).mean((2, 4))


def per_channel(vector: jax.Array, x: jax.Array) -> jax.Array:
    """Gives [C] axes of one for the others of x [C, ...], so that broadcasting is explicit."""
    return vector.reshape(vector.shape + (1,) * (x.ndim - 1))


def operation_weights(mask: jax.Array) -> jax.Array:
    """Computes the weights of operations [edges, ops] under a mask: mask / (ones in its row).

    A row of zeros stays one. Derivatives hold the count constant, and are those in the weights but
    for that factor: what taking an operation out does to the others' weights is no small change.
    """
    return mask / lax.stop_gradient(jnp.maximum(mask.sum(-1, keepdims=True), 1))
