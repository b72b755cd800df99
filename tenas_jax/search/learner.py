"""What the strategies share that propose architectures and learn from their scores.

Each proposes `batch` architectures at a time, all scored by the same weights and batches (draw 0),
so that scores of different rounds can be compared and a form that comes again costs nothing. All
randomness of a round comes from the seed and the round's number, so that a resumed search asks what
it would have asked.
"""

from collections.abc import Callable, Iterable, Sequence

import numpy as np

from tenas_jax.errors import UserError
from tenas_jax.metrics import metric
from tenas_jax.scoring.combining import combine, goodness
from tenas_jax.scoring.recorder import Recorded
from tenas_jax.scoring.scores import Score
from tenas_jax.search.budget import Budget
from tenas_jax.search.strategy import Past, Request, combination_name, whole_number
from tenas_jax.spaces import Space

PATIENCE = 1000  # proposals over budget in a row, after which there are hardly others
STALLED = 500  # proposals of known forms in a row, after which a search for new ones ends
RECENT = 64  # proposals whose diversity is told, where there is no population


class History:
    """Holds all that a search has scored: distinct forms in the order in which they came.

    Attributes:
        archs: int8 [cells, edges] each, the first that had its form (`Space.cache_key`).
        values: metric -> a mean over repeats for each, NaN where it is bad.
    """

    def __init__(self, space: Space, metrics: Sequence[str]):
        """Holds nothing yet."""
        self._space = space
        self._indices: dict[str, int] = {}
        self.archs: list[np.ndarray] = []
        self.values: dict[str, list[float]] = {name: [] for name in metrics}

    def __len__(self) -> int:
        return len(self.archs)

    def index(self, arch: np.ndarray) -> int | None:
        """Returns where an architecture's form stands, None if it is new."""
        return self._indices.get(self._space.cache_key(self._space.to_mask(arch)))

    def add(self, arch: np.ndarray, score: Score) -> int:
        """Takes a score, if its form is new, and returns where the form stands."""
        key = self._space.cache_key(self._space.to_mask(arch))
        if key not in self._indices:
            self._indices[key] = len(self.archs)
            self.archs.append(np.asarray(arch, np.int8))
            for name, values in self.values.items():
                values.append(score.mean(name))
        return self._indices[key]

    def add_records(self, records: Iterable[Recorded]) -> None:
        """Takes the scores of records, which are of single architectures."""
        for record in records:
            self.add(self._space.from_mask(record.encoding), record.score)

    def goodness(self, among: Sequence[int] | None = None) -> dict[str, np.ndarray]:
        """Returns metric -> [K] of those at some indices, larger is better, NaN where it is bad."""
        chosen = slice(None) if among is None else list(among)
        return {
            name: goodness(np.array(values)[chosen], metric(name).higher_is_better)
            for name, values in self.values.items()
        }

    def best(self, combination: str, among: Sequence[int] | None = None) -> int:
        """Returns the index of the best by a combination over some; of equals the first."""
        chosen = range(len(self)) if among is None else list(among)
        return chosen[int(np.argmax(combine(combination, self.goodness(among))))]


class Learner:
    """Shares what all of them do; see `Strategy` for its methods.

    A subclass proposes (`_propose`) and learns (`_learn`), and gives its own part of the state.

    Attributes:
        round: the current round, from 0.
        done: whether there is nothing left to ask.
        steps: how many proposals were scored or known.
        stalled: how many proposals in a row had known forms, up to the last.
        scored: the distinct forms and their metrics.
        history: a dict a round: steps, forms scored, mean metrics, the best so far, diversity, and
            `proposals`, where the form of each stands in `scored`.
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
        """Holds the answer, once it is done."""
        return self.scored.archs[self._answer()] if self.done else None

    @property
    def incumbents(self) -> list[tuple[int, np.ndarray]]:
        """Lists (forms scored, the answer then), whenever that changed."""
        changes: list[tuple[int, int]] = []
        for entry in self.history:
            if not changes or changes[-1][1] != entry["best"]:
                changes.append((entry["scored"], entry["best"]))
        return [(scored, self.scored.archs[best]) for scored, best in changes]

    def ask(self) -> list[np.ndarray]:
        """Gives the masks of the round's proposals."""
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
        indices = [self.scored.add(a, s) for a, s in zip(archs, scores, strict=True)]
        self._asked = None
        self.steps += len(archs)
        new = len(self.scored) - before
        self.stalled = 0 if new else self.stalled + len(archs)
        self._recent = [*self._recent, *archs][-RECENT:]
        self._learn(archs, indices)
        self.history.append({**self._entry(scores), "proposals": indices, **self._own_entry()})
        self.round += 1
        full = self.count is not None and len(self.scored) >= self.count
        spent = self.steps >= self._most_steps()
        self.done = full or self._lost() or spent or self._ended()

    def state(self) -> dict:
        """Gives the counts, the last proposals, and the strategy's own."""
        return {
            "round": self.round,
            "done": self.done,
            "steps": self.steps,
            "stalled": self.stalled,
            "recent": [arch.tolist() for arch in self._recent],
            "own": self._own_state(),
        }

    def restore(self, state: dict, past: Past) -> None:
        """Takes up a state that `state` gave."""
        self.round, self.done = state["round"], state["done"]
        self.steps, self.stalled = state["steps"], state["stalled"]
        self.history = list(past.rounds)
        self.scored = History(self.space, self.metrics)
        self.scored.add_records(past.records)
        if self.history and self.history[-1]["scored"] != len(self.scored):
            raise ValueError("the records are not those of the rounds")
        self._recent = [np.array(arch, np.int8) for arch in state["recent"]]
        self._asked = None
        self._take(state["own"])

    def _entry(self, scores: Sequence[Score]) -> dict:
        """Says what the report shows of a round."""
        means = {name: np.array([score.mean(name) for score in scores]) for name in self.metrics}
        finite = {name: values[np.isfinite(values)] for name, values in means.items()}
        return {
            "round": self.round,
            "steps": self.steps,
            "scored": len(self.scored),
            **{name: float(v.mean()) if len(v) else None for name, v in finite.items()},
            "best": self._answer(),
            "diversity": diversity(self._population()),
        }

    def _admitted(self, draw: Callable[[], np.ndarray]) -> np.ndarray:
        """Returns the first of some draws that the budget admits."""
        for _ in range(PATIENCE):
            arch = draw()
            if self.budget is None or self.budget.admits(self.space.to_mask(arch)):
                return arch
        raise UserError(f"{PATIENCE} proposals in a row were over budget: allow more")

    def _lost(self) -> bool:
        """Tells whether it looks for new forms, and has proposed known ones alone for long."""
        return self.count is not None and self.stalled >= STALLED

    def _wanted(self) -> int:
        """Says how many proposals are left."""
        return self._most_steps() - self.steps

    def _most_steps(self) -> int:
        """Says after how many proposals it ends."""
        return self.steps_limit

    def _answer(self) -> int:
        """Returns the index of the answer so far: the best of all that was scored."""
        return self.scored.best(self.combination)

    def _population(self) -> Sequence[np.ndarray]:
        """Gives the architectures whose diversity is told."""
        return self._recent

    def _ended(self) -> bool:
        """Tells whether the strategy ends of itself."""
        return False

    def _propose(self, rng: np.random.Generator, n: int) -> list[np.ndarray]:
        """Proposes `n` architectures that the budget admits, or fewer."""
        raise NotImplementedError

    def _learn(self, archs: Sequence[np.ndarray], indices: Sequence[int]) -> None:
        """Takes the proposals and where their forms stand in `scored`."""

    def _own_state(self) -> dict:
        """Gives the strategy's own, as JSON values."""
        return {}

    def _take(self, own: dict) -> None:
        """Takes up what `_own_state` gave; all else is restored."""

    def _own_entry(self) -> dict:
        """Gives what the round's entry says beside, as JSON values."""
        return {}


def diversity(archs: Sequence[np.ndarray]) -> float:
    """Returns the mean over pairs of the number of edges on which two differ; 0 for one."""
    if len(archs) < 2:
        return 0.0
    rows = np.stack([np.asarray(arch).ravel() for arch in archs])
    # On each edge, of all ordered pairs those that have not the same operation.
    count, differ = len(rows), 0
    for column in rows.T:
        shares = np.bincount(column)
        differ += count * count - int((shares * shares).sum())
    return differ / (count * (count - 1))
