r"""A sum of normalised convolutions of one input: z = Σ_o BN(x ∗ V_o).

It is what leaves a node of a cell: every convolution of every edge that starts there reads the same
x = relu(node), and what arrives at a node is the sum over operations. Two forms give the same
numbers, the second in less time where channels are few:

`plain`
    Convolutions and normalisations as they stand, differentiated by JAX.
`condensed`
    The same forward pass with a backward pass by hand, which never forms an array for each
    operation. Write P for the patches of x, one row each of the L = N·H·W output positions, so that
    y_o = P V_o, and s_o = γ_o / σ_o. For a cotangent dz, with G = Pᵀ dz and d = Σ dz,

        dγ_o = Σ dz · ŷ_o = (Σ V_o · G − μ_o d) / σ_o
        dβ_o = d
        dV_o = s_o (G − Pᵀ1 d / L − Pᵀŷ_o dγ_o / L)
        dx   = Pᵗ(dz Σ_o s_o V_oᵀ) − Σ_o Pᵗ((d + ŷ_o dγ_o) s_o V_oᵀ) / L

    where Pᵗ puts patches back and adds. One product G and one transposed convolution with the
    summed kernel serve all operations; the last sum is a combination, with coefficients d and
    dγ_o, of fixed arrays that do not depend on the cotangent, so for the many cotangents of a
    kernel it is one matrix product.

Second derivatives work in both forms, forward mode (`jax.jvp`) in `plain` only.
"""

import functools
from collections.abc import Callable, Sequence

import jax
import jax.numpy as jnp
import numpy as np
from jax import lax

from tenas_jax.errors import lookup
from tenas_jax.networks.layers import convolve, normalise, standardise

Arrays = Sequence[jax.Array]

WIDEST_BAND = 1024  # columns of a banded matrix, beyond which a convolution is cheaper


def sum_of_conv_norms(
    x: jax.Array, kernels: Arrays, scales: Arrays, biases: Arrays, *, stride: int = 1, form: str
) -> jax.Array:
    """Σ_o BN(convolve(x, kernels[o]), scales[o], biases[o]).

    Args:
        x: images [N, H, W, C].
        kernels: arrays [k, k, C, F], each with its own odd k.
        scales: arrays [F], one a kernel.
        biases: arrays [F], one a kernel.
        stride: of every convolution.
        form: a name in `FORMS`, or `auto`: `condensed` on CPU, `plain` elsewhere.

    Returns:
        [N, H / stride, W / stride, F]
    """
    return FORMS[resolve_form(form)](x, tuple(kernels), tuple(scales), tuple(biases), stride)


def resolve_form(form: str) -> str:
    """The form's name; `auto` is `condensed` on CPU, where it is the faster, and `plain` elsewhere.

    Raises:
        UserError: no such form.
    """
    if form == "auto":
        return "condensed" if jax.default_backend() == "cpu" else "plain"
    lookup("form", FORMS, form)
    return form


def _plain(x, kernels, scales, biases, stride):
    terms = [
        normalise(convolve(x, kernel, stride), scale, bias)
        for kernel, scale, bias in zip(kernels, scales, biases, strict=True)
    ]
    return sum(terms[1:], terms[0])


@functools.partial(jax.custom_vjp, nondiff_argnums=(4,))
def _condensed(x, kernels, scales, biases, stride):
    return _condensed_forward(x, kernels, scales, biases, stride)[0]


def _condensed_forward(x, kernels, scales, biases, stride):
    standard = [standardise(convolve(x, kernel, stride)) for kernel in kernels]
    z = sum(
        y * scale.reshape(1, 1, 1, -1) + bias.reshape(1, 1, 1, -1)
        for (y, _, _), scale, bias in zip(standard, scales, biases, strict=True)
    )
    return z, (x, kernels, scales, standard)


def _condensed_backward(stride, residuals, dz):
    x, kernels, scales, standard = residuals
    size = max(kernel.shape[0] for kernel in kernels)
    positions = dz.size // dz.shape[-1]  # L
    embedded = [_embed(kernel, size) for kernel in kernels]  # V_o, all of one size
    gains = [scale * inverse for scale, (_, _, inverse) in zip(scales, standard, strict=True)]

    # [k k C, L], so that each product with a cotangent is a plain matrix product
    patches_t = _patches(x, size, stride).T

    def correlate(a: jax.Array) -> jax.Array:
        return (patches_t @ a.reshape(positions, -1)).reshape(embedded[0].shape)

    def as_last(vector: jax.Array) -> jax.Array:
        return vector.reshape(1, 1, 1, -1)

    g, d = correlate(dz), dz.sum((0, 1, 2))  # [k, k, C, F], [F]
    ones = correlate(jnp.ones_like(dz)) / positions

    dkernels, dscales, fixed = [], [], []
    for kernel, v, s, (y, mean, inverse) in zip(kernels, embedded, gains, standard, strict=True):
        dscale = ((v * g).sum((0, 1, 2)) - mean * d) * inverse
        dv = as_last(s) * (g - ones * as_last(d) - correlate(y) / positions * as_last(dscale))
        dkernels.append(_middle(dv, kernel.shape[0]))
        dscales.append(dscale)
        fixed.append(_spread_channels(y, v * as_last(s / positions), stride, x.shape))

    summed = sum(v * s.reshape(1, 1, 1, -1) for v, s in zip(embedded, gains, strict=True))
    transposed = _transposed(summed, stride, x)
    fixed_ones = _spread_channels(
        jnp.ones((1,) + dz.shape[1:], dz.dtype), summed / positions, stride, (1,) + x.shape[1:]
    )
    dx = (
        transposed(dz)
        - _combine(d, fixed_ones)
        - _combine(jnp.concatenate(dscales), jnp.concatenate(fixed))
    )
    return dx, tuple(dkernels), tuple(dscales), (d,) * len(kernels)


_condensed.defvjp(_condensed_forward, _condensed_backward)


def _embed(kernel: jax.Array, size: int) -> jax.Array:
    """A kernel [k, k, C, F] in the middle of zeros [size, size, C, F]."""
    edge = (size - kernel.shape[0]) // 2
    return jnp.pad(kernel, ((edge, edge), (edge, edge), (0, 0), (0, 0)))


def _middle(kernel: jax.Array, size: int) -> jax.Array:
    """The transpose of `_embed`."""
    edge = (kernel.shape[0] - size) // 2
    return kernel[edge : edge + size, edge : edge + size]


def _patches(x: jax.Array, size: int, stride: int) -> jax.Array:
    """Patches of [N, H, W, C], one row a position: [N H W / stride², size size C]."""
    _, height, width, channels = x.shape
    half = size // 2
    padded = jnp.pad(x, ((0, 0), (half, half), (half, half), (0, 0)))
    taps = [
        padded[:, i : i + height : stride, j : j + width : stride]
        for i in range(size)
        for j in range(size)
    ]
    return jnp.concatenate(taps, axis=-1).reshape(-1, size * size * channels)


def _spread_channels(y: jax.Array, kernel: jax.Array, stride: int, shape: tuple) -> jax.Array:
    """The transposed convolution of each channel of y by itself.

    Args:
        y: [N, H / stride, W / stride, F].
        kernel: [k, k, C, F].
        stride: of the convolution whose transpose this is.
        shape: [N, H, W, C], of the convolution's input.

    Returns:
        [F, N, H, W, C]; its sum over F is the transposed convolution of y.
    """
    size, _, channels, features = kernel.shape
    _, height, width, _ = shape
    half = size // 2
    # Zeros between the positions undo the stride, zeros around them the padding.
    after = [
        length + half - ((out - 1) * stride + 1)
        for length, out in zip((height, width), y.shape[1:3], strict=True)
    ]
    spaced = lax.pad(
        jnp.moveaxis(y, -1, 0),
        jnp.zeros((), y.dtype),
        [(0, 0, 0), (0, 0, 0), (half, after[0], stride - 1), (half, after[1], stride - 1)],
    )
    taps = [
        spaced[:, :, size - 1 - i : size - 1 - i + height, size - 1 - j : size - 1 - j + width]
        for i in range(size)
        for j in range(size)
    ]
    weights = kernel.reshape(size * size, channels, features)
    return jnp.einsum("fnhwt,tcf->fnhwc", jnp.stack(taps, -1), weights)


def _transposed(kernel: jax.Array, stride: int, x: jax.Array) -> Callable[[jax.Array], jax.Array]:
    """The transpose of `convolve(x, kernel, stride)` in x, as a function of the cotangent.

    A kernel of few channels is written out along the width, as a matrix from rows [W F] of the
    cotangent to rows [k W C], so that what is left of the convolution are k shifted sums along
    the height. It does W / k times the work and takes half the time of XLA's convolution on CPU.
    """
    size, _, channels, features = kernel.shape
    n, height, width, _ = x.shape
    if width * max(channels, features) > WIDEST_BAND:
        transposed = jax.linear_transpose(lambda a: convolve(a, kernel, stride), x)
        return lambda dy: transposed(dy)[0]
    half, out_width = size // 2, width // stride
    # taps[j, w, u] = 1 where output u reads input w through tap j: w = stride u + j - half
    places = np.subtract.outer(np.arange(width), stride * np.arange(out_width))
    taps = (places == np.arange(size)[:, None, None] - half).astype(kernel.dtype)
    band = jnp.einsum("jwu,ijcf->ufiwc", taps, kernel).reshape(out_width * features, -1)

    def apply(dy: jax.Array) -> jax.Array:
        rows = dy.reshape(n, -1, out_width * features) @ band
        after = height + half - ((dy.shape[1] - 1) * stride + 1)
        spaced = lax.pad(
            rows, jnp.zeros((), dy.dtype), [(0, 0, 0), (half, after, stride - 1), (0, 0, 0)]
        ).reshape(n, height + 2 * half, size, width * channels)
        shifted = [spaced[:, size - 1 - i :, i][:, :height] for i in range(size)]
        return sum(shifted[1:], shifted[0]).reshape(x.shape)

    return apply


def _combine(coefficients: jax.Array, arrays: jax.Array) -> jax.Array:
    """Σ_f coefficients[f] arrays[f], as one matrix product: [F], [F, ...] to [...]."""
    flat = arrays.reshape(arrays.shape[0], -1)
    return (coefficients @ flat).reshape(arrays.shape[1:])


FORMS: dict[str, Callable] = {"plain": _plain, "condensed": _condensed}
