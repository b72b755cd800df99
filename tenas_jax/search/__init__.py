"""Search strategies, one file each, and the loop that runs any of them."""

import inspect
from collections.abc import Callable
from typing import Any

from tenas_jax.errors import UserError, lookup, unknown
from tenas_jax.scoring.presets import Protocol
from tenas_jax.search.budget import Budget
from tenas_jax.search.evolution import Evolution
from tenas_jax.search.gradient_pruning import GradientPruning
from tenas_jax.search.learner import Learner
from tenas_jax.search.local_search import LocalSearch
from tenas_jax.search.nsga2 import Nsga2
from tenas_jax.search.pruning import Pruning
from tenas_jax.search.random_search import RandomSearch
from tenas_jax.search.reinforce import Reinforce
from tenas_jax.search.strategy import Strategy, search
from tenas_jax.spaces import Space


def _pruner(kind: type[Pruning]) -> Callable[..., Pruning]:
    """Makes the builder of a strategy that prunes."""

    def build(
        space: Space,
        protocol: Protocol,
        seed: int,
        *,
        per_round: int | None = None,
        budget: Budget | None = None,
    ) -> Pruning:
        del seed  # nothing in it is random but the scores
        if per_round is None:  # TE-NAS's program: 1 on NAS-Bench-201, 3 on DARTS for CIFAR-10
            per_round = 3 if space.inputs_per_node else 1
        options = {"per_round": per_round, "budget": budget}
        ties = {"decimals": protocol.decimals, "significant": protocol.significant}
        return kind(space, protocol.metrics, **options, **ties)

    return build


def _random(
    space: Space,
    protocol: Protocol,
    seed: int,
    *,
    count: int = 100,
    combination: str = "rank_sum",
    budget: Budget | None = None,
) -> RandomSearch:
    options = {"count": count, "combination": combination, "budget": budget}
    return RandomSearch(space, protocol.metrics, seed, **options)


def _learner(kind: type[Learner]) -> Callable[..., Learner]:
    """Makes the builder of a strategy that takes the options of its constructor."""

    def build(space: Space, protocol: Protocol, seed: int, **options: Any) -> Learner:
        return kind(space, protocol.metrics, seed, **options)

    named = [
        parameter
        for base in (kind, Learner)
        for parameter in inspect.signature(base).parameters.values()
        if parameter.kind is parameter.KEYWORD_ONLY
    ]
    options = {parameter.name: parameter for parameter in reversed(named)}  # its own come last
    first = list(inspect.signature(build).parameters.values())[:3]
    build.__signature__ = inspect.Signature([*first, *options.values()])
    return build


# name -> (space, protocol, seed, **options of its own) -> strategy
STRATEGIES: dict[str, Callable[..., Strategy]] = {
    "pruning": _pruner(Pruning),
    "gradient_pruning": _pruner(GradientPruning),
    "random": _random,
    "reinforce": _learner(Reinforce),
    "evolution": _learner(Evolution),
    "local_search": _learner(LocalSearch),
    "nsga2": _learner(Nsga2),
}


def options_of(name: str) -> list[str]:
    """Lists the names of a strategy's own options; `budget` is no such option.

    Raises:
        UserError: an unknown strategy.
    """
    _, _, _, *names = inspect.signature(lookup("strategy", STRATEGIES, name)).parameters
    return [option for option in names if option != "budget"]


def strategy(
    name: str,
    space: Space,
    protocol: Protocol,
    /,
    *,
    seed: int = 0,
    budget: Budget | None = None,
    **options,
) -> Strategy:
    """Makes a fresh strategy by name.

    Args:
        name: in `STRATEGIES`.
        space: what is searched.
        protocol: how architectures are scored.
        seed: of the strategy's own choices.
        budget: what an architecture may cost; None for any.
        **options: the strategy's own; None leaves one at its default.

    Raises:
        UserError: an unknown strategy or option, a value that an option does not take, or a budget
            that the strategy does not take or nothing meets.
    """
    valid, build = options_of(name), STRATEGIES[name]
    given = {option: value for option, value in options.items() if value is not None}
    for option in given:
        if option not in valid:
            raise unknown(f"option of strategy {name}", option, valid)
    if budget is not None:
        if "budget" not in inspect.signature(build).parameters:
            raise UserError(f"strategy {name} takes no budget")
        given["budget"] = budget
    return build(space, protocol, seed, **given)


__all__ = [
    "STRATEGIES",
    "Budget",
    "Evolution",
    "GradientPruning",
    "Learner",
    "LocalSearch",
    "Nsga2",
    "Pruning",
    "RandomSearch",
    "Reinforce",
    "Strategy",
    "options_of",
    "search",
    "strategy",
]
