"""Regularised evolution: the best of a tournament has a child, and the oldest dies.

The population starts at random. A step draws a tournament from it without replacement, mutates its
best (by the combination over the tournament) into a child by one change (`Space.neighbours`,
uniformly), adds the child and drops the oldest, good or bad. The answer is the best of the
population at the end.

Source: Real et al., 2019, arXiv:1802.01548. Population 256, tournament 64 and 1,000 steps, parent
and answer by the rank sum, as in the program of Chen et al., 2021 (TEG-NAS), arXiv:2108.11939. With
a batch of B > 1, B children come of one population, and then the B oldest die.
"""

from collections.abc import Sequence
from typing import Any

import numpy as np

from tenas_jax.errors import UserError
from tenas_jax.search.learner import Learner
from tenas_jax.search.strategy import whole_number
from tenas_jax.spaces import Space

POPULATION, TOURNAMENT, STEPS = 256, 64, 1000


class Evolution(Learner):
    """Evolves a population; see `Strategy` and `Learner`."""

    def __init__(
        self,
        space: Space,
        metrics: Sequence[str],
        seed: int,
        *,
        population: int = POPULATION,
        tournament: int = TOURNAMENT,
        steps: int = STEPS,
        **options: Any,
    ):
        """Nothing is proposed yet.

        Args:
            space, metrics, seed, **options: see `Learner`.
            population: how many live.
            tournament: how many are drawn for a parent.
            steps: children; the first population comes on top.

        Raises:
            UserError: as of `Learner`; a population smaller than the tournament, or not smaller
                than `count`, of which none would be left for children.
        """
        super().__init__(space, metrics, seed, steps=steps, **options)
        self._size = whole_number("population", population)
        self._tournament = whole_number("tournament", tournament)
        if population < tournament:
            raise UserError(
                f"the population of {population} is smaller than the tournament of {tournament}"
            )
        if self.count is not None and self.count <= population:
            raise UserError(
                f"count is {self.count}, and the first population takes {population} of it: "
                "take a smaller population"
            )
        self._living: list[int] = []  # indices of `scored`, the oldest first

    def _most_steps(self) -> int:
        return self._size + self.steps_limit

    def _propose(self, rng: np.random.Generator, n: int) -> list[np.ndarray]:
        missing = self._size - len(self._living)
        if missing > 0:
            draw = lambda: self.space.sample(rng)  # noqa: E731
            return [self._admitted(draw) for _ in range(min(n, missing))]
        return [self._admitted(lambda: self._child(rng)) for _ in range(n)]

    def _child(self, rng: np.random.Generator) -> np.ndarray:
        """Returns a neighbour of the best of a tournament."""
        drawn = rng.choice(len(self._living), self._tournament, replace=False)
        parent = self.scored.best(self.combination, [self._living[i] for i in drawn])
        neighbours = self.space.neighbours(self.scored.archs[parent])
        return neighbours[rng.integers(len(neighbours))]

    def _learn(self, archs: Sequence[np.ndarray], indices: Sequence[int]) -> None:
        self._living = [*self._living, *indices][-self._size :]

    def _answer(self) -> int:
        return self.scored.best(self.combination, self._living)

    def _population(self) -> Sequence[np.ndarray]:
        return [self.scored.archs[index] for index in self._living]

    def _own_state(self) -> dict:
        return {"living": self._living}

    def _take(self, own: dict) -> None:
        self._living = list(own["living"])
