"""How well gradients in the mask rank removals, beside the removals themselves.

A finished search by `pruning` has scored every removal of every round. Here the gradients of each
round's supernet are taken in the same draw, and for each metric that has a derivative

    tau       Kendall's τ-b of the estimated gains with the exact ones, means over repeats
    repeats   the same between the exact gains of two repeats, the mean over pairs of them:
              how well one batch's exact gains say what another's are
    same      of the removals that the exact gains of this metric put first on each edge (or, where
              edges are pruned, into each node), the share that the estimates put first too
"""

import itertools
from collections.abc import Iterable, Iterator, Sequence
from typing import Any

import numpy as np

from tenas_jax.errors import UserError
from tenas_jax.metrics import metric
from tenas_jax.runs.workdir import Workdir
from tenas_jax.scoring.evaluator import Evaluator
from tenas_jax.scoring.recorder import Recorded, recorded
from tenas_jax.scoring.scores import Score
from tenas_jax.search.gradient_pruning import GradientPruning
from tenas_jax.search.pruning import Removal
from tenas_jax.search.strategy import Past
from tenas_jax.spaces import Space


def agreement(evaluator: Evaluator, workdir: Workdir) -> Iterator[dict[str, Any]]:
    """Compares each round that has removals.

    Args:
        evaluator: as the search had it: its space, data, protocol and seed.
        workdir: of a finished search by pruning.

    Yields:
        For each round and metric with a derivative a dict: `round`, `metric`, `removals`, `tau`,
        `repeats` (None for a single repeat), `same`, `gradient_seconds` of the supernet with its
        gradients, and `exact_seconds`, what the supernet takes now without them, in all metrics,
        times the networks of the round.

    Raises:
        UserError: the search is not finished or no pruning, or no metric has a derivative.
    """
    done, rounds = (workdir.load_checkpoint() or {}).get("done"), workdir.rounds()
    if not done or not rounds or "mask" not in rounds[0]:
        raise UserError(f"{workdir.path} holds no finished search by pruning")
    plan = GradientPruning(evaluator.space, evaluator.protocol.metrics)
    scores = _by_round(recorded(workdir.iter_records(), workdir.path))
    for entry in rounds[:-1]:
        state = {"round": 0, "done": False, "mask": entry["mask"], "halfway": False}
        plan.restore(state, Past())
        removals = [tuple(c["operation"]) for c in entry["candidates"]]
        mask = np.array(entry["mask"], np.uint8)
        [(_, _, whole, _)] = evaluator.score(
            [mask], entry["round"], metrics=plan.request.metrics, gradients=True
        )
        [(_, _, now, _)] = evaluator.score([mask], entry["round"])
        own = scores[entry["round"]]
        without = [own[_key(mask, removal)] for removal in removals]
        for name in plan.request.metrics:
            exact = _gains(name, own[_key(mask)], without)
            estimated = np.array(plan.estimates(name, whole, removals))
            yield {
                "round": entry["round"],
                "metric": name,
                "removals": len(removals),
                **compared(estimated, exact, _groups(removals, evaluator.space)),
                "exact_seconds": now.seconds * (1 + len(removals)),
                "gradient_seconds": whole.seconds,
            }


def compared(
    estimated: np.ndarray, exact: np.ndarray, groups: Sequence[Any]
) -> dict[str, float | None]:
    """Compares gains by `tau`, `repeats` and `same`, see the module.

    Args:
        estimated: [K] gains.
        exact: [repeats, K]; -inf where a removal makes the metric bad.
        groups: [K], equal for removals that compete with each other.
    """
    from scipy.stats import kendalltau  # slow to import

    def tau(a, b):
        return float(kendalltau(a, b).statistic)

    mean = exact.mean(0)
    pairs = [tau(a, b) for a, b in itertools.combinations(exact, 2)]
    groups = np.array([str(group) for group in groups])
    hits = [
        estimated[own].argmax() == mean[own].argmax()
        for own in (np.flatnonzero(groups == group) for group in np.unique(groups))
    ]
    return {
        "tau": tau(estimated, mean),
        "repeats": float(np.mean(pairs)) if pairs else None,
        "same": float(np.mean(hits)),
    }


def _by_round(records: Iterable[Recorded]) -> dict[int, dict[bytes, Score]]:
    """Sorts scores: round -> mask -> score."""
    scores: dict[int, dict[bytes, Score]] = {}
    for record in records:
        mask = record.encoding.astype(np.uint8)
        scores.setdefault(record.round, {})[mask.tobytes()] = record.score
    return scores


def _key(mask: np.ndarray, removal: Removal | None = None) -> bytes:
    """Gives a mask, or it without an operation, as a key."""
    mask = mask.copy()
    if removal is not None:
        mask[removal] = 0
    return mask.tobytes()


def _gains(name: str, whole: Score, without: Sequence[Score]) -> np.ndarray:
    """Returns relative improvements, [repeats, K], without repeats that have a bad supernet."""
    before = whole.values[name]
    after = np.array([score.values[name] for score in without]).T
    usable = np.isfinite(before)
    sign = 1 if metric(name).higher_is_better else -1
    gains = sign * (after[usable] - before[usable, None]) / np.abs(before[usable, None])
    return np.where(np.isfinite(gains), gains, -np.inf)


def _groups(removals: Sequence[Removal], space: Space) -> list[tuple]:
    """Says what each removal competes in: an edge, or where edges are pruned a node."""
    edges = [removal[:2] for removal in removals]
    if len(set(edges)) < len(edges):
        return edges
    return [(cell, space.edges[edge][0]) for cell, edge, _ in removals]
