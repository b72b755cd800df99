"""Local search: to the best neighbour as long as that is better, then from a new start.

From a random architecture all neighbours (`Space.neighbours`) are scored, in random order. If the
combination over it and them puts one of them above it, the search moves to the best; else it is a
local optimum, and the search starts again at random. The answer is the best of all that was scored.

Source: White, Nolen and Savani, 2021, arXiv:2005.02960, which stops at the first optimum; there
the trained accuracy decides, here the score at initialisation does.
"""

from collections.abc import Sequence
from typing import Any

import numpy as np

from tenas_jax.search.learner import Learner
from tenas_jax.spaces import Space

STEPS = 500


class LocalSearch(Learner):
    """Climbs from neighbour to neighbour; see `Strategy` and `Learner`."""

    def __init__(
        self,
        space: Space,
        metrics: Sequence[str],
        seed: int,
        *,
        steps: int = STEPS,
        **options: Any,
    ):
        """Nothing is proposed yet; the arguments are those of `Learner`."""
        super().__init__(space, metrics, seed, steps=steps, **options)
        self._current: int | None = None  # its index in `scored`
        self._waiting: list[list[list[int]]] = []  # neighbours that are not scored yet
        self._around: list[int] = []  # indices of the neighbours that are
        self._restarts = 0

    def _propose(self, rng: np.random.Generator, n: int) -> list[np.ndarray]:
        if self._current is None:
            return [self._admitted(lambda: self.space.sample(rng))]
        return [np.array(arch, np.int8) for arch in self._waiting[:n]]

    def _learn(self, archs: Sequence[np.ndarray], indices: Sequence[int]) -> None:
        if self._current is None:
            self._move(indices[0])
            return
        self._waiting = self._waiting[len(archs) :]
        self._around = [*self._around, *indices]
        if self._waiting:
            return
        # The one that is there comes first, so that an equal one is no reason to move.
        best = self.scored.best(self.combination, [self._current, *self._around])
        if best == self._current:
            self._current, self._restarts = None, self._restarts + 1
        else:
            self._move(best)

    def _move(self, index: int) -> None:
        """Goes to an architecture, and looks at its neighbours."""
        rng = np.random.default_rng([self.seed, self.round, 1])
        around = self.space.neighbours(self.scored.archs[index])
        if self.budget is not None:
            around = [a for a in around if self.budget.admits(self.space.to_mask(a))]
        order = rng.permutation(len(around))
        self._waiting, self._around = [around[i].tolist() for i in order], []
        self._current = index if around else None  # alone within budget: start again

    def _own_entry(self) -> dict[str, float]:
        return {"restarts": self._restarts}

    def _own_state(self) -> dict:
        return {
            "current": self._current,
            "waiting": self._waiting,
            "around": self._around,
            "restarts": self._restarts,
        }

    def _take(self, own: dict) -> None:
        self._current, self._waiting = own["current"], own["waiting"]
        self._around, self._restarts = own["around"], own["restarts"]
