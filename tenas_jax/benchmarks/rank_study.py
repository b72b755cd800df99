"""A rank study: scores, their combinations and baselines of many architectures, beside accuracies.

The scores come from the evaluator or from a table. Beside them stand what every table needs: the
parameters and multiply-adds of the full-size network, and a random score as the floor.
"""

import dataclasses
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field

import numpy as np
import pandas as pd

from tenas_jax.benchmarks.intervals import among, estimate_tau, resamples
from tenas_jax.benchmarks.ranking import Ranking, check_rows, rank
from tenas_jax.benchmarks.table import Table
from tenas_jax.errors import UserError, lookup
from tenas_jax.metrics import METRICS, metric
from tenas_jax.networks.costs import costs
from tenas_jax.scoring.combining import COMBINATIONS, average_ranks, combine, goodness
from tenas_jax.scoring.scores import Score

RANDOM = "random"
COMBINED = ("rank_sum", "average_rank_sum", "log_rank_sum")
WEIGHTED = "weighted"
PICKS = ("precision_10", "precision_100", "best_rank_10", "best_rank_100", "rank_in_10_draws",
         "rank_in_100_draws")  # fmt: skip


@dataclass(frozen=True)
class Scores:
    """Holds scores of K architectures, a value a repeat.

    Attributes:
        archs: [K] strings.
        values: score -> [repeats, K]; NaN where it is bad.
        lower_is_better: the names of those that are to be small.
        seconds: score -> what one architecture takes, where that is known.
    """

    archs: tuple[str, ...]
    values: dict[str, np.ndarray]
    lower_is_better: frozenset[str] = frozenset()
    seconds: dict[str, float] = field(default_factory=dict)

    @property
    def repeats(self) -> int:
        """Counts the values of each score."""
        return len(next(iter(self.values.values())))

    def means(self, repeats: int | None = None) -> dict[str, np.ndarray]:
        """Returns score -> [K], the mean of the first repeats, all by default; NaN if one is."""
        return {name: values[:repeats].mean(0) for name, values in self.values.items()}

    def goodness(self, repeats: int | None = None) -> dict[str, np.ndarray]:
        """Returns `means`, signed so that larger is better."""
        return {
            name: goodness(values, name not in self.lower_is_better)
            for name, values in self.means(repeats).items()
        }


def scores_of(
    archs: Sequence[str], scores: Sequence[Score], metrics: Sequence[str], seconds: Mapping
) -> Scores:
    """Collects what the evaluator gave.

    Args:
        archs: [K] strings.
        scores: [K].
        metrics: names in `METRICS`.
        seconds: metric -> seconds an architecture, for those that were timed.
    """
    values = {name: np.array([score.values[name] for score in scores]).T for name in metrics}
    lower = frozenset(name for name in metrics if not metric(name).higher_is_better)
    return Scores(tuple(archs), values, lower, dict(seconds))


def scores_of_table(table: Table, columns: Sequence[str] | None = None) -> Scores:
    """Reads the scores that a table holds, one repeat.

    Args:
        table: of scores.
        columns: which, a minus before the names of those that are to be small; of metrics it is
            known and may be left out. By default all columns that are named as a metric.

    Raises:
        UserError: an unknown column, or none is given and none is a metric's.
    """
    columns = columns or [name for name in table.columns if name in METRICS]
    if not columns:
        raise UserError(
            f"the table of scores has no column of a metric ({', '.join(METRICS)}); name others "
            f"with --score_columns: it has {', '.join(table.columns)}"
        )
    names = [column.removeprefix("-") for column in columns]
    values = {name: table.column(name)[None] for name in names}
    lower = {name for name in names if name in METRICS and not metric(name).higher_is_better}
    lower |= {column[1:] for column in columns if column.startswith("-")}
    return Scores(table.archs, values, frozenset(lower))


@dataclass(frozen=True)
class Study:
    """Holds what scores of K architectures are ranked beside.

    Attributes:
        archs: [K] strings.
        accuracies: column -> [K]; NaN where it is blank.
        baselines: `parameters` and `multiply_adds` of the full-size networks, [K] each.
        combinations: names in `tenas_jax.scoring.combining.COMBINATIONS`, without `weighted`.
        weights: score -> weight, for the combination `weighted`; None leaves it out.
        seed: of the bootstrap, and of the random score.
        resamples: of the bootstrap.
    """

    archs: tuple[str, ...]
    accuracies: dict[str, np.ndarray]
    baselines: dict[str, np.ndarray]
    combinations: tuple[str, ...] = COMBINED
    weights: Mapping[str, float] | None = None
    seed: int = 0
    resamples: int = 1000

    @classmethod
    def of(
        cls, archs: Sequence[str], table: Table, columns: Sequence[str] | None = None, **options
    ) -> "Study":
        """Looks everything up, before what takes longer.

        Args:
            archs: [K] strings.
            table: of accuracies.
            columns: of the table; `Table.accuracies` by default.
            **options: the other attributes.

        Raises:
            UserError: fewer than `ranking.MIN_ROWS` architectures, one that is not in the table, an
                unknown column or combination.
        """
        for name in options.get("combinations", ()):
            lookup("combination", {n: f for n, f in COMBINATIONS.items() if n != WEIGHTED}, name)
        columns = table.accuracies if columns is None else columns
        if not columns:
            raise UserError(f"--columns names none; valid: {', '.join(table.columns)}")
        check_rows(len(archs))
        accuracies = {name: table.column(name, archs) for name in columns}
        return cls(tuple(archs), accuracies, costs(table.space, archs), **options)

    def rows(self, scores: Scores) -> list[Ranking]:
        """Ranks by each score, combination and baseline, for each column of accuracies.

        Raises:
            UserError: a column with fewer than `ranking.MIN_ROWS` accuracies.
        """
        single = scores.goodness()
        columns = {**single, **self._combined(single), **self.baselines}
        seconds = self._seconds(scores)
        draws = resamples(len(self.archs), self.resamples, self.seed)
        rankings = []
        for name, accuracy in self.accuracies.items():
            shared = {"covariates": self.baselines, "resamples": draws}
            rankings += [
                rank(score, column, name, accuracy, seconds=seconds.get(score), **shared)
                for score, column in columns.items()
            ]
            floor = rank(RANDOM, self._random(), name, accuracy, **shared)
            # What one random score picks is chance; what equal scores pick is expected of it.
            equal = rank(RANDOM, np.zeros(len(accuracy)), name, accuracy, **shared)
            picked = {field: getattr(equal, field) for field in PICKS}
            rankings.append(dataclasses.replace(floor, **picked))
        return rankings

    def by_repeats(self, scores: Scores) -> list[dict]:
        """Computes τ of each score and combination by the mean of the first 1, 2, ... repeats.

        Returns:
            A dict for each accuracy, number of repeats and score: `tau`, `tau_low`, `tau_high`.
        """
        draws = resamples(len(self.archs), self.resamples, self.seed)
        rows = []
        for name, accuracy in self.accuracies.items():
            kept = np.isfinite(accuracy)
            some = among(draws, kept)
            for repeats in range(1, scores.repeats + 1):
                single = scores.goodness(repeats)
                for score, column in {**single, **self._combined(single)}.items():
                    row = {"accuracy": name, "repeats": repeats, "score": score}
                    tau = estimate_tau(average_ranks(column[kept]), accuracy[kept], some)
                    rows.append(row | dict(zip(("tau", "tau_low", "tau_high"), tau, strict=True)))
        return rows

    def frame(self, scores: Scores) -> pd.DataFrame:
        """Makes a row for each architecture: `arch`, scores' means, baselines and accuracies."""
        return pd.DataFrame(
            {"arch": self.archs, **scores.means(), **self.baselines, **self.accuracies}
        )

    def _combined(self, single: Mapping[str, np.ndarray]) -> dict[str, np.ndarray]:
        """Returns combination -> goodness [K]; none of one score alone."""
        if len(single) < 2:
            return {}
        combined = {name: combine(name, single) for name in self.combinations}
        if self.weights is not None:
            combined[WEIGHTED] = combine(WEIGHTED, single, self.weights)
        return combined

    def _random(self) -> np.ndarray:
        """Draws the floor: a score that knows nothing."""
        return np.random.default_rng([self.seed, 1]).random(len(self.archs))

    def _seconds(self, scores: Scores) -> dict[str, float]:
        """Returns seconds an architecture; of a combination those of its scores, if known."""
        known = dict(scores.seconds)
        if set(known) >= set(scores.values):
            known |= dict.fromkeys((*self.combinations, WEIGHTED), sum(known.values()))
        return known
