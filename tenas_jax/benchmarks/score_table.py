"""A table of scores: one row an architecture, written as a stream to CSV or Parquet.

Columns are `arch`, one a metric (the mean over repeats), one `METRIC_flag` a metric, `seed` and
`seconds`. A bad score is empty, and its flag says why; the flag of a good one is `ok`.
"""

import csv
import io
import os
import pathlib
from collections.abc import Iterable, Mapping, Sequence
from itertools import islice
from typing import BinaryIO

import numpy as np

from tenas_jax.benchmarks.parquet import import_pyarrow
from tenas_jax.errors import UserError
from tenas_jax.ntk import FLAGS, NOT_FINITE, OK
from tenas_jax.runs.files import atomic_write_bytes, make_writable
from tenas_jax.scoring.scores import Score

SUFFIXES = (".csv", ".parquet")
FLAG = "_flag"
ROW_GROUP = 1024


def columns(metrics: Sequence[str]) -> dict[str, type]:
    """Names the columns, and says what they hold.

    Raises:
        UserError: a metric has the name of another column.
    """
    flags = {name + FLAG: str for name in metrics}
    own = {"arch": str, "seed": int, "seconds": float, **flags}
    for name in metrics:
        if name in own:
            raise UserError(f"a table has a column {name} of its own: it cannot hold that metric")
    ends = {name: own[name] for name in ("seed", "seconds")}
    return {"arch": str, **dict.fromkeys(metrics, float), **flags, **ends}


def row(arch: str, score: Score, metrics: Sequence[str], seed: int) -> list:
    """Returns an architecture's values, in the order of `columns`; None where a score is bad."""
    means = [score.mean(name) for name in metrics]
    flags = []
    for name, mean in zip(metrics, means, strict=True):
        bad = dict.fromkeys(word for word in score.flags[name] if word != FLAGS[OK])
        flags.append("; ".join(bad) or FLAGS[OK if np.isfinite(mean) else NOT_FINITE])
    means = [mean if np.isfinite(mean) else None for mean in means]
    return [arch, *means, *flags, seed, score.seconds]


def check_output(path: str | os.PathLike) -> None:
    """Makes the table's folder, and raises a `UserError` for what would fail hours later."""
    path = pathlib.Path(path)
    if path.suffix.lower() not in SUFFIXES:
        raise UserError(f"cannot write {str(path)!r}: the name must end in {' or '.join(SUFFIXES)}")
    make_writable(path)
    if path.suffix.lower() == ".parquet":
        import_pyarrow(path)


def write_table(path: str | os.PathLike, metrics: Sequence[str], rows: Iterable[Sequence]) -> None:
    """Writes a table, wholly or not at all, with no more than a group of rows in memory.

    Args:
        path: a name that ends in `.csv` or `.parquet`.
        metrics: in the order of their columns.
        rows: what `row` gives.

    Raises:
        UserError: another name, Parquet without pyarrow, or the file cannot be written.
    """
    check_output(path)
    write = _csv if pathlib.Path(path).suffix.lower() == ".csv" else _parquet
    atomic_write_bytes(path, lambda file: write(file, path, columns(metrics), rows))


def _csv(
    file: BinaryIO, path: str | os.PathLike, types: Mapping[str, type], rows: Iterable[Sequence]
) -> None:
    """Writes rows as CSV."""
    del path
    text = io.TextIOWrapper(file, encoding="utf-8", newline="")
    writer = csv.writer(text, lineterminator="\n")
    writer.writerow(types)
    writer.writerows(rows)  # floats as Python writes them, from which they come back to the bit
    text.detach()  # flushes, and leaves the file open


def _parquet(
    file: BinaryIO, path: str | os.PathLike, types: Mapping[str, type], rows: Iterable[Sequence]
) -> None:
    """Writes rows as Parquet, a group at a time."""
    arrow = import_pyarrow(path)
    kinds = {str: arrow.string(), float: arrow.float64(), int: arrow.int64()}
    schema = arrow.schema([(name, kinds[kind]) for name, kind in types.items()])
    with arrow.parquet.ParquetWriter(file, schema) as writer:
        rows = iter(rows)
        while group := list(islice(rows, ROW_GROUP)):
            arrays = [
                arrow.array(column, field.type)
                for column, field in zip(zip(*group, strict=True), schema, strict=True)
            ]
            writer.write_batch(arrow.record_batch(arrays, schema=schema))
