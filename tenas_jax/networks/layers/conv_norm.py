r"""A sum of normalised convolutions of one input: z = Σ_o BN(x ∗ V_o).

It is what leaves a node of a cell: every convolution of every edge that starts there reads the same
x = relu(node), and what arrives at a node is the sum over operations. Two forms give the same
numbers, the second in a fraction of the time where channels are few and the device is a CPU:

`plain`
    Convolutions and normalisations as they stand, differentiated by JAX.
`condensed`
    Matrix products alone, with a backward pass by hand. Write P for the patches of x, one row each
    of the L = H·W·N output positions, so that y_o = P V_o, and s_o = γ_o / σ_o. For a cotangent dz,
    with G = Pᵀ dz and d = Σ dz,

        dγ_o = Σ dz · ŷ_o = (Σ V_o · G − μ_o d) / σ_o
        dβ_o = d
        dV_o = s_o (G − Pᵀ1 d / L − Pᵀŷ_o dγ_o / L)
        dx   = Σ_o Pᵗ(e_o V_oᵀ),   e_o = s_o (dz − d / L − ŷ_o dγ_o / L)

    where Pᵗ puts patches back and adds. One product G serves the gradients of all operations and
    the norm's statistics, and what does not depend on the cotangent (P, Pᵀ1, Pᵀŷ_o) is computed
    once. Each product is between a small matrix and one with L columns, which XLA's CPU back end
    does at half the machine's peak; its convolutions of 3 channels reach a tenth of that.

Second derivatives work in both forms, forward mode (`jax.jvp`) in `plain` only.
"""

import functools
from collections.abc import Sequence

import jax
import jax.numpy as jnp
from jax import lax

from tenas_jax.errors import UserError, lookup
from tenas_jax.networks.layers.maps import convolve, normalise, per_channel, standardise

Arrays = Sequence[jax.Array]
FORMS = ("plain", "condensed")


def sum_of_conv_norms(
    x: jax.Array,
    kernels: Arrays,
    scales: Arrays,
    biases: Arrays,
    *,
    stride: int = 1,
    dilation: int = 1,
    form: str,
    norms: str = "on",
) -> jax.Array:
    """Computes Σ_o BN(convolve(x, kernels[o]), scales[o], biases[o]).

    Args:
        x: feature maps [C, H, W, N].
        kernels: arrays [k, k, C, F], each with its own odd k.
        scales: arrays [F], one a kernel.
        biases: arrays [F], one a kernel.
        stride: of every convolution.
        dilation: of every convolution.
        form: a name in `FORMS`, or `auto`: `condensed` on CPU, `plain` elsewhere.
        norms: a name in `NORMS` of `layers.maps`; all but `on` need the form `plain`.

    Returns:
        [F, ⌈H / stride⌉, ⌈W / stride⌉, N]
    """
    steps = stride, dilation
    arrays = tuple(kernels), tuple(scales), tuple(biases)
    if resolve_form(form) == "plain":
        return _plain(x, *arrays, steps, norms)
    if norms != "on":
        raise UserError(f"the form 'condensed' has norms 'on' alone, not {norms!r}")
    return _condensed(x, *arrays, steps)


def resolve_form(form: str) -> str:
    """Returns the form's name; `auto` is `condensed` on CPU, the faster there, elsewhere `plain`.

    Raises:
        UserError: no such form.
    """
    if form == "auto":
        return "condensed" if jax.default_backend() == "cpu" else "plain"
    lookup("form", dict.fromkeys(("auto", *FORMS)), form)
    return form


def _plain(x, kernels, scales, biases, steps, norms="on"):
    terms = [
        normalise(convolve(x, kernel, *steps), scale, bias, norms)
        for kernel, scale, bias in zip(kernels, scales, biases, strict=True)
    ]
    return sum(terms[1:], terms[0])


@functools.partial(jax.custom_vjp, nondiff_argnums=(4,))
def _condensed(x, kernels, scales, biases, steps):
    return _condensed_forward(x, kernels, scales, biases, steps)[0]


def _condensed_forward(x, kernels, scales, biases, steps):
    size = max(kernel.shape[0] for kernel in kernels)
    patches = _patches(x, size, *steps)
    rows = patches.reshape(-1, patches[0, 0, 0].size).T  # P, [L, size size C]
    z, standard = 0, []
    for kernel, scale, bias in zip(kernels, scales, biases, strict=True):
        y, mean, inverse = standardise(_correlate(patches, kernel))
        z = z + y * per_channel(scale, y) + per_channel(bias, y)
        along_y = _middle(_gradient(rows, y, size), kernel.shape[0]) / len(rows)
        standard.append((y, mean, inverse, along_y))
    ones = _gradient(rows, jnp.ones_like(z), size) / len(rows)
    # The shape of x travels as an array that holds nothing.
    return z, (jnp.zeros((0, *x.shape), x.dtype), rows, ones, kernels, scales, standard)


def _condensed_backward(steps, residuals, dz):
    like_x, rows, ones, kernels, scales, standard = residuals
    shape, positions = like_x.shape[1:], len(rows)  # L
    g, d = _gradient(rows, dz, ones.shape[1]), dz.sum((1, 2, 3))
    dx, dkernels, dscales = 0, [], []
    for kernel, scale, (y, mean, inverse, along_y) in zip(kernels, scales, standard, strict=True):
        filters = kernel.transpose(3, 0, 1, 2)
        own, own_ones = _middle(g, kernel.shape[0]), _middle(ones, kernel.shape[0])
        dscale = ((filters * own).sum((1, 2, 3)) - mean * d) * inverse
        s, d_, dscale_ = (per_channel(v, own) for v in (scale * inverse, d, dscale))
        dkernels.append((s * (own - own_ones * d_ - along_y * dscale_)).transpose(1, 2, 3, 0))
        dscales.append(dscale)
        e = s * dz - s * d_ / positions - s * dscale_ / positions * y
        dx = dx + _transposed(e, kernel, *steps, shape)
    return dx, tuple(dkernels), tuple(dscales), (d,) * len(kernels)


_condensed.defvjp(_condensed_forward, _condensed_backward)


def _patches(x: jax.Array, size: int, stride: int, dilation: int) -> jax.Array:
    """Gathers what each output position reads: [C, H, W, N] to [size, size, C, h, w, N]."""
    channels, height, width, n = x.shape
    half = size // 2 * dilation
    padded = jnp.pad(x, ((0, 0), (half, half), (half, half), (0, 0)))
    starts = range(0, size * dilation, dilation)
    # Along one axis after the other: 2 k slices to compile, not k².
    rows = jnp.stack([padded[:, i : i + height : stride] for i in starts])
    return jnp.stack([rows[:, :, :, j : j + width : stride] for j in starts], 1)


def _correlate(patches: jax.Array, kernel: jax.Array) -> jax.Array:
    """Convolves what the patches were taken from with a kernel no larger than they."""
    size, _, _, features = kernel.shape
    edge = (patches.shape[0] - size) // 2
    own = patches[edge : edge + size, edge : edge + size]
    product = kernel.reshape(-1, features).T @ own.reshape(-1, own[0, 0, 0].size)
    return product.reshape(features, *patches.shape[3:])


def _gradient(rows: jax.Array, dy: jax.Array, size: int) -> jax.Array:
    """Computes Pᵀ dy, the gradient of filters, for patches P [L, size size C]: [F, size, size, C].

    The filters come first, since a product that is transposed takes XLA's CPU back end twice as
    long.
    """
    return (dy.reshape(len(dy), -1) @ rows).reshape(len(dy), size, size, -1)


def _middle(filters: jax.Array, size: int) -> jax.Array:
    """Cuts the middle taps out of filters [F, k, k, C]: [F, size, size, C]."""
    edge = (filters.shape[1] - size) // 2
    return filters[:, edge : edge + size, edge : edge + size]


def _transposed(
    e: jax.Array, kernel: jax.Array, stride: int, dilation: int, shape: tuple
) -> jax.Array:
    """Applies the transpose of `convolve(x, kernel, stride, dilation)` in x.

    Args:
        e: its cotangent [F, h, w, N].
        kernel: [k, k, C, F].
        stride: of the convolution.
        dilation: of the convolution.
        shape: of x, (C, H, W, N).

    Returns:
        [C, H, W, N]
    """
    size, _, channels, features = kernel.shape
    _, height, width, n = shape
    if size == stride == 1:
        return (kernel.reshape(channels, features) @ e.reshape(features, -1)).reshape(shape)
    half, out_width = size // 2 * dilation, e.shape[2]
    # One product for all taps, then what each adds where: along the height as slices of rows that
    # have zeros around them, along the width by moving the sum.
    spread = kernel.reshape(-1, features) @ _between_zeros(e, half, stride, height)
    taps = spread.reshape(size, size, channels, -1, out_width, n)
    columns = sum(taps[i, :, :, (size - 1 - i) * dilation :][:, :, :height] for i in range(size))
    zero, total = jnp.zeros((), e.dtype), 0
    for j in range(size):
        before = j * dilation - half
        after = width - before - ((out_width - 1) * stride + 1)
        along_width = [(0, 0, 0), (0, 0, 0), (before, after, stride - 1), (0, 0, 0)]
        total = total + lax.pad(columns[j], zero, along_width)
    return total


def _between_zeros(e: jax.Array, half: int, stride: int, height: int) -> jax.Array:
    """Puts zeros between rows of [F, h, w, N], to undo a stride, and around: [F, rows w N].

    At stride 1 it is a concatenation of flat arrays: XLA's CPU compiler vectorises it together with
    what computes e, but not a padding whose result is then reshaped.
    """
    features, out_height, out_width, n = e.shape
    if stride == 1:
        zeros = jnp.zeros((features, half * out_width * n), e.dtype)
        return jnp.concatenate([zeros, e.reshape(features, -1), zeros], 1)
    after = height + half - ((out_height - 1) * stride + 1)
    along_height = [(0, 0, 0), (half, after, stride - 1), (0, 0, 0), (0, 0, 0)]
    return lax.pad(e, jnp.zeros((), e.dtype), along_height).reshape(features, -1)
