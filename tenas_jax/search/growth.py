"""Growth of a vision transformer: step by step deeper and wider, by metrics at initialisation.

From (depths, width) a step tries one more block in one of the stages, together with a width that is
5, 10, 15 or 20 % larger, and takes the candidate with the least sum of ranks. Each step is a
network of the family; their sizes rise until a limit.

Source: Chen et al., 2022 (As-ViT), arXiv:2202.11921: from one block a stage and width 8, with what
is grown four times as wide as what is scored, up to 80 to 110 million parameters. Of equal sums of
ranks its program takes a candidate by the metric whose values differ most, relative to the largest;
but it looks at the first two candidates alone, and takes the smaller value even of a metric where
larger is better. Here all that are equal are looked at, by the metric's sign.
"""

import math
from collections.abc import Sequence
from typing import Any

import numpy as np

from tenas_jax.errors import UserError, shorten
from tenas_jax.metrics import metric
from tenas_jax.networks.as_vit.shapes import check_heads, parameters
from tenas_jax.scoring.combining import dense_ranks, goodness
from tenas_jax.scoring.scores import Score
from tenas_jax.search.strategy import Past, number_or_none, whole_number
from tenas_jax.spaces.as_vit.grown import AsVitSizes
from tenas_jax.spaces.as_vit.sizes import Sizes

RATIOS = (0.05, 0.1, 0.15, 0.2)


class Growth:
    """Grows a network step by step; see `Strategy` for its methods.

    Attributes:
        sizes: of the network so far, as it is scored.
        classes: of the network in full.
        history: a dict a step: `sizes` and `string` of the network in full, its `parameters`, its
            mean metrics, and `candidates`: [K] dicts of the same and `rank_sum`; `chosen`, the
            index of the one that was taken.
    """

    def __init__(
        self,
        space: AsVitSizes,
        metrics: Sequence[str],
        *,
        hidden: int = 8,
        depths: Sequence[int] = (1, 1, 1, 1),
        scale: int = 4,
        ratios: Sequence[float] = RATIOS,
        classes: int = 1000,
        least: int | None = 80_000_000,
        most: int = 110_000_000,
    ):
        """Starts small.

        Args:
            space: the sizes of the topology.
            metrics: names of those that rank candidates.
            hidden: width that is scored first.
            depths: blocks of each stage at first.
            scale: how many times wider the network in full is than what is scored.
            ratios: by which a step widens the network.
            classes: of the network in full.
            least: parameters of the network in full at which it is grown; None grows on to `most`.
            most: parameters that no network in full exceeds.

        Raises:
            UserError: a value out of range, or no larger network within `most`.
        """
        self.space, self.metrics = space, tuple(metrics)
        self._scale, self.classes = whole_number("scale", scale), whole_number("classes", classes)
        self._least = None if least is None else whole_number("least", least)
        self._most = whole_number("most", most, self._least or 1)
        self._ratios = [_ratio(value) for value in ratios]
        if not self._ratios:
            raise UserError("ratios are none; give one at least, such as 0.1")
        self.sizes = Sizes(tuple(depths), hidden)
        check_heads(space.topology, self.sizes)
        self.round, self.done, self.history = 0, False, []
        if not self._candidates():
            smallest = self._parameters(min(self._larger(), key=self._parameters))
            raise UserError(
                f"most is {most}, but the smallest larger network has {smallest} parameters"
            )

    @property
    def result(self) -> Sizes | None:
        """Holds the sizes of the grown network in full, once it is done."""
        return self._full(self.sizes) if self.done else None

    def ask(self) -> list[np.ndarray]:
        """Gives the masks of the candidates, as they are scored."""
        return [self.space.to_mask(sizes) for sizes in self._candidates()]

    def tell(self, scores: Sequence[Score]) -> None:
        """Takes the best candidate."""
        candidates = self._candidates()
        values = {name: np.array([s.mean(name) for s in scores]) for name in self.metrics}
        chosen, sums = choose(values)
        entries = [
            {**self._entry(sizes), **_numbers(values, at), "rank_sum": int(sums[at])}
            for at, sizes in enumerate(candidates)
        ]
        self.history.append({**entries[chosen], "chosen": chosen, "candidates": entries})
        self.sizes, self.round = candidates[chosen], self.round + 1
        grown = self._least is not None and entries[chosen]["parameters"] >= self._least
        self.done = grown or not self._candidates()

    def state(self) -> dict:
        """Gives the sizes so far."""
        sizes = [list(self.sizes.depths), self.sizes.hidden]
        return {"round": self.round, "done": self.done, "sizes": sizes}

    def restore(self, state: dict, past: Past) -> None:
        """Takes up a state that `state` gave."""
        (*depths,), hidden = state["sizes"]
        self.sizes, self.history = Sizes(tuple(depths), hidden), list(past.rounds)
        self.round, self.done = state["round"], state["done"]

    def _larger(self) -> list[Sizes]:
        """Lists one more block in each stage, with each width; equal ones once."""
        widths = dict.fromkeys(round(self.sizes.hidden * (1 + r)) for r in self._ratios)
        larger = []
        for stage in range(len(self.sizes.depths)):
            depths = tuple(d + (at == stage) for at, d in enumerate(self.sizes.depths))
            larger += [Sizes(depths, width) for width in widths]
        return larger

    def _candidates(self) -> list[Sizes]:
        """Lists those within the limit."""
        return [sizes for sizes in self._larger() if self._parameters(sizes) <= self._most]

    def _full(self, sizes: Sizes) -> Sizes:
        """Returns what is grown, where these are scored."""
        return sizes._replace(hidden=sizes.hidden * self._scale)

    def _parameters(self, sizes: Sizes) -> int:
        return parameters(self.space.topology, self._full(sizes), classes=self.classes)

    def _entry(self, sizes: Sizes) -> dict[str, Any]:
        full = self._full(sizes)
        return {
            "string": self.space.describe(self.space.to_mask(full)),
            "sizes": [*full.depths, full.hidden],
            "parameters": self._parameters(sizes),
        }


def choose(values: dict[str, np.ndarray]) -> tuple[int, np.ndarray]:
    """Chooses the candidate with the least sum of ranks.

    Equal sums are told apart by the metric that differs most among all candidates, relative to its
    largest size; what is equal there, too, by the order of the candidates.

    Args:
        values: metric -> [K], NaN where it is bad, which ranks last.

    Returns:
        Its index, and the sums: int [K].
    """
    gains = {name: goodness(v, metric(name).higher_is_better) for name, v in values.items()}
    gains = {name: np.where(np.isfinite(gain), gain, -np.inf) for name, gain in gains.items()}
    sums = np.sum([dense_ranks(gain) for gain in gains.values()], axis=0)
    widest = max(values, key=lambda name: _relative_range(values[name]))
    best = np.flatnonzero(sums == sums.min())
    return int(best[gains[widest][best].argmax()]), sums


def _relative_range(values: np.ndarray) -> float:
    known = values[np.isfinite(values)]
    largest = np.abs(known).max(initial=0)
    return float((known.max() - known.min()) / largest) if largest else 0.0


def _numbers(values: dict[str, np.ndarray], at: int) -> dict[str, float | None]:
    """Returns a candidate's metrics; None where one is bad."""
    return {name: number_or_none(column[at]) for name, column in values.items()}


def _ratio(value: Any) -> float:
    number = isinstance(value, int | float) and not isinstance(value, bool)
    if not number or not 0 < value < math.inf:
        raise UserError(f"a ratio of growth is {shorten(value)}; valid: finite numbers above 0")
    return float(value)
