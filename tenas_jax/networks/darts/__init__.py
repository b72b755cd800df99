"""The networks of DARTS's space: those that are scored, and the one that is trained."""

from tenas_jax.networks.darts.scored import Darts
from tenas_jax.networks.darts.trained import DartsNet
from tenas_jax.networks.model import Network
from tenas_jax.networks.spec import Blueprint, NetworkSpec


def _blueprint(side_multiple: int = 1, patches: bool = False, **size) -> Blueprint:
    """Returns the blueprint of the scoring network in some size."""

    def build(spec: NetworkSpec, classes: int) -> Network:
        form = "plain" if spec.smooth else "auto"
        return Network(Darts(classes=classes, initialiser=spec.initialiser, form=form, **size))

    return Blueprint(build, side_multiple=side_multiple, patches=patches)


NETWORKS: dict[str, Blueprint] = {
    "scored": _blueprint(side_multiple=2),
    "patch": _blueprint(patches=True, stem=False),
    "testing": _blueprint(side_multiple=2),
}
TRAINED = DartsNet
