"""Scoring networks: for each space the one whose kernel is taken, and the thin one for regions."""

from collections.abc import Callable
from dataclasses import dataclass

import flax.linen as nn

from tenas_jax.errors import lookup
from tenas_jax.networks.darts import Darts
from tenas_jax.networks.initialisers import INITIALISERS, initialiser
from tenas_jax.networks.nas_bench_201 import NasBench201
from tenas_jax.networks.network import Network, Params


@dataclass(frozen=True)
class Variant:
    """One scoring network of a space.

    Attributes:
        build: `(classes=..., initialiser=..., form=...) -> module`, taking images and a mask.
        patches: whether its inputs are small one-channel patches rather than whole images.
        side_multiple: what the height and width of its images must be multiples of.
    """

    build: Callable[..., nn.Module]
    patches: bool = False
    side_multiple: int = 1


def _thin_nas_bench_201(**options) -> NasBench201:
    return NasBench201(channels=1, stages=1, stem=False, **options)


def _thin_darts(**options) -> Darts:
    return Darts(stem=False, **options)


# space -> variant -> network
NETWORKS: dict[str, dict[str, Variant]] = {
    "nas_bench_201": {
        "ntk": Variant(NasBench201, side_multiple=4),
        "thin": Variant(_thin_nas_bench_201, patches=True),
    },
    "darts": {
        "ntk": Variant(Darts, side_multiple=2),
        "thin": Variant(_thin_darts, patches=True),
    },
}


def variant(space: str, name: str) -> Variant:
    """The scoring network of a space by name.

    Raises:
        UserError: no such space or variant.
    """
    return lookup("network variant", lookup("space", NETWORKS, space), name)


__all__ = [
    "INITIALISERS",
    "NETWORKS",
    "Darts",
    "NasBench201",
    "Network",
    "Params",
    "Variant",
    "initialiser",
    "variant",
]
