"""The networks of As-ViT's space: those that are scored, and the one that is trained.

What is scored is a transformer's features, before the last norm: the small networks have no head.
"""

from collections.abc import Callable

import flax.linen as nn

from tenas_jax.networks.as_vit.scored import adapted, topologies_net
from tenas_jax.networks.as_vit.trained import AsVitNet
from tenas_jax.networks.model import Network
from tenas_jax.networks.spec import Blueprint, NetworkSpec


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
TRAINED = AsVitNet
