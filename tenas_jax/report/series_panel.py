"""Lines of a number over a search: a metric by round, or a property of its state by steps."""

import math
from collections.abc import Mapping, Sequence

import numpy as np
from matplotlib.axes import Axes
from matplotlib.ticker import LogLocator, MaxNLocator, NullFormatter

from tenas_jax.report import style
from tenas_jax.report.headings import write_nothing
from tenas_jax.report.scales import plain_number, ten_digits

MOST_MARKS = 60  # marks of a line that have a text
WORDS = {
    "diversity": "population diversity (edges)",
    "entropy": "policy entropy (nats an edge)",
    "front": "Pareto front (architectures)",
}


def draw_rounds(
    axes: Axes, rounds: Sequence[Mapping], field: str, title: str, *, log: bool
) -> None:
    """Plots a field over the rounds, with gaps where it is missing; the result has its own mark.

    Args:
        axes: empty.
        rounds: dicts with `round` and the field, which may be None.
        field: what is plotted.
        title: above the line.
        log: whether the axis is logarithmic; it then has gaps where a value is not positive.
    """
    numbers = [entry["round"] for entry in rounds]
    values = [_value(entry[field], log) for entry in rounds]
    style.frame(axes)
    axes.set_title(title, fontsize=style.LABEL_SIZE, color=style.INK, loc="left")
    axes.set_xlabel("round", fontsize=style.SMALL_SIZE, color=style.INK, labelpad=2)
    axes.xaxis.set_major_locator(MaxNLocator(integer=True, nbins=8))
    margin = 0.06 * max(numbers[-1] - numbers[0], 1)
    axes.set_xlim(numbers[0] - margin, numbers[-1] + margin)
    if all(math.isnan(v) for v in values):
        axes.set_yticks([])
        where = {"transform": axes.transAxes, "ha": "center", "va": "center"}
        axes.text(0.5, 0.5, "not recorded", color=style.SOFT_INK, **where)
        return
    if log:
        axes.set_yscale("log")
    axes.plot(numbers, values, **style.SERIES)
    axes.plot(numbers[-1:], values[-1:], **style.FINAL_MARK)
    axes.margins(y=0.15)
    _set_value_ticks(axes, values, log)


def _value(value: float | None, log: bool) -> float:
    """Returns the number to draw, NaN (a gap) where there is none or a log axis cannot show it."""
    usable = value is not None and math.isfinite(value) and (value > 0 or not log)
    return float(value) if usable else math.nan


def _set_value_ticks(axes: Axes, values: Sequence[float], log: bool) -> None:
    """Sets a few plain numbers; a log axis under two decades gets more than powers of ten."""
    if not log:
        axes.yaxis.set_major_locator(MaxNLocator(nbins=4))
        axes.yaxis.set_major_formatter(ten_digits)
        return
    decades = math.log10(np.nanmax(values) / np.nanmin(values))
    if decades < 2:
        low, high = axes.get_ylim()
        subs = (1, 2, 5) if high / low > 4 else (1, 1.5, 2, 3, 4, 5, 6, 7, 8)
        axes.yaxis.set_major_locator(LogLocator(subs=subs))
        axes.yaxis.set_major_formatter(ten_digits)
    axes.yaxis.set_minor_formatter(NullFormatter())


def draw_numbers(axes: Axes, steps: np.ndarray, values: np.ndarray, name: str) -> dict:
    """Draws a number of a search's state over its steps, with a gap where it is not known.

    Args:
        axes: empty.
        steps: [rounds]
        values: [rounds]; NaN where it is not known.
        name: of the number.

    Returns:
        The texts of the marks by their gid.
    """
    style.frame(axes)
    words = WORDS.get(name, name.replace("_", " "))
    axes.set_title(words, loc="left", fontsize=style.LABEL_SIZE, color=style.INK, parse_math=False)
    axes.set_xlabel("steps", fontsize=style.SMALL_SIZE, color=style.INK, labelpad=2)
    known = np.flatnonzero(np.isfinite(values))
    if not len(known):
        write_nothing(axes)
        return {}
    # The line, and marks on it, no more than can be told apart.
    color = style.SERIES["color"]
    axes.plot(steps, values, color=color, linewidth=1.4, zorder=2)
    every = -(-len(known) // MOST_MARKS)
    marked = sorted({*known[::every].tolist(), int(known[-1])})
    size = 4 if len(marked) < 25 else 2.5
    look = {"color": color, "marker": "o", "markersize": size, "linestyle": "none"}
    axes.plot(steps[marked], values[marked], gid=f"series-{name}", zorder=3, **look)
    # Few plain numbers on both axes.
    axes.margins(x=0.04, y=0.12)
    whole = bool((values[known] % 1 == 0).all())
    for axis, integer in ((axes.xaxis, True), (axes.yaxis, whole)):
        axis.set_major_locator(MaxNLocator(nbins=4, integer=integer))
        axis.set_major_formatter(lambda value, _: plain_number(value))
    texts = [f"{words} {values[i]:.5g}\nafter {int(steps[i]):,} steps" for i in marked]
    return {f"series-{name}": texts}
