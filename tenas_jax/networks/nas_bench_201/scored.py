"""The networks of NAS-Bench-201's space that are scored at initialisation.

The space is Dong and Yang, 2020, arXiv:2001.00326; the small networks are those of TE-NAS (Chen,
Gong and Wang, 2021, arXiv:2102.11535). Both take the operation mask as a run-time argument, so one
compiled program serves every architecture and every supernet.
"""

import itertools
from collections.abc import Sequence

import flax.linen as nn
import jax
import jax.numpy as jnp

from tenas_jax.networks.layers.blocks import Conv, ConvNorm, Head, Stem, blueprint
from tenas_jax.networks.layers.conv_norm import sum_of_conv_norms
from tenas_jax.networks.layers.maps import average_pool_2x2, feature_maps, mix, operation_weights
from tenas_jax.networks.layers.pooling import average_pool_3x3
from tenas_jax.networks.spec import Blueprint

# (target, source), in the order of the mask's rows
EDGES = ((1, 0), (2, 0), (2, 1), (3, 0), (3, 1), (3, 2))
# the mask's columns, without `none`, which computes nothing
SKIP, CONV_1X1, CONV_3X3, POOL = 1, 2, 3, 4
KERNEL_SIZES = {"nor_conv_1x1": 1, "nor_conv_3x3": 3}


class Edge(nn.Module):
    """Draws the weights of the operations of one edge that have any."""

    initialiser: str

    @nn.compact
    def __call__(self, channels: int, dtype) -> dict[str, tuple[jax.Array, jax.Array, jax.Array]]:
        """Returns for each convolution its kernel, scale and bias."""
        return {
            name: ConvNorm(channels, size, self.initialiser, name=name)(channels, dtype)
            for name, size in KERNEL_SIZES.items()
        }


class Cell(nn.Module):
    """Computes four nodes, each the sum over its incoming edges of the mean of their operations."""

    initialiser: str
    form: str
    norms: str = "on"

    @nn.compact
    def __call__(self, x: jax.Array, mask: jax.Array) -> jax.Array:
        """Computes node 3 from node 0: [C, H, W, N] and mask [6, 5] to [C, H, W, N]."""
        weights = operation_weights(mask)
        channels = len(x)
        edges = [
            Edge(self.initialiser, name=f"edges_{target}<-{source}")(channels, x.dtype)
            for target, source in EDGES
        ]
        nodes = {0: x}
        for source in range(3):
            leaving = [e for e, (_, start) in enumerate(EDGES) if start == source]
            node = nodes[source]
            convolved = self._convolutions(
                node, [edges[e] for e in leaving], weights[jnp.array(leaving)]
            )
            pooled = average_pool_3x3(node, form=self.form)
            for e, part in zip(leaving, convolved, strict=True):
                target = EDGES[e][0]
                term = part + weights[e, SKIP] * node + weights[e, POOL] * pooled
                nodes[target] = nodes[target] + term if target in nodes else term
        return nodes[3]

    def _convolutions(self, node: jax.Array, edges: list, weights: jax.Array) -> list[jax.Array]:
        """Computes the weighted convolutions of the edges that leave one node, as one."""
        # A ReLU that no operation of the mask needs is switched off: it draws no boundary.
        needed = (weights[:, jnp.array([CONV_1X1, CONV_3X3])] > 0).any().astype(node.dtype)
        kernels, scales, biases = [], [], []
        for name, column in (("nor_conv_3x3", CONV_3X3), ("nor_conv_1x1", CONV_1X1)):
            parts = [edge[name] for edge in edges]
            weight = weights[:, column]
            kernels.append(jnp.concatenate([kernel for kernel, _, _ in parts], -1))
            # The operation's weight is folded into scale and bias: w BN(y) = BN(y; w γ, w β).
            scales.append(
                jnp.concatenate([w * s for w, (_, s, _) in zip(weight, parts, strict=True)])
            )
            biases.append(
                jnp.concatenate([w * b for w, (_, _, b) in zip(weight, parts, strict=True)])
            )
        how = {"form": self.form, "norms": self.norms}
        z = sum_of_conv_norms(nn.relu(node * needed), kernels, scales, biases, **how)
        return jnp.split(z, len(edges))


class Shortcut(nn.Module):
    """Draws the 1x1 convolution of a residual block's shortcut."""

    features: int
    initialiser: str

    @nn.compact
    def __call__(self, channels: int, dtype) -> jax.Array:
        """Returns the kernel [1, 1, channels, features]."""
        return Conv(self.features, 1, self.initialiser, name="conv")(channels, dtype)


class Residual(nn.Module):
    """Applies the residual block between stages: half the side, twice the channels."""

    features: int
    initialiser: str
    form: str
    norms: str = "on"

    @nn.compact
    def __call__(self, x: jax.Array) -> jax.Array:
        """Maps [C, H, W, N] to [features, H / 2, W / 2, N]."""
        y, how = x, {"form": self.form, "norms": self.norms}
        for name, stride in (("conv_a", 2), ("conv_b", 1)):
            kernel, scale, bias = ConvNorm(self.features, 3, self.initialiser, name=name)(
                len(y), y.dtype
            )
            y = sum_of_conv_norms(nn.relu(y), [kernel], [scale], [bias], stride=stride, **how)
        shortcut = Shortcut(self.features, self.initialiser, name="downsample")(len(x), x.dtype)
        return y + mix(average_pool_2x2(x), shortcut)


class NasBench201(nn.Module):
    """Chains a stem, one cell a stage with residual blocks between them, and a head.

    Attributes:
        channels: channels of the first stage; each later stage has twice as many (TE-NAS: 3 for the
            kernel, 1 for linear regions).
        stages: number of stages (3; 1 in the thin network).
        depth: cells of a stage (1; 5 in the benchmark).
        stem: whether a convolution and norm stand before the first cell. The thin network has none,
            so that its input, of as many channels as `channels`, is the cell's.
        classes: outputs.
        initialiser: name of the kernels' initialiser.
        form: of the convolutions, see `conv_norm`.
        norms: what is normalised by, a name in `NORMS` of `networks.layers.maps`.
    """

    channels: int = 3
    stages: int = 3
    depth: int = 1
    stem: bool = True
    classes: int = 10
    initialiser: str = "pytorch_default"
    form: str = "auto"
    norms: str = "on"

    @nn.compact
    def __call__(self, images: jax.Array, mask: jax.Array) -> jax.Array:
        """Computes logits [N, classes] of images [N, H, W, C] under a mask [1, 6, 5]."""
        cell = mask[0].astype(images.dtype)
        x, how = feature_maps(images), (self.initialiser, self.form, self.norms)
        if self.stem:
            x = Stem(self.channels, *how, name="stem")(x)
        number = 0  # of the next cell or residual block
        for stage in range(self.stages):
            if stage > 0:
                x = Residual(self.channels * 2**stage, *how, name=f"cells_{number}")(x)
                number += 1
            for _ in range(self.depth):
                x = Cell(*how, name=f"cells_{number}")(x, cell)
                number += 1
        return Head(self.classes, self.initialiser, self.norms, name="head")(x)


def _has(names: Sequence[str], mask: jax.Array) -> jax.Array | None:
    """Says whether an architecture has a parameter: those of an edge go with its operation."""
    columns = {"nor_conv_1x1": CONV_1X1, "nor_conv_3x3": CONV_3X3}
    for edge, operation in itertools.pairwise(names):
        if edge.startswith("edges_"):
            target, source = edge.removeprefix("edges_").split("<-")
            return mask[0, EDGES.index((int(target), int(source))), columns[operation]] > 0
    return None


NETWORKS: dict[str, Blueprint] = {
    "scored": blueprint(NasBench201, _has, side_multiple=4),
    "patch": blueprint(NasBench201, _has, patches=True, channels=1, stages=1, stem=False),
    "published": blueprint(NasBench201, _has, side_multiple=4, channels=16, depth=5),
    "testing": blueprint(NasBench201, _has, side_multiple=4, stages=1),
}
