"""What measuring tasks leaves: rows in a file as they come, a table and a picture at the end."""

import json
import os
import pathlib
import sys
from collections.abc import Callable, Sequence

from experiments.measure import CASES, FIELDS, Task
from tenas_jax.errors import UserError
from tenas_jax.report.tables import format_table
from tenas_jax.runs.files import atomic_write_text, make_writable


def check_output(path: str | os.PathLike) -> None:
    """Makes the folder of FILE.json and FILE.png, and finds out now whether they can be written.

    Raises:
        UserError: they cannot, or the name has another ending.
    """
    path = pathlib.Path(path)
    if path.suffix != ".json":
        raise UserError(f"cannot write {str(path)!r}: the name must end in .json")
    for file in (path, path.with_suffix(".png")):
        make_writable(file)


def measure_all(
    planned: Sequence[Task], measure: Callable[[Task], dict], path: str | os.PathLike
) -> int:
    """Measures tasks one after the other, and reports.

    A task that cannot be done is told of on standard error, and has no row. The table goes to
    standard output, the picture to FILE.png beside FILE.json.

    Args:
        planned: the tasks.
        measure: gives a task's `row` and the `environment` it was measured in; see `speed.apart`.
        path: FILE.json, an object of the first row's `environment` and the `rows`, written anew
            after each row.

    Returns:
        How many tasks failed other than by a `UserError`.

    Raises:
        UserError: no task could be done, or a file cannot be written.
    """
    path = pathlib.Path(path)
    rows, where, failed = [], None, 0
    for task in planned:
        name = f"{task.case}, engine {task.engine}, n = {task.n}"
        try:
            found = measure(task)
        except (UserError, ChildProcessError) as error:
            failed += isinstance(error, ChildProcessError)
            print(f"left out: {name}: {error}", file=sys.stderr)
            continue
        row, where = found["row"], where or found["environment"]
        rows.append(row)
        atomic_write_text(path, json.dumps({"environment": where, "rows": rows}, indent=2) + "\n")
        print(f"{name}, k = {row['k']}: {row['seconds_median']:.3g} s", file=sys.stderr)
    if not rows:
        raise UserError("nothing could be measured")
    print(format_table(FIELDS, [[row[field] for field in FIELDS] for row in rows]))
    from tenas_jax.report.speed_plot import plot_speed  # matplotlib is no part of a row's memory

    title = f"Seconds on {where['device_kind']}, JAX {where['jax']}"
    plot_speed(rows, CASES, path.with_suffix(".png"), title=title)
    return failed
