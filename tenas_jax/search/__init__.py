"""Search strategies, one file each, and the loop that runs any of them."""

import inspect
from collections.abc import Callable

from tenas_jax.errors import lookup, unknown
from tenas_jax.presets import Protocol
from tenas_jax.search.loop import search
from tenas_jax.search.pruning import Pruning
from tenas_jax.search.strategy import Strategy
from tenas_jax.spaces import Space


def _pruning(space: Space, protocol: Protocol, *, per_round: int = 1) -> Pruning:
    return Pruning(
        space,
        protocol.metrics,
        per_round=per_round,
        decimals=protocol.decimals,
        significant=protocol.significant,
    )


# name -> (space, protocol, **options of its own) -> strategy
STRATEGIES: dict[str, Callable[..., Strategy]] = {"pruning": _pruning}


def strategy(name: str, space: Space, protocol: Protocol, /, **options) -> Strategy:
    """A fresh strategy by name.

    Args:
        name: in `STRATEGIES`.
        space: what is searched.
        protocol: how architectures are scored.
        **options: the strategy's own; None leaves one at its default.

    Raises:
        UserError: an unknown strategy or option, or a value that an option does not take.
    """
    build = lookup("strategy", STRATEGIES, name)
    _, _, *valid = inspect.signature(build).parameters
    given = {option: value for option, value in options.items() if value is not None}
    for option in given:
        if option not in valid:
            raise unknown(f"option of strategy {name}", option, valid)
    return build(space, protocol, **given)


__all__ = ["STRATEGIES", "Pruning", "Strategy", "search", "strategy"]
