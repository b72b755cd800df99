"""Pruning: ranks by hand, ties, bad kernels, and that a state says all."""

import dataclasses

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from tenas_jax import spaces
from tenas_jax.errors import UserError
from tenas_jax.scoring.combining import dense_ranks, round_significant
from tenas_jax.scoring.presets import protocol
from tenas_jax.scoring.scores import Score
from tenas_jax.search import STRATEGIES, Pruning, strategy
from tenas_jax.search.strategy import request_of

from .toy import Memory

SPACE = spaces.get("nas_bench_201")
BOTH = ("condition_number", "linear_regions")


def score(kappa, regions) -> Score:
    """A score of one or more repeats; NaN is a singular kernel."""
    kappa, regions = np.atleast_1d(kappa).astype(float), np.atleast_1d(regions).astype(float)
    return Score(
        dict(zip(BOTH, (kappa, regions), strict=True)),
        {
            "condition_number": ["ok" if np.isfinite(k) else "singular" for k in kappa],
            "linear_regions": ["ok"] * len(regions),
        },
    )


def by_weights(weights: np.ndarray):
    """Scores such that removing an operation of weight w multiplies κ by 1 + w."""

    def scores(masks: list[np.ndarray]) -> list[Score]:
        whole = masks[0]
        return [score(100 * (1 + (weights * (whole - mask)).sum()), 50) for mask in masks]

    return scores


def test_first_round_asks_the_supernet_and_every_removal():
    masks = Pruning(SPACE, BOTH).ask()
    assert len(masks) == 1 + 24
    np.testing.assert_array_equal(masks[0], SPACE.supernet())
    assert all((masks[0] - mask).sum() == 1 for mask in masks[1:])


def test_keeps_what_matters_and_counts_54_removals():
    rng = np.random.default_rng(0)
    weights = rng.permutation(np.arange(30)).reshape(1, 6, 5) / 30.0
    plan, scores, removals = Pruning(SPACE, BOTH), by_weights(weights), 0
    while not plan.done:
        masks = plan.ask()
        removals += len(masks) - 1
        plan.tell(scores(masks))
    assert removals == 24 + 18 + 12
    best = 1 + weights[0, :, 1:].argmax(-1)  # removing it harms κ most
    np.testing.assert_array_equal(plan.result, best[None])
    assert [entry["round"] for entry in plan.history] == [0, 1, 2, 3]
    assert [len(entry["pruned"]) for entry in plan.history] == [6, 6, 6, 0]


def test_gains_ranks_and_sums_by_hand():
    """Edge 0: κ falls most without op 1, regions rise most without op 4; the sum decides."""
    plan = Pruning(SPACE, BOTH)
    masks = plan.ask()
    told = [score(100, 50)]
    for i, mask in enumerate(masks[1:]):
        edge = int(np.argwhere(masks[0] - mask)[0][1])
        told.append(score(100, 50 - 2 * i) if edge else score(100, 50))
    told[1] = score(80, 49)  # op 1: κ gain .2, regions gain -.02
    told[4] = score(90, 55)  # op 4: κ gain .1, regions gain .1
    plan.tell(told)
    first = {tuple(c["operation"]): c for c in plan.history[0]["candidates"]}
    assert first[0, 0, 1]["gains"] == pytest.approx(
        {"condition_number": 0.2, "linear_regions": -0.02}
    )
    assert first[0, 0, 4]["gains"] == pytest.approx(
        {"condition_number": 0.1, "linear_regions": 0.1}
    )
    # κ ranks 0 and 1; regions ranks 2 (behind .1 and 0) and 0
    assert (first[0, 0, 1]["rank_sum"], first[0, 0, 4]["rank_sum"]) == (2, 1)
    assert [0, 0, 4] in plan.history[0]["pruned"]
    assert [0, 0, 1] not in plan.history[0]["pruned"]


def test_repeats_are_averaged_after_rounding():
    plan = Pruning(SPACE, BOTH, decimals=3)
    masks = plan.ask()
    told = [score([100, 200], [50, 50])] + [score([100, 200], [50, 50])] * (len(masks) - 1)
    told[1] = score([99.96, 199.0], [50, 50])  # changes .0004 -> 0 and .005
    plan.tell(told)
    gain = plan.history[0]["candidates"][0]["gains"]["condition_number"]
    assert gain == pytest.approx(0.0025)


def test_a_removal_that_breaks_the_kernel_ranks_last():
    plan = Pruning(SPACE, BOTH)
    masks = plan.ask()
    told = [score(100, 50)] * len(masks)
    told[1] = score(np.nan, 1000)
    plan.tell(told)
    candidates = plan.history[0]["candidates"]
    assert candidates[0]["gains"]["condition_number"] is None
    # Sums tie at 1 (regions 0 + κ 1, against 1 + 0), and the better rank in κ is pruned first.
    assert [candidate["rank_sum"] for candidate in candidates[:4]] == [1, 1, 1, 1]
    assert [0, 0, 1] not in plan.history[0]["pruned"]
    ranks = dense_ranks([-np.inf, 0.0, 0.1])
    np.testing.assert_array_equal(ranks, [2, 1, 0])


def test_a_repeat_whose_supernet_is_bad_is_left_out():
    plan = Pruning(SPACE, BOTH)
    masks = plan.ask()
    told = [score([100, np.nan], [50, 50])] + [score([100, 70], [50, 50])] * (len(masks) - 1)
    told[1] = score([90, np.nan], [50, 50])
    plan.tell(told)
    assert plan.history[0]["candidates"][0]["gains"]["condition_number"] == pytest.approx(0.1)


def test_ties_go_by_the_first_metric_then_by_number():
    plan = Pruning(SPACE, BOTH)
    masks = plan.ask()
    told = [score(100, 50)] * len(masks)
    plan.tell(told)
    assert plan.history[0]["pruned"] == [[0, edge, 1] for edge in range(6)]


def test_several_a_round_leave_one():
    plan = Pruning(SPACE, BOTH, per_round=3)
    plan.tell([score(100, 50)] * len(plan.ask()))
    assert len(plan.ask()) == 1
    plan.tell([score(100, 50)])
    assert plan.done


def test_a_state_says_all():
    scores = by_weights(np.random.default_rng(1).random((1, 6, 5)))
    plan, memory = Pruning(SPACE, BOTH), Memory(SPACE)
    while not plan.done:
        memory.tell(plan, scores(plan.ask()))
        copy = memory.resumed(plan, Pruning(SPACE, BOTH))
        assert copy.state() == plan.state() and copy.history == plan.history
        assert copy.round == plan.round and copy.done == plan.done
    assert set(plan.state()) == {"round", "done", "mask"}
    np.testing.assert_array_equal(copy.result, plan.result)


@given(st.lists(st.floats(-10, 10) | st.just(-np.inf), min_size=1, max_size=30))
def test_dense_ranks_order_and_leave_no_gap(gains):
    ranks = dense_ranks(gains)
    assert set(ranks) == set(range(max(ranks) + 1))
    for i, a in enumerate(gains):
        for j, b in enumerate(gains):
            assert (a > b) == (ranks[i] < ranks[j])


def test_significant_figures():
    assert round_significant(0.012345, 3) == 0.0123
    assert round_significant(-98765.0, 3) == -98800.0
    assert round_significant(0.0, 3) == 0.0
    np.testing.assert_array_equal(dense_ranks([0.12345, 0.12349, 0.1], 3), [0, 0, 1])
    np.testing.assert_array_equal(dense_ranks([0.12345, 0.12349, 0.1]), [1, 0, 2])


def test_every_strategy_searches_and_resumes():
    """The common test of all strategies: asks masks, ends, and its state restores it."""
    scores = by_weights(np.random.default_rng(2).random((1, 6, 5)))
    for name in STRATEGIES:
        plan, memory = strategy(name, SPACE, protocol("reference")), Memory(SPACE)
        while not plan.done:
            told = scores(plan.ask())
            if request_of(plan).gradients:
                slopes = {"condition_number": np.ones((1, 1, 6, 5))}
                told = [dataclasses.replace(score, gradients=slopes) for score in told]
            memory.tell(plan, told)
        assert plan.result.shape == (1, 6)
        again = memory.resumed(plan, strategy(name, SPACE, protocol("reference")))
        np.testing.assert_array_equal(again.result, plan.result)


def test_what_a_strategy_does_not_know():
    settings = protocol("reference")
    with pytest.raises(UserError, match="did you mean 'pruning'"):
        strategy("prunning", SPACE, settings)
    with pytest.raises(UserError, match="option of strategy pruning 'per_raund' .*'per_round'"):
        strategy("pruning", SPACE, settings, per_raund=2)
    for name in ("space", "protocol", "name"):
        with pytest.raises(UserError, match=f"option of strategy pruning '{name}'"):
            strategy("pruning", SPACE, settings, **{name: 1})
    for value in (0, -1, 1.0, True, "2"):
        with pytest.raises(UserError, match="per_round is .*valid: whole numbers from 1"):
            strategy("pruning", SPACE, settings, per_round=value)
    assert strategy("pruning", SPACE, settings, per_round=None).per_round == 1
    assert strategy("pruning", SPACE, settings, per_round=3).per_round == 3


def alike(plan: Pruning, whole: Score) -> list[Score]:
    """What to tell if no removal changed anything."""
    return [whole] * len(plan.ask())


def first_gains(plan: Pruning) -> dict:
    return plan.history[0]["candidates"][0]["gains"]


def test_a_gain_is_relative_to_the_size_of_a_negative_value():
    plan = Pruning(SPACE, BOTH)
    told = alike(plan, score(100, -50))
    told[1] = score(100, -40)
    plan.tell(told)
    assert first_gains(plan)["linear_regions"] == pytest.approx(0.2)


def test_a_repeat_whose_supernet_is_zero_is_left_out():
    plan = Pruning(SPACE, BOTH)
    told = alike(plan, score([100, 100], [0, 50]))
    told[1] = score([100, 100], [10, 60])
    plan.tell(told)
    assert first_gains(plan)["linear_regions"] == pytest.approx(0.2)


def test_a_removal_that_breaks_the_kernel_in_one_repeat_ranks_last():
    plan, name = Pruning(SPACE, BOTH), "condition_number"
    whole, broken = score([100, 100], [50, 50]), score([50, np.nan], [50, 50])
    assert plan._gain(name, whole, broken) == -np.inf  # a NaN would rank anywhere
    told = alike(plan, whole)
    told[1], told[2] = broken, score([150, 150], [50, 50])
    plan.tell(told)
    candidates = plan.history[0]["candidates"]
    assert candidates[0]["gains"][name] is None
    assert [candidate["rank_sum"] for candidate in candidates[:4]] == [2, 1, 0, 0]


def test_without_a_usable_supernet_the_other_metric_decides():
    plan = Pruning(SPACE, BOTH)
    told = alike(plan, score(np.nan, 50))
    told[4] = score(100, 60)
    plan.tell(told)
    gains = [candidate["gains"]["condition_number"] for candidate in plan.history[0]["candidates"]]
    assert gains == [0.0] * 24
    assert [0, 0, 4] in plan.history[0]["pruned"]


@pytest.mark.parametrize(("significant", "pruned"), [(3, [0, 0, 1]), (None, [0, 0, 2])])
def test_gains_that_agree_to_the_significant_figures_tie(significant, pruned):
    plan = Pruning(SPACE, BOTH, significant=significant)
    told = alike(plan, score(100, 50))
    told[1], told[2] = score(100 - 12.345, 50), score(100 - 12.349, 50)
    plan.tell(told)
    assert pruned in plan.history[0]["pruned"]


def test_the_sum_of_ranks_decides_not_the_worst_rank():
    plan = Pruning(SPACE, BOTH)
    told = alike(plan, score(100, 50))
    told[1] = score(70, 50)  # op 1: κ rank 0, regions rank 3 (shared with all the rest)
    told[2] = score(90, 51)  # op 2: ranks 2 and 2
    told[5], told[9] = score(80, 60), score(100, 55)  # on other edges, to have those ranks
    plan.tell(told)
    sums = [candidate["rank_sum"] for candidate in plan.history[0]["candidates"][:4]]
    assert sums == [3, 4, 6, 6]
    assert [0, 0, 1] in plan.history[0]["pruned"]


def test_the_history_holds_means_over_repeats():
    plan = Pruning(SPACE, BOTH)
    plan.tell(alike(plan, score([100, 200], [50, 60])))
    entry = plan.history[0]
    assert (entry["condition_number"], entry["linear_regions"]) == (150, 55)


def test_each_cell_is_pruned_by_itself():
    class Twice(type(SPACE)):
        cells = 2

    plan = Pruning(Twice(), BOTH)
    assert len(plan.ask()) == 1 + 48
    plan.tell(alike(plan, score(100, 50)))
    assert plan.history[0]["pruned"] == [[c, edge, 1] for c in (0, 1) for edge in range(6)]
    assert plan.ask()[0].sum() == 36


def test_the_strategy_takes_its_settings_from_the_protocol():
    settings = protocol("paper", metrics=("linear_regions",), decimals=2, significant=4)
    plan = strategy("pruning", SPACE, settings)
    assert (plan.metrics, plan.decimals, plan.significant) == (("linear_regions",), 2, 4)
    plan = strategy("pruning", SPACE, protocol("reference"))
    assert (plan.metrics, plan.decimals, plan.significant) == (BOTH, 3, 3)
