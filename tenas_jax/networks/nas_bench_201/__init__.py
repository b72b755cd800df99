"""The networks of NAS-Bench-201's space: those that are scored, and the one that is trained."""

from tenas_jax.networks.model import Network
from tenas_jax.networks.nas_bench_201.scored import NasBench201
from tenas_jax.networks.nas_bench_201.trained import NasBench201Net
from tenas_jax.networks.spec import Blueprint, NetworkSpec

ALL_NORMS = ("on", "frozen", "sample", "identity")


def _blueprint(side_multiple: int = 1, patches: bool = False, **size) -> Blueprint:
    """Returns the blueprint of the scoring network in some size."""

    def build(spec: NetworkSpec, classes: int) -> Network:
        form = "plain" if spec.smooth or spec.norms != "on" else "auto"
        fields = {"initialiser": spec.initialiser, "form": form, "norms": spec.norms}
        return Network(NasBench201(classes=classes, **fields, **size))

    return Blueprint(build, norms=ALL_NORMS, side_multiple=side_multiple, patches=patches)


NETWORKS: dict[str, Blueprint] = {
    "scored": _blueprint(side_multiple=4),
    "patch": _blueprint(patches=True, channels=1, stages=1, stem=False),
    "published": _blueprint(side_multiple=4, channels=16, depth=5),
    "testing": _blueprint(side_multiple=4, stages=1),
}
TRAINED = NasBench201Net
