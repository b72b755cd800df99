"""Statistics of resamples against SciPy's of each, and how often intervals hold the truth."""

import numpy as np
import pytest
from scipy.stats import kendalltau, pearsonr, rankdata, spearmanr

from tenas_jax.benchmarks.intervals import (
    BLOCK,
    UNDEFINED,
    among,
    correlations,
    estimate,
    estimate_tau,
    partial_correlations,
    percentile_interval,
    rank_covariances,
    resamples,
    taus,
)
from tenas_jax.errors import UserError

RNG = np.random.default_rng(0)
N = 40
Y = RNG.integers(0, 12, N).astype(float)
X = Y + RNG.integers(0, 12, N)
COLUMNS = np.stack([X, Y, X - RNG.integers(0, 9, N), RNG.random(N)])
DRAWS = resamples(N, 30, 1)


def partial(columns):
    """Ranks regressed on the others' with a constant, and the residuals correlated."""
    x, y, *others = [rankdata(column) for column in columns]
    design = np.column_stack([np.ones(len(x)), *others])
    left = [v - design @ np.linalg.lstsq(design, v, rcond=None)[0] for v in (x, y)]
    return pearsonr(*left).statistic


def test_resamples_are_draws_with_replacement_of_a_seed():
    draws = resamples(50, 200, 3)
    assert draws.shape == (200, 50) and draws.dtype == np.int32
    assert draws.min() == 0 and draws.max() == 49
    np.testing.assert_array_equal(draws, resamples(50, 200, 3))
    assert (draws != resamples(50, 200, 4)).any()
    different = np.mean([len(set(draw)) for draw in draws])
    assert different == pytest.approx(50 * (1 - (1 - 1 / 50) ** 50), abs=0.7)
    for n, count in ((0, 5), (5, 0)):
        with pytest.raises(UserError, match=f"no {count} resamples of {n} architectures"):
            resamples(n, count, 0)


def test_each_resample_is_as_scipy_has_it():
    products = rank_covariances(COLUMNS, DRAWS)
    expected = [spearmanr(X[d], Y[d]).statistic for d in DRAWS]
    np.testing.assert_allclose(correlations(products), expected, rtol=1e-12)
    expected = [kendalltau(X[d], Y[d]).statistic for d in DRAWS]
    np.testing.assert_allclose(taus(X, Y, DRAWS), expected, rtol=1e-12)
    expected = [partial(COLUMNS[:, d]) for d in DRAWS]
    np.testing.assert_allclose(partial_correlations(products), expected, rtol=1e-9)


def test_more_resamples_than_a_block_holds():
    n = BLOCK // 2 - 1  # two fit
    columns = np.stack([np.arange(n) % 1000, np.arange(n) % 7]).astype(float)
    draws = resamples(n, 3, 0)
    expected = [spearmanr(*columns[:, d]).statistic for d in draws]
    np.testing.assert_allclose(correlations(rank_covariances(columns, draws)), expected, rtol=1e-9)


def test_rows_without_an_accuracy_drop_out_of_the_resamples():
    kept = np.arange(N) % 4 > 0
    some = among(DRAWS, kept)
    for draw, less in zip(DRAWS, some, strict=True):
        np.testing.assert_array_equal(X[draw[kept[draw]]], X[kept][less])
    assert among(DRAWS, np.ones(N, bool)) is DRAWS
    expected = [spearmanr(X[d[kept[d]]], Y[d[kept[d]]]).statistic for d in DRAWS]
    computed = correlations(rank_covariances(COLUMNS[:2, kept], some))
    np.testing.assert_allclose(computed, expected, rtol=1e-12)


def test_a_partial_correlation_by_its_closed_form():
    """With one held fixed: (r_xy − r_xz r_yz) / √((1 − r_xz²)(1 − r_yz²))."""
    once = rank_covariances(COLUMNS[:3], [np.arange(N)])
    z = COLUMNS[2]
    xy, xz, yz = (spearmanr(*pair).statistic for pair in ((X, Y), (X, z), (Y, z)))
    expected = (xy - xz * yz) / np.sqrt((1 - xz**2) * (1 - yz**2))
    assert partial_correlations(once)[0] == pytest.approx(expected)


@pytest.mark.parametrize("extra", [[np.ones(N)], [COLUMNS[2] * 2], [*-COLUMNS[2:], COLUMNS[3]]])
def test_held_fixed_twice_or_constant_changes_nothing(extra):
    expected = partial_correlations(rank_covariances(COLUMNS, DRAWS))
    computed = partial_correlations(rank_covariances(np.stack([*COLUMNS, *extra]), DRAWS))
    np.testing.assert_allclose(computed, expected, rtol=1e-7)


def test_what_others_determine_has_no_partial_correlation():
    for x, y in ((X, Y), (Y, X)):
        once = rank_covariances(np.stack([x, y, X**3]), DRAWS)
        assert np.isnan(partial_correlations(once)).all()


def test_constant_and_empty_resamples_are_undefined_and_left_out():
    x, y = np.arange(4.0), np.array([0.0, 0, 0, 1])
    draws = [np.array(d) for d in ([0, 1, 2], [1, 1, 1], [], [0, 3, 3])]
    draws[2] = draws[2].astype(int)
    for computed in (taus(x, y, draws), correlations(rank_covariances(np.stack([x, y]), draws))):
        np.testing.assert_allclose(computed, [np.nan, np.nan, np.nan, 1])
        assert percentile_interval(computed) == pytest.approx((1, 1))
    assert percentile_interval(np.full(3, np.nan)) == (None, None)
    assert percentile_interval(np.arange(101.0)) == (2.5, 97.5)


def test_estimates():
    assert estimate(np.nan, np.ones(3)) == UNDEFINED
    assert estimate(0.5, np.array([0.25, np.nan])) == (0.5, 0.25, 0.25)
    assert estimate_tau(np.ones(N), Y, DRAWS) == estimate_tau(X, np.ones(N), DRAWS) == UNDEFINED
    computed = estimate_tau(X, Y, DRAWS)
    assert computed.value == pytest.approx(kendalltau(X, Y).statistic)
    assert (computed.low, computed.high) == percentile_interval(taus(X, Y, DRAWS))


def test_intervals_hold_the_truth_about_as_often_as_they_say():
    """Of a bivariate normal τ is 2/π asin r, and Spearman's ρ is 6/π asin(r / 2)."""
    r, n, trials, rng = 0.6, 80, 120, np.random.default_rng(7)
    held = np.zeros((trials, 2), bool)
    for trial in range(trials):
        x = rng.normal(size=n)
        y = r * x + np.sqrt(1 - r * r) * rng.normal(size=n)
        draws = resamples(n, 120, trial)
        low, high = percentile_interval(taus(x, y, draws))
        held[trial, 0] = low <= 2 / np.pi * np.arcsin(r) <= high
        low, high = percentile_interval(correlations(rank_covariances(np.stack([x, y]), draws)))
        held[trial, 1] = low <= 6 / np.pi * np.arcsin(r / 2) <= high
    # Four standard errors of a share of 120 are 8 %; a 95 % interval of 120 resamples is narrow.
    assert ((held.mean(0) > 0.86) & (held.mean(0) <= 1)).all(), held.mean(0)
    assert (held.mean(0) < 1).any()  # nor are they as wide as you like
