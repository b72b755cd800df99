"""Pruning of edges, where a space keeps some of those that enter a node: DARTS's keeps two."""

import json

import numpy as np
import pytest

from tenas_jax import spaces
from tenas_jax.evaluate import Score
from tenas_jax.search import Pruning

SPACE = spaces.get("darts")
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
    plan = Pruning(SPACE, [KAPPA], per_round=3)
    while not plan.done:
        plan.tell(scores(plan.ask()))
        copy = Pruning(SPACE, [KAPPA], per_round=3)
        copy.restore(json.loads(json.dumps(plan.state())))
        assert copy.state() == plan.state()
    np.testing.assert_array_equal(copy.result, plan.result)


def test_a_space_that_keeps_every_edge_has_no_such_rounds():
    class Whole(type(SPACE)):
        inputs_per_node = None

        def from_mask(self, mask):
            return mask.argmax(-1)

    removals = run(Pruning(Whole(), [KAPPA], per_round=6), by_weights(np.ones((2, 14, 8))))
    assert removals == [28 * 7, 0]
