"""NATS-Bench's topology directory as a table, read through the package `nats_bench`.

The directory that its authors publish, `NATS-tss-v1_0-3ffb9-simple`, holds `meta.pickle.pbz2` (the
architectures) and a file an architecture (its results by number of epochs, data set and seed). They
are pickles, which can run code as they are read: read only those that you trust.

Source: Dong, Liu, Musial and Gabrys, 2021 (NATS-Bench), arXiv:2009.00437. Accuracies are means over
the seeds that have a result, in percent. On CIFAR-10 the validation accuracy is that of networks
trained on half of the training images, the test accuracy that of networks trained on all of them;
on the other two both are of the same networks, and the published test images are split in halves
for validation and test.
"""

import contextlib
import importlib
import os
import pathlib
import pickle
from collections.abc import Callable, Iterator, Mapping, Sequence
from types import ModuleType
from typing import Any

import pandas as pd

from tenas_jax.benchmarks.score_table import check_output
from tenas_jax.benchmarks.table import Table
from tenas_jax.errors import UserError
from tenas_jax.runs.files import atomic_write_bytes, atomic_write_text
from tenas_jax.spaces.space import Space

SPACE = "nas_bench_201"
META = "meta.pickle.pbz2"

# column -> (data set, evaluation set), both as NATS-Bench calls them
SETS = {
    "cifar10_test": ("cifar10", "ori-test"),
    "cifar100_test": ("cifar100", "x-test"),
    "imagenet16_120_test": ("ImageNet16-120", "x-test"),
    "cifar10_val": ("cifar10-valid", "x-valid"),
    "cifar100_val": ("cifar100", "x-valid"),
    "imagenet16_120_val": ("ImageNet16-120", "x-valid"),
}
# what NATS-Bench calls a number of epochs -> what follows the column's name
EPOCHS = {"200": "", "12": "_12ep"}
# column -> what NATS-Bench calls a cost, in millions, of the network for CIFAR-10
COSTS = {"params_m": "params", "flops_m": "flops"}


def read_nats_bench(
    path: str | os.PathLike, space: Space, progress: Callable[[int, int], object] | None = None
) -> Table:
    """Reads all accuracies of a directory, with one architecture in memory at a time.

    Args:
        path: the directory.
        space: NAS-Bench-201.
        progress: called with how many architectures are read, and of how many.

    Returns:
        A table with NATS-Bench's indices, the columns of `SETS` after 200 and after 12 epochs, and
        `COSTS`; NaN where the directory has no result.

    Raises:
        UserError: another space, no such directory, one of other architectures (such as the size
            benchmark's) or that lacks the file of one, a file that cannot be read, or `nats_bench`
            is not installed.
    """
    path = pathlib.Path(path)
    if space.name != SPACE:
        raise UserError(f"{path}: NATS-Bench's directory is of {SPACE}, not of {space.name}")
    if not (path / META).is_file():
        raise UserError(f"{path} is no topology directory of NATS-Bench: it has no {META}")
    # The architectures, and whether all their files are there.
    nats_bench = _import(path)
    with _reading(path / META):
        api = nats_bench.create(str(path), "tss", fast_mode=True, verbose=False)
        archs = [api.arch(index) for index in range(len(api))]
    _check(path, archs, space)  # before minutes of reading
    files = [_file(path, index) for index in range(len(archs))]
    # The results, one after the other.
    rows = []
    for index, file in enumerate(files):
        with _reading(file):
            api.reload(str(path), index)
            numbers = _numbers(api.arch2infos_dict[index])
            rows.append({"index": index, "arch": archs[index], **numbers})
        api.arch2infos_dict.clear()  # else it keeps every architecture that was asked for
        api.evaluated_indexes.clear()
        if progress is not None:
            progress(index + 1, len(files))
    frame = pd.DataFrame(rows)
    return Table(frame.astype({name: float for name in frame.columns[2:]}), space, str(path))


def _numbers(results: Mapping[str, Any]) -> dict[str, float | None]:
    """Returns an architecture's columns of its results by epochs; None where there is none."""
    numbers: dict[str, float | None] = {}
    for hp, suffix in EPOCHS.items():
        for column, (dataset, part) in SETS.items():
            numbers[column + suffix] = _accuracy(results.get(hp), dataset, part)
    costs = _costs(results)
    return numbers | {column: costs.get(name) for column, name in COSTS.items()}


def _accuracy(results: Any | None, dataset: str, part: str) -> float | None:
    """Averages over the seeds that have one after the last epoch; None where none has.

    The package's own mean is the same where every seed has one, and fails otherwise.
    """
    if results is None or dataset not in results.get_dataset_names():
        return None
    trials = results.query(dataset).values()
    last = [trial.eval_acc1es.get(f"{part}@{trial.get_total_epoch() - 1}") for trial in trials]
    known = [accuracy for accuracy in last if accuracy is not None]
    return sum(known) / len(known) if known else None


def _costs(results: Mapping[str, Any]) -> dict[str, float]:
    """Returns those of the first trainings on CIFAR-10 whose costs the package can tell.

    It cannot where there are none, nor where seeds disagree and 888, the one it trusts, is missing.
    """
    for hp in EPOCHS:
        for dataset in ("cifar10", "cifar10-valid"):
            with contextlib.suppress(KeyError, TypeError, ValueError, ZeroDivisionError):
                return results[hp].get_compute_costs(dataset)
    return {}


def _check(path: pathlib.Path, archs: Sequence[str], space: Space) -> None:
    """Raises a `UserError` unless there are architectures, all of the space."""
    if not archs:
        raise UserError(f"{path} is no topology directory of NATS-Bench: {META} names nothing")
    try:
        for arch in archs:
            space.parse(arch)
    except UserError as error:
        raise UserError(f"{path} is no topology directory of NATS-Bench: {error}") from error


def _file(path: pathlib.Path, index: int) -> pathlib.Path:
    """Finds where an architecture's results lie, under either name that NATS-Bench knows."""
    names = [f"{index:06d}.pickle.pbz2", f"{index}.pickle.pbz2"]
    file = next((path / name for name in names if (path / name).is_file()), None)
    if file is None:
        raise UserError(f"{path} is incomplete: it has no {names[0]}")
    return file


def _import(path: pathlib.Path) -> ModuleType:
    """Imports `nats_bench`, or raises a `UserError` that says how to install it."""
    try:
        return importlib.import_module("nats_bench")
    except ImportError as error:
        raise UserError(
            f"{path}: NATS-Bench needs nats_bench (pip install 'tenas_jax[nats_bench]')"
        ) from error


@contextlib.contextmanager
def _reading(file: pathlib.Path) -> Iterator[None]:
    """Turns what a damaged file raises into one line that names it."""
    damaged = (OSError, EOFError, pickle.UnpicklingError, ImportError, ValueError, KeyError,
               TypeError, AttributeError, IndexError, AssertionError)  # fmt: skip
    try:
        yield
    except damaged as error:
        words = " ".join(str(error).split())[:200]
        raise UserError(f"cannot read {file}: {type(error).__name__}: {words}") from error


def write_accuracies(path: str | os.PathLike, table: Table) -> None:
    """Writes a table's indices, architectures and numbers, wholly or not at all.

    Args:
        path: a name that ends in `.csv` or `.parquet`.
        table: what is written.

    Raises:
        UserError: another name, Parquet without pyarrow, or the file cannot be written.
    """
    check_output(path)
    own = {"index": [table.index_of(arch) for arch in table.archs], "arch": table.archs}
    frame = pd.DataFrame(own | {name: table.column(name) for name in table.columns})
    if pathlib.Path(path).suffix.lower() == ".csv":
        text = frame.to_csv(index=False, lineterminator="\n")
        atomic_write_text(path, text)
    else:
        atomic_write_bytes(path, frame.to_parquet)
