"""The networks of DARTS's space that are scored at initialisation.

The space is Liu, Simonyan and Yang, 2019, arXiv:1806.09055; the small networks are those of TE-NAS
(Chen, Gong and Wang, 2021, arXiv:2102.11535): a normal and a reduction cell, one channel. The mask
is a run-time argument, so one compiled program serves every genotype and every supernet.

A depthwise convolution followed by a pointwise one is a convolution whose kernel is their outer
product. With one or two channels that kernel costs no more, and the convolutions of all edges that
leave a state become one.
"""

from collections.abc import Sequence

import flax.linen as nn
import jax
import jax.numpy as jnp

from tenas_jax.networks.blocks import Conv, ConvNorm, Head, Norm, Stem
from tenas_jax.networks.conv_norm import sum_of_conv_norms
from tenas_jax.networks.layers import feature_maps, mix, normalise
from tenas_jax.networks.pooling import average_pool_3x3, max_pool_3x3

NODES, INPUTS = 4, 2
# (node, state), in the order of the mask's rows; states 0 and 1 are the cell's inputs
EDGES = tuple((node, state) for node in range(NODES) for state in range(node + INPUTS))
# the mask's columns, without `none`, which computes nothing
SKIP, SEP_3X3, SEP_5X5, DIL_3X3, DIL_5X5, AVERAGE, MAX = range(1, 8)
SEPARABLE = {"sep_conv_3x3": (SEP_3X3, 3), "sep_conv_5x5": (SEP_5X5, 5)}
DILATED = {"dil_conv_3x3": (DIL_3X3, 3), "dil_conv_5x5": (DIL_5X5, 5)}

Weights = tuple[jax.Array, jax.Array, jax.Array]  # kernel, scale, bias


class SeparableNorm(nn.Module):
    """Weights of a depthwise and a pointwise convolution and the normalisation behind them."""

    size: int
    initialiser: str

    @nn.compact
    def __call__(self, channels: int, dtype) -> Weights:
        """The kernel of both [size, size, channels, channels], scale and bias [channels]."""
        deep = Conv(channels, self.size, self.initialiser, name="depthwise")(1, dtype)
        point = Conv(channels, 1, self.initialiser, name="pointwise")(channels, dtype)
        return deep.transpose(0, 1, 3, 2) * point, *Norm(name="norm")(channels, dtype)


class Separable(nn.Module):
    """Weights of a separable convolution, which is done twice."""

    size: int
    initialiser: str

    @nn.compact
    def __call__(self, channels: int, dtype) -> tuple[Weights, Weights]:
        """Those of the first, which has the stride, and of the second."""
        return tuple(
            SeparableNorm(self.size, self.initialiser, name=name)(channels, dtype)
            for name in ("sep_a", "sep_b")
        )


class FactorisedReduction(nn.Module):
    """Weights of the two 1x1 convolutions of stride 2, and of the normalisation behind them."""

    initialiser: str

    @nn.compact
    def __call__(self, channels: int, dtype) -> tuple[jax.Array, jax.Array, jax.Array, jax.Array]:
        """Two kernels [1, 1, channels, channels / 2], scale and bias [channels]."""
        kernels = (
            Conv(channels // 2, 1, self.initialiser, name=name)(channels, dtype)
            for name in ("conv_0", "conv_1")
        )
        return *kernels, *Norm(name="norm")(channels, dtype)


class Edge(nn.Module):
    """Weights of the operations of one edge that have any."""

    reduces: bool
    initialiser: str

    @nn.compact
    def __call__(self, channels: int, dtype) -> dict[str, tuple]:
        """For each such operation its weights."""
        found = {}
        if self.reduces:
            reduction = FactorisedReduction(self.initialiser, name="skip_connect")
            found["skip_connect"] = reduction(channels, dtype)
        for name, (_, size) in SEPARABLE.items():
            found[name] = Separable(size, self.initialiser, name=name)(channels, dtype)
        for name, (_, size) in DILATED.items():
            found[name] = SeparableNorm(size, self.initialiser, name=name)(channels, dtype)
        return found


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
        edges = [
            Edge(
                self.reduces and state < INPUTS, self.initialiser, name=f"edges_{node}<-{state}"
            )(self.features, dtype)
            for node, state in EDGES
        ]
        states = [self._preprocess(i, x) for i, x in enumerate(inputs)]
        states += [0] * NODES
        for state in range(INPUTS + NODES - 1):
            leaving = [e for e, (_, source) in enumerate(EDGES) if source == state]
            stride = 2 if self.reduces and state < INPUTS else 1
            parts = self._leaving(
                states[state], [edges[e] for e in leaving], weights[jnp.array(leaving)], stride
            )
            for e, part in zip(leaving, parts, strict=True):
                states[INPUTS + EDGES[e][0]] += part
        return jnp.concatenate(states[INPUTS:])

    def _preprocess(self, number: int, x: jax.Array) -> jax.Array:
        """ReLU, 1x1 convolution and normalisation of an input: [C, ...] to [features, ...]."""
        module = ConvNorm(self.features, 1, self.initialiser, name=f"preprocess{number}")
        kernel, scale, bias = module(len(x), x.dtype)
        return sum_of_conv_norms(nn.relu(x), [kernel], [scale], [bias], form=self.form)

    def _leaving(
        self, x: jax.Array, edges: list[dict], weights: jax.Array, stride: int
    ) -> list[jax.Array]:
        """What each of the edges that leave a state adds to its node.

        Args:
            x: the state [C, H, W, N].
            edges: their weights, one dict an edge.
            weights: of their operations, [edges, 8].
            stride: of all operations.
        """
        convolving = [SEP_3X3, SEP_5X5, DIL_3X3, DIL_5X5] + ([SKIP] if stride > 1 else [])
        # A ReLU that no operation of the mask needs is switched off: it draws no boundary.
        needed = (weights[:, jnp.array(convolving)] > 0).any().astype(x.dtype)
        positive = nn.relu(x * needed)
        convolved = self._dilated(positive, edges, weights, stride)
        convolved = convolved + self._separable(positive, edges, weights, stride)
        if stride > 1:
            convolved = convolved + _factorised_reductions(positive, edges, weights)
        average = average_pool_3x3(x, stride=stride, form=self.form)
        largest = max_pool_3x3(x, stride=stride, form=self.form)
        parts = []
        for part, weight in zip(jnp.split(convolved, len(edges)), weights, strict=True):
            part = part + weight[AVERAGE] * average + weight[MAX] * largest
            parts.append(part + weight[SKIP] * x if stride == 1 else part)
        return parts

    def _dilated(self, x, edges, weights, stride) -> jax.Array:
        """The weighted dilated convolutions of all edges: [edges C, H, W, N]."""
        parts = [
            _side_by_side([_weighted(edge[name], w) for edge, w in zip(edges, weights[:, column])])
            for name, (column, _) in DILATED.items()
        ]
        return sum_of_conv_norms(
            x, *zip(*parts, strict=True), stride=stride, dilation=2, form=self.form
        )

    def _separable(self, x, edges, weights, stride) -> jax.Array:
        """The weighted separable convolutions of all edges: [edges C, H, W, N]."""
        total, channels = 0, len(x)
        for name, (column, _) in SEPARABLE.items():
            # Where the mask has no such operation, its second ReLU is switched off as well.
            first = [
                _weighted(edge[name][0], (w > 0).astype(x.dtype))
                for edge, w in zip(edges, weights[:, column], strict=True)
            ]
            second = [
                _weighted(edge[name][1], w) for edge, w in zip(edges, weights[:, column], strict=True)
            ]
            kernel, scale, bias = _side_by_side(first)
            middle = sum_of_conv_norms(
                x, [kernel], [scale], [bias], stride=stride, form=self.form
            )
            middle = nn.relu(middle).reshape(len(edges), channels, *middle.shape[1:])
            stacked = (jnp.stack(parts) for parts in zip(*second, strict=True))

            def one(x, kernel, scale, bias):
                return sum_of_conv_norms(x, [kernel], [scale], [bias], form=self.form)

            total = total + jax.vmap(one)(middle, *stacked)
        return total.reshape(-1, *total.shape[2:])


def _factorised_reductions(x: jax.Array, edges: list[dict], weights: jax.Array) -> jax.Array:
    """Half the channels from the even places, half from the odd ones: [edges C, H/2, W/2, N]."""
    own = [edge["skip_connect"] for edge in edges]
    even = x[:, ::2, ::2]
    # Shifted by one pixel, with zeros at the far side where the side is odd.
    odd = jnp.pad(x[:, 1:, 1:], ((0, 0), (0, 1), (0, 1), (0, 0)))[:, ::2, ::2]
    halves = [
        mix(places, jnp.concatenate([weights[i] for weights in own], -1))
        for i, places in enumerate((even, odd))
    ]
    pieces = zip(*(jnp.split(half, len(edges)) for half in halves), strict=True)
    y = jnp.concatenate([half for piece in pieces for half in piece])
    weighted = [_weighted(w[1:], weight) for w, weight in zip(own, weights[:, SKIP], strict=True)]
    return normalise(y, *(jnp.concatenate([w[i] for w in weighted]) for i in (1, 2)))


def _weighted(weights: Weights, weight: jax.Array) -> Weights:
    """An operation times a weight, which is folded into its norm: w BN(y) = BN(y; w γ, w β)."""
    kernel, scale, bias = weights
    return kernel, weight * scale, weight * bias


def _side_by_side(weights: list[Weights]) -> Weights:
    """Convolutions of one input as one, their outputs one after the other."""
    return tuple(jnp.concatenate(parts, -1) for parts in zip(*weights, strict=True))


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
