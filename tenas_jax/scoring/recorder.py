"""Scores what is not recorded, and records it: the one way to a run's records, and back.

A line of `records.jsonl` is a JSON object of

- `arch`: what was scored, in words (an architecture's string, or what a supernet holds);
- `encoding`: what its network was given, nested lists (in cell spaces the mask);
- `draw`: the number of the weights and batches that it was scored by;
- `key`: what it shares with others of the draw that are not scored by themselves;
- `scores`, `seconds`: see `Score.to_record`;
- `engine`, of the kernel, and what else a run adds, such as the `round`.
"""

import os
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np

from tenas_jax.errors import UserError
from tenas_jax.runs.json_values import plain
from tenas_jax.runs.layout import RECORDS
from tenas_jax.runs.listeners import Listener
from tenas_jax.runs.processes import from_first
from tenas_jax.runs.workdir import Workdir
from tenas_jax.scoring.evaluator import Evaluator
from tenas_jax.scoring.scores import Score


@dataclass(frozen=True)
class Recorded:
    """Holds a line of records.

    Attributes:
        arch: what was scored, in words.
        encoding: as it was asked, an int array or a dict of arrays.
        draw: of its weights and batches.
        key: what equal ones share.
        score: what the metrics say.
        round: the search's; None of a run without rounds.
    """

    arch: str
    encoding: Any
    draw: int
    key: str
    score: Score
    round: int | None


def recorded(records: Iterable[Mapping], path: str | os.PathLike) -> Iterator[Recorded]:
    """Reads records of scores, one at a time.

    Args:
        records: of a workdir, in the order of its file.
        path: the workdir's, for messages.

    Raises:
        UserError: one is no record of a score; the line is named.
    """
    for number, record in enumerate(records, 1):
        try:
            score, key, draw = Score.from_record(record), record["key"], record["draw"]
            encoding = _arrays(record["encoding"])
            if type(draw) is not int or type(key) is not str:
                raise UserError("encoding, draw or key is none")
            yield Recorded(record["arch"], encoding, draw, key, score, record.get("round"))
        except (KeyError, ValueError) as error:  # of which a UserError is one
            what = f"it has no {error}" if isinstance(error, KeyError) else str(error)
            raise UserError(f"{os.path.join(path, RECORDS)}, line {number}: {what}") from error


def _arrays(encoding: Any) -> Any:
    """Reads an encoding: a dict of such, or nested lists of numbers.

    Raises:
        ValueError: it is none.
    """
    if isinstance(encoding, dict):
        return {name: _arrays(part) for name, part in encoding.items()}
    array = np.array(encoding)
    if array.dtype.kind not in "iuf":
        raise UserError("encoding, draw or key is none")
    return array


class Recorder:
    """Scores encodings for one run; each score is recorded as soon as it is there.

    Attributes:
        count: how many records there are.
    """

    def __init__(
        self,
        evaluator: Evaluator,
        workdir: Workdir,
        listener: Listener | None = None,
        *,
        count: int = 0,
    ):
        """Nothing is read or scored yet.

        Args:
            evaluator: scores what is not known.
            workdir: open for this run.
            listener: hears of each score.
            count: how many records there are; `recall` finds out by itself.
        """
        self.evaluator, self.workdir, self.count = evaluator, workdir, count
        self._listener = listener or Listener()
        self._known: dict[Any, dict[str, Score]] | None = None  # by draw and metrics, by key

    def recall(self) -> list[Recorded]:
        """Reads what is recorded, which from now on is known and not scored again.

        Without that nothing is known, and memory does not grow with what is scored. Of several
        processes the first reads, for all.

        Raises:
            UserError: a record is damaged.
        """
        records = list(recorded(from_first(self.workdir.records()), self.workdir.path))
        self._known, self.count = {}, len(records)
        for record in records:
            self._scores_of(record.draw, record.score.values)[record.key] = record.score
        return records

    def score(
        self,
        encodings: Sequence[Any],
        draw: int = 0,
        *,
        metrics: Sequence[str] | None = None,
        gradients: bool = False,
        **beside: Any,
    ) -> Iterator[Score]:
        """Gives the scores of some encodings in their order, those that are new once recorded.

        Args:
            encodings: see `Evaluator.score`.
            draw: see there.
            metrics: see there.
            gradients: see there.
            **beside: further fields of the new records.
        """
        evaluator = self.evaluator
        wanted = evaluator.protocol.metrics if metrics is None else metrics
        known = {} if self._known is None else self._scores_of(draw, wanted)
        given = evaluator.score(encodings, draw, known, metrics=wanted, gradients=gradients)
        for i, key, score, new in _in_order(given):
            if new:
                self._record(encodings[i], draw, key, score, beside)
                if self._known is not None:
                    known[key] = score
            yield score

    def score_all(
        self, what: str, encodings: Sequence[Any], draw: int = 0, **options: Any
    ) -> list[Score]:
        """Scores as `score`, and tells how far it is with `what`."""
        scores = []
        for score in self.score(encodings, draw, **options):
            scores.append(score)
            self._listener.on_progress(what, len(scores), len(encodings))
        return scores

    def _scores_of(self, draw: int, metrics: Iterable[str]) -> dict[str, Score]:
        """Returns what is known of a draw by these metrics, by key."""
        return self._known.setdefault((draw, frozenset(metrics)), {})

    def _record(self, encoding: Any, draw: int, key: str, score: Score, beside: Mapping) -> None:
        """Appends a line, and tells of it."""
        record = {
            "arch": self.evaluator.space.describe(encoding),
            "encoding": plain(encoding),
            "draw": draw,
            "key": key,
            **beside,
            "engine": self.evaluator.engine,
            **score.to_record(),
        }
        self.workdir.append(record)
        self.count += 1
        self._listener.on_score(self.count - 1, record)


def _in_order(
    given: Iterable[tuple[int, str, Score, bool]],
) -> Iterator[tuple[int, str, Score, bool]]:
    """Yields what an evaluator gives by position, each as soon as those before it are there."""
    waiting: dict[int, tuple] = {}
    following = 0
    for one in given:
        waiting[one[0]] = one
        while following in waiting:
            yield waiting.pop(following)
            following += 1
