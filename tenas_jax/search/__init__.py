"""Search strategies, one file each, and the loop that runs any of them."""

from collections.abc import Callable

from tenas_jax.errors import lookup
from tenas_jax.presets import Protocol
from tenas_jax.search.loop import search
from tenas_jax.search.pruning import Pruning
from tenas_jax.search.strategy import Strategy
from tenas_jax.spaces import Space


def _pruning(space: Space, protocol: Protocol) -> Pruning:
    return Pruning(
        space, protocol.metrics, decimals=protocol.decimals, significant=protocol.significant
    )


# name -> (space, protocol) -> strategy
STRATEGIES: dict[str, Callable[[Space, Protocol], Strategy]] = {"pruning": _pruning}


def strategy(name: str, space: Space, protocol: Protocol) -> Strategy:
    """A fresh strategy by name, or a `UserError` with the valid names."""
    return lookup("strategy", STRATEGIES, name)(space, protocol)


__all__ = ["STRATEGIES", "Pruning", "Strategy", "search", "strategy"]
