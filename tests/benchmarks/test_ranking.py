"""Ranks and Kendall's τ by hand."""

import numpy as np
import pytest

from tenas_jax.benchmarks.ranking import rank_badness, tau
from tenas_jax.scores import Score


def scores(name: str, values) -> list[Score]:
    return [Score({name: np.array([v])}, {name: ["ok" if v == v else "singular"]}) for v in values]


def test_the_best_ranks_first_and_the_flagged_last():
    kappas = scores("condition_number", [30.0, 10.0, np.nan, 20.0])
    np.testing.assert_array_equal(rank_badness(kappas, "condition_number"), [3, 1, 4, 2])
    regions = scores("linear_regions", [30.0, 10.0, np.nan, 20.0])
    np.testing.assert_array_equal(rank_badness(regions, "linear_regions"), [1, 3, 4, 2])


def test_tau_is_positive_where_the_best_is_the_most_accurate():
    rng = np.random.default_rng(0)
    badness, accuracy = np.arange(20.0), 90.0 - np.arange(20.0)
    assert tau(badness, accuracy, rng) == pytest.approx((1, 1, 1))
    value, low, high = tau(badness, -accuracy, rng)
    assert (value, low, high) == pytest.approx((-1, -1, -1))
    accuracy[[0, 19]] = accuracy[[19, 0]]  # 37 of 190 pairs turn round
    value, low, high = tau(badness, accuracy, rng)
    assert value == pytest.approx(1 - 2 * 37 / 190)
    assert -1 <= low < value < high <= 1


def test_constant_draws_of_a_small_sample_leave_an_interval():
    badness = np.array([1.0, 2.0, 3.0])  # one draw in nine holds one architecture three times
    value, low, high = tau(badness, -badness, np.random.default_rng(0))
    assert (value, low, high) == pytest.approx((1, 1, 1))
