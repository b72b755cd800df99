"""The way of a search: all that it scored, and which of it was the answer from when on."""

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass

import numpy as np

from tenas_jax.errors import UserError
from tenas_jax.report.scales import finite
from tenas_jax.scoring.recorder import Recorded
from tenas_jax.scoring.scores import Score
from tenas_jax.search.learner import History
from tenas_jax.spaces import Space

# Numbers of an entry that are no property of the search's state.
COUNTS = ("round", "steps", "scored", "best")


@dataclass(frozen=True)
class Trajectory:
    """Holds what a search by single architectures has seen.

    Attributes:
        metrics: names.
        archs: [K] strings of the scored architectures, in the order in which they were scored.
        values: metric or cost -> float64 [K]; NaN where it is bad.
        path: int [P], numbers in `archs` of the answers so far, one after the other.
        since: int [P], how many were scored when each became the answer.
        entries: dicts, one a round, with `steps`, `scored`, `best` and numbers such as `diversity`;
            none for a search that has no rounds.
        front: numbers in `archs` of the Pareto front, of a search that has one.
        costs: names in `values` of the objectives that are no metrics.
    """

    metrics: tuple[str, ...]
    archs: Sequence[str]
    values: Mapping[str, np.ndarray]
    path: np.ndarray
    since: np.ndarray
    entries: Sequence[Mapping] = ()
    front: Sequence[int] = ()
    costs: tuple[str, ...] = ()

    @property
    def bad(self) -> int:
        """Counts how many of the scored architectures lack a metric."""
        known = [np.isfinite(self.values[name]) for name in self.metrics]
        return int((~np.all(known, 0)).sum()) if known else 0

    def answer(self, scored: int) -> int | None:
        """Finds the answer, a number in `archs`, after so many scored; None before the first."""
        at = int(np.searchsorted(self.since, scored, "right")) - 1
        return None if at < 0 else int(self.path[at])

    def series(self) -> dict[str, np.ndarray]:
        """Returns each number that the entries have beside metrics and counts, float64 [rounds]."""
        names = dict.fromkeys(
            name
            for entry in self.entries
            for name, value in entry.items()
            if name not in (*COUNTS, *self.metrics) and _is_number(value)
        )
        return {name: finite(entry.get(name) for entry in self.entries) for name in names}


def has_trajectory(rounds: Sequence[Mapping]) -> bool:
    """Tells whether the rounds of a search name the answers so far."""
    return bool(rounds) and "best" in rounds[0]


def of_rounds(
    records: Iterable[Recorded],
    rounds: Sequence[Mapping],
    space: Space,
    metrics: Sequence[str],
    front: Sequence[int] = (),
) -> Trajectory:
    """Follows a learning strategy.

    Args:
        records: of all that it scored, in that order; those beyond the last round are left out.
        rounds: the entries of its history, at least one; `costs` of one are those of its new
            architectures.
        space: what is searched.
        metrics: names of what all records have values of.
        front: indices of the Pareto front, of a search that has one.

    Raises:
        UserError: records and rounds do not fit each other.
    """
    for entry in rounds:
        for name in COUNTS:
            if name not in entry:
                raise UserError(f"a round of the search has no {name}: {dict(entry)}")
    scored, count = History(space, metrics), rounds[-1]["scored"]
    try:
        scored.add_records(records)
    except KeyError as error:
        raise UserError(f"a record of the search has no values of {error}") from error
    if len(scored) < count:
        raise UserError(f"the search has scored {count} architectures, but records {len(scored)}")
    columns = {name: finite(column[:count]) for name, column in scored.values.items()}
    costs = tuple(rounds[0].get("costs", ()))
    for name in costs:
        columns[name] = finite(n for e in rounds for n in e.get("costs", {}).get(name, ()))
        if len(columns[name]) != count:
            raise UserError(f"{name} has {len(columns[name])} values for {count} architectures")
    answers = [(entry["scored"], entry["best"]) for entry in rounds if entry["best"] is not None]
    for index in [*front, *(best for _, best in answers)]:
        if not 0 <= index < count:
            raise UserError(f"there is no architecture {index} among {count}")
    archs = [space.to_string(arch) for arch in scored.archs[:count]]
    path, since = _changes(answers)
    return Trajectory(tuple(metrics), archs, columns, path, since, list(rounds), front, costs)


def of_records(
    records: Iterable[Recorded],
    space: Space,
    metrics: Sequence[str],
    incumbents: Iterable[tuple[int, str]] = (),
) -> Trajectory:
    """Follows a search that scores single architectures, such as a random one, by its records.

    Args:
        records: of scores; masks of several architectures are left out.
        space: what is searched.
        metrics: names of what the records have values of.
        incumbents: (networks scored, architecture) of the answers on the way; what was not
            scored is left out.
    """
    scores: dict[str, Score] = {}
    for record in records:
        if space.is_single(record.encoding):
            scores[space.to_string(space.from_mask(record.encoding))] = record.score
    archs = list(scores)
    columns = {
        name: finite(s.mean(name) if name in s.values else None for s in scores.values())
        for name in metrics
    }
    indices = {arch: index for index, arch in enumerate(archs)}
    path, since = _changes([(n, indices[arch]) for n, arch in incumbents if arch in indices])
    return Trajectory(tuple(metrics), archs, columns, path, since)


def _changes(answers: Sequence[tuple[int, int]]) -> tuple[np.ndarray, np.ndarray]:
    """Finds of (scored, answer) those at which the answer changes: the answers, and when."""
    kept = [
        (scored, best)
        for i, (scored, best) in enumerate(answers)
        if i == 0 or best != answers[i - 1][1]
    ]
    since, path = np.array(kept, int).reshape(-1, 2).T
    return path, since


def _is_number(value: object) -> bool:
    """Says whether a value is a number, which no truth value is."""
    return isinstance(value, int | float) and not isinstance(value, bool)
