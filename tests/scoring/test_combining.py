"""Ranks and sums of them by hand, ties, bad scores, and what is refused."""

import math

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from tenas_jax.errors import UserError
from tenas_jax.scoring.combining import COMBINATIONS, average_ranks, combine, dense_ranks, goodness

A = np.array([3.0, 1.0, 2.0, 2.0])
B = np.array([0.0, 5.0, 5.0, 9.0])
# Of A and B, the second with weight 2.
BY_HAND = {
    "rank_sum": [-(0 + 2), -(2 + 1), -(1 + 1), -(1 + 0)],
    "average_rank_sum": [4 + 1, 1 + 2.5, 2.5 + 2.5, 2.5 + 4],
    "log_rank_sum": [
        math.log(1 / 4),
        math.log(1 / 4) + math.log(2.5 / 4),
        2 * math.log(2.5 / 4),
        math.log(2.5 / 4),
    ],
    "weighted": [(4 + 2) / 4, (1 + 5) / 4, (2.5 + 5) / 4, (2.5 + 8) / 4],
}


def weights_for(name: str, scores) -> dict[str, float] | None:
    return {score: i + 1.0 for i, score in enumerate(scores)} if name == "weighted" else None


def test_every_combination_is_tested_by_hand():
    assert set(BY_HAND) == set(COMBINATIONS)


@pytest.mark.parametrize("name", COMBINATIONS)
def test_by_hand(name):
    found = combine(name, {"a": A, "b": B}, weights_for(name, "ab"))
    np.testing.assert_allclose(found, BY_HAND[name], rtol=1e-12)


def test_the_rank_sums_differ_where_values_tie():
    """Regions with few values: dense ranks let the other score decide, average ones do not."""
    kappa, regions = np.array([5.0, 4, 3, 2, 1]), np.array([0.0, 1, 1, 1, 1])
    scores = {"kappa": kappa, "regions": regions}
    assert combine("rank_sum", scores).argmax() == 0
    assert combine("average_rank_sum", scores).argmax() == 1
    # κ 5, 4, 3, 2, 1 and regions 1, 3.5, 3.5, 3.5, 3.5, of 5
    product = np.exp(combine("log_rank_sum", scores)) * 25
    np.testing.assert_allclose(product, [5, 14, 10.5, 7, 3.5])


@pytest.mark.parametrize("name", COMBINATIONS)
def test_a_bad_architecture_ranks_last_in_that_score_alone(name):
    a = np.array([np.nan, 2.0, 1.0, -np.inf, 3.0])
    b = np.array([9.0, 3.0, 2.0, 1.0, 4.0])
    found = combine(name, {"a": a, "b": b}, weights_for(name, "ab"))
    instead = np.where(np.isfinite(a), a, -5.0)  # below all, and tied
    expected = combine(name, {"a": instead, "b": b}, weights_for(name, "ab"))
    np.testing.assert_array_equal(found, expected)
    assert np.isfinite(found).all() and found.argmin() == 3


@pytest.mark.parametrize("name", COMBINATIONS)
def test_one_score_keeps_its_order_and_all_bad_ones_tie(name):
    order = np.argsort(combine(name, {"a": A}, weights_for(name, "a")), kind="stable")
    np.testing.assert_array_equal(order, [1, 2, 3, 0])
    same = combine(name, {"a": np.full(4, np.nan)}, weights_for(name, "a"))
    assert len(set(same)) == 1


@pytest.mark.parametrize("name", COMBINATIONS)
@given(data=st.data())
def test_the_order_of_architectures_and_the_scale_of_scores_are_nothing(name, data):
    size = data.draw(st.integers(1, 20))
    value = st.integers(-5, 5).map(float) | st.just(np.nan)
    scores = {s: np.array(data.draw(st.lists(value, min_size=size, max_size=size))) for s in "abc"}
    turned = data.draw(st.permutations(range(size)))
    weights = weights_for(name, scores)
    whole = combine(name, scores, weights)
    moved = combine(name, {s: column[turned] for s, column in scores.items()}, weights)
    np.testing.assert_allclose(moved, whole[turned], rtol=1e-12)
    scaled = combine(name, {s: np.exp(column) * 7 - 3 for s, column in scores.items()}, weights)
    np.testing.assert_allclose(scaled, whole, rtol=1e-12)


def test_weights_turn_scores_round_and_leave_them_out():
    scores = {"a": A, "b": B}
    np.testing.assert_allclose(combine("weighted", scores, {"a": -1}), -average_ranks(A) / 4)
    one = combine("weighted", scores, {"a": 1.0, "b": 0.0})
    np.testing.assert_allclose(one, combine("weighted", scores, {"a": np.float32(1)}))


@pytest.mark.parametrize(
    ("weights", "words"),
    [
        (None, "weighted needs weights, of the scores kappa, regions"),
        ({}, "weighted needs weights"),
        ({"kapa": 1.0}, "unknown score with a weight 'kapa'.*did you mean 'kappa'"),
        ({"kappa": np.nan}, "weight of kappa is nan; valid: finite numbers"),
        ({"kappa": np.inf}, "weight of kappa is inf"),
        ({"kappa": "1"}, "weight of kappa is '1'"),
        ({"kappa": True}, "weight of kappa is True"),
        ({"kappa": 0.0, "regions": 0}, "weights of kappa, regions are all 0"),
    ],
)
def test_weights_that_are_no_weights(weights, words):
    with pytest.raises(UserError, match=words):
        combine("weighted", {"kappa": A, "regions": B}, weights)


@pytest.mark.parametrize("name", sorted(set(COMBINATIONS) - {"weighted"}))
def test_weights_where_none_are_taken(name):
    with pytest.raises(UserError, match=f"{name} takes no weights, got .'a': 1.; weighted does"):
        combine(name, {"a": A}, {"a": 1})


@pytest.mark.parametrize("name", COMBINATIONS)
@pytest.mark.parametrize(
    ("scores", "words"),
    [
        ({}, "has no scores to combine"),
        ({"a": A, "b": B[:3]}, r"one value an architecture .* got a \[4\], b \[3\]"),
        ({"a": A[:, None]}, r"got a \[4, 1\]"),
        ({"a": 1.0}, r"got a \[\]"),
    ],
)
def test_scores_that_do_not_fit(name, scores, words):
    with pytest.raises(UserError, match=words):
        combine(name, scores, weights_for(name, scores))


def test_an_unknown_combination():
    with pytest.raises(UserError, match="unknown combination 'rank_some' .did you mean 'rank_sum'"):
        combine("rank_some", {"a": A})


def test_goodness_is_signed_and_bad_is_nan():
    values = [1.0, np.inf, -np.inf, np.nan, -2.0]
    np.testing.assert_array_equal(goodness(values, True), [1, np.nan, np.nan, np.nan, -2])
    np.testing.assert_array_equal(goodness(values, False), [-1, np.nan, np.nan, np.nan, 2])
    assert goodness([1, 2], True).dtype == np.float64


def test_places_share_the_mean_and_put_bad_ones_last():
    np.testing.assert_array_equal(average_ranks([5, np.nan, 7, 5, np.inf]), [3.5, 1.5, 5, 3.5, 1.5])


def test_dense_ranks_of_many_are_quick_and_whole_numbers():
    gains = np.random.default_rng(0).permutation(20_000) / 7
    ranks = dense_ranks(gains)
    assert ranks.dtype.kind == "i"
    np.testing.assert_array_equal(ranks, 19_999 - np.round(gains * 7))
    assert dense_ranks([]).shape == (0,)
