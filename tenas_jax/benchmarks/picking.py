"""What a search that trusts a score would pick, exactly: nothing is simulated.

Architectures are given by two finite arrays [K], larger is better: a score, and an accuracy. Where
architectures tie, all orders of them are taken as equally likely, and what is returned is the
expectation. An accuracy rank is 1 for the highest accuracy; equal accuracies share the mean of
their ranks.
"""

import numpy as np
from scipy.stats import rankdata


def precision_at(k: int, score: np.ndarray, accuracy: np.ndarray) -> float:
    """Computes |the k best by score ∩ the k best by accuracy| / k.

    A score that says nothing has k / K.

    Args:
        k: from 1 to K.
        score: [K]
        accuracy: [K]
    """
    # Ties in one are broken independently of those in the other, so chances multiply.
    return float(_chance_in_top(k, score) @ _chance_in_top(k, accuracy) / k)


def best_rank_at(k: int, score: np.ndarray, accuracy: np.ndarray) -> float:
    """Computes the best accuracy rank among the k best by score: what training those gives.

    Args:
        k: from 1 to K.
        score: [K]
        accuracy: [K]
    """
    chance, ranks = _chance_in_top(k, score), rankdata(-accuracy)
    sure = ranks[chance == 1].min(initial=np.inf)
    tied = np.sort(ranks[(chance > 0) & (chance < 1)])
    if not len(tied):
        return float(sure)
    # The best of the tied that come in is the j-th if none before it does, and it does.
    none_before = _chance_of_none(len(tied), k - int((chance == 1).sum()))
    return float(-np.diff(none_before) @ np.minimum(tied, sure))


def rank_in_draws(draws: int, score: np.ndarray, accuracy: np.ndarray) -> float:
    """Computes the accuracy rank, among all K, of the best scored of some drawn at random.

    The draws are without replacement. A score that says nothing has (K + 1) / 2.

    Args:
        draws: how many are drawn, from 1 to K.
        score: [K]
        accuracy: [K]
    """
    ranks = rankdata(-accuracy)
    _, group, sizes = np.unique(-score, return_inverse=True, return_counts=True)
    mean_ranks = np.bincount(group, ranks) / sizes
    ends = np.cumsum(sizes)
    none_before = _chance_of_none(len(score), draws)[np.r_[0, ends]]
    return float(-np.diff(none_before) @ mean_ranks)


def _chance_in_top(k: int, values: np.ndarray) -> np.ndarray:
    """Computes the chance [K] of each to be among the k largest; ties are broken at random."""
    boundary = np.sort(values)[-k]
    above, tied = values > boundary, values == boundary
    return above + tied * ((k - above.sum()) / tied.sum())


def _chance_of_none(n: int, draws: int) -> np.ndarray:
    """Computes the chance that `draws` of n miss the first 0, 1, ..., n: [n + 1].

    The draws are without replacement. It is hypergeometric, C(n − a, draws) / C(n, draws), here as
    a product that cannot overflow.
    """
    left = n - np.arange(n)
    return np.r_[1.0, np.cumprod(np.maximum(left - draws, 0) / left)]
