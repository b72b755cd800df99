"""Combinations of several scores into one, by the ranks that architectures have in each.

Scores come as goodness: an array [K] a score, larger is better, and what is not finite is bad (see
`tenas_jax.ntk.FLAGS`). A bad architecture ranks last in that score alone, where bad ones tie with
each other; in the other scores it ranks as it stands, as in TE-NAS's pruning, where a removal that
makes a kernel bad ranks last. So a bad one can win, if all the other scores speak for it.
"""

from collections.abc import Callable, Mapping, Sequence

import numpy as np

from tenas_jax.errors import UserError, lookup, shorten, unknown

Weights = Mapping[str, float] | None


def goodness(values: Sequence[float], higher_is_better: bool) -> np.ndarray:
    """Turns a score's values into goodness.

    Args:
        values: [K]
        higher_is_better: the score's sign.

    Returns:
        float64 [K], larger is better; NaN for all that is not finite.
    """
    values = np.asarray(values, np.float64)
    return np.where(np.isfinite(values), values if higher_is_better else -values, np.nan)


def average_ranks(goodness: Sequence[float]) -> np.ndarray:
    """Average ranks float64 [K], 1 for the worst; ties share the mean of theirs, bad ones last."""
    from scipy.stats import rankdata  # slow to import, and not needed by every search

    goodness = np.asarray(goodness, np.float64)
    return rankdata(np.where(np.isfinite(goodness), goodness, -np.inf))


def dense_ranks(gains: Sequence[float], significant: int | None = None) -> np.ndarray:
    """Ranks from 0 for the largest gain; equal gains share one and no number is left out.

    Args:
        gains: one a candidate; -inf ranks last.
        significant: significant figures at which gains count as equal; None compares exactly.

    Returns:
        int [candidates]
    """
    rounded = np.array([round_significant(gain, significant) for gain in gains], np.float64)
    return np.unique(-rounded, return_inverse=True)[1]


def round_significant(value: float, figures: int | None) -> float:
    """Rounds a value to so many significant figures; None and what is not finite change nothing."""
    if figures is None or not np.isfinite(value):
        return float(value)
    return float(f"{value:.{figures - 1}e}")


def rank_sum(goodness: Mapping[str, np.ndarray], weights: Weights = None) -> np.ndarray:
    """−Σ_M rank_M with dense ranks, 0 for the best: equal values share one, none is left out.

    A score with few distinct values, such as a number of regions, so counts less than one with
    many. Source: Chen, Gong and Wang, 2021 (TE-NAS), arXiv:2102.11535, which ranks the gains of
    removals, as its program does it. It ranks to three significant figures, this exactly.
    """
    _takes_none("rank_sum", weights)
    columns = [np.asarray(column, np.float64) for column in goodness.values()]
    bad_last = [np.where(np.isfinite(column), column, -np.inf) for column in columns]
    return -np.sum([dense_ranks(column) for column in bad_last], axis=0, dtype=np.float64)


def average_rank_sum(goodness: Mapping[str, np.ndarray], weights: Weights = None) -> np.ndarray:
    """Σ_M rank_M, 1 for the worst; ties share their mean rank, as Kendall's τ-b and ρ treat them.

    All scores count alike, whatever number of distinct values they have (Borda's count).
    """
    _takes_none("average_rank_sum", weights)
    return np.sum([average_ranks(column) for column in goodness.values()], axis=0)


def log_rank_sum(goodness: Mapping[str, np.ndarray], weights: Weights = None) -> np.ndarray:
    """Σ_M log(rank_M / m), 1 for the worst of m, at most 0: one low rank costs more than a high
    one gains.

    Source: Lee and Ham, 2024 (AZ-NAS), arXiv:2403.19232. Ties share their mean rank, as in its
    program.
    """
    _takes_none("log_rank_sum", weights)
    ranks = [average_ranks(column) for column in goodness.values()]
    return np.sum([np.log(rank / len(rank)) for rank in ranks], axis=0)


def weighted(goodness: Mapping[str, np.ndarray], weights: Weights = None) -> np.ndarray:
    """Σ_M w_M rank_M / m, rank 1 for the worst of m; ties share their mean rank.

    A negative weight turns a score round; a score without a weight has the weight 0.

    Raises:
        UserError: no weights, one of an unknown score, one that is no finite number, or all are 0.
    """
    if not weights:
        raise UserError(f"weighted needs weights, of the scores {', '.join(goodness)}")
    for name, weight in weights.items():
        if name not in goodness:
            raise unknown("score with a weight", name, goodness)
        number = isinstance(weight, int | float | np.number) and not isinstance(weight, bool)
        if not number or not np.isfinite(weight):
            raise UserError(f"the weight of {name} is {shorten(weight)}; valid: finite numbers")
    if not any(weights.values()):
        raise UserError(f"the weights of {', '.join(weights)} are all 0")
    ranks = {name: average_ranks(goodness[name]) for name in weights}
    return np.sum([w * ranks[name] / len(ranks[name]) for name, w in weights.items()], axis=0)


# name -> (score -> goodness [K], score -> weight or None) -> goodness [K]
COMBINATIONS: dict[str, Callable[[Mapping[str, np.ndarray], Weights], np.ndarray]] = {
    "rank_sum": rank_sum,
    "average_rank_sum": average_rank_sum,
    "log_rank_sum": log_rank_sum,
    "weighted": weighted,
}


def combine(name: str, goodness: Mapping[str, np.ndarray], weights: Weights = None) -> np.ndarray:
    """Combines scores of the same architectures.

    Args:
        name: of the combination, in `COMBINATIONS`.
        goodness: score -> [K], larger is better; what is not finite is bad.
        weights: score -> weight, for a combination that takes them.

    Returns:
        float64 [K], larger is better; finite.

    Raises:
        UserError: an unknown combination, no score, scores of different lengths, or weights that
            the combination does not take.
    """
    function = lookup("combination", COMBINATIONS, name)
    if not goodness:
        raise UserError(f"{name} has no scores to combine")
    shapes = {score: np.shape(column) for score, column in goodness.items()}
    if len(set(shapes.values())) > 1 or any(len(shape) != 1 for shape in shapes.values()):
        described = ", ".join(f"{score} {list(shape)}" for score, shape in shapes.items())
        raise UserError(f"{name} needs one value an architecture of every score, got {described}")
    return function(goodness, weights)


def _takes_none(name: str, weights: Weights) -> None:
    if weights is not None:
        raise UserError(f"{name} takes no weights, got {shorten(dict(weights))}; weighted does")
