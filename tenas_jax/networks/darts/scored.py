"""The networks of DARTS's space that are scored at initialisation.

The space is Liu, Simonyan and Yang, 2019, arXiv:1806.09055; the small networks are those of TE-NAS
(Chen, Gong and Wang, 2021, arXiv:2102.11535): a normal and a reduction cell, one channel. The mask
is a run-time argument, so one compiled program serves every genotype and every supernet.
"""

from collections.abc import Sequence

import flax.linen as nn
import jax
import jax.numpy as jnp

from tenas_jax.networks.darts.edges import (
    BY_SOURCE,
    DILATED,
    EDGES,
    FROM_INPUTS,
    NODES,
    SEPARABLE,
    SKIP,
    Edge,
    FactorisedReduction,
    leaving,
    stacked,
)
from tenas_jax.networks.layers.blocks import ConvNorm, Head, Stem, blueprint
from tenas_jax.networks.layers.conv_norm import sum_of_conv_norms
from tenas_jax.networks.layers.maps import feature_maps, operation_weights
from tenas_jax.networks.spec import Blueprint


class Cell(nn.Module):
    """Computes four nodes, each the sum over its incoming edges of the mean of their operations.

    Attributes:
        features: channels of each node.
        reduces: whether operations on the cell's inputs have stride 2.
        initialiser: of the kernels.
        form: of the convolutions, see `conv_norm`.
        norms: what is normalised by, a name in `NORMS` of `networks.layers.maps`.
    """

    features: int
    reduces: bool
    initialiser: str
    form: str
    norms: str = "on"

    @property
    def _how(self) -> dict[str, str]:
        """Returns how convolutions are computed and normalised."""
        return {"form": self.form, "norms": self.norms}

    @nn.compact
    def __call__(self, inputs: Sequence[jax.Array], mask: jax.Array) -> jax.Array:
        """Maps two inputs [C, H, W, N] and mask [14, 8] to [4 features, H, W, N], or half sides."""
        dtype = inputs[0].dtype
        weights = operation_weights(mask)
        weights = weights[jnp.array([EDGES.index(edge) for edge in BY_SOURCE])]
        options = self.features, self.initialiser, dtype
        edges = stacked(Edge, len(EDGES))(*options, name="edges")()
        own = {"weights": weights, **edges}
        from_inputs = jax.tree.map(lambda a: a[:FROM_INPUTS], own)
        stride = 1
        if self.reduces:
            stride = 2
            skips = stacked(FactorisedReduction, FROM_INPUTS)(*options, name="input_edges")
            from_inputs["skip_connect"] = skips()
        states = jnp.stack([self._preprocess(i, x) for i, x in enumerate(inputs)])
        parts = leaving(states, from_inputs, stride, self._how)
        nodes = parts[:NODES] + parts[NODES:]
        return self._nodes(nodes, jax.tree.map(lambda a: a[FROM_INPUTS:], own))

    def _nodes(self, nodes: jax.Array, edges: dict) -> jax.Array:
        """Computes the cell's output from what its inputs add to the nodes [4, C, H, W, N].

        The first of the nodes is whole; what leaves it is added to the others, of which the next is
        then whole.
        """
        whole, first = [nodes[0]], 0
        while len(nodes) > 1:
            count = len(nodes) - 1
            own = jax.tree.map(lambda a, span=slice(first, first + count): a[span], edges)
            nodes = nodes[1:] + leaving(nodes[:1], own, 1, self._how)
            whole.append(nodes[0])
            first += count
        return jnp.concatenate(whole)

    def _preprocess(self, number: int, x: jax.Array) -> jax.Array:
        """Applies ReLU, 1x1 convolution and norm to an input: [C, ...] to [features, ...]."""
        module = ConvNorm(self.features, 1, self.initialiser, name=f"preprocess{number}")
        kernel, scale, bias = module(len(x), x.dtype)
        return sum_of_conv_norms(nn.relu(x), [kernel], [scale], [bias], **self._how)


class Darts(nn.Module):
    """Computes logits by the whole scoring network: stem, a normal and a reduction cell, head.

    Attributes:
        channels: of the normal cell's nodes; the reduction cell has twice as many (TE-NAS: 1).
        stem: whether a convolution and norm stand before the first cell. The thin network, on which
            linear regions are counted, has none.
        classes: outputs.
        initialiser: name of the kernels' initialiser.
        form: of the convolutions, see `conv_norm`.
        norms: what is normalised by, a name in `NORMS` of `networks.layers.maps`.
    """

    channels: int = 1
    stem: bool = True
    classes: int = 10
    initialiser: str = "pytorch_default"
    form: str = "auto"
    norms: str = "on"

    @nn.compact
    def __call__(self, images: jax.Array, mask: jax.Array) -> jax.Array:
        """Computes logits [N, classes] of images [N, H, W, C] under a mask [2, 14, 8]."""
        mask = mask.astype(images.dtype)
        x = feature_maps(images)
        if self.stem:
            x = Stem(self.channels, self.initialiser, self.form, self.norms, name="stem")(x)
        options = {"initialiser": self.initialiser, "form": self.form, "norms": self.norms}
        y = Cell(self.channels, False, **options, name="cells_0")((x, x), mask[0])
        z = Cell(2 * self.channels, True, **options, name="cells_1")((x, y), mask[1])
        return Head(self.classes, self.initialiser, self.norms, name="head")(z)


def _has(names: Sequence[str], mask: jax.Array) -> jax.Array | None:
    """Says of each edge of a stack whether an architecture has its parameter."""
    columns = {name: column for name, (column, _) in (SEPARABLE | DILATED).items()}
    rows = jnp.array([EDGES.index(edge) for edge in BY_SOURCE])
    if "input_edges" in names:
        rows, column = rows[:FROM_INPUTS], SKIP
    elif "edges" in names:
        column = columns[names[names.index("edges") + 1]]
    else:
        return None
    return mask[int(names[0].removeprefix("cells_")), rows, column] > 0


NETWORKS: dict[str, Blueprint] = {
    "scored": blueprint(Darts, _has, side_multiple=2),
    "patch": blueprint(Darts, _has, patches=True, stem=False),
    "testing": blueprint(Darts, _has, side_multiple=2),
}
