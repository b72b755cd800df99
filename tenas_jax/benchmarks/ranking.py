"""How well a score ranks accuracies: a row of statistics, the correlations with their intervals."""

import dataclasses
from collections.abc import Mapping, Sequence

import numpy as np
from scipy.stats import kendalltau, pearsonr, rankdata, spearmanr

from tenas_jax.benchmarks.intervals import (
    UNDEFINED,
    among,
    correlations,
    estimate,
    estimate_tau,
    partial_correlations,
    rank_covariances,
)
from tenas_jax.errors import UserError
from tenas_jax.scoring.combining import average_ranks

MIN_ROWS = 10  # below, a rank correlation says next to nothing


@dataclasses.dataclass(frozen=True)
class Ranking:
    """Says how well one score ranks one column of accuracies.

    A bad score ranks last, where bad ones tie. What is undefined is None, and the note says why.
    `_low` and `_high` are the ends of the 95 % interval (`intervals`).

    Attributes:
        score: its name.
        accuracy: the column's name.
        n: architectures with an accuracy; the others are left out.
        bad: how many of them have no score.
        tau: Kendall's τ-b.
        rho: Spearman's ρ.
        r_ranks: Pearson's r of the average ranks: what ρ is by definition, computed apart.
        tau_top: τ-b among the tenth of highest accuracy, and those that tie with its last.
        precision_10: share of the 10 best by score that are among the 10 best by accuracy; chance
            is 10 / n. None where n < 20.
        precision_100: the same of 100.
        best_rank_10: the best accuracy rank, 1 the best, among the 10 best by score; None where
            n < 20.
        best_rank_100: the same of 100.
        rank_in_10_draws: expected accuracy rank, from 1 to n, of the best scored of 10 drawn at
            random; chance is (n + 1) / 2.
        rank_in_100_draws: the same of 100.
        partial: correlation of ranks with those of the covariates held fixed.
        seconds: what one architecture takes, where it is known.
        note: what is undefined, and why.
    """

    score: str
    accuracy: str
    n: int
    bad: int
    tau: float | None
    tau_low: float | None
    tau_high: float | None
    rho: float | None
    rho_low: float | None
    rho_high: float | None
    r_ranks: float | None
    r_ranks_low: float | None
    r_ranks_high: float | None
    tau_top: float | None
    precision_10: float | None
    precision_100: float | None
    best_rank_10: float | None
    best_rank_100: float | None
    rank_in_10_draws: float | None
    rank_in_100_draws: float | None
    partial: float | None
    partial_low: float | None
    partial_high: float | None
    seconds: float | None
    note: str | None

    def to_dict(self) -> dict:
        """Returns the attributes, as JSON takes them."""
        return dataclasses.asdict(self)


def check_rows(count: int, column: str | None = None) -> None:
    """Checks that there is enough to rank.

    Args:
        count: architectures, or accuracies of a column.
        column: its name.

    Raises:
        UserError: there are fewer than `MIN_ROWS`.
    """
    if count < MIN_ROWS:
        what = "architectures" if column is None else f"accuracies in column {column!r}"
        raise UserError(f"{count} {what}; to rank them takes at least {MIN_ROWS}")


def rank(
    score: str,
    goodness: Sequence[float],
    accuracy_name: str,
    accuracy: Sequence[float],
    *,
    covariates: Mapping[str, Sequence[float]],
    resamples: np.ndarray,
    seconds: float | None = None,
) -> Ranking:
    """Ranks K architectures by a score, and compares with their accuracies.

    Args:
        score: its name.
        goodness: [K], larger is better; what is not finite is bad, and ranks last.
        accuracy_name: the column's name.
        accuracy: [K]; an architecture is left out where it is not finite.
        covariates: name -> [K]: what `partial` holds fixed.
        resamples: int [B, K] of `intervals.resamples`, the same for all scores.
        seconds: carried along.

    Raises:
        UserError: lengths differ, a covariate is not finite, or there are fewer than `MIN_ROWS`
            accuracies.
    """
    for name, values in covariates.items():
        if not np.isfinite(np.asarray(values, np.float64)).all():
            raise UserError(f"{name} is held fixed, and is not known of every architecture")
    given = [goodness, accuracy, *covariates.values()]
    columns, draws = _with_accuracy(given, accuracy_name, resamples)
    x, y, *fixed = columns
    notes: list[str] = []
    related = _correlations(columns, draws, score in covariates, notes)
    tau_top = _tau_top(x, y, notes)
    bad = np.isfinite(np.asarray(accuracy, float)) & ~np.isfinite(np.asarray(goodness, float))
    return Ranking(
        score=score,
        accuracy=accuracy_name,
        n=len(y),
        bad=int(bad.sum()),
        **related,
        tau_top=tau_top,
        **_picks(x, y, notes),
        seconds=seconds,
        note="; ".join(notes) or None,
    )


def _with_accuracy(
    columns: Sequence[Sequence[float]], name: str, resamples: np.ndarray
) -> tuple[np.ndarray, Sequence[np.ndarray]]:
    """Ranks the rows with an accuracy, the second column: [m, n], and resamples of them.

    Ties share the mean of their ranks. A row without an accuracy drops out of the resamples too, so
    that they stay common to all accuracies.
    """
    lengths = [*(len(column) for column in columns), resamples.shape[1]]
    if len(set(lengths)) > 1:
        given = "score, accuracy, covariates and resamples"
        raise UserError(f"{given} are of {lengths} architectures; they must be of the same")
    whole = np.array(columns, np.float64)
    kept = np.isfinite(whole[1])
    check_rows(int(kept.sum()), name)
    return np.stack([average_ranks(column) for column in whole[:, kept]]), among(resamples, kept)


def _correlations(
    columns: np.ndarray, draws: Sequence[np.ndarray], held: bool, notes: list[str]
) -> dict[str, float | None]:
    """Computes τ, ρ, r of ranks and the partial correlation, with intervals; adds notes."""
    x, y, *fixed = columns
    rho = r_ranks = partial = UNDEFINED
    constant = _constant(x, y)
    if constant:
        notes.append(f"{constant}: no correlation")
    else:
        products = rank_covariances(columns, draws)
        rho = estimate(spearmanr(x, y).statistic, correlations(products))
        r_ranks = estimate(pearsonr(x, y).statistic, correlations(products))
        if held or not fixed:
            notes.append("is itself held fixed" if held else "nothing is held fixed")
        else:
            once = rank_covariances(columns, [np.arange(len(x))])
            partial = estimate(partial_correlations(once)[0], partial_correlations(products))
            if partial.value is None:
                notes.append("what is held fixed determines the score or the accuracy")
    named = {"tau": estimate_tau(x, y, draws), "rho": rho, "r_ranks": r_ranks, "partial": partial}
    return {
        key: number
        for name, estimated in named.items()
        for key, number in zip((name, f"{name}_low", f"{name}_high"), estimated, strict=True)
    }


def _constant(x: np.ndarray, y: np.ndarray) -> str | None:
    """Says which of a score and an accuracy is constant, if one is."""
    if np.ptp(x) == 0:
        return "constant score"
    return "constant accuracy" if np.ptp(y) == 0 else None


def _tau_top(x: np.ndarray, y: np.ndarray, notes: list[str]) -> float | None:
    """Computes τ-b among the tenth of highest accuracy; adds a note where it is undefined alone."""
    count = len(y) // 10
    if count < MIN_ROWS:
        notes.append(f"fewer than {MIN_ROWS} architectures in the top 10 %")
        return None
    top = y >= np.sort(y)[-count]
    constant = _constant(x[top], y[top])
    if constant:
        if not _constant(x, y):
            notes.append(f"{constant} in the top 10 %")
        return None
    return float(kendalltau(x[top], y[top]).statistic)


def _picks(x: np.ndarray, y: np.ndarray, notes: list[str]) -> dict[str, float | None]:
    """Computes what is picked of the best 10 and 100, and of so many draws; adds notes."""
    picks: dict[str, float | None] = {}
    for k in (10, 100):
        if 2 * k > len(y):
            notes.append(f"fewer than {2 * k} architectures: no best {k}")
        picks[f"precision_{k}"] = precision_at(k, x, y) if 2 * k <= len(y) else None
        picks[f"best_rank_{k}"] = best_rank_at(k, x, y) if 2 * k <= len(y) else None
        picks[f"rank_in_{k}_draws"] = rank_in_draws(k, x, y) if k <= len(y) else None
    return picks


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
