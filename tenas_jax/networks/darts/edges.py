"""The operations on the edges of DARTS's scoring networks: their weights, and what they compute.

What leaves a state, or several, is computed together. A depthwise convolution followed by a
pointwise one is a convolution whose kernel is their outer product. With one or two channels that
kernel costs no more, and the convolutions of all edges that leave a state become one. Parameters of
a cell's edges are stacked, in the order `BY_SOURCE`.
"""

import functools

import flax.linen as nn
import jax
import jax.numpy as jnp

from tenas_jax.networks.layers.blocks import Conv, Norm
from tenas_jax.networks.layers.conv_norm import sum_of_conv_norms
from tenas_jax.networks.layers.maps import mix, normalise, per_channel
from tenas_jax.networks.layers.pooling import average_pool_3x3, max_pool_3x3

NODES, INPUTS = 4, 2
# (node, state), in the order of the mask's rows; states 0 and 1 are the cell's inputs
EDGES = tuple((node, state) for node in range(NODES) for state in range(node + INPUTS))
# the same in the order of the parameters, so that what leaves a state lies together
BY_SOURCE = tuple(sorted(EDGES, key=lambda edge: edge[::-1]))
FROM_INPUTS = INPUTS * NODES  # how many of them leave an input
# the mask's columns, without `none`, which computes nothing
SKIP, SEP_3X3, SEP_5X5, DIL_3X3, DIL_5X5, AVERAGE, MAX = range(1, 8)
SEPARABLE = {"sep_conv_3x3": (SEP_3X3, 3), "sep_conv_5x5": (SEP_5X5, 5)}
DILATED = {"dil_conv_3x3": (DIL_3X3, 3), "dil_conv_5x5": (DIL_5X5, 5)}

Weights = tuple[jax.Array, jax.Array, jax.Array]  # kernel, scale, bias


class SeparableNorm(nn.Module):
    """Draws the weights of a depthwise and a pointwise convolution and the norm behind them."""

    channels: int
    size: int
    initialiser: str
    dtype: jnp.dtype

    @nn.compact
    def __call__(self) -> Weights:
        """Returns both's kernel [size, size, channels, channels], scale and bias [channels]."""
        channels, dtype = self.channels, self.dtype
        deep = Conv(channels, self.size, self.initialiser, name="depthwise")(1, dtype)
        point = Conv(channels, 1, self.initialiser, name="pointwise")(channels, dtype)
        return deep.transpose(0, 1, 3, 2) * point, *Norm(name="norm")(channels, dtype)


class Separable(nn.Module):
    """Draws the weights of a separable convolution, which is done twice."""

    channels: int
    size: int
    initialiser: str
    dtype: jnp.dtype

    @nn.compact
    def __call__(self) -> tuple[Weights, Weights]:
        """Returns those of the first, which has the stride, and of the second."""
        options = self.channels, self.size, self.initialiser, self.dtype
        return tuple(SeparableNorm(*options, name=name)() for name in ("sep_a", "sep_b"))


class Edge(nn.Module):
    """Draws the weights of one edge's operations, but for what halves the sides."""

    channels: int
    initialiser: str
    dtype: jnp.dtype

    @nn.compact
    def __call__(self) -> dict[str, tuple]:
        """Returns the weights of each operation that has any."""
        weights = {}
        for kind, module in ((SEPARABLE, Separable), (DILATED, SeparableNorm)):
            for name, (_, size) in kind.items():
                options = self.channels, size, self.initialiser, self.dtype
                weights[name] = module(*options, name=name)()
        return weights


class FactorisedReduction(nn.Module):
    """Draws the weights of a `skip_connect` that halves the sides: two 1x1 convolutions, a norm."""

    channels: int
    initialiser: str
    dtype: jnp.dtype

    @nn.compact
    def __call__(self) -> tuple[jax.Array, jax.Array, jax.Array, jax.Array]:
        """Returns two kernels [1, 1, channels, channels / 2], scale and bias [channels]."""
        channels, dtype = self.channels, self.dtype
        kernels = [
            Conv(channels // 2, 1, self.initialiser, name=name)(channels, dtype)
            for name in ("conv_0", "conv_1")
        ]
        return *kernels, *Norm(name="norm")(channels, dtype)


def stacked(module: type[nn.Module], count: int) -> type[nn.Module]:
    """Makes a module for so many edges: parameters, and what it returns, have an axis for them."""
    return nn.vmap(
        module, variable_axes={"params": 0}, split_rngs={"params": True}, axis_size=count
    )


def leaving(x: jax.Array, edges: dict, stride: int, how: dict[str, str]) -> jax.Array:
    """Computes what each of E edges adds to its node; equally many leave each of S states.

    No array has an axis for states beside one for edges: where cotangents add another, there would
    be seven axes, and XLA's CPU back end (jaxlib 0.10.2) crashes in sums over one of so many.

    Args:
        x: the states [S, C, H, W, N].
        edges: `weights` of the operations [E, 8], and for each operation its own, with an axis for
            the edges; those that leave the first state come first.
        stride: of all operations.
        how: `form` and `norms` of the convolutions, as `sum_of_conv_norms` takes them.

    Returns:
        [E, C, H / stride, W / stride, N]
    """
    weights = edges["weights"]
    convolving = [SEP_3X3, SEP_5X5, DIL_3X3, DIL_5X5] + ([SKIP] if stride > 1 else [])
    # A ReLU that no operation of the mask needs is switched off: it draws no boundary.
    needed = _grouped(weights[:, jnp.array(convolving)] > 0, len(x)).any((1, 2))
    positive = nn.relu(x * per_channel(needed.astype(x.dtype), x))
    total = _dilated(positive, edges, stride, how)
    for name in SEPARABLE:
        total = total + _separable(positive, name, edges, stride, how)
    if stride > 1:
        total = total + _factorised_reductions(
            positive, edges["skip_connect"], weights[:, SKIP], how
        )
    pooled = {} if stride > 1 else {SKIP: x}
    for column, pool in ((AVERAGE, average_pool_3x3), (MAX, max_pool_3x3)):
        pooled[column] = jax.vmap(lambda x, pool=pool: pool(x, stride=stride, form=how["form"]))(x)
    for column, value in pooled.items():
        weight = _grouped(weights[:, column, None], len(x))
        total = total + (weight * value.reshape(len(x), 1, -1)).reshape(total.shape)
    return total


def _dilated(x: jax.Array, edges: dict, stride: int, how: dict[str, str]) -> jax.Array:
    """Computes the weighted dilated convolutions of edges: [S, C, ...] to [E, C, ...]."""

    def one_state(x, operations):
        parts = [_side_by_side(operation) for operation in operations]
        return sum_of_conv_norms(x, *zip(*parts, strict=True), stride=stride, dilation=2, **how)

    operations = [
        _weighted(edges[name], edges["weights"][:, column]) for name, (column, _) in DILATED.items()
    ]
    z = jax.vmap(one_state)(x, jax.tree.map(lambda a: _grouped(a, len(x)), operations))
    return z.reshape(-1, x.shape[1], *z.shape[2:])


def _separable(x: jax.Array, name: str, edges: dict, stride: int, how: dict[str, str]) -> jax.Array:
    """Computes a weighted separable convolution of edges: [S, C, ...] to [E, C, ...]."""
    first, second = edges[name]
    weight = edges["weights"][:, SEPARABLE[name][0]]
    # Where the mask has no such operation, its second ReLU is switched off as well.
    first = _weighted(first, (weight > 0).astype(x.dtype))

    def one_state(x, first):
        parts = ([part] for part in _side_by_side(first))
        return sum_of_conv_norms(x, *parts, stride=stride, **how)

    def one_edge(y, kernel, scale, bias):
        return sum_of_conv_norms(y, [kernel], [scale], [bias], **how)

    y = jax.vmap(one_state)(x, jax.tree.map(lambda a: _grouped(a, len(x)), first))
    y = nn.relu(y.reshape(-1, x.shape[1], *y.shape[2:]))
    return jax.vmap(one_edge)(y, *_weighted(second, weight))


def _factorised_reductions(
    x: jax.Array, weights: tuple, weight: jax.Array, how: dict[str, str]
) -> jax.Array:
    """Computes half the channels from the even pixels, half from the odd ones, for the edges.

    Args:
        x: [S, C, H, W, N].
        weights: two kernels [E, 1, 1, C, C / 2], scales and biases [E, C].
        weight: [E]
        how: see `leaving`.

    Returns:
        [E, C, H / 2, W / 2, N]
    """
    *kernels, scale, bias = weights
    even = x[:, :, ::2, ::2]
    # Shifted by one pixel, with zeros at the far side where the side is odd.
    around = ((0, 0), (0, 0), (0, 1), (0, 1), (0, 0))
    odd = jnp.pad(x[:, :, 1:, 1:], around)[:, :, ::2, ::2]
    halves = []
    for pixels, kernel in zip((even, odd), kernels, strict=True):
        kernel = _grouped(kernel, len(x)).transpose(0, 2, 3, 4, 1, 5)
        half = jax.vmap(mix)(pixels, kernel.reshape(*kernel.shape[:4], -1))
        halves.append(half.reshape(len(weight), -1, *half.shape[2:]))
    both = jnp.concatenate(halves, 1)
    normed = functools.partial(normalise, norms=how["norms"])
    return jax.vmap(normed)(both, weight[:, None] * scale, weight[:, None] * bias)


def _weighted(weights: Weights, weight: jax.Array) -> Weights:
    """Folds E operations' weights [E] into their norms: w BN(y) = BN(y; w γ, w β)."""
    kernel, scale, bias = weights
    return kernel, weight[:, None] * scale, weight[:, None] * bias


def _side_by_side(weights: Weights) -> Weights:
    """Joins E convolutions of one input to one, their outputs one after the other."""
    kernel, scale, bias = weights
    _, size, _, channels, _ = kernel.shape
    kernel = kernel.transpose(1, 2, 3, 0, 4).reshape(size, size, channels, -1)
    return kernel, scale.ravel(), bias.ravel()


def _grouped(a: jax.Array, count: int) -> jax.Array:
    """Reshapes [count E, ...] to [count, E, ...]."""
    return a.reshape(count, -1, *a.shape[1:])
