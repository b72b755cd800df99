"""Random search: scores architectures drawn at random, and takes the one that scores best.

It is the floor that a search has to beat at the same number of scored networks. The architectures
are drawn before anything is scored, uniformly over the space but that of equal forms
(`Space.canonical`) only the first counts; all are scored in one draw, by the same weights and
batches, and their metrics are combined over all of them (`tenas_jax.combining.COMBINATIONS`).

Source: Li and Talwalkar, 2019 (random search as the baseline), arXiv:1902.07638. There the trained
accuracy decides; here the score at initialisation does.
"""

from collections.abc import Sequence

import numpy as np

from tenas_jax.combining import COMBINATIONS, combine, goodness
from tenas_jax.errors import UserError, lookup
from tenas_jax.evaluate import Score
from tenas_jax.metrics import metric
from tenas_jax.spaces import Space

PATIENCE = 1000  # draws of a form that was drawn before, in a row, after which there are no others


class RandomSearch:
    """The strategy; see `Strategy` for its methods."""

    def __init__(
        self,
        space: Space,
        metrics: Sequence[str],
        seed: int,
        *,
        count: int = 100,
        combination: str = "rank_sum",
    ):
        """Draws the architectures.

        Args:
            space: what is searched.
            metrics: names of the metrics that are combined.
            seed: of the draws.
            count: how many architectures are scored.
            combination: how, a name in `COMBINATIONS` but `weighted`.

        Raises:
            UserError: an unknown combination, or a count that is no whole number from 1.
        """
        if type(count) is not int or count < 1:
            raise UserError(f"count is {count!r}; valid: whole numbers from 1")
        unweighted = {name: how for name, how in COMBINATIONS.items() if name != "weighted"}
        lookup("combination", unweighted, combination)
        self.metrics, self.combination = tuple(metrics), combination
        self._space = space
        self._archs = _different(space, np.random.default_rng(seed), count)
        self._best: list[int] = []  # of the first one, of the first two, ...: which is the best

    @property
    def round(self) -> int:
        """0, and 1 once it is done."""
        return int(self.done)

    @property
    def done(self) -> bool:
        """Whether the architectures are scored."""
        return bool(self._best)

    @property
    def result(self) -> np.ndarray | None:
        """The architecture that scores best of all; of equals the one drawn first."""
        return self._archs[self._best[-1]] if self._best else None

    @property
    def incumbents(self) -> list[tuple[int, np.ndarray]]:
        """(networks scored, the best of them), whenever that changed."""
        changed = [i for i, best in enumerate(self._best) if i == 0 or best != self._best[i - 1]]
        return [(i + 1, self._archs[self._best[i]]) for i in changed]

    def ask(self) -> list[np.ndarray]:
        """All architectures, in the order in which they were drawn."""
        return [self._space.to_mask(arch) for arch in self._archs]

    def tell(self, scores: Sequence[Score]) -> None:
        """Combines the scores of the first one, the first two, ... and all."""
        columns = {
            name: goodness(
                np.array([score.mean(name) for score in scores]), metric(name).higher_is_better
            )
            for name in self.metrics
        }
        for scored in range(1, len(scores) + 1):
            so_far = {name: column[:scored] for name, column in columns.items()}
            self._best.append(int(np.argmax(combine(self.combination, so_far))))

    def state(self) -> dict:
        """Which was the best of the first one, two, ...; nothing before the scores are told."""
        return {"done": self.done, "best": self._best}

    def restore(self, state: dict) -> None:
        """Takes up a state that `state` gave."""
        best = [int(at) for at in state["best"]]
        if any(not 0 <= at < len(self._archs) for at in best):
            raise ValueError(f"no such architecture among {len(self._archs)}")
        self._best = best


def _different(space: Space, rng: np.random.Generator, count: int) -> list[np.ndarray]:
    """Random architectures of different forms; `UserError` where there are not so many."""
    found: dict[str, np.ndarray] = {}
    misses = 0
    while len(found) < count:
        arch = space.sample(rng)
        before = len(found)
        found.setdefault(space.canonical(arch), arch)
        misses = 0 if len(found) > before else misses + 1
        if misses == PATIENCE:
            raise UserError(f"{space.name} has hardly more than {before} forms, not {count}")
    return list(found.values())
