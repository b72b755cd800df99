"""Random search: scores architectures drawn at random, and takes the one that scores best.

It is the floor that a search has to beat at the same number of scored networks. The architectures
are drawn before anything is scored, uniformly over the space but that of equal forms
(`Space.canonical`) only the first counts, and what a budget does not admit is drawn in vain; all
are scored in one draw, by the same weights and batches, and their metrics are combined over all of
them (`tenas_jax.scoring.combining.COMBINATIONS`).

Source: Li and Talwalkar, 2019 (random search as the baseline), arXiv:1902.07638. There the trained
accuracy decides; here the score at initialisation does.
"""

import functools
from collections.abc import Sequence

import numpy as np

from tenas_jax.errors import UserError
from tenas_jax.metrics import metric
from tenas_jax.scoring.combining import combine, goodness
from tenas_jax.scoring.scores import Score
from tenas_jax.search.budget import Budget
from tenas_jax.search.strategy import Past, combination_name, whole_number
from tenas_jax.spaces import Space

PATIENCE = 1000  # draws in vain, in a row, after which there are hardly others


class RandomSearch:
    """Scores random architectures; see `Strategy` for its methods."""

    def __init__(
        self,
        space: Space,
        metrics: Sequence[str],
        seed: int,
        *,
        count: int = 100,
        combination: str = "rank_sum",
        budget: Budget | None = None,
    ):
        """Draws the architectures, or where that takes measuring, leaves it to the first `ask`.

        Args:
            space: what is searched.
            metrics: names of the metrics that are combined.
            seed: of the draws.
            count: how many architectures are scored.
            combination: how, a name in `COMBINATIONS` but `weighted`.
            budget: what an architecture may cost; None for any.

        Raises:
            UserError: an unknown combination, a count that is no whole number from 1, a budget that
                nothing meets, or fewer architectures than `count` that it admits.
        """
        self._count = whole_number("count", count)
        self.metrics, self.combination = tuple(metrics), combination_name(combination)
        self._space, self._seed, self._budget = space, seed, budget
        self._best: list[int] = []  # of the first one, of the first two, ...: which is the best
        if budget is not None:
            budget.check()
        if budget is None or not budget.measures:
            _ = self._archs  # so that a mistake is told before anything is written

    @functools.cached_property
    def _archs(self) -> list[np.ndarray]:
        """Draws them by the seed, so the same whenever that is."""
        rng = np.random.default_rng(self._seed)
        return _different(self._space, rng, self._count, self._budget)

    @property
    def round(self) -> int:
        """Is 0, and 1 once it is done."""
        return int(self.done)

    @property
    def done(self) -> bool:
        """Tells whether the architectures are scored."""
        return bool(self._best)

    @property
    def result(self) -> np.ndarray | None:
        """Holds the architecture that scores best of all; of equals the one drawn first."""
        return self._archs[self._best[-1]] if self._best else None

    @property
    def incumbents(self) -> list[tuple[int, np.ndarray]]:
        """Lists (networks scored, the best of them), whenever that changed."""
        changed = [i for i, best in enumerate(self._best) if i == 0 or best != self._best[i - 1]]
        return [(i + 1, self._archs[self._best[i]]) for i in changed]

    def ask(self) -> list[np.ndarray]:
        """Gives all architectures, in the order in which they were drawn."""
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
        """Tells whether it is done."""
        return {"done": self.done}

    def restore(self, state: dict, past: Past) -> None:
        """Takes up a state that `state` gave."""
        if state["done"]:
            self.tell(past.of(self.ask()))


def _different(
    space: Space, rng: np.random.Generator, count: int, budget: Budget | None
) -> list[np.ndarray]:
    """Draws architectures of different forms; `UserError` where there are not so many."""
    forms: dict[str, np.ndarray] = {}
    misses = refused = 0
    while len(forms) < count:
        arch = space.sample(rng)
        form = space.canonical(arch)
        if form not in forms and (budget is None or budget.admits(space.to_mask(arch))):
            forms[form] = arch
            misses = refused = 0
            continue
        misses, refused = misses + 1, refused + (form not in forms)
        if misses == PATIENCE:
            few = f"{space.name} has hardly more than {len(forms)} forms"
            if refused:
                few += f" within the budget, or they are rare ({PATIENCE} draws in vain)"
            raise UserError(f"{few}, not {count}")
    return list(forms.values())
