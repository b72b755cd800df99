"""What measuring leaves: rows in a file as they come, a table and a picture at the end.

The picture shows seconds against images N, and against architectures K. It needs matplotlib, which
is no part of a row's memory: a process that measures does not import this module.
"""

import itertools
import json
import os
import pathlib
import sys
from collections.abc import Callable, Iterator, Mapping, Sequence

import matplotlib
from matplotlib.axes import Axes
from matplotlib.figure import Figure
from matplotlib.ticker import FixedLocator, LogLocator, NullFormatter, NullLocator

from experiments.measure.cases import CASES, Case
from experiments.measure.rows import FIELDS
from experiments.measure.work import Task
from tenas_jax.errors import UserError
from tenas_jax.report import style
from tenas_jax.report.headings import shrink
from tenas_jax.report.picture import new_figure, save_png
from tenas_jax.report.scales import ten_digits
from tenas_jax.report.tables import format_table
from tenas_jax.runs.files import atomic_write_text, make_writable

# What the rows of a case differ in -> the words below that axis.
AXES = {"n": "images N of the kernel", "k": "architectures K"}
LEGEND_LINE = 0.026  # of the figure's height


def check_output(path: str | os.PathLike) -> None:
    """Makes the folder of FILE.json and FILE.png, and checks now that they can be written.

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
        measure: gives a task's `row` and the `environment` it was measured in; see
            `rows.measure_apart`.
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
            measured = measure(task)
        except (UserError, ChildProcessError) as error:
            failed += isinstance(error, ChildProcessError)
            print(f"left out: {name}: {error}", file=sys.stderr)
            continue
        row, where = measured["row"], where or measured["environment"]
        rows.append(row)
        atomic_write_text(path, json.dumps({"environment": where, "rows": rows}, indent=2) + "\n")
        print(f"{name}, k = {row['k']}: {row['seconds_median']:.3g} s", file=sys.stderr)
    if not rows:
        raise UserError("nothing could be measured")
    print(format_table(FIELDS, [[row[field] for field in FIELDS] for row in rows]))
    title = f"Seconds on {where['device_kind']}, JAX {where['jax']}"
    save_png(speed_figure(rows, CASES, title=title), path.with_suffix(".png"))
    return failed


def speed_figure(rows: Sequence[Mapping], cases: Mapping[str, Case], *, title: str) -> Figure:
    """Draws a line for each name and engine, on logarithmic axes, 1600 x 900 pixels.

    Args:
        rows: dicts with `name`, `engine` (or None), `n`, `k` and, in seconds, `seconds_median`,
            `seconds_min` and `seconds_max`.
        cases: by name; a case that says that its rows differ in nothing is drawn as a level beside
            N.
        title: shown above; it should name the device.

    Raises:
        UserError: there are no rows.
    """
    if not rows:
        raise UserError("there are no rows to plot")
    lines: dict[tuple, list[Mapping]] = {}
    for row in rows:
        lines.setdefault((row["name"], row["engine"]), []).append(row)
    panels = {axis: {} for axis in AXES}
    for (name, engine), some in lines.items():
        across = cases[name].across
        panels[across or "n"][_label(name, engine, cases[name].remark)] = (across, some)
    shown = {axis: content for axis, content in panels.items() if content}
    with matplotlib.rc_context(style.RC):
        figure = new_figure(*style.SIZE)
        below = 0.12 + LEGEND_LINE * max(map(len, shown.values()))
        grid = figure.add_gridspec(
            1, len(shown), left=0.06, right=0.98, bottom=min(below, 0.6), top=0.84, wspace=0.16
        )
        looks = map(style.curve, itertools.count())
        for column, (axis, content) in enumerate(shown.items()):
            axes = figure.add_subplot(grid[0, column])
            ticks = _draw_lines(axes, axis, content, looks)
            _finish(axes, axis, ticks)
        _draw_texts(figure, title)
    return figure


def _label(name: str, engine: str | None, remark: str) -> str:
    """Names a line: the case, the engine where there is one, and what its seconds are of."""
    words = name if engine is None else f"{name}, {engine}"
    return f"{words} ({remark})" if remark else words


def _draw_lines(
    axes: Axes, axis: str, content: Mapping[str, tuple], looks: Iterator[dict]
) -> list[int]:
    """Draws all lines that go along one axis.

    Args:
        axes: empty.
        axis: a key of `AXES`.
        content: label -> the axis that a line goes along, None for a level, and its rows.
        looks: of the next lines.

    Returns:
        The values on the axis that rows have.
    """
    axes.set(xscale="log", yscale="log")
    ticks = sorted({row[axis] for along, some in content.values() if along for row in some})
    for label, (along, some) in content.items():
        look = next(looks)
        some = sorted(some, key=lambda row: row[axis])
        middle = [row["seconds_median"] for row in some]
        if along is None:  # A level, from one end of the axis to the other.
            ends = [ticks[0], ticks[-1]] if ticks else [0.5, 2.0]
            axes.plot(ends, [middle[0]] * 2, label=label, **look)
            continue
        below = [m - row["seconds_min"] for m, row in zip(middle, some, strict=True)]
        above = [row["seconds_max"] - m for m, row in zip(middle, some, strict=True)]
        x = [row[axis] for row in some]
        axes.errorbar(x, middle, [below, above], label=label, capsize=3, **look)
    return ticks


def _finish(axes: Axes, axis: str, ticks: Sequence[int]) -> None:
    """Sets names, numbers and grid of a panel, and its legend below."""
    style.frame(axes)
    axes.grid(True, axis="x", color=style.GRID, linewidth=0.8)
    axes.margins(x=0.08, y=0.12)
    words = {"fontsize": style.LABEL_SIZE, "color": style.INK}
    axes.set_xlabel(AXES[axis] if ticks else "", **words)
    axes.set_ylabel("seconds", **words)
    axes.xaxis.set_major_locator(FixedLocator(ticks) if ticks else NullLocator())
    axes.xaxis.set_minor_locator(NullLocator())
    axes.xaxis.set_major_formatter(ten_digits)
    low, high = axes.get_ylim()
    # Over less than two decades, powers of ten alone are too few.
    axes.yaxis.set_major_locator(LogLocator(subs=(1, 2, 5) if high < 100 * low else (1,)))
    axes.yaxis.set_major_formatter(ten_digits)
    axes.yaxis.set_minor_formatter(NullFormatter())
    box = axes.get_position()
    axes.legend(
        loc="upper left",
        bbox_to_anchor=(box.x0 - 0.01, box.y0 - 0.07),
        bbox_transform=axes.figure.transFigure,
        fontsize=style.SMALL_SIZE,
        frameon=False,
        handlelength=4,
    )


def _draw_texts(figure: Figure, title: str) -> None:
    """Writes the title, and what the lines and bars are."""
    text = figure.text(
        0.02, 0.935, title, fontsize=style.TITLE_SIZE, fontweight="bold", parse_math=False
    )
    shrink(text, 0.96 * figure.bbox.width)
    figure.text(
        0.02,
        0.885,
        "the median of the runs; bars from the fastest to the slowest",
        fontsize=style.SMALL_SIZE,
        color=style.SOFT_INK,
    )
