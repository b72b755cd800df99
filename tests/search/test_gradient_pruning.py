"""Pruning by gradients: what it asks, what it makes of the answers, and that it resumes."""

import itertools

import numpy as np
import pytest

from tenas_jax import spaces
from tenas_jax.errors import UserError
from tenas_jax.metrics import METRICS
from tenas_jax.scoring.scores import Score
from tenas_jax.search.gradient_pruning import GradientPruning
from tenas_jax.search.strategy import request_of

from .toy import Memory

NB201, DARTS = spaces.get("nas_bench_201"), spaces.get("darts")
KAPPA, REGIONS, ERROR = "condition_number", "linear_regions", "kernel_regression"
REPEATS = 2


def weights_of(mask):
    return mask / np.maximum(mask.sum(-1, keepdims=True), 1)


class Linear:
    """Scores whose logarithms are linear in the weights of operations: estimates are exact."""

    def __init__(self, space, seed=0):
        rng = np.random.default_rng(seed)
        self.slopes = {name: rng.normal(size=space.mask_shape) for name in METRICS}

    def __call__(self, masks, request, metrics):
        wanted = request.metrics or metrics
        return [self._score(mask, wanted, request.gradients) for mask in masks]

    def _score(self, mask, wanted, gradients):
        values = {
            name: np.full(REPEATS, np.exp((self.slopes[name] * weights_of(mask)).sum()))
            for name in wanted
        }
        slopes = {
            name: np.stack([self.slopes[name]] * REPEATS)
            for name in wanted
            if gradients and METRICS[name].mask_gradient is not None
        }
        return Score(values, {name: ["ok"] * REPEATS for name in wanted}, 0.1, slopes)


def run(plan, scores, resume=False):
    """Runs a search; returns what was asked, (metrics, gradients, masks) a round."""
    asked, memory = [], Memory(plan.space)
    while not plan.done:
        if resume:
            again = type(plan)(plan.space, plan.metrics, per_round=plan.per_round)
            plan = memory.resumed(plan, again)
        request = request_of(plan)
        masks = plan.ask()
        asked.append((request.draw, request.metrics, request.gradients, len(masks)))
        memory.tell(plan, scores(masks, request, plan.metrics))
    return plan, asked


def test_one_gradient_a_round_and_removals_for_what_has_none():
    _, asked = run(GradientPruning(NB201, (KAPPA, ERROR)), Linear(NB201))
    assert asked == [(draw, (KAPPA, ERROR), True, 1) for draw in range(4)]
    _, asked = run(GradientPruning(NB201, (KAPPA, REGIONS)), Linear(NB201))
    removals = [24, 18, 12, 0]
    assert asked == list(
        itertools.chain.from_iterable(
            [(draw, (KAPPA,), True, 1), (draw, (REGIONS,), False, 1 + n)]
            for draw, n in enumerate(removals)
        )
    )


@pytest.mark.parametrize("metrics", [(KAPPA,), (ERROR, KAPPA), (KAPPA, REGIONS), tuple(METRICS)])
@pytest.mark.parametrize("space", [NB201, DARTS], ids=lambda space: space.name)
def test_estimates_are_exact_where_logarithms_are_linear(space, metrics):
    scores = Linear(space)
    plan, _ = run(GradientPruning(space, metrics, per_round=2), scores)
    for entry in plan.history:
        mask = np.array(entry["mask"])
        for candidate in entry.get("candidates", ()):
            without = mask.copy()
            without[tuple(candidate["operation"])] = 0
            for name in metrics:
                change = (scores.slopes[name] * (weights_of(without) - weights_of(mask))).sum()
                if (
                    METRICS[name].mask_gradient is None
                ):  # scored exactly; all of these are to be high
                    assert candidate["gains"][name] == pytest.approx(np.expm1(change))
                else:
                    assert candidate["gains"][name] == pytest.approx(-change)


def test_it_prunes_what_its_gains_say():
    """By one metric, on each edge of the first round, the operation of the largest gain."""
    plan = GradientPruning(NB201, (KAPPA,))
    scores = Linear(NB201)
    plan.tell(scores(plan.ask(), request_of(plan), plan.metrics))
    [entry] = plan.history
    for edge in range(6):
        gains = {
            c["operation"][2]: c["gains"][KAPPA]
            for c in entry["candidates"]
            if c["operation"][1] == edge
        }
        assert [0, edge, max(gains, key=gains.get)] in entry["pruned"]
    assert len(entry["pruned"]) == 6


def test_all_nodes_lose_their_edges_in_one_round():
    plan, asked = run(GradientPruning(DARTS, (KAPPA,), per_round=3), Linear(DARTS))
    assert len(asked) == 4  # 7 operations an edge, 4, 1, and what is left
    edges = plan.history[2]
    assert len(edges["candidates"]) == 2 * (3 + 4 + 5) and len(edges["pruned"]) == 2 * (1 + 2 + 3)
    DARTS.check(plan.result)


@pytest.mark.parametrize("metrics", [(KAPPA,), tuple(METRICS)])
def test_resumed_before_every_round_it_ends_the_same(metrics):
    whole, _ = run(GradientPruning(NB201, metrics), Linear(NB201))
    again, _ = run(GradientPruning(NB201, metrics), Linear(NB201), resume=True)
    assert again.state() == whole.state() and again.history == whole.history
    assert set(again.state()) == {"round", "done", "mask", "halfway"}
    np.testing.assert_array_equal(again.result, whole.result)


def test_incumbents_count_what_was_scored():
    plan, asked = run(GradientPruning(NB201, (KAPPA, REGIONS)), Linear(NB201))
    [(scored, arch)] = plan.incumbents
    assert scored == sum(count for *_, count in asked)
    np.testing.assert_array_equal(arch, plan.result)
    plan, asked = run(GradientPruning(NB201, (KAPPA,)), Linear(NB201))
    assert plan.incumbents[0][0] == len(asked) == 4
    assert GradientPruning(NB201, (KAPPA,)).incumbents == []


def test_repeats_with_a_bad_kernel_are_left_out():
    plan = GradientPruning(NB201, (KAPPA,))
    scores = Linear(NB201)
    [score] = scores(plan.ask(), request_of(plan), plan.metrics)
    removals = [(0, 0, 1), (0, 3, 2)]
    wanted = plan.estimates(KAPPA, score, removals)
    score.gradients[KAPPA][1] = np.nan
    assert plan.estimates(KAPPA, score, removals) == pytest.approx(wanted)
    score.gradients[KAPPA][:] = np.nan
    assert plan.estimates(KAPPA, score, removals) == [0.0, 0.0]


def test_without_a_derivative_there_is_nothing_to_prune_by():
    with pytest.raises(UserError, match=r"derivative in the mask \(condition_number, kernel_reg"):
        GradientPruning(NB201, (REGIONS,))
