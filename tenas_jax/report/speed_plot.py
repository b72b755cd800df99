"""One picture of what things cost: seconds against images N, and against architectures K."""

import itertools
import os
from collections.abc import Mapping, Sequence

import matplotlib
from matplotlib.axes import Axes
from matplotlib.figure import Figure
from matplotlib.ticker import FixedLocator, LogLocator, NullFormatter, NullLocator

from experiments.measure import Case
from tenas_jax.errors import UserError
from tenas_jax.report import style
from tenas_jax.report.picture import new_figure, save_png
from tenas_jax.report.text_size import shrink

# What the rows of a case differ in -> the words below that axis.
AXES = {"n": "images N of the kernel", "k": "architectures K"}
LEGEND_LINE = 0.026  # of the figure's height


def plot_speed(
    rows: Sequence[Mapping], cases: Mapping[str, Case], path: str | os.PathLike, *, title: str
) -> None:
    """Write the picture that `speed_figure` makes to `path`, a PNG of 1600 x 900 pixels.

    Raises:
      UserError: there are no rows, or the file cannot be written.
    """
    figure = speed_figure(rows, cases, title=title)
    save_png(figure, path)


def speed_figure(rows: Sequence[Mapping], cases: Mapping[str, Case], *, title: str) -> Figure:
    """A figure with a line for each name and engine, on logarithmic axes.

    Args:
      rows: dicts with `name`, `engine` (or None), `n`, `k` and, in seconds, `seconds_median`,
        `seconds_min` and `seconds_max`.
      cases: by name; a case that says that its rows differ in nothing is drawn as a level beside N.
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
        looks = itertools.count()
        for column, (axis, content) in enumerate(shown.items()):
            _draw_panel(figure.add_subplot(grid[0, column]), axis, content, looks)
        _draw_texts(figure, title)
    return figure


def _label(name: str, engine: str | None, remark: str) -> str:
    words = name if engine is None else f"{name}, {engine}"
    return f"{words} ({remark})" if remark else words


def _draw_panel(axes: Axes, axis: str, content: Mapping[str, tuple], looks) -> None:
    """All lines that go along one axis, and their legend below."""
    style.frame(axes)
    axes.grid(True, axis="x", color=style.GRID, linewidth=0.8)
    axes.set(xscale="log", yscale="log")
    ticks = sorted({row[axis] for along, some in content.values() if along for row in some})
    for label, (along, some) in content.items():
        look = style.curve(next(looks))
        some = sorted(some, key=lambda row: row[axis])
        middle = [row["seconds_median"] for row in some]
        if along is None:  # A level, from one end of the axis to the other.
            places = [ticks[0], ticks[-1]] if ticks else [0.5, 2.0]
            axes.plot(places, [middle[0]] * 2, label=label, **look)
            continue
        below = [m - row["seconds_min"] for m, row in zip(middle, some, strict=True)]
        above = [row["seconds_max"] - m for m, row in zip(middle, some, strict=True)]
        places = [row[axis] for row in some]
        axes.errorbar(places, middle, [below, above], label=label, capsize=3, **look)
    axes.margins(x=0.08, y=0.12)
    words = {"fontsize": style.LABEL_SIZE, "color": style.INK}
    axes.set_xlabel(AXES[axis] if ticks else "", **words)
    axes.set_ylabel("seconds", **words)
    axes.xaxis.set_major_locator(FixedLocator(ticks) if ticks else NullLocator())
    axes.xaxis.set_minor_locator(NullLocator())
    axes.xaxis.set_major_formatter(_plain_number)
    low, high = axes.get_ylim()
    # Over less than two decades, powers of ten alone are too few.
    axes.yaxis.set_major_locator(LogLocator(subs=(1, 2, 5) if high < 100 * low else (1,)))
    axes.yaxis.set_major_formatter(_plain_number)
    axes.yaxis.set_minor_formatter(NullFormatter())
    place = axes.get_position()
    axes.legend(
        loc="upper left",
        bbox_to_anchor=(place.x0 - 0.01, place.y0 - 0.07),
        bbox_transform=axes.figure.transFigure,
        fontsize=style.SMALL_SIZE,
        frameon=False,
        handlelength=4,
    )


def _draw_texts(figure: Figure, title: str) -> None:
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


def _plain_number(value: float, _: int) -> str:
    return f"{value:,.10g}"
