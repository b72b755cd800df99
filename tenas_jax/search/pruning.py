"""TE-NAS's search: from the supernet, prune on every edge the operation that matters least.

In each round every operation that remains is taken out by itself, and the supernet without it is
scored. How much a metric m gains by the removal is its relative change, signed so that better is
larger:

    gain = ± (m_without − m_with) / |m_with|        + if higher is better

For κ that is (κ₀ − κ) / κ₀, for regions (R − R₀) / R₀, averaged over repeats. For each metric the
operations are ranked by gain, the largest first, equal gains sharing a rank (dense ranks); ranks
are summed, and on each edge that still has a choice the operations of smallest sum are pruned:
those whose removal helps most. Operation `none` is not in the first supernet.

Source: Chen, Gong and Wang, 2021 (TE-NAS), arXiv:2102.11535. Its program rounds each change to
three decimals and lets means that agree to three significant figures share a rank (`decimals`,
`significant`), which the paper does not say. Equal sums on one edge are settled here by the first
metric's rank, then by the operation's number; in the program by the order of a sort. Where a kernel
is bad (see `tenas_jax.ntk.FLAGS`), the program puts a large number; here a removal that makes it
bad ranks last, and repeats in which the whole supernet's is bad are left out.
"""

from collections.abc import Sequence

import numpy as np

from tenas_jax.evaluate import Score
from tenas_jax.metrics import metric
from tenas_jax.spaces import Space


class Pruning:
    """The strategy; see `Strategy` for its methods.

    Attributes:
        round: the current round, from 0.
        done: whether one operation is left on each edge and that architecture is scored.
        result: that architecture.
        history: a dict a round: its mask, mean metrics, gains of the candidates, what was pruned.
    """

    def __init__(
        self,
        space: Space,
        metrics: Sequence[str],
        *,
        per_round: int = 1,
        decimals: int | None = None,
        significant: int | None = None,
    ):
        """Starts from the space's supernet.

        Args:
            space: what is searched.
            metrics: names of the metrics whose ranks are summed.
            per_round: operations pruned on each edge a round, as long as one remains.
            decimals: decimal places that a repeat's change is rounded to, or None.
            significant: significant figures at which mean changes tie, or None.
        """
        self.space, self.metrics, self.per_round = space, tuple(metrics), per_round
        self.decimals, self.significant = decimals, significant
        self.round, self.done = 0, False
        self.result: np.ndarray | None = None
        self.history: list[dict] = []
        self._mask = space.supernet()

    def ask(self) -> list[np.ndarray]:
        """The round's supernet, then it without each operation that could be pruned."""
        return [self._mask, *(self._without([place]) for place in self._candidates())]

    def tell(self, scores: Sequence[Score]) -> None:
        """Prunes by the scores of what `ask` gave; a last round scores what is left."""
        whole, without = scores[0], scores[1:]
        candidates = self._candidates()
        entry = {
            "round": self.round,
            "mask": self._mask.tolist(),
            **{name: _plain(whole.mean(name)) for name in self.metrics},
            "pruned": [],
        }
        if candidates:
            gains = {
                name: [self._gain(name, whole, score) for score in without] for name in self.metrics
            }
            ranks = np.array([dense_ranks(gains[n], self.significant) for n in self.metrics])
            pruned = self._least(candidates, ranks)
            entry["pruned"] = [list(place) for place in pruned]
            entry["candidates"] = [
                {
                    "operation": list(place),
                    "gains": {name: _plain(gains[name][i]) for name in self.metrics},
                    "rank_sum": int(ranks[:, i].sum()),
                }
                for i, place in enumerate(candidates)
            ]
            self._mask = self._without(pruned)
        else:
            self.done, self.result = True, self.space.from_mask(self._mask)
        self.history.append(entry)
        self.round += 1

    def state(self) -> dict:
        """The mask, the round and the history."""
        return {
            "round": self.round,
            "done": self.done,
            "mask": self._mask.tolist(),
            "history": self.history,
        }

    def restore(self, state: dict) -> None:
        """Takes up a state that `state` gave."""
        self.round, self.done, self.history = state["round"], state["done"], state["history"]
        self._mask = np.array(state["mask"], np.uint8)
        self.result = self.space.from_mask(self._mask) if self.done else None

    def _candidates(self) -> list[tuple[int, int, int]]:
        """(cell, edge, op) of each operation on an edge that has more than one."""
        choice = self._mask.sum(-1, keepdims=True) > 1
        return [tuple(map(int, place)) for place in np.argwhere(self._mask.astype(bool) & choice)]

    def _without(self, places: Sequence[tuple[int, int, int]]) -> np.ndarray:
        mask = self._mask.copy()
        for place in places:
            mask[place] = 0
        return mask

    def _gain(self, name: str, whole: Score, without: Score) -> float:
        """The mean relative improvement by a removal; -inf if the removal makes the metric bad."""
        before, after = whole.values[name], without.values[name]
        usable = np.isfinite(before) & (before != 0)
        if not usable.any():
            return 0.0  # nothing to compare with: all candidates tie
        if not np.isfinite(after[usable]).all():
            return -np.inf
        sign = 1 if metric(name).higher_is_better else -1
        change = sign * (after[usable] - before[usable]) / np.abs(before[usable])
        return float(np.mean(change if self.decimals is None else np.round(change, self.decimals)))

    def _least(self, candidates: list, ranks: np.ndarray) -> list[tuple[int, int, int]]:
        """On each edge the `per_round` candidates of smallest rank sum, leaving at least one."""
        order = np.lexsort((np.arange(len(candidates)), ranks[0], ranks.sum(0)))
        pruned, left = [], self._mask.sum(-1).astype(int)
        taken = np.zeros_like(left)
        for i in order:
            edge = candidates[i][:2]
            if left[edge] > 1 and taken[edge] < self.per_round:
                pruned.append(candidates[i])
                left[edge] -= 1
                taken[edge] += 1
        return sorted(pruned)


def dense_ranks(gains: Sequence[float], significant: int | None = None) -> np.ndarray:
    """Ranks from 0 for the largest gain; equal gains share one and no number is left out.

    Args:
        gains: one a candidate; -inf ranks last.
        significant: significant figures at which gains count as equal; None compares exactly.

    Returns:
        int [candidates]
    """
    rounded = [round_significant(gain, significant) for gain in gains]
    distinct = sorted(set(rounded), reverse=True)
    return np.array([distinct.index(gain) for gain in rounded])


def round_significant(value: float, figures: int | None) -> float:
    """A value to so many significant figures; unchanged for None and for what is not finite."""
    if figures is None or not np.isfinite(value):
        return float(value)
    return float(f"{value:.{figures - 1}e}")


def _plain(value: float) -> float | None:
    """A number for JSON, None for NaN and infinities."""
    return float(value) if np.isfinite(value) else None
