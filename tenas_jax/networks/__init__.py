"""Networks of each space, one folder a space, and models of any kind.

A space says where its networks are: `Space.networks` is the dotted name of a folder, in which
`scored` holds `NETWORKS`, blueprints by name, and `trained` holds `TRAINED`, the module that is
trained, and `cost_table`, what it costs. Nothing here names a space.
"""

import importlib
from collections.abc import Mapping
from types import ModuleType
from typing import Any

from tenas_jax.errors import UserError
from tenas_jax.networks.layers.initialisers import INITIALISERS, initialiser
from tenas_jax.networks.model import Model, Network, Params
from tenas_jax.networks.spec import Blueprint, Built, NetworkSpec, built, complete


def part_of(space: Any, part: str) -> ModuleType:
    """Imports a module of a space's folder of networks.

    Args:
        space: has `name`, and `networks`: the dotted name of the folder.
        part: `scored` or `trained`.

    Raises:
        UserError: the space has no such networks.
    """
    folder = getattr(space, "networks", None)
    if not isinstance(folder, str):
        raise UserError(f"the space {space.name} has no networks that are {part}")
    name = f"{folder}.{part}"
    try:
        return importlib.import_module(name)
    except ModuleNotFoundError as error:
        if not f"{name}.".startswith(f"{error.name}."):
            raise  # it is there, and something that it needs is not
        raise UserError(f"the space {space.name} has no networks that are {part}") from error


def blueprints(space: Any) -> Mapping[str, Blueprint]:
    """Returns the networks of a space that can be scored, by name.

    Args:
        space: see `part_of`; its `networks` may also be these networks themselves.

    Raises:
        UserError: the space has none.
    """
    held = getattr(space, "networks", None)
    return held if isinstance(held, Mapping) else part_of(space, "scored").NETWORKS


def scored_network(
    space: Any, spec: NetworkSpec | None = None, *, classes: int = 10, **defaults: str
) -> Built:
    """Builds the network of a space that a spec asks for.

    Args:
        space: see `blueprints`.
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
    "part_of",
    "scored_network",
]
