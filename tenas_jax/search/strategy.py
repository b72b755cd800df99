"""What every search strategy offers: ask for masks to score, tell their scores, save its state."""

from collections.abc import Sequence
from typing import Protocol

import numpy as np

from tenas_jax.evaluate import Score


class Strategy(Protocol):
    """Ask/tell with a state of plain values, so that a search resumes from any round.

    Attributes:
        round: number of the current round, which is also the draw that its masks are scored in.
        done: whether there is nothing left to ask.
        result: the architecture found, int8 [cells, edges]; None until `done`.

    One may also have `incumbents`, a list of (networks scored, architecture): the answers that it
    would have given on the way, each from when it was found.
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
