"""What every search strategy offers: ask for masks to score, tell their scores, save its state."""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Protocol

import numpy as np

from tenas_jax.scoring.evaluator import Score


@dataclass(frozen=True)
class Request:
    """What a strategy wants to know of the masks that it asks.

    Attributes:
        draw: which weights and batches they are scored by: equal numbers give equal ones.
        metrics: names of those wanted; None for all of the protocol.
        gradients: whether the gradients of kernel metrics in the mask are wanted too.
    """

    draw: int
    metrics: tuple[str, ...] | None = None
    gradients: bool = False


class Strategy(Protocol):
    """Ask/tell with a state of plain values, so that a search resumes from any round.

    Attributes:
        round: number of the current round.
        done: whether there is nothing left to ask.
        result: the architecture found, int8 [cells, edges]; None until `done`.

    One may also have

    - `request`, a `Request` for what `ask` gives now; without it the draw is the round, so that
      each round is scored by its own weights and batches;
    - `incumbents`, a list of (networks scored, architecture): the answers that it would have given
      on the way, each from when it was found;
    - `history`, a list with a dict a round, of which TensorBoard and the report show the numbers.
    """

    round: int
    done: bool
    result: np.ndarray | None

    def ask(self) -> list[np.ndarray]:
        """The masks to score next, the same until `tell` is called."""

    def tell(self, scores: Sequence[Score]) -> None:
        """Takes the scores of what `ask` gave, in its order, and goes to the next round."""

    def state(self) -> dict:
        """Everything that the strategy knows, as JSON values."""

    def restore(self, state: dict) -> None:
        """Takes up a state that `state` gave."""


def request_of(strategy: Strategy) -> Request:
    """What a strategy wants to know of what it asks now."""
    return getattr(strategy, "request", None) or Request(draw=strategy.round)
