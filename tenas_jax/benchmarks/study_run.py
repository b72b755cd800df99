"""The scoring of a rank study in a workdir: what was recorded or measured before is not again.

Beside the records the workdir holds

- `seconds.json`: metric -> what one architecture takes of it alone;
- `spectra.json`: `column`, `batch_size` and `spectra`, the kernels' eigenvalues of the best and the
  worst architectures by that column.
"""

import json
from collections.abc import Sequence

import numpy as np

from tenas_jax.benchmarks.rank_study import Scores, scores_of
from tenas_jax.benchmarks.sample import score_sample
from tenas_jax.benchmarks.spectra import extreme_spectra, extremes, metric_seconds
from tenas_jax.metrics import metric
from tenas_jax.runs.files import atomic_write_text
from tenas_jax.runs.json_values import finite, read_object
from tenas_jax.runs.listeners import Listener
from tenas_jax.runs.workdir import Workdir
from tenas_jax.scoring.evaluator import Evaluator

SECONDS = "seconds.json"
SPECTRA = "spectra.json"


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
    scores = score_sample(evaluator, numbers, workdir, listener)
    archs = [space.to_string(space.from_index(i)) for i in numbers]
    seconds = read_object(workdir.path / SECONDS)
    if seconds is None or not set(metrics) <= set(seconds):
        protocol, seed = evaluator.protocol, evaluator.seed
        seconds = metric_seconds(space, evaluator.data, protocol, seed, archs)
        _write(workdir, SECONDS, seconds)
    return scores_of(archs, scores, metrics, {name: seconds[name] for name in metrics})


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


def _write(workdir: Workdir, name: str, value: dict) -> None:
    if workdir.is_writer:
        atomic_write_text(workdir.path / name, json.dumps(finite(value), indent=1) + "\n")
