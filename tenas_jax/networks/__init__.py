"""Scoring networks of each space.

`ntk` is the one whose kernel is taken, `thin` that of which regions are counted, and `curve` that
along which lengths are measured: the first with derivatives in forward mode.
"""

import functools

from tenas_jax.errors import lookup
from tenas_jax.networks.as_vit.network import AsVit
from tenas_jax.networks.as_vit.scored import adapted, topologies_net
from tenas_jax.networks.darts.scored import Darts
from tenas_jax.networks.layers.initialisers import INITIALISERS, initialiser
from tenas_jax.networks.model import Network, Params
from tenas_jax.networks.nas_bench_201.scored import NasBench201
from tenas_jax.networks.variant import Scoring, Variant


def _thin_nas_bench_201(**options) -> NasBench201:
    return NasBench201(channels=1, stages=1, stem=False, **options)


def _thin_darts(**options) -> Darts:
    return Darts(stem=False, **options)


# space -> variant -> network
NETWORKS: dict[str, dict[str, Variant]] = {
    "nas_bench_201": {
        "ntk": Variant(NasBench201, side_multiple=4),
        "thin": Variant(_thin_nas_bench_201, patches=True),
        "curve": Variant(functools.partial(NasBench201, form="plain"), side_multiple=4),
    },
    "darts": {
        "ntk": Variant(Darts, side_multiple=2),
        "thin": Variant(_thin_darts, patches=True),
        "curve": Variant(functools.partial(Darts, form="plain"), side_multiple=2),
    },
    # A transformer's features are looked at, with norms for the kernel and without for lengths.
    "as_vit": {
        "ntk": Variant(topologies_net, side_multiple=32, adapt=adapted),
        "curve": Variant(
            topologies_net, side_multiple=32, options=(("norms", False),), adapt=adapted
        ),
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
    "AsVit",
    "Darts",
    "NasBench201",
    "Network",
    "Params",
    "Scoring",
    "Variant",
    "initialiser",
    "variant",
]
