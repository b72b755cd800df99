"""TE-NAS's search: from the supernet, prune on every edge the operation that matters least.

In each round every operation that remains is taken out by itself, and the supernet without it is
scored. How much a metric m gains by the removal is its relative change, signed so that better is
larger:

    gain = ± (m_without − m_with) / |m_with|        + if higher is better

For κ that is (κ₀ − κ) / κ₀, for regions (R − R₀) / R₀, averaged over repeats. For each metric the
operations are ranked by gain, the largest first, equal gains sharing a rank (dense ranks); ranks
are summed, and on each edge that still has a choice the operations of smallest sum are pruned:
those whose removal helps most. Operation `none` is not in the first supernet.

A space that keeps some edges of each node (`Space.inputs_per_node`) loses the others then: node by
node, each in a round of its own, the edges into it are ranked by the removal of the operation that
is left on them, and those of smallest sum are pruned.

With a budget, what is taken out must leave a supernet that still holds an architecture within it:
other removals are not scored, and where one of smallest sum may not follow those pruned before it
in the round, the next is pruned. The architecture at the end is so within the budget. The search
goes on to that end: a supernet within budget holds an architecture that is (the leanest, see
`Budget.admits`), and to take out what that architecture does not have leaves it the leanest. There
is such an operation wherever several are left on an edge, and such an edge wherever a node has too
many, so that something may always be pruned.

Source: Chen, Gong and Wang, 2021 (TE-NAS), arXiv:2102.11535. Its program rounds each change to
three decimals and lets means that agree to three significant figures share a rank (`decimals`,
`significant`), which the paper does not say. Equal sums on one edge are settled here by the first
metric's rank, then by the operation's number; in the program by the order of a sort. Where a kernel
is bad (see `tenas_jax.ntk.FLAGS`), the program puts a large number; here a removal that makes it
bad ranks last, and repeats in which the whole supernet's is bad are left out.
"""

import itertools
from collections.abc import Mapping, Sequence

import numpy as np

from tenas_jax.errors import UserError
from tenas_jax.metrics import metric
from tenas_jax.scoring.combining import dense_ranks
from tenas_jax.scoring.scores import Score
from tenas_jax.search.budget import Budget
from tenas_jax.search.strategy import Past, number_or_none, whole_number
from tenas_jax.spaces import Space

Removal = tuple[int, int, int]  # cell, edge, operation


class Pruning:
    """Prunes a supernet round by round; see `Strategy` for its methods.

    Attributes:
        round: the current round, from 0.
        done: whether one architecture is left, and is scored.
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
        budget: Budget | None = None,
    ):
        """Starts from the space's supernet.

        Args:
            space: what is searched.
            metrics: names of the metrics whose ranks are summed.
            per_round: operations pruned on each edge a round, as long as one remains (the program:
                1 on NAS-Bench-201; on DARTS 3 for CIFAR-10 and 2 for ImageNet).
            decimals: decimal places that a repeat's change is rounded to, or None.
            significant: significant figures at which mean changes tie, or None.
            budget: what the architecture at the end may cost; None for any.

        Raises:
            UserError: `per_round` is no whole number from 1, or the budget admits nothing in the
                space or in the supernet.
        """
        self.per_round = whole_number("per_round", per_round)
        self.space, self.metrics = space, tuple(metrics)
        self.decimals, self.significant = decimals, significant
        self.round, self.done = 0, False
        self.result: np.ndarray | None = None
        self.history: list[dict] = []
        if not space.has_supernet:
            raise UserError(f"{space.name} has no supernet to prune: take another strategy")
        self._mask, self._budget = space.supernet(), budget
        if budget is not None:
            budget.check()
            if not budget.admits(self._mask):
                raise UserError(f"nothing in the supernet of {space.name} is within the budget")

    @property
    def incumbents(self) -> list[tuple[int, np.ndarray]]:
        """Lists (networks scored, architecture): the result alone, there is none on the way."""
        scored = sum(1 + len(entry.get("candidates", ())) for entry in self.history)
        return [(scored, self.result)] if self.done else []

    def ask(self) -> list[np.ndarray]:
        """Gives the round's supernet, then it without each operation that could be pruned."""
        return [self._mask, *(self._without([removal]) for removal in self._candidates())]

    def tell(self, scores: Sequence[Score]) -> None:
        """Prunes by the scores of what `ask` gave; a last round scores what is left."""
        whole, without = scores[0], scores[1:]
        self._prune(
            whole,
            {name: [self._gain(name, whole, s) for s in without] for name in self.metrics},
        )

    def _prune(self, whole: Score, gains: Mapping[str, Sequence[float]]) -> None:
        """Ends a round: notes it, and prunes.

        Args:
            whole: of the supernet.
            gains: metric -> the gain by the removal of each candidate.
        """
        candidates = self._candidates()
        entry = {
            "round": len(self.history),
            "mask": self._mask.tolist(),
            **{name: number_or_none(whole.mean(name)) for name in self.metrics},
            "pruned": [],
        }
        if candidates:
            ranks = np.array([dense_ranks(gains[n], self.significant) for n in self.metrics])
            pruned = self._least(candidates, ranks)
            entry["pruned"] = [list(removal) for removal in pruned]
            entry["candidates"] = [
                {
                    "operation": list(removal),
                    "gains": {name: number_or_none(gains[name][i]) for name in self.metrics},
                    "rank_sum": int(ranks[:, i].sum()),
                }
                for i, removal in enumerate(candidates)
            ]
            self._mask = self._without(pruned)
        else:
            self.done, self.result = True, self.space.from_mask(self._mask)
        self.history.append(entry)
        self.round += 1

    def state(self) -> dict:
        """Gives the mask and the round."""
        return {"round": self.round, "done": self.done, "mask": self._mask.tolist()}

    def restore(self, state: dict, past: Past) -> None:
        """Takes up a state that `state` gave."""
        self.round, self.done, self.history = state["round"], state["done"], list(past.rounds)
        self._mask = np.array(state["mask"], np.uint8)
        self.result = self.space.from_mask(self._mask) if self.done else None

    def _choices(self) -> list[tuple[list[Removal], int]]:
        """Lists removals that compete with each other, and how many of them are taken this round.

        They are the operations on an edge, or once there is one on each edge, those on the edges
        into the first node that has too many. Empty once an architecture is left.
        """
        left = self._mask.sum(-1)
        choices = [
            (self._left(cell, [edge]), min(self.per_round, int(left[cell, edge]) - 1))
            for cell, edge in np.argwhere(left > 1)
        ]
        return choices or self._edge_choices()[:1]

    def _edge_choices(self) -> list[tuple[list[Removal], int]]:
        """Lists the edges into each node with too many, and how many; none in most spaces."""
        inputs, choices = self.space.inputs_per_node, []
        if inputs is None:
            return choices
        nodes = sorted({node for node, _ in self.space.edges})
        for cell, node in itertools.product(range(self.space.cells), nodes):
            into = [i for i, (target, _) in enumerate(self.space.edges) if target == node]
            removals = self._left(cell, into)
            if len(removals) > inputs:
                choices.append((removals, len(removals) - inputs))
        return choices

    def _left(self, cell: int, edges: Sequence[int]) -> list[Removal]:
        """Lists what is left on some edges of a cell."""
        return [
            (int(cell), int(edge), int(op))
            for edge in edges
            for op in np.flatnonzero(self._mask[cell, edge])
        ]

    def _candidates(self) -> list[Removal]:
        """Lists each operation that could be pruned this round."""
        removals = [removal for removals, _ in self._choices() for removal in removals]
        return [removal for removal in removals if self._may_go([removal])]

    def _may_go(self, removals: Sequence[Removal]) -> bool:
        """Tells whether the supernet without them holds an architecture within the budget."""
        return self._budget is None or self._budget.admits(self._without(removals))

    def _without(self, removals: Sequence[Removal]) -> np.ndarray:
        mask = self._mask.copy()
        for removal in removals:
            mask[removal] = 0
        return mask

    def _gain(self, name: str, whole: Score, without: Score) -> float:
        """Returns the mean relative improvement by a removal; -inf if it makes the metric bad."""
        before, after = whole.values[name], without.values[name]
        usable = np.isfinite(before) & (before != 0)
        if not usable.any():
            return 0.0  # nothing to compare with: all candidates tie
        if not np.isfinite(after[usable]).all():
            return -np.inf
        sign = 1 if metric(name).higher_is_better else -1
        change = sign * (after[usable] - before[usable]) / np.abs(before[usable])
        return float(np.mean(change if self.decimals is None else np.round(change, self.decimals)))

    def _least(self, candidates: list[Removal], ranks: np.ndarray) -> list[Removal]:
        """Takes, of removals that compete, those of smallest rank sum that may go."""
        order = np.lexsort((np.arange(len(candidates)), ranks[0], ranks.sum(0)))
        choices = self._choices()
        group = {removal: n for n, (removals, _) in enumerate(choices) for removal in removals}
        left = [count for _, count in choices]
        pruned: list[Removal] = []
        for removal in (candidates[i] for i in order):
            # Each may go alone; whether it may behind the others is asked of all but the first.
            if left[group[removal]] and (not pruned or self._may_go([*pruned, removal])):
                pruned.append(removal)
                left[group[removal]] -= 1
        return sorted(pruned)
