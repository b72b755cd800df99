"""The way of a search: all that it scored, and which of it was the answer from when on."""

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass

import numpy as np

from tenas_jax.errors import UserError
from tenas_jax.report.scales import finite
from tenas_jax.scoring.scores import Score
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


def has_trajectory(state: Mapping | None) -> bool:
    """Says whether a strategy's state lists what it scored."""
    return bool(state) and "archs" in state and "values" in state


def of_state(state: Mapping, space: Space, metrics: Sequence[str]) -> Trajectory:
    """Reads a trajectory from the state of a learning strategy.

    Args:
        state: `archs`, lists [cells][edges] in the order in which they were scored; `values`,
            metric -> a value for each, None where it is bad; `history`, a list with a dict a
            round; `own`, with `front` and `objectives` of a search for a Pareto front.
        space: what is searched.
        metrics: names in `values`.

    Raises:
        UserError: the state does not fit itself.
    """
    count, history = len(state["archs"]), list(state.get("history") or ())
    own = state.get("own") or {}
    costs = {n: v for n, v in (own.get("objectives") or {}).items() if n not in metrics}
    columns = {name: finite(_column(state["values"], name)) for name in metrics}
    columns |= {name: finite(column) for name, column in costs.items()}
    for name, column in columns.items():
        if len(column) != count:
            raise UserError(f"{name} has {len(column)} values for {count} architectures")
    for entry in history:
        for name in COUNTS:
            if name not in entry:
                raise UserError(f"a round of the search's state has no {name}: {dict(entry)}")
    front = [int(at) for at in own.get("front") or ()]
    answers = [(entry["scored"], entry["best"]) for entry in history if entry["best"] is not None]
    for at in [*front, *(best for _, best in answers)]:
        if not 0 <= at < count:
            raise UserError(f"there is no architecture {at} among {count}")
    archs = [space.to_string(np.array(arch, np.int8)) for arch in state["archs"]]
    path, since = _changes(answers)
    return Trajectory(tuple(metrics), archs, columns, path, since, history, front, tuple(costs))


def of_records(
    records: Iterable[Mapping],
    space: Space,
    metrics: Sequence[str],
    incumbents: Iterable[tuple[int, str]] = (),
) -> Trajectory:
    """Reads a trajectory from the records of a search that scores single architectures.

    Args:
        records: lines of `records.jsonl`; masks of several architectures are left out.
        space: what is searched.
        metrics: names of what the records have values of.
        incumbents: (networks scored, architecture) of the answers on the way; what was not
            scored is left out.

    Raises:
        UserError: a record is no score.
    """
    scores: dict[str, Score] = {}
    for record in records:
        mask = np.asarray(record["mask"], np.uint8)
        if space.is_single(mask):
            scores[space.to_string(space.from_mask(mask))] = Score.from_record(record)
    archs = list(scores)
    columns = {
        name: finite(s.mean(name) if name in s.values else None for s in scores.values())
        for name in metrics
    }
    numbers = {arch: at for at, arch in enumerate(archs)}
    path, since = _changes([(n, numbers[arch]) for n, arch in incumbents if arch in numbers])
    return Trajectory(tuple(metrics), archs, columns, path, since)


def _column(values: Mapping, name: str) -> Sequence[float | None]:
    """Returns a metric's values, or raises a `UserError`."""
    if name not in values:
        raise UserError(f"the search's state has no values of {name}; it has {', '.join(values)}")
    return values[name]


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
