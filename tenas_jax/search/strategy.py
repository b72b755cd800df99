"""What every search strategy offers, and the loop that runs any: ask, score, record, tell, save."""

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Any, Protocol

import numpy as np

from tenas_jax.errors import UserError, lookup
from tenas_jax.runs.listeners import Listener
from tenas_jax.runs.processes import from_first
from tenas_jax.runs.workdir import Workdir
from tenas_jax.scoring.combining import COMBINATIONS
from tenas_jax.scoring.evaluator import Evaluator
from tenas_jax.scoring.recorder import Recorded, Recorder
from tenas_jax.scoring.scores import Score


@dataclass(frozen=True)
class Request:
    """Says what a strategy wants to know of the masks that it asks.

    Attributes:
        draw: which weights and batches they are scored by: equal numbers give equal ones.
        metrics: names of those wanted; None for all of the protocol.
        gradients: whether the gradients of kernel metrics in the mask are wanted too.
    """

    draw: int
    metrics: tuple[str, ...] | None = None
    gradients: bool = False


@dataclass(frozen=True)
class Past:
    """Holds what a run has recorded up to the state that its strategy is restored to.

    Attributes:
        rounds: the entries of the strategy's `history`.
        records: of scores, in the order in which they were made.
        key: of an encoding, which equal ones share.
    """

    rounds: Sequence[dict] = ()
    records: Sequence[Recorded] = ()
    key: Callable[[np.ndarray], str] = str

    def of(self, encodings: Sequence[np.ndarray], draw: int = 0) -> list[Score]:
        """Looks up the scores of some encodings in a draw, of each the last.

        Raises:
            KeyError: one was not scored.
        """
        known = {record.key: record.score for record in self.records if record.draw == draw}
        return [known[self.key(encoding)] for encoding in encodings]


class Strategy(Protocol):
    """Asks and is told, with a state of plain values, so that a search resumes from any round.

    Attributes:
        round: number of the current round.
        done: whether there is nothing left to ask.
        result: the architecture that is the answer, int8 [cells, edges]; None until `done`.

    One may also have

    - `request`, a `Request` for what `ask` gives now; without it the draw is the round, so that
      each round is scored by its own weights and batches;
    - `incumbents`, a list of (networks scored, architecture): the answers that it would have given
      on the way, each from when it was known;
    - `history`, a list that `tell` adds to, with a dict of JSON values a round. Each is recorded
      once, as a line of `rounds.jsonl`; TensorBoard and the report show the numbers.
    """

    round: int
    done: bool
    result: np.ndarray | None

    def ask(self) -> list[np.ndarray]:
        """Gives the masks to score next, the same until `tell` is called."""

    def tell(self, scores: Sequence[Score]) -> None:
        """Takes the scores of what `ask` gave, in its order, and goes to the next round."""

    def state(self) -> dict:
        """Gives what the strategy knows beside what is in a `Past`, as JSON values."""

    def restore(self, state: dict, past: Past) -> None:
        """Takes up a state that `state` gave, in a strategy that is fresh."""


def request_of(strategy: Strategy) -> Request:
    """Returns what a strategy wants to know of what it asks now."""
    return getattr(strategy, "request", None) or Request(draw=strategy.round)


def whole_number(name: str, value: Any, least: int = 1) -> int:
    """Checks that an option is a whole number from `least`; else a `UserError` that names it."""
    if type(value) is not int or value < least:
        raise UserError(f"{name} is {value!r}; valid: whole numbers from {least}")
    return value


def combination_name(name: str) -> str:
    """Checks that a name is of a combination that takes no weights; else a `UserError`."""
    lookup("combination", {n: how for n, how in COMBINATIONS.items() if n != "weighted"}, name)
    return name


def number_or_none(value: float) -> float | None:
    """Returns a number for JSON, None for NaN and infinities."""
    return float(value) if np.isfinite(value) else None


def search(
    strategy: Strategy, evaluator: Evaluator, workdir: Workdir, listener: Listener | None = None
) -> None:
    """Runs a strategy to its end, resuming from what the workdir holds.

    Every score is recorded as soon as it is there; what a round comes to is recorded after it, and
    then a checkpoint of what else the strategy knows. A run that is killed and started again asks
    the same masks, takes the scores that were recorded, and goes on; since a score depends on mask,
    draw and seed alone, it ends with the same result and the same files. Several processes run the
    loop in step; the first alone reads and writes the workdir.

    Args:
        strategy: in its first state.
        evaluator: scores what the strategy asks.
        workdir: open for this run.
        listener: hears of progress, scores and rounds.

    Raises:
        UserError: a record or the checkpoint is damaged, or lines that it builds on were lost.
    """
    listener = listener or Listener()
    recorder = Recorder(evaluator, workdir, listener)
    written = _resume(strategy, recorder)
    while not strategy.done:
        masks, request = strategy.ask(), request_of(strategy)
        scores = recorder.score_all(
            f"round {strategy.round}",
            masks,
            request.draw,
            metrics=request.metrics,
            gradients=request.gradients,
            round=strategy.round,
        )
        strategy.tell(scores)
        # The lines first: those beyond a checkpoint are written again, lost ones would be missed.
        for entry in getattr(strategy, "history", ())[written:]:
            workdir.append_round(entry)
            listener.on_round(written, entry)
            written += 1
        counts = {"records": recorder.count, "rounds": written}
        workdir.save_checkpoint({"done": strategy.done, **counts, "state": strategy.state()})


def _resume(strategy: Strategy, recorder: Recorder) -> int:
    """Restores the last checkpoint; returns how many lines of rounds it builds on."""
    workdir, records = recorder.workdir, recorder.recall()
    rounds, checkpoint = from_first([workdir.rounds(), workdir.load_checkpoint()])
    if checkpoint is None:
        workdir.cut_rounds(0)
        return 0
    lost = []
    try:
        for name, lines in (("records", records), ("rounds", rounds)):
            lost += [name] * (len(lines) < checkpoint[name])
            del lines[checkpoint[name] :]
        if not lost:
            past = Past(rounds, records, recorder.evaluator.key)
            strategy.restore(checkpoint["state"], past)
    except (KeyError, TypeError, ValueError, IndexError) as error:
        raise UserError(f"{workdir.path}: the checkpoint is damaged ({error!r})") from error
    if lost:
        raise UserError(f"{workdir.path} holds a checkpoint, but its {lost[0]} were lost")
    workdir.cut_rounds(len(rounds))
    return len(rounds)
