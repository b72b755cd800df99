"""The networks of DARTS's space that are scored at initialisation.

The space is Liu, Simonyan and Yang, 2019, arXiv:1806.09055; the small networks are those of TE-NAS
(Chen, Gong and Wang, 2021, arXiv:2102.11535): a normal and a reduction cell, one channel. The mask
is a run-time argument, so one compiled program serves every genotype and every supernet.

A depthwise convolution followed by a pointwise one is a convolution whose kernel is their outer
product. With one or two channels that kernel costs no more, and the convolutions of all edges that
leave a state become one. Parameters of a cell's edges are stacked, in the order `BY_SOURCE`.
"""

from collections.abc import Sequence

import flax.linen as nn
import jax
import jax.numpy as jnp

from tenas_jax.networks.blocks import Conv, ConvNorm, Head, Norm, Stem
from tenas_jax.networks.conv_norm import sum_of_conv_norms
from tenas_jax.networks.layers import feature_maps, mix, normalise, per_channel
from tenas_jax.networks.pooling import average_pool_3x3, max_pool_3x3

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
    """Weights of a depthwise and a pointwise convolution and the normalisation behind them."""

    channels: int
    size: int
    initialiser: str
    dtype: jnp.dtype

    @nn.compact
    def __call__(self) -> Weights:
        """The kernel of both [size, size, channels, channels], scale and bias [channels]."""
        channels, dtype = self.channels, self.dtype
        deep = Conv(channels, self.size, self.initialiser, name="depthwise")(1, dtype)
        point = Conv(channels, 1, self.initialiser, name="pointwise")(channels, dtype)
        return deep.transpose(0, 1, 3, 2) * point, *Norm(name="norm")(channels, dtype)


class Separable(nn.Module):
    """Weights of a separable convolution, which is done twice."""

    channels: int
    size: int
    initialiser: str
    dtype: jnp.dtype

    @nn.compact
    def __call__(self) -> tuple[Weights, Weights]:
        """Those of the first, which has the stride, and of the second."""
        options = self.channels, self.size, self.initialiser, self.dtype
        return tuple(SeparableNorm(*options, name=name)() for name in ("sep_a", "sep_b"))


class Edge(nn.Module):
    """Weights of the operations of one edge that have any, but for what halves the sides."""

    channels: int
    initialiser: str
    dtype: jnp.dtype

    @nn.compact
    def __call__(self) -> dict[str, tuple]:
        """For each such operation its weights."""
        found = {}
        for kind, module in ((SEPARABLE, Separable), (DILATED, SeparableNorm)):
            for name, (_, size) in kind.items():
                options = self.channels, size, self.initialiser, self.dtype
                found[name] = module(*options, name=name)()
        return found


class FactorisedReduction(nn.Module):
    """Weights of a `skip_connect` that halves the sides: two 1x1 convolutions and a norm."""

    channels: int
    initialiser: str
    dtype: jnp.dtype

    @nn.compact
    def __call__(self) -> tuple[jax.Array, jax.Array, jax.Array, jax.Array]:
        """Two kernels [1, 1, channels, channels / 2], scale and bias [channels]."""
        channels, dtype = self.channels, self.dtype
        kernels = [
            Conv(channels // 2, 1, self.initialiser, name=name)(channels, dtype)
            for name in ("conv_0", "conv_1")
        ]
        return *kernels, *Norm(name="norm")(channels, dtype)


def _stacked(module: type[nn.Module], count: int) -> type[nn.Module]:
    """The module for so many edges: its parameters, and what it returns, have an axis for them."""
    return nn.vmap(
        module, variable_axes={"params": 0}, split_rngs={"params": True}, axis_size=count
    )


class Cell(nn.Module):
    """A cell: four nodes, each the sum over its incoming edges of the mean of their operations.

    Attributes:
        features: channels of each node.
        reduces: whether operations on the cell's inputs have stride 2.
        initialiser: of the kernels.
        form: of the convolutions, see `conv_norm`.
    """

    features: int
    reduces: bool
    initialiser: str
    form: str

    @nn.compact
    def __call__(self, inputs: Sequence[jax.Array], mask: jax.Array) -> jax.Array:
        """Two inputs [C, H, W, N] and mask [14, 8] to [4 features, H, W, N], or half the sides."""
        dtype = inputs[0].dtype
        weights = mask / jnp.maximum(mask.sum(-1, keepdims=True), 1).astype(dtype)
        weights = weights[jnp.array([EDGES.index(edge) for edge in BY_SOURCE])]
        options = self.features, self.initialiser, dtype
        edges = _stacked(Edge, len(EDGES))(*options, name="edges")()
        leaving = {"weights": weights, **edges}
        from_inputs = jax.tree.map(lambda a: _grouped(a[:FROM_INPUTS], INPUTS), leaving)
        stride = 1
        if self.reduces:
            stride = 2
            reductions = _stacked(FactorisedReduction, FROM_INPUTS)(*options, name="input_edges")()
            grouped = [_grouped(a, INPUTS) for a in reductions]
            from_inputs["skip_connect"] = tuple(grouped)
        states = jnp.stack([self._preprocess(i, x) for i, x in enumerate(inputs)])
        parts = jax.vmap(lambda x, own: self._leaving(x, own, stride))(states, from_inputs)
        from_nodes = jax.tree.map(lambda a: a[FROM_INPUTS:], leaving)
        return self._nodes(parts.sum(0), from_nodes)

    def _nodes(self, nodes: jax.Array, leaving: dict) -> jax.Array:
        """The cell's output from what its inputs add to the nodes [4, C, H, W, N].

        The first of the nodes is whole; what leaves it is added to the others, of which the next is
        then whole.
        """
        whole, first = [nodes[0]], 0
        while len(nodes) > 1:
            count = len(nodes) - 1
            own = jax.tree.map(lambda a, span=slice(first, first + count): a[span], leaving)
            nodes = nodes[1:] + self._leaving(nodes[0], own, 1)
            whole.append(nodes[0])
            first += count
        return jnp.concatenate(whole)

    def _preprocess(self, number: int, x: jax.Array) -> jax.Array:
        """ReLU, 1x1 convolution and normalisation of an input: [C, ...] to [features, ...]."""
        module = ConvNorm(self.features, 1, self.initialiser, name=f"preprocess{number}")
        kernel, scale, bias = module(len(x), x.dtype)
        return sum_of_conv_norms(nn.relu(x), [kernel], [scale], [bias], form=self.form)

    def _leaving(self, x: jax.Array, edges: dict, stride: int) -> jax.Array:
        """What each of the E edges that leave a state adds to its node.

        Args:
            x: the state [C, H, W, N].
            edges: `weights` of the operations [E, 8], and for each operation its own, with an axis
                for the edges.
            stride: of all operations.

        Returns:
            [E, C, H / stride, W / stride, N]
        """
        weights = edges["weights"]
        convolving = [SEP_3X3, SEP_5X5, DIL_3X3, DIL_5X5] + ([SKIP] if stride > 1 else [])
        # A ReLU that no operation of the mask needs is switched off: it draws no boundary.
        needed = (weights[:, jnp.array(convolving)] > 0).any().astype(x.dtype)
        positive = nn.relu(x * needed)
        total = _dilated(positive, edges, stride, self.form)
        for name in SEPARABLE:
            total = total + _separable(positive, name, edges, stride, self.form)
        if stride > 1:
            total = total + _factorised_reductions(positive, edges)
        else:
            total = total + per_channel(weights[:, SKIP], total) * x[None]
        average = average_pool_3x3(x, stride=stride, form=self.form)
        largest = max_pool_3x3(x, stride=stride, form=self.form)
        for column, pooled in ((AVERAGE, average), (MAX, largest)):
            total = total + per_channel(weights[:, column], total) * pooled[None]
        return total


def _dilated(x: jax.Array, edges: dict, stride: int, form: str) -> jax.Array:
    """The weighted dilated convolutions of E edges: [E, C, H, W, N]."""
    parts = []
    for name, (column, _) in DILATED.items():
        parts.append(_side_by_side(_weighted(edges[name], edges["weights"][:, column])))
    z = sum_of_conv_norms(x, *zip(*parts, strict=True), stride=stride, dilation=2, form=form)
    return z.reshape(-1, len(x), *z.shape[1:])


def _separable(x: jax.Array, name: str, edges: dict, stride: int, form: str) -> jax.Array:
    """A weighted separable convolution of E edges: [E, C, H, W, N]."""
    first, second = edges[name]
    weight = edges["weights"][:, SEPARABLE[name][0]]
    # Where the mask has no such operation, its second ReLU is switched off as well.
    first = _side_by_side(_weighted(first, (weight > 0).astype(x.dtype)))
    y = sum_of_conv_norms(x, *([part] for part in first), stride=stride, form=form)
    y = nn.relu(y).reshape(-1, len(x), *y.shape[1:])

    def one(y, kernel, scale, bias):
        return sum_of_conv_norms(y, [kernel], [scale], [bias], form=form)

    return jax.vmap(one)(y, *_weighted(second, weight))


def _factorised_reductions(x: jax.Array, edges: dict) -> jax.Array:
    """Half the channels from the even places, half from the odd ones: [E, C, H / 2, W / 2, N]."""
    *kernels, scale, bias = edges["skip_connect"]
    even = x[:, ::2, ::2]
    # Shifted by one pixel, with zeros at the far side where the side is odd.
    odd = jnp.pad(x[:, 1:, 1:], ((0, 0), (0, 1), (0, 1), (0, 0)))[:, ::2, ::2]
    halves = [
        jax.vmap(mix, in_axes=(None, 0))(places, kernel)
        for places, kernel in zip((even, odd), kernels, strict=True)
    ]
    weight = edges["weights"][:, SKIP, None]
    return jax.vmap(normalise)(jnp.concatenate(halves, 1), weight * scale, weight * bias)


def _weighted(weights: Weights, weight: jax.Array) -> Weights:
    """E operations times weights [E], folded into the norms: w BN(y) = BN(y; w γ, w β)."""
    kernel, scale, bias = weights
    return kernel, weight[:, None] * scale, weight[:, None] * bias


def _side_by_side(weights: Weights) -> Weights:
    """E convolutions of one input as one, their outputs one after the other."""
    kernel, scale, bias = weights
    _, size, _, channels, _ = kernel.shape
    kernel = kernel.transpose(1, 2, 3, 0, 4).reshape(size, size, channels, -1)
    return kernel, scale.ravel(), bias.ravel()


def _grouped(a: jax.Array, count: int) -> jax.Array:
    """[count E, ...] as [count, E, ...]."""
    return a.reshape(count, -1, *a.shape[1:])


class Darts(nn.Module):
    """The whole scoring network: stem, a normal and a reduction cell, head.

    Attributes:
        channels: of the normal cell's nodes; the reduction cell has twice as many (TE-NAS: 1).
        stem: whether a convolution and norm stand before the first cell. The thin network, on which
            linear regions are counted, has none.
        classes: outputs.
        initialiser: name of the kernels' initialiser.
        form: of the convolutions, see `conv_norm`.
    """

    channels: int = 1
    stem: bool = True
    classes: int = 10
    initialiser: str = "pytorch_default"
    form: str = "auto"

    @nn.compact
    def __call__(self, images: jax.Array, mask: jax.Array) -> jax.Array:
        """Logits [N, classes] of images [N, H, W, C] under a mask [2, 14, 8]."""
        mask = mask.astype(images.dtype)
        x = feature_maps(images)
        if self.stem:
            x = Stem(self.channels, self.initialiser, self.form, name="stem")(x)
        options = {"initialiser": self.initialiser, "form": self.form}
        y = Cell(self.channels, False, **options, name="cells_0")((x, x), mask[0])
        z = Cell(2 * self.channels, True, **options, name="cells_1")((x, y), mask[1])
        return Head(self.classes, self.initialiser, name="head")(z)
