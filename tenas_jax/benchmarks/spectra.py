"""Kernels' eigenvalues of the best and the worst architectures, and what each metric costs."""

import dataclasses
from collections.abc import Sequence

import jax
import numpy as np

from tenas_jax.data import Images
from tenas_jax.scoring.evaluator import Evaluator
from tenas_jax.scoring.presets import Protocol
from tenas_jax.spaces import Space

GROUP = 5  # architectures of the best, and of the worst
TIMED = 8  # blocks of architectures, as many at once as devices take


def extremes(accuracy: np.ndarray, count: int = GROUP) -> list[tuple[str, int]]:
    """(`best` or `worst`, position) of the highest and the lowest accuracies, NaN left out.

    Args:
        accuracy: [K]
        count: of each group, or half of what there is.
    """
    order = [int(i) for i in np.argsort(accuracy, kind="stable") if np.isfinite(accuracy[i])]
    count = min(count, len(order) // 2)
    return [("best", i) for i in order[::-1][:count]] + [("worst", i) for i in order[:count]]


def extreme_spectra(
    evaluator: Evaluator, archs: Sequence[str], accuracy: np.ndarray, count: int = GROUP
) -> list[dict]:
    """The kernels' spectra of the `extremes`, in draw 0, repeat 0.

    Args:
        evaluator: has a metric that takes the kernel.
        archs: [K] strings.
        accuracy: [K]
        count: see `extremes`.

    Returns:
        A dict an architecture: `arch`, `accuracy`, `group` (`best` or `worst`) and `eigenvalues`,
        [N] descending, computed in float64 from the kernel as it is; all NaN if it is not finite.
    """
    return [
        {
            "arch": archs[i],
            "accuracy": float(accuracy[i]),
            "group": group,
            "eigenvalues": _eigenvalues(evaluator, archs[i]).tolist(),
        }
        for group, i in extremes(accuracy, count)
    ]


def metric_seconds(
    space: Space, data: Images, protocol: Protocol, seed: int, archs: Sequence[str]
) -> dict[str, float]:
    """What one architecture takes of each metric alone: the median of some, compiling apart.

    Args:
        space, data, protocol, seed: as for the evaluator that scores them all.
        archs: [K] strings, of which the first are timed.

    Returns:
        metric -> seconds, all repeats, as many architectures side by side as devices take.
    """
    masks = [space.to_mask(space.parse(arch)) for arch in archs[: TIMED * len(jax.devices())]]
    found = {}
    for name in protocol.metrics:
        alone = dataclasses.replace(protocol, metrics=(name,))
        evaluator = Evaluator(space, data, alone, seed=seed, share_equal=False)
        list(evaluator.score(masks[:1], 0))  # compiles, and draws what it takes
        found[name] = float(np.median([s.seconds for _, _, s, _ in evaluator.score(masks, 0)]))
    return found


def _eigenvalues(evaluator: Evaluator, arch: str) -> np.ndarray:
    space = evaluator.space
    kernel = evaluator.kernel(space.to_mask(space.parse(arch))).astype(np.float64)
    if not np.isfinite(kernel).all():
        return np.full(len(kernel), np.nan)
    return np.linalg.eigvalsh((kernel + kernel.T) / 2)[::-1]
