"""How well scores rank accuracies: ranks of scores, and Kendall's τ with its interval."""

from collections.abc import Mapping, Sequence

import numpy as np
from scipy.stats import kendalltau, rankdata

from tenas_jax.metrics import metric
from tenas_jax.scores import Score


def rank_badness(scores: Sequence[Score], name: str) -> np.ndarray:
    """Ranks [architectures], 1 for the best; what is flagged ranks last."""
    return rank_values(np.array([score.mean(name) for score in scores]), name)


def rank_values(values: np.ndarray, name: str) -> np.ndarray:
    """`rank_badness` of a metric's values [architectures], NaN where they are flagged."""
    values = -values if metric(name).higher_is_better else values
    return rankdata(np.where(np.isfinite(values), values, np.inf))


def tau(badness: np.ndarray, accuracy: np.ndarray, rng: np.random.Generator) -> tuple:
    """τ-b of goodness and accuracy, with a 95 % bootstrap interval over architectures.

    All are NaN where τ is undefined, such as for a score that is the same for all.
    """
    n = len(accuracy)
    draws = [
        kendalltau(-badness[i], accuracy[i]).statistic for i in rng.integers(n, size=(1000, n))
    ]
    draws = [draw for draw in draws if not np.isnan(draw)] or [np.nan]  # τ of a constant draw is
    low, high = np.percentile(draws, [2.5, 97.5])
    return kendalltau(-badness, accuracy).statistic, low, high


def tau_rows(
    values: Mapping[str, np.ndarray], accuracies: Mapping[str, np.ndarray], rng: np.random.Generator
) -> list[tuple[str, ...]]:
    """τ of every metric, and of the sum of their ranks, with every accuracy, as text.

    Args:
        values: metric -> [architectures]; NaN for what is flagged, which ranks last.
        accuracies: column -> [architectures].
        rng: of the bootstrap.

    Returns:
        (accuracy, score, τ, 2.5 %, 97.5 %)
    """
    ranks = {name: rank_values(column, name) for name, column in values.items()}
    ranks["rank sum"] = sum(ranks.values())
    return [
        (column, name, *(f"{v:.3f}" for v in tau(badness, accuracy, rng)))
        for column, accuracy in accuracies.items()
        for name, badness in ranks.items()
    ]
