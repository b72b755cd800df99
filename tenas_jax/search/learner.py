"""What the strategies share that propose architectures and learn from their scores.

Each proposes `batch` architectures at a time, all scored by the same weights and batches (draw 0),
so that scores of different rounds can be compared and a form that comes again costs nothing. All
randomness of a round comes from the seed and the round's number, so that a resumed search asks what
it would have asked.
"""

from collections.abc import Callable, Sequence

import numpy as np

from tenas_jax.errors import UserError
from tenas_jax.scoring.evaluator import Score
from tenas_jax.search.budget import Budget
from tenas_jax.search.history import History, diversity
from tenas_jax.search.options import combination_name, whole_number
from tenas_jax.search.strategy import Request
from tenas_jax.spaces import Space

PATIENCE = 1000  # proposals over budget in a row, after which there are hardly others
STALLED = 500  # proposals of known forms in a row, after which a search for new ones ends
RECENT = 64  # proposals whose diversity is told, where there is no population


class Learner:
    """The base; see `Strategy` for its methods.

    A subclass proposes (`_propose`) and learns (`_learn`), and gives its own part of the state.

    Attributes:
        round: the current round, from 0.
        done: whether there is nothing left to ask.
        steps: how many proposals were scored or known.
        stalled: how many proposals in a row had known forms, up to the last.
        scored: the distinct forms and their metrics.
        history: a dict a round: steps, forms scored, mean metrics, the best so far, diversity.
    """

    def __init__(
        self,
        space: Space,
        metrics: Sequence[str],
        seed: int,
        *,
        steps: int,
        count: int | None = None,
        batch: int = 1,
        combination: str = "rank_sum",
        budget: Budget | None = None,
    ):
        """Nothing is proposed yet.

        Args:
            space: what is searched.
            metrics: names of the metrics.
            seed: of the strategy's choices.
            steps: proposals after which it ends.
            count: forms scored after which it ends; None for no limit. A search that proposes
                nothing but known forms for long (`STALLED`) ends before.
            batch: proposals asked at a time; 1 is the published algorithm.
            combination: of metrics, where one number is needed: in `COMBINATIONS`, not `weighted`.
            budget: what a proposal may cost; None for any.

        Raises:
            UserError: a value that an option does not take, or a budget that nothing meets.
        """
        self.steps_limit = whole_number("steps", steps)
        self.count = None if count is None else whole_number("count", count)
        self.batch = whole_number("batch", batch)
        self.combination = combination_name(combination)
        self.space, self.metrics, self.seed, self.budget = space, tuple(metrics), seed, budget
        if budget is not None:
            budget.check()
        self.round, self.steps, self.done, self.stalled = 0, 0, False, 0
        self.scored = History(space, metrics)
        self.history: list[dict] = []
        self._recent: list[np.ndarray] = []
        self._asked: list[np.ndarray] | None = None
        self.request = Request(draw=0)

    @property
    def result(self) -> np.ndarray | None:
        """The answer, once it is done."""
        return self.scored.archs[self._answer()] if self.done else None

    @property
    def incumbents(self) -> list[tuple[int, np.ndarray]]:
        """(forms scored, the answer then), whenever that changed."""
        found: list[tuple[int, int]] = []
        for entry in self.history:
            if not found or found[-1][1] != entry["best"]:
                found.append((entry["scored"], entry["best"]))
        return [(scored, self.scored.archs[best]) for scored, best in found]

    def ask(self) -> list[np.ndarray]:
        """The masks of the round's proposals."""
        if self._asked is None:
            rng = np.random.default_rng([self.seed, self.round])
            wanted = min(self.batch, self._wanted())
            if self.count is not None:
                wanted = max(1, min(wanted, self.count - len(self.scored)))
            self._asked = self._propose(rng, wanted)
        return [self.space.to_mask(arch) for arch in self._asked]

    def tell(self, scores: Sequence[Score]) -> None:
        """Learns from the scores of what `ask` gave."""
        archs, before = [self.space.from_mask(mask) for mask in self.ask()], len(self.scored)
        places = [self.scored.add(a, s) for a, s in zip(archs, scores, strict=True)]
        self._asked = None
        self.steps += len(archs)
        new = len(self.scored) - before
        self.stalled = 0 if new else self.stalled + len(archs)
        self._recent = [*self._recent, *archs][-RECENT:]
        self._learn(archs, places)
        self.history.append(self._entry(scores))
        self.round += 1
        full = self.count is not None and len(self.scored) >= self.count
        spent = self.steps >= self._most_steps()
        self.done = full or self._lost() or spent or self._ended()

    def state(self) -> dict:
        """All forms and their metrics, the entries of the rounds, and the strategy's own."""
        return {
            "round": self.round,
            "done": self.done,
            "steps": self.steps,
            "stalled": self.stalled,
            **self.scored.state(),
            "recent": [arch.tolist() for arch in self._recent],
            "history": list(self.history),
            "own": {"stalled": self._lost(), **self._own_state()},
        }

    def restore(self, state: dict) -> None:
        """Takes up a state that `state` gave."""
        self.round, self.done = state["round"], state["done"]
        self.steps, self.stalled = state["steps"], state["stalled"]
        self.history = list(state["history"])
        self.scored.restore(state)
        self._recent = [np.array(arch, np.int8) for arch in state["recent"]]
        self._asked = None
        self._take(state["own"])

    def _entry(self, scores: Sequence[Score]) -> dict:
        """What the report shows of a round."""
        means = {name: np.array([score.mean(name) for score in scores]) for name in self.metrics}
        finite = {name: values[np.isfinite(values)] for name, values in means.items()}
        return {
            "round": self.round,
            "steps": self.steps,
            "scored": len(self.scored),
            **{name: float(v.mean()) if len(v) else None for name, v in finite.items()},
            "best": self._answer(),
            "diversity": diversity(self._population()),
            **self._own_entry(),
        }

    def _admitted(self, draw: Callable[[], np.ndarray]) -> np.ndarray:
        """The first of some draws that the budget admits."""
        for _ in range(PATIENCE):
            arch = draw()
            if self.budget is None or self.budget.admits(self.space.to_mask(arch)):
                return arch
        raise UserError(f"{PATIENCE} proposals in a row were over budget: allow more")

    def _lost(self) -> bool:
        """Whether it looks for new forms, and has proposed known ones alone for long."""
        return self.count is not None and self.stalled >= STALLED

    def _wanted(self) -> int:
        """How many proposals are left."""
        return self._most_steps() - self.steps

    def _most_steps(self) -> int:
        """Proposals after which it ends."""
        return self.steps_limit

    def _answer(self) -> int:
        """The place of the answer so far: the best of all that was scored."""
        return self.scored.best(self.combination)

    def _population(self) -> Sequence[np.ndarray]:
        """The architectures whose diversity is told."""
        return self._recent

    def _ended(self) -> bool:
        """Whether the strategy ends of itself."""
        return False

    def _propose(self, rng: np.random.Generator, n: int) -> list[np.ndarray]:
        """`n` architectures that the budget admits, or fewer."""
        raise NotImplementedError

    def _learn(self, archs: Sequence[np.ndarray], places: Sequence[int]) -> None:
        """Takes the proposals and where their forms stand in `scored`."""

    def _own_state(self) -> dict:
        """The strategy's own, as JSON values."""
        return {}

    def _take(self, own: dict) -> None:
        """Takes up what `_own_state` gave."""

    def _own_entry(self) -> dict[str, float]:
        """Numbers of the strategy's own for the round's entry."""
        return {}
