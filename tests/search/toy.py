"""Made-up scores for strategies: known, quick, and the same for equal forms."""

import json

import numpy as np

from tenas_jax import spaces
from tenas_jax.scoring.evaluator import Score
from tenas_jax.scoring.presets import protocol
from tenas_jax.search import strategy

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


def run(plan, scores, again=None, most=2000):
    """Runs a search to its end; `again` makes a fresh strategy, by which it resumes each round."""
    for _ in range(most):
        if plan.done:
            return plan
        if again is not None:
            state = json.loads(json.dumps(plan.state(), allow_nan=False))
            plan = again()
            plan.restore(state)
        plan.tell(scores(plan.ask()))
    raise AssertionError("the search does not end")
