"""What every search strategy offers: it asks, is told scores, and its state comes back."""

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Any, Protocol

import numpy as np

from tenas_jax.errors import UserError, lookup
from tenas_jax.scoring.combining import COMBINATIONS
from tenas_jax.scoring.recorder import Recorded
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
