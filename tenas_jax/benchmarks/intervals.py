"""Rank correlations of resampled architectures, and intervals of them.

The bootstrap draws as many architectures as there are, with replacement; an interval is from the
2.5th to the 97.5th percentile of a statistic over the resamples (Efron and Tibshirani, 1993, "An
Introduction to the Bootstrap", chapter 13). With the same resamples for all scores, comparisons
are paired. A resample in which a statistic is undefined, such as one of equal scores, is left out.
"""

from collections.abc import Sequence
from typing import NamedTuple

import numpy as np
from scipy.stats import kendalltau

from tenas_jax.errors import UserError

BLOCK = 2**20  # entries of the largest arrays at work
DETERMINED = 1e-9  # a share of variance left below which there is nothing to correlate


class Estimate(NamedTuple):
    """Holds a statistic with its 95 % interval; None where it is undefined."""

    value: float | None
    low: float | None
    high: float | None


UNDEFINED = Estimate(None, None, None)


def resamples(n: int, count: int, seed: int) -> np.ndarray:
    """Draws architectures with replacement.

    Args:
        n: how many architectures there are.
        count: of the resamples, B.
        seed: of the draws.

    Returns:
        int32 [B, n], numbers of architectures.

    Raises:
        UserError: n or count is less than 1.
    """
    if n < 1 or count < 1:
        raise UserError(f"no {count} resamples of {n} architectures; both are from 1")
    rng = np.random.default_rng(seed)
    return rng.integers(n, size=(count, n), dtype=np.int32)


def among(draws: np.ndarray, kept: np.ndarray) -> Sequence[np.ndarray]:
    """Leaves some architectures out of the resamples, which stay common to all columns.

    Args:
        draws: int [B, K]
        kept: bool [K]

    Returns:
        B arrays of numbers among the kept ones, of a length each.
    """
    if kept.all():
        return draws
    number = np.cumsum(kept) - 1
    return [number[draw[kept[draw]]] for draw in draws]


def taus(x: np.ndarray, y: np.ndarray, draws: Sequence[np.ndarray]) -> np.ndarray:
    """Computes Kendall's τ-b in each resample, [B]; NaN where it is undefined.

    Args:
        x: [n], finite.
        y: [n], finite.
        draws: B arrays of numbers below n.
    """
    return np.array(
        [
            # Its p-value is not used, and the exact one takes long.
            kendalltau(x[draw], y[draw], method="asymptotic").statistic if len(draw) > 1 else np.nan
            for draw in draws
        ]
    )


def rank_covariances(columns: np.ndarray, draws: Sequence[np.ndarray]) -> np.ndarray:
    """Sums (rank − mean)(rank' − mean) of each two columns in each resample, with average ranks.

    Each column is sorted once; the ranks in a resample follow from how often each is drawn.

    Args:
        columns: [m, n], finite.
        draws: B arrays of numbers below n.

    Returns:
        float64 [B, m, m], exact; a diagonal entry is 0 where a resample is constant.
    """
    m, n = columns.shape
    size = max(1, BLOCK // n)
    products = np.empty((len(draws), m, m))
    for start in range(0, len(draws), size):
        block = draws[start : start + size]
        counts = np.stack([np.bincount(draw, minlength=n) for draw in block], axis=-1).astype(float)
        ranks = [_centred_ranks(column, counts) for column in columns]
        for i in range(m):
            drawn = ranks[i] * counts
            for j in range(i + 1):
                product = np.einsum("nb,nb->b", drawn, ranks[j])
                rows = slice(start, start + size)
                products[rows, i, j] = products[rows, j, i] = product
    return products


def _centred_ranks(column: np.ndarray, counts: np.ndarray) -> np.ndarray:
    """Computes average ranks less their mean, [n, b]; each row is drawn `counts` [n, b] times."""
    _, group = np.unique(column, return_inverse=True)
    order = np.argsort(group, kind="stable")
    starts = np.flatnonzero(np.diff(group[order], prepend=-1))
    sizes = np.add.reduceat(counts[order], starts, axis=0)
    ends = np.cumsum(sizes, axis=0)
    return (ends - (sizes - 1) / 2 - (ends[-1] + 1) / 2)[group]


def correlations(covariances: np.ndarray) -> np.ndarray:
    """Correlates the first two columns, [B]: of ranks, Spearman's ρ; NaN where one is constant.

    Args:
        covariances: [B, m, m]
    """
    return _correlation(covariances[:, :2, :2], np.zeros((len(covariances), 2)))


def partial_correlations(covariances: np.ndarray) -> np.ndarray:
    """Correlates the first two columns with the others held fixed, [B]; NaN where undefined.

    The two are regressed on the others by least squares, and the residuals are correlated: their
    products are the Schur complement. Undefined is what the others determine.

    Args:
        covariances: [B, m, m]
    """
    both, cross = covariances[:, :2, :2], covariances[:, :2, 2:]
    others = covariances[:, 2:, 2:]
    # The pseudoinverse, since others may be constant, or determine each other.
    inverse = np.linalg.pinv(others, rcond=1e-10, hermitian=True)
    left = both - cross @ inverse @ np.swapaxes(cross, -1, -2)
    return _correlation(left, DETERMINED * np.diagonal(both, axis1=-2, axis2=-1))


def _correlation(products: np.ndarray, least: np.ndarray) -> np.ndarray:
    """Computes [B] from products [B, 2, 2]; NaN where a square is at most `least` [B, 2]."""
    squares = np.diagonal(products, axis1=-2, axis2=-1)
    defined = (squares > least).all(-1)
    related = np.full(len(products), np.nan)
    roots = np.sqrt(squares[defined].prod(-1))
    related[defined] = np.clip(products[defined, 0, 1] / roots, -1, 1)
    return related


def percentile_interval(statistics: np.ndarray) -> tuple[float, float] | tuple[None, None]:
    """Returns (2.5 %, 97.5 %) of the statistics [B] that are defined; Nones if none is."""
    defined = statistics[np.isfinite(statistics)]
    if not len(defined):
        return None, None
    low, high = np.percentile(defined, [2.5, 97.5])
    return float(low), float(high)


def estimate(value: float, resampled: np.ndarray) -> Estimate:
    """Makes a statistic with the interval of its resamples [B]; undefined where it is NaN."""
    return UNDEFINED if np.isnan(value) else Estimate(float(value), *percentile_interval(resampled))


def estimate_tau(x: np.ndarray, y: np.ndarray, draws: Sequence[np.ndarray]) -> Estimate:
    """Estimates Kendall's τ-b, undefined where x or y is constant.

    Args:
        x: [n], finite.
        y: [n], finite.
        draws: B arrays of numbers below n.
    """
    value = kendalltau(x, y, method="asymptotic").statistic
    return UNDEFINED if np.isnan(value) else estimate(value, taus(x, y, draws))
