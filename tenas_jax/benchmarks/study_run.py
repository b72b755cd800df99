"""The scoring of a rank study in a workdir: what was recorded or measured before is not again.

Beside the records the workdir holds

- `seconds.json`: metric -> what one architecture takes of it alone;
- `spectra.json`: `column`, `batch_size` and `spectra`, the kernels' eigenvalues of the best and the
  worst architectures by that column.
"""

import dataclasses
import json
from collections.abc import Sequence

import jax
import numpy as np

from tenas_jax.benchmarks.rank_study import Scores, scores_of
from tenas_jax.benchmarks.score_space import score_sample
from tenas_jax.data import Images
from tenas_jax.metrics import metric
from tenas_jax.runs.files import atomic_write_text
from tenas_jax.runs.json_values import finite, read_object
from tenas_jax.runs.listeners import Listener
from tenas_jax.runs.workdir import Workdir
from tenas_jax.scoring.evaluator import Evaluator
from tenas_jax.scoring.presets import Protocol
from tenas_jax.spaces import Space

SECONDS = "seconds.json"
SPECTRA = "spectra.json"
GROUP = 5  # architectures of the best, and of the worst
TIMED = 8  # blocks of architectures, as many at once as devices take


def scored(
    evaluator: Evaluator,
    numbers: Sequence[int],
    workdir: Workdir,
    listener: Listener | None = None,
) -> Scores:
    """Scores architectures and times each metric, as far as the workdir does not know.

    Args:
        evaluator: with `share_equal=False`, so that no two scores depend.
        numbers: of the architectures (`Space.index`), no more than fit in memory.
        workdir: open for this run.
        listener: hears of each.
    """
    space, metrics = evaluator.space, evaluator.protocol.metrics
    measured = score_sample(evaluator, numbers, workdir, listener)
    archs = [space.to_string(space.from_index(i)) for i in numbers]
    seconds = read_object(workdir.path / SECONDS)
    if seconds is None or not set(metrics) <= set(seconds):
        protocol, seed = evaluator.protocol, evaluator.seed
        seconds = metric_seconds(space, evaluator.data, protocol, seed, archs)
        _write(workdir, SECONDS, seconds)
    return scores_of(archs, measured, metrics, {name: seconds[name] for name in metrics})


def keep_spectra(
    evaluator: Evaluator, scores: Scores, column: str, accuracy: np.ndarray, workdir: Workdir
) -> None:
    """Writes the spectra of the best and the worst architectures, if a metric takes the kernel.

    Those whose kernel is bad are left out: the worst have often one that is all zero.

    Args:
        evaluator: what scored them.
        scores: of K architectures.
        column: name of the accuracy that says which are the best.
        accuracy: [K]
        workdir: open for this run.
    """
    means = scores.means()
    kernels = [name for name in evaluator.protocol.metrics if "kernel" in metric(name).needs]
    if not kernels:
        return
    usable = np.isfinite([means[name] for name in kernels]).all(0)
    accuracy = np.where(usable, accuracy, np.nan)
    known = read_object(workdir.path / SPECTRA) or {}
    chosen = [scores.archs[i] for _, i in extremes(accuracy)]
    if known.get("column") == column and [s["arch"] for s in known["spectra"]] == chosen:
        return
    spectra = extreme_spectra(evaluator, scores.archs, accuracy)
    size = evaluator.protocol.batch_size
    _write(workdir, SPECTRA, {"column": column, "batch_size": size, "spectra": spectra})


def _write(workdir: Workdir, name: str, known: dict) -> None:
    """Writes a file of the workdir, in the process that writes."""
    if workdir.is_writer:
        atomic_write_text(workdir.path / name, json.dumps(finite(known), indent=1) + "\n")


def extremes(accuracy: np.ndarray, count: int = GROUP) -> list[tuple[str, int]]:
    """Chooses (`best` or `worst`, position) of the highest and the lowest accuracies, NaN left out.

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
    """Computes the kernels' spectra of the `extremes`, in draw 0, repeat 0.

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
    """Times what one architecture takes of each metric alone: the median of some.

    Args:
        space: as for the evaluator that scores them all.
        data: likewise.
        protocol: likewise.
        seed: likewise.
        archs: [K] strings, of which the first are timed.

    Returns:
        metric -> seconds without compiling, all repeats, as many architectures side by side as
        devices take.
    """
    masks = [space.to_mask(space.parse(arch)) for arch in archs[: TIMED * len(jax.devices())]]
    seconds = {}
    for name in protocol.metrics:
        alone = dataclasses.replace(protocol, metrics=(name,))
        evaluator = Evaluator(space, data, alone, seed=seed, share_equal=False)
        list(evaluator.score(masks[:1], 0))  # compiles, and draws what it takes
        seconds[name] = float(np.median([s.seconds for _, _, s, _ in evaluator.score(masks, 0)]))
    return seconds


def _eigenvalues(evaluator: Evaluator, arch: str) -> np.ndarray:
    """Computes the eigenvalues of an architecture's kernel, descending; NaN if it is not finite."""
    space = evaluator.space
    kernel = evaluator.kernel(space.to_mask(space.parse(arch))).astype(np.float64)
    if not np.isfinite(kernel).all():
        return np.full(len(kernel), np.nan)
    return np.linalg.eigvalsh((kernel + kernel.T) / 2)[::-1]
