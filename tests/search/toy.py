"""Made-up scores for strategies: known, quick, the same for equal forms; and a run in memory."""

import json

import numpy as np

from tenas_jax import spaces
from tenas_jax.scoring.presets import protocol
from tenas_jax.scoring.recorder import recorded
from tenas_jax.scoring.scores import Score
from tenas_jax.search import strategy
from tenas_jax.search.strategy import Past, request_of

METRICS = ("condition_number", "linear_regions", "kernel_regression")
SPACES = {name: spaces.get(name) for name in ("nas_bench_201", "darts")}


class Toy:
    """κ falls with the operations of one name, regions rise with those of another.

    Attributes:
        scored: how many distinct forms were scored.
    """

    def __init__(self, space, bad=()):
        self.space, self.scored, self._known, self._bad = space, 0, {}, bad

    def __call__(self, masks):
        return [self._score(mask) for mask in masks]

    def values(self, arch):
        """(κ, regions, error): the first and the last agree, the second does not."""
        arch = np.asarray(arch)
        weights = np.arange(1, arch.size + 1)
        first = ((arch.ravel() == 3) * weights).sum()
        second = ((arch.ravel() == 2) * weights[::-1]).sum()
        return 1000.0 / (1 + first), 10.0 + second, 1.0 / (2 + first + second)

    def _score(self, mask):
        key = self.space.cache_key(mask)
        if key not in self._known:
            self.scored += 1
            values = self.values(self.space.from_mask(mask))
            if self.scored in self._bad:
                values = (np.nan, values[1], np.nan)
            found = {n: np.array([v]) for n, v in zip(METRICS, values, strict=True)}
            flags = {n: ["ok" if np.isfinite(v[0]) else "singular"] for n, v in found.items()}
            self._known[key] = Score(found, flags, 0.1)
        return self._known[key]


def build(name, space="nas_bench_201", seed=0, metrics=METRICS, budget=None, **options):
    """A strategy by name, with the three metrics."""
    settings = protocol("reference", metrics=metrics)
    return strategy(name, SPACES[space], settings, seed=seed, budget=budget, **options)


def as_read(value):
    """A value as a file gives it back."""
    return json.loads(json.dumps(value, allow_nan=False))


class Memory:
    """What a run would have recorded of a plan."""

    def __init__(self, space):
        self.space, self.lines = space, {}

    def tell(self, plan, scores):
        """Records the scores of what the plan asks, and tells it them."""
        request = request_of(plan)
        for mask, score in zip(plan.ask(), scores, strict=True):
            key = self.space.cache_key(mask)
            line = {"arch": self.space.describe(mask), "encoding": mask.tolist(), "key": key,
                    "draw": request.draw, "round": plan.round, **score.to_record()}  # fmt: skip
            self.lines.setdefault((request.draw, request.metrics, key), line)
        plan.tell(scores)

    def past(self, plan):
        """What the plan is restored by, with its state."""
        records = list(recorded(as_read(list(self.lines.values())), "memory"))
        return Past(as_read(list(getattr(plan, "history", ()))), records, self.space.cache_key)

    def resumed(self, plan, fresh):
        """A fresh plan in the plan's state."""
        fresh.restore(as_read(plan.state()), self.past(plan))
        return fresh


def run(plan, scores, again=None, most=2000, memory=None):
    """Runs a search to its end; `again` makes a fresh strategy, by which it resumes each round."""
    memory = memory or Memory(scores.space if again else None)
    for _ in range(most):
        if plan.done:
            return plan
        if again is None:
            plan.tell(scores(plan.ask()))
            continue
        plan = memory.resumed(plan, again())
        memory.tell(plan, scores(plan.ask()))
    raise AssertionError("the search does not end")
