"""All that a search has scored: the distinct forms in the order in which they came."""

from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np

from tenas_jax.metrics import metric
from tenas_jax.scoring.combining import combine, goodness
from tenas_jax.scoring.evaluator import Score
from tenas_jax.spaces import Space


class History:
    """Distinct forms (`Space.cache_key`) and their mean metrics.

    Attributes:
        archs: int8 [cells, edges] each, the first that had its form.
        values: metric -> a mean over repeats for each, NaN where it is bad.
    """

    def __init__(self, space: Space, metrics: Sequence[str]):
        self._space = space
        self._places: dict[str, int] = {}
        self.archs: list[np.ndarray] = []
        self.values: dict[str, list[float]] = {name: [] for name in metrics}

    def __len__(self) -> int:
        return len(self.archs)

    def key(self, arch: np.ndarray) -> str:
        """What architectures share that count as one."""
        return self._space.cache_key(self._space.to_mask(arch))

    def place(self, arch: np.ndarray) -> int | None:
        """Where an architecture's form stands, or None if it is new."""
        return self._places.get(self.key(arch))

    def add(self, arch: np.ndarray, score: Score) -> int:
        """Takes a score, if its form is new; where it stands."""
        key = self.key(arch)
        if key not in self._places:
            self._places[key] = len(self.archs)
            self.archs.append(np.asarray(arch, np.int8))
            for name, values in self.values.items():
                values.append(score.mean(name))
        return self._places[key]

    def goodness(self, among: Sequence[int] | None = None) -> dict[str, np.ndarray]:
        """metric -> [K], larger is better, NaN where it is bad, of those at some places."""
        places = slice(None) if among is None else list(among)
        return {
            name: goodness(np.array(values)[places], metric(name).higher_is_better)
            for name, values in self.values.items()
        }

    def best(self, combination: str, among: Sequence[int] | None = None) -> int:
        """The place of the best by a combination over those at some places; of equals the first."""
        chosen = range(len(self)) if among is None else list(among)
        return chosen[int(np.argmax(combine(combination, self.goodness(among))))]

    def incumbents(self, combination: str) -> list[tuple[int, np.ndarray]]:
        """(forms scored, the best of them), whenever that changed."""
        whole, found = self.goodness(), []
        for scored in range(1, len(self) + 1):
            so_far = {name: column[:scored] for name, column in whole.items()}
            best = int(np.argmax(combine(combination, so_far)))
            if not found or found[-1][1] != best:
                found.append((scored, best))
        return [(scored, self.archs[best]) for scored, best in found]

    def state(self) -> dict[str, Any]:
        """As JSON values."""
        values = {
            name: [float(v) if np.isfinite(v) else None for v in column]
            for name, column in self.values.items()
        }
        return {"archs": [arch.tolist() for arch in self.archs], "values": values}

    def restore(self, state: Mapping[str, Any]) -> None:
        """Takes up what `state` gave."""
        self.archs = [np.array(arch, np.int8) for arch in state["archs"]]
        self.values = {
            name: [np.nan if v is None else float(v) for v in state["values"][name]]
            for name in self.values
        }
        if any(len(column) != len(self.archs) for column in self.values.values()):
            raise ValueError("not one value an architecture")
        self._places = {self.key(arch): i for i, arch in enumerate(self.archs)}


def diversity(archs: Sequence[np.ndarray]) -> float:
    """The mean over pairs of the number of edges on which two architectures differ; 0 for one."""
    if len(archs) < 2:
        return 0.0
    rows = np.stack([np.asarray(arch).ravel() for arch in archs])
    # On each edge, of all ordered pairs those that have not the same operation.
    count, differ = len(rows), 0
    for column in rows.T:
        shares = np.bincount(column)
        differ += count * count - int((shares * shares).sum())
    return differ / (count * (count - 1))
