"""Rewards of a proposal, from its metrics and those of the proposals before.

A metric that is bad counts as the worst value seen so far, or as the value before where there is
none; no number stands for it. TEG-NAS's program does so after a sentinel of −1, and when a worse
value comes later, changes the earlier ones to it, too; here what was rewarded stays.
"""

from collections.abc import Callable, Mapping, Sequence
from typing import Any

import numpy as np

from tenas_jax.metrics import metric
from tenas_jax.scoring.combining import combine, goodness, places

WINDOW = 10  # values whose range a change is relative to; As-ViT takes 20
SMALL = 1e-6  # added to the range


class Change:
    """r_t = Σ_m s_m (m_t − m_{t−1}) / (range of the last W values of m + 1e-6), at first 0.

    s is −1 where lower is better, +1 else; the W include m_t. Source: Chen et al., 2021 (TEG-NAS),
    arXiv:2108.11939, with W = 10; Chen et al., 2022 (As-ViT), arXiv:2202.11921, with 20.
    """

    def __init__(self, metrics: Sequence[str], combination: str, window: int = WINDOW):
        """W is `window`; the combination plays no part."""
        del combination
        self._window = window
        self._recent: dict[str, list[float]] = {name: [] for name in metrics}
        self._worst: dict[str, float | None] = dict.fromkeys(metrics)

    def __call__(self, values: Mapping[str, float]) -> float:
        """The reward of the next proposal, of its mean metrics (NaN where bad)."""
        return float(sum(self._one(name, values[name]) for name in self._recent))

    def _one(self, name: str, value: float) -> float:
        sign = 1 if metric(name).higher_is_better else -1
        recent, worst = self._recent[name], self._worst[name]
        if np.isfinite(value):
            pick = min if sign > 0 else max
            self._worst[name] = float(value if worst is None else pick(worst, value))
        else:
            value = worst
        if value is None:
            return 0.0  # nothing but bad ones so far
        recent.append(float(value))
        del recent[: -self._window]
        if len(recent) < 2:
            return 0.0
        return sign * (recent[-1] - recent[-2]) / (max(recent) - min(recent) + SMALL)

    def state(self) -> dict[str, Any]:
        """As JSON values."""
        recent = {name: list(values) for name, values in self._recent.items()}
        return {"recent": recent, "worst": dict(self._worst)}

    def restore(self, state: Mapping[str, Any]) -> None:
        """Takes up what `state` gave."""
        self._recent = {name: list(state["recent"][name]) for name in self._recent}
        self._worst = {name: state["worst"][name] for name in self._worst}


class Rank:
    """r_t = (place − 1) / (t − 1) − 1/2, the place of the proposal among all t so far, 1 the worst.

    By any combination; equals share a place. It knows no scale, where `Change` knows no level.
    """

    def __init__(self, metrics: Sequence[str], combination: str, window: int = WINDOW):
        """Nothing is known yet; the window plays no part."""
        del window
        self._metrics, self._combination = tuple(metrics), combination
        self._values: dict[str, list[float]] = {name: [] for name in metrics}

    def __call__(self, values: Mapping[str, float]) -> float:
        """The reward of the next proposal, of its mean metrics (NaN where bad)."""
        for name, column in self._values.items():
            column.append(float(values[name]))
        count = len(self._values[self._metrics[0]])
        if count < 2:
            return 0.0
        columns = {n: goodness(v, metric(n).higher_is_better) for n, v in self._values.items()}
        place = places(combine(self._combination, columns))[-1]
        return float((place - 1) / (count - 1) - 0.5)

    def state(self) -> dict[str, Any]:
        """As JSON values."""
        return {
            name: [v if np.isfinite(v) else None for v in column]
            for name, column in self._values.items()
        }

    def restore(self, state: Mapping[str, Any]) -> None:
        """Takes up what `state` gave."""
        self._values = {
            name: [np.nan if v is None else float(v) for v in state[name]] for name in self._values
        }


# name -> (metrics, combination, window) -> a reward
REWARDS: dict[str, Callable] = {"change": Change, "rank": Rank}
