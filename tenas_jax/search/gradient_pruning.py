"""Pruning by derivatives: one gradient a round in place of a network a removal.

The scoring network is differentiable in the weights w of the mask's operations, w = 1 / k where k
operations are left on an edge. To take operation o out changes them by

    Δw_o = −1 / k,    Δw_j = 1 / (k (k − 1)) for the k − 1 others on the edge

(by −1 where o is the only one), so that to first order a metric m changes by

    Δ log m = Σ_j ∂ log m / ∂w_j · Δw_j

and by the gradient at the supernet all removals are estimated at once, where `pruning` scores each.
The gain of a removal is −Δ log m where lower is better, +Δ log m where higher is. Gains are
averaged over repeats, ranked, and summed over metrics, and operations are pruned, all as in
`pruning`. A metric without a derivative, such as the number of linear regions, is still scored for
each removal: the thin network costs next to nothing. Where edges are pruned, those into all nodes
are pruned in one round, since no gradient is saved by going node by node.

Source: this library's own. Derivatives in the strength of a connection rank connections in SNIP
(Lee, Ajanthan and Torr, 2019, arXiv:1810.02340), and operations' weights are optimised, by the
training loss, in DARTS (Liu, Simonyan and Yang, 2019, arXiv:1806.09055).
"""

import dataclasses
from collections.abc import Sequence

import numpy as np

from tenas_jax.errors import UserError
from tenas_jax.metrics import METRICS, metric
from tenas_jax.scoring.scores import Score
from tenas_jax.search.pruning import Pruning, Removal
from tenas_jax.search.strategy import Past, Request
from tenas_jax.spaces import Space


class GradientPruning(Pruning):
    """Prunes by derivatives; see `Strategy` for its methods, and `Pruning` for its attributes.

    A round of pruning takes two rounds of asking where some metrics have no derivative: one for the
    supernet with its gradients, and one for these metrics of all removals, in the same draw.
    """

    def __init__(self, space: Space, metrics: Sequence[str], **options):
        """Starts from the space's supernet.

        Args:
            space: what is searched.
            metrics: names of the metrics whose ranks are summed.
            **options: those of `Pruning`.

        Raises:
            UserError: as of `Pruning`; or no metric has a derivative in the mask.
        """
        super().__init__(space, metrics, **options)
        self._estimated = tuple(n for n in self.metrics if metric(n).mask_gradient is not None)
        self._exact = tuple(n for n in self.metrics if n not in self._estimated)
        if not self._estimated:
            valid = ", ".join(name for name, m in METRICS.items() if m.mask_gradient is not None)
            raise UserError(
                f"gradient_pruning needs a metric with a derivative in the mask ({valid}), "
                f"not only {', '.join(self.metrics)}"
            )
        self._whole: Score | None = None  # the supernet's, while its removals are scored

    @property
    def request(self) -> Request:
        """Asks gradients of the supernet first; then, in the same draw, what has none."""
        draw = len(self.history)
        if self._whole is None:
            return Request(draw, self._estimated, gradients=True)
        return Request(draw, self._exact)

    @property
    def incumbents(self) -> list[tuple[int, np.ndarray]]:
        """Lists (networks scored, architecture): the result alone, there is none on the way."""
        if not self.done:
            return []
        removals = sum(1 + len(entry.get("candidates", ())) for entry in self.history)
        return [(len(self.history) + (removals if self._exact else 0), self.result)]

    def ask(self) -> list[np.ndarray]:
        """Gives the round's supernet; or it, and it without each operation that could be pruned."""
        return [self._mask] if self._whole is None else super().ask()

    def tell(self, scores: Sequence[Score]) -> None:
        """Keeps what the supernet's gradients say, and prunes once all is known."""
        if self._whole is None and self._exact:
            self._whole = scores[0]
            self.round += 1
            return
        whole, removals = self._whole or scores[0], self._candidates()
        gains = {name: self.estimates(name, whole, removals) for name in self._estimated}
        for name in self._exact:
            gains[name] = [self._gain(name, scores[0], score) for score in scores[1:]]
        self._whole = None
        self._prune(dataclasses.replace(whole, values=whole.values | scores[0].values), gains)

    def estimates(self, name: str, whole: Score, removals: Sequence[Removal]) -> list[float]:
        """Estimates the gains by removals, one each, as the supernet's gradient has them.

        Args:
            name: of a metric that has a derivative.
            whole: of the supernet, with gradients.
            removals: (cell, edge, operation) of what is taken out.
        """
        gradient = whole.gradients[name]
        usable = np.isfinite(gradient).all((1, 2, 3))
        if not usable.any():
            return [0.0] * len(removals)  # nothing to compare with: all candidates tie
        mean = gradient[usable].mean(0)
        sign = 1 if metric(name).higher_is_better else -1
        return [sign * self._change(mean, removal) for removal in removals]

    def state(self) -> dict:
        """Gives that of `Pruning`, and whether the supernet is scored and its removals are not."""
        return {**super().state(), "halfway": self._whole is not None}

    def restore(self, state: dict, past: Past) -> None:
        """Takes up a state that `state` gave."""
        super().restore(state, past)
        self._whole = None
        if state["halfway"]:
            own = (r.score for r in past.records if r.draw == len(self.history))
            [self._whole] = [score for score in own if score.gradients]

    def _choices(self) -> list[tuple[list[Removal], int]]:
        """Lists those of `Pruning`, but of edges those into all nodes that have too many."""
        if (self._mask.sum(-1) > 1).any():
            return super()._choices()
        return self._edge_choices()

    def _change(self, gradient: np.ndarray, removal: Removal) -> float:
        """Returns Δ log m by a removal, to first order."""
        cell, edge, _ = removal
        left = self._mask[cell, edge].astype(bool)
        count = int(left.sum())
        own = float(gradient[removal])
        if count == 1:
            return -own
        others = float(gradient[cell, edge][left].sum()) - own
        return -own / count + others / (count * (count - 1))
