"""Pruning of edges, where a space keeps some of those that enter a node, and within a budget."""

import numpy as np
import pytest

from tenas_jax import spaces
from tenas_jax.errors import UserError
from tenas_jax.scoring.scores import Score
from tenas_jax.search import Budget, Pruning
from tenas_jax.search import budget as budgets

from .toy import Memory

SPACE, NB201 = spaces.get("darts"), spaces.get("nas_bench_201")
KAPPA = "condition_number"
EDGES = SPACE.edges


def by_weights(weights: np.ndarray):
    """Scores such that removing an operation of weight w multiplies κ by 1 + w."""

    def scores(masks: list[np.ndarray]) -> list[Score]:
        lost = [(weights * (masks[0] - mask)).sum() for mask in masks]
        return [Score({KAPPA: np.array([1 + w])}, {KAPPA: ["ok"]}) for w in lost]

    return scores


def run(plan: Pruning, scores) -> list[int]:
    """Runs a search, and returns how many removals each round scored."""
    removals = []
    while not plan.done:
        masks = plan.ask()
        removals.append(len(masks) - 1)
        plan.tell(scores(masks))
    return removals


@pytest.mark.parametrize(
    ("per_round", "operations"),
    [(3, [7, 4]), (2, [7, 5, 3]), (4, [7, 3]), (6, [7]), (1, [7, 6, 5, 4, 3, 2])],
)
def test_rounds_of_operations_then_a_round_for_each_node(per_round, operations):
    removals = run(Pruning(SPACE, [KAPPA], per_round=per_round), by_weights(np.ones((2, 14, 8))))
    assert removals == [28 * n for n in operations] + [3, 4, 5, 3, 4, 5] + [0]
    if per_round == 3:
        assert sum(removals) == 332


def test_keeps_what_matters():
    """On each edge the operation, and into each node the two edges, whose removal harms most."""
    weights = np.random.default_rng(0).permutation(2 * 14 * 8).reshape(2, 14, 8) / 224.0
    plan = Pruning(SPACE, [KAPPA], per_round=3)
    run(plan, by_weights(weights))
    best = 1 + weights[..., 1:].argmax(-1)
    wanted = np.zeros((2, 14), int)
    for cell in range(2):
        for node in (2, 3, 4, 5):
            into = [i for i, (target, _) in enumerate(EDGES) if target == node]
            kept = sorted(into, key=lambda i: -weights[cell, i, best[cell, i]])[:2]
            wanted[cell, kept] = best[cell, kept]
    np.testing.assert_array_equal(plan.result, wanted)
    SPACE.parse(SPACE.to_string(plan.result))


def test_a_node_is_pruned_in_what_is_left_of_those_before():
    plan = Pruning(SPACE, [KAPPA], per_round=6)
    scores = by_weights(np.random.default_rng(1).random((2, 14, 8)))
    run(plan, scores)
    nodes = [
        {(cell, EDGES[edge][0]) for cell, edge, _ in entry["pruned"]} for entry in plan.history[1:]
    ]
    assert nodes == [{(0, 3)}, {(0, 4)}, {(0, 5)}, {(1, 3)}, {(1, 4)}, {(1, 5)}, set()]
    assert [len(entry["pruned"]) for entry in plan.history] == [28 * 6, 1, 2, 3, 1, 2, 3, 0]
    assert [int(np.sum(entry["mask"])) for entry in plan.history] == [
        196, 28, 27, 25, 22, 21, 19, 16
    ]  # fmt: skip


def test_a_state_says_all_between_the_edges():
    scores = by_weights(np.random.default_rng(2).random((2, 14, 8)))
    plan, memory = Pruning(SPACE, [KAPPA], per_round=3), Memory(SPACE)
    while not plan.done:
        memory.tell(plan, scores(plan.ask()))
        copy = memory.resumed(plan, Pruning(SPACE, [KAPPA], per_round=3))
        assert copy.state() == plan.state() and copy.history == plan.history
    np.testing.assert_array_equal(copy.result, plan.result)


def test_a_space_that_keeps_every_edge_has_no_such_rounds():
    class Whole(type(SPACE)):
        inputs_per_node = None

        def from_mask(self, mask):
            return mask.argmax(-1)

    removals = run(Pruning(Whole(), [KAPPA], per_round=6), by_weights(np.ones((2, 14, 8))))
    assert removals == [28 * 7, 0]


# Parameters and multiply-adds of operations: made up, and the one order is not the other.
PRICES = {
    "darts": ([0, 0, 6, 8, 3, 4, 1, 1], [0, 2, 6, 7, 3, 4, 0, 0]),
    "nas_bench_201": ([0, 0, 3, 9, 1], [0, 1, 3, 9, 0]),
}


@pytest.fixture
def priced(monkeypatch):
    """Budgets of both spaces by `PRICES`."""

    def table(space):
        names, shape = ("parameters", "multiply_adds"), space.mask_shape
        prices = (np.broadcast_to(np.array(p, float), shape) for p in PRICES[space.name])
        return {name: (0.0, price) for name, price in zip(names, prices, strict=True)}

    monkeypatch.setattr(budgets, "cost_table", table)


class Clock:
    """Architectures take as long as their multiply-adds say."""

    def __init__(self, space):
        self.prices = np.array(PRICES[space.name][1])

    def milliseconds(self, arch):
        return float(self.prices[arch].sum())


def check_run(space, budget, seed, **options):
    """Runs a search within a budget; the answer and all supernets that it asks are within it."""
    plan = Pruning(space, [KAPPA], budget=budget, **options)
    scores = by_weights(np.random.default_rng(seed).random(space.mask_shape))
    for _ in range(60):
        if plan.done:
            break
        masks = plan.ask()
        assert all(budget.admits(mask) for mask in masks)
        plan.tell(scores(masks))
    assert plan.done and all(entry["pruned"] for entry in plan.history[:-1])
    assert budget.admits(space.to_mask(plan.result))
    return plan


@pytest.mark.usefixtures("priced")
@pytest.mark.parametrize("seed", range(3))
@pytest.mark.parametrize(
    ("limits", "per_round"),
    [
        (dict(parameters=0.5), 3), (dict(parameters=12), 3), (dict(multiply_adds=1), 2),
        (dict(parameters=20, multiply_adds=30), 3), (dict(parameters=40), 6),
        (dict(milliseconds=40), 3), (dict(milliseconds=60, multiply_adds=50), 2),
    ],
)  # fmt: skip
def test_within_a_budget_it_ends_within_it(limits, per_round, seed):
    """Of sixteen operations."""
    budget = Budget(SPACE, **limits, stopwatch=Clock(SPACE))
    plan = check_run(SPACE, budget, seed, per_round=per_round)
    for name, prices in zip(("parameters", "multiply_adds"), PRICES["darts"], strict=True):
        assert np.array(prices)[plan.result].sum() <= limits.get(name, np.inf)
    assert Clock(SPACE).milliseconds(plan.result) <= limits.get("milliseconds", np.inf)


@pytest.mark.usefixtures("priced")
@pytest.mark.parametrize("seed", range(3))
@pytest.mark.parametrize("limits", [dict(parameters=9), dict(milliseconds=12.0)])
def test_within_a_budget_where_every_edge_stays(limits, seed):
    check_run(NB201, Budget(NB201, **limits, stopwatch=Clock(NB201)), seed)


@pytest.mark.usefixtures("priced")
def test_a_budget_that_all_are_within_changes_nothing():
    weights = np.random.default_rng(5).random((2, 14, 8))
    free = Pruning(SPACE, [KAPPA], per_round=3)
    ample = Pruning(SPACE, [KAPPA], per_round=3, budget=Budget(SPACE, parameters=1000))
    assert run(free, by_weights(weights)) == run(ample, by_weights(weights))
    assert free.history == ample.history


@pytest.mark.usefixtures("priced")
def test_where_the_least_important_may_not_go_the_next_is_pruned():
    """On each edge a 3x3 convolution (9) matters most, then 1x1 (3), skip (0), pool (1).

    One 3x3 and five 1x1 are allowed, 24. The pools go, then skips, then of the 1x1 only that which
    matters least of them, on edge 4; on the other edges the 3x3 goes.
    """
    weights = np.zeros((1, 6, 5))
    weights[0, :, 1:] = [0.2, 0.4, 0.8, 0.1]
    weights[0, 4, 2] = 0.3
    budget = Budget(NB201, parameters=24)
    plan = Pruning(NB201, [KAPPA], budget=budget)
    removals = run(plan, by_weights(weights))
    assert removals == [24, 18, 12, 0]
    pruned = [{(edge, op) for _, edge, op in entry["pruned"]} for entry in plan.history]
    assert pruned[:2] == [{(edge, 4) for edge in range(6)}, {(edge, 1) for edge in range(6)}]
    assert pruned[2] == {(4, 2)} | {(edge, 3) for edge in (0, 1, 2, 3, 5)}
    assert plan.result.tolist() == [[2, 2, 2, 2, 3, 2]]


@pytest.mark.usefixtures("priced")
def test_removals_that_may_not_be_pruned_are_not_scored():
    """Nothing may cost anything, so that every edge keeps its skip."""
    weights = np.zeros((1, 6, 5))
    weights[0, :, 1:] = [0.1, 0.4, 0.8, 0.9]  # to lose a skip would matter least
    plan = Pruning(NB201, [KAPPA], budget=Budget(NB201, parameters=0.5))
    asked = plan.ask()
    lost = [np.argwhere(asked[0] - mask)[0, 2] for mask in asked[1:]]
    assert sorted(lost) == [2] * 6 + [3] * 6 + [4] * 6  # never the skip, which alone costs nothing
    run(plan, by_weights(weights))
    assert plan.result.tolist() == [[1] * 6]


def test_a_supernet_over_budget():
    """Without `none`, six skips are the fastest; with it, the space has faster ones."""
    with pytest.raises(UserError, match="nothing in the supernet of nas_bench_201 is within"):
        Pruning(NB201, [KAPPA], budget=Budget(NB201, milliseconds=5, stopwatch=Clock(NB201)))
    with pytest.raises(UserError, match="parameters is 1, but the least"):
        Pruning(NB201, [KAPPA], budget=Budget(NB201, parameters=1))
