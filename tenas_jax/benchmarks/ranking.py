"""How well scores rank accuracies: ranks of scores, and Kendall's τ with its interval."""

from collections.abc import Sequence

import numpy as np
from scipy.stats import kendalltau, rankdata

from tenas_jax.metrics import metric
from tenas_jax.scores import Score


def rank_badness(scores: Sequence[Score], name: str) -> np.ndarray:
    """Ranks [architectures], 1 for the best; what is flagged ranks last."""
    values = np.array([score.mean(name) for score in scores])
    values = -values if metric(name).higher_is_better else values
    return rankdata(np.where(np.isfinite(values), values, np.inf))


def tau(badness: np.ndarray, accuracy: np.ndarray, rng: np.random.Generator) -> tuple:
    """τ-b of goodness and accuracy, with a 95 % bootstrap interval over architectures."""
    n = len(accuracy)
    draws = [
        kendalltau(-badness[i], accuracy[i]).statistic for i in rng.integers(n, size=(1000, n))
    ]
    low, high = np.nanpercentile(draws, [2.5, 97.5])  # τ of a constant draw is undefined
    return kendalltau(-badness, accuracy).statistic, low, high
