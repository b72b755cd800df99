"""Networks of each space, one folder a space, and models of any kind.

A space says where its networks are (`Space.networks`, a module that holds `NETWORKS`, blueprints by
name, and `TRAINED`, the module that is trained); nothing here names a space.
"""

import importlib
from collections.abc import Mapping
from types import ModuleType
from typing import Any

from tenas_jax.errors import UserError
from tenas_jax.networks.layers.initialisers import INITIALISERS, initialiser
from tenas_jax.networks.model import Model, Network, Params
from tenas_jax.networks.spec import Blueprint, Built, NetworkSpec, built, complete


def networks_of(space: Any) -> ModuleType:
    """Returns what holds a space's networks.

    Args:
        space: has `name`, and `networks`: the name of a module, or anything with `NETWORKS`.

    Raises:
        UserError: the space has no networks.
    """
    held = getattr(space, "networks", None)
    if held is None:
        raise UserError(f"the space {space.name} has no networks: set its attribute `networks`")
    return importlib.import_module(held) if isinstance(held, str) else held


def blueprints(space: Any) -> Mapping[str, Blueprint]:
    """Returns the networks of a space that can be scored, by name; errors as of `networks_of`."""
    return networks_of(space).NETWORKS


def scored_network(
    space: Any, spec: NetworkSpec | None = None, *, classes: int = 10, **defaults: str
) -> Built:
    """Builds the network of a space that a spec asks for.

    Args:
        space: see `networks_of`.
        spec: what is asked for; by default the small network as the space has it.
        classes: of the logits.
        **defaults: `name` and `initialiser`, where the spec leaves them open; see `complete`.

    Raises:
        UserError: the space has no such network, or it no such outputs or norms.
    """
    networks = blueprints(space)
    spec = NetworkSpec() if spec is None else spec
    return built(complete(spec, networks, space=space.name, **defaults), networks, classes)


__all__ = [
    "INITIALISERS",
    "Blueprint",
    "Built",
    "Model",
    "Network",
    "NetworkSpec",
    "Params",
    "blueprints",
    "built",
    "complete",
    "initialiser",
    "networks_of",
    "scored_network",
]
