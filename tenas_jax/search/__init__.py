"""Search strategies, one file each, and the loop that runs any of them."""

import inspect
from collections.abc import Callable

from tenas_jax.errors import lookup, unknown
from tenas_jax.presets import Protocol
from tenas_jax.search.loop import search
from tenas_jax.search.pruning import Pruning
from tenas_jax.search.random_search import RandomSearch
from tenas_jax.search.strategy import Strategy
from tenas_jax.spaces import Space


def _pruning(space: Space, protocol: Protocol, seed: int, *, per_round: int = 1) -> Pruning:
    del seed  # nothing in it is random but the scores
    return Pruning(
        space,
        protocol.metrics,
        per_round=per_round,
        decimals=protocol.decimals,
        significant=protocol.significant,
    )


def _random(
    space: Space,
    protocol: Protocol,
    seed: int,
    *,
    count: int = 100,
    combination: str = "rank_sum",
) -> RandomSearch:
    return RandomSearch(space, protocol.metrics, seed, count=count, combination=combination)


# name -> (space, protocol, seed, **options of its own) -> strategy
STRATEGIES: dict[str, Callable[..., Strategy]] = {"pruning": _pruning, "random": _random}


def strategy(
    name: str, space: Space, protocol: Protocol, /, *, seed: int = 0, **options
) -> Strategy:
    """A fresh strategy by name.

    Args:
        name: in `STRATEGIES`.
        space: what is searched.
        protocol: how architectures are scored.
        seed: of the strategy's own choices.
        **options: the strategy's own; None leaves one at its default.

    Raises:
        UserError: an unknown strategy or option, or a value that an option does not take.
    """
    build = lookup("strategy", STRATEGIES, name)
    _, _, _, *valid = inspect.signature(build).parameters
    given = {option: value for option, value in options.items() if value is not None}
    for option in given:
        if option not in valid:
            raise unknown(f"option of strategy {name}", option, valid)
    return build(space, protocol, seed, **given)


__all__ = ["STRATEGIES", "Pruning", "RandomSearch", "Strategy", "search", "strategy"]
