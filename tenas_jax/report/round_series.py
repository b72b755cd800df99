"""A measured value by round: the line of one metric over a search."""

import math
from collections.abc import Mapping, Sequence

import numpy as np
from matplotlib.axes import Axes
from matplotlib.ticker import LogLocator, MaxNLocator, NullFormatter

from tenas_jax.report import style


def draw_series(
    axes: Axes, rounds: Sequence[Mapping], field: str, title: str, *, log: bool
) -> None:
    """Plot `field` over the rounds, with gaps where it is missing; the result has its own mark."""
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
    """The number to draw, NaN (a gap) where there is none or a log axis has no place for it."""
    usable = value is not None and math.isfinite(value) and (value > 0 or not log)
    return float(value) if usable else math.nan


def _set_value_ticks(axes: Axes, values: Sequence[float], log: bool) -> None:
    """A few plain numbers; a log axis over less than two decades gets more than powers of ten."""
    if not log:
        axes.yaxis.set_major_locator(MaxNLocator(nbins=4))
        axes.yaxis.set_major_formatter(_plain_number)
        return
    decades = math.log10(np.nanmax(values) / np.nanmin(values))
    if decades < 2:
        low, high = axes.get_ylim()
        subs = (1, 2, 5) if high / low > 4 else (1, 1.5, 2, 3, 4, 5, 6, 7, 8)
        axes.yaxis.set_major_locator(LogLocator(subs=subs))
        axes.yaxis.set_major_formatter(_plain_number)
    axes.yaxis.set_minor_formatter(NullFormatter())


def _plain_number(value: float, _: int) -> str:
    return f"{value:,.10g}"
