"""Scoring networks of As-ViT: one for all topologies of a size, one for all sizes of a topology."""

from collections.abc import Callable, Iterator
from typing import Any

import flax.linen as nn
import jax
import jax.numpy as jnp
import numpy as np

from tenas_jax.networks.as_vit.padded import PATCHES, Choice, PaddedAsVit
from tenas_jax.networks.as_vit.shapes import check_heads
from tenas_jax.networks.layers.initialisers import initialiser
from tenas_jax.networks.model import Network, Params
from tenas_jax.networks.spec import Blueprint, NetworkSpec
from tenas_jax.spaces.as_vit.sizes import Sizes
from tenas_jax.spaces.as_vit.space import CHOICES, LONGEST, STAGES, Topology

# [13, 5]: the numbers that the columns of a mask's rows stand for.
VALUES = np.array([[*valid, *[0] * (LONGEST - len(valid))] for valid in CHOICES.values()])

PUBLISHED = Sizes(hidden=32)  # what topologies are searched with: one block a stage


class TopologiesNet(PaddedAsVit):
    """Takes masks [1, 13, 5] of the space `as_vit`; all blocks of `sizes` are run."""

    def choice(self, mask: jax.Array) -> Choice:
        """Reads what a mask chooses."""
        *values, heads = (mask[0] * VALUES).sum(-1).round().astype(jnp.int32)
        numbers = mask[0].argmax(-1)
        return Choice(
            values[0::3], numbers[1:-1:3], values[2::3], heads, self.sizes.depths, self.sizes.hidden
        )


class SizesNet(PaddedAsVit):
    """Takes the sizes of one topology as masks [1, 5, 1]: four depths and the width."""

    def choice(self, mask: jax.Array) -> Choice:
        """Reads what a mask chooses."""
        *depths, hidden = mask[0, :, 0].round().astype(jnp.int32)
        kernels, ratios = (tuple(v[0] for v in own) for own in (self.kernels, self.ratios))
        return Choice(kernels, (0,) * STAGES, ratios, self.heads[0], depths, hidden)


def topologies_net(
    sizes: Sizes = PUBLISHED, *, classes: int = 10, initialiser: str = "small_normal"
) -> TopologiesNet:
    """Builds the scoring network of `as_vit`; it has no head, so `classes` plays no part.

    Raises:
        UserError: a width that does not fit all topologies.
    """
    del classes
    rows = list(CHOICES.values())
    check_heads(Topology((), (), (), max(rows[-1])), sizes)
    kernels, splits, ratios = (tuple(rows[first:-1:3]) for first in range(3))
    return TopologiesNet(kernels, splits, ratios, rows[-1], sizes, initialiser)


def sizes_net(
    topology: Topology, largest: Sizes, *, classes: int = 10, initialiser: str = "small_normal"
) -> SizesNet:
    """Builds the scoring network of one topology in all sizes up to the largest.

    Raises:
        UserError: sizes that do not fit the topology.
    """
    del classes
    check_heads(topology, largest)
    kernels, splits, ratios = (tuple((v,) for v in values) for values in topology[:3])
    return SizesNet(kernels, splits, ratios, (topology.heads,), largest, initialiser)


def adapted(network: PaddedAsVit, params: Params, mask: jax.Array, channels: int = 3) -> Params:
    """Derives the initial parameters of one architecture from those drawn for the largest.

    They are drawn as for the largest one's fans, and scaled to those of the architecture.

    Args:
        network: whose parameters they are.
        params: as `init` draws them.
        mask: of the architecture.
        channels: of the images.
    """
    params = dict(params)
    for name, rule, fans, most in _fans(network, mask, params, channels):
        scale = initialiser(rule).scale
        factor = jnp.asarray(scale(*fans) / scale(*most), jnp.float32)
        own = dict(params[name])
        own["kernel"] = own["kernel"] * factor.astype(own["kernel"].dtype)
        if rule == PATCHES and name == "layers_0_tokens":
            bias = (most[0] / fans[0]) ** 0.5  # drawn by the fan in alone
            own["bias"] = own["bias"] * jnp.asarray(bias, own["bias"].dtype)
        params[name] = own
    return params


def _fans(
    network: PaddedAsVit, mask: jax.Array, params: Params, channels: int
) -> Iterator[tuple[str, str, tuple[Any, Any], tuple[int, int]]]:
    """Yields each dense layer's name, its initialiser, and its fans, the architecture's and all."""
    chosen, rule = network.choice(mask), network.initialiser
    for stage in range(STAGES):
        width = chosen.width(stage)
        before = chosen.width(stage - 1) if stage else channels
        parts = max(network.heads) // 2 ** (STAGES - 1 - stage)
        inner, hidden = width // parts * parts, chosen.ratios[stage] * width
        fans = {
            "tokens": (chosen.kernels[stage] ** 2 * before, width),
            "blocks_qkv": (width, 3 * inner),
            "blocks_proj": (inner, width),
            "blocks_fc1": (width, hidden),
            "blocks_fc2": (hidden, width),
        }
        for part, own in fans.items():
            name = f"layers_{stage}_{part}"
            shape = params[name]["kernel"].shape[-2:]
            yield name, PATCHES if stage == 0 and part == "tokens" else rule, own, shape


def blueprint(module: Callable[..., nn.Module], side_multiple: int = 1) -> Blueprint:
    """Returns the blueprint of a network of one or of all topologies.

    Args:
        module: `(initialiser=…) -> module`.
        side_multiple: what the sides of images must be multiples of.
    """

    def build(spec: NetworkSpec, classes: int) -> Network:
        del classes  # there is no head
        options = () if spec.norms == "sample" else (("norms", False),)
        return Network(module(initialiser=spec.initialiser), options=options)

    return Blueprint(
        build,
        outputs=("features",),
        norms=("sample", "identity"),
        side_multiple=side_multiple,
        relu=False,
        adapt=adapted,
    )


# The topologies of published searches have the size that is scored here, so `published` is it.
NETWORKS: dict[str, Blueprint] = dict.fromkeys(
    ("scored", "published", "testing"), blueprint(topologies_net, side_multiple=32)
)
