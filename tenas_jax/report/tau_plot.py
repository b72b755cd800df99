"""Kendall's τ against something that was varied: batch size, repeats or cost; a curve a score."""

from collections.abc import Mapping, Sequence
from typing import NamedTuple

import numpy as np
from matplotlib.axes import Axes

from tenas_jax.errors import UserError
from tenas_jax.report import style
from tenas_jax.report.headings import write_legend, write_nothing, write_title
from tenas_jax.report.picture import Picture, new_figure, styled
from tenas_jax.report.scales import finite, plain_number, set_scale, set_ticks

MOST_TICKS = 8  # whole numbers x that the axis shows at most; beyond, it has its own
DODGE = 0.014  # between curves at one x, as a part of the axis
NEAR = 0.09  # of the axis: numbers that are closer would touch


class _Curve(NamedTuple):
    """Holds a curve: its name, and [points] of x, τ and its interval."""

    name: str
    x: np.ndarray
    tau: np.ndarray
    low: np.ndarray
    high: np.ndarray


@styled
def tau_picture(
    rows: Sequence[Mapping], *, x: str, x_name: str, title: str, log_x: bool = False
) -> Picture:
    """Draws τ with its interval against `x`; curves that share an x stand a little apart there.

    Args:
        rows: dicts with `score`, the key `x`, `tau`, `tau_low` and `tau_high`, and perhaps `label`,
            which with the score names the curve. A `tau` of None is a gap, and so is a bound; a row
            whose x is None (or with `log_x` not positive) is left out.
        x: the key of what was varied.
        x_name: in words, below the axis.
        title: shown above.
        log_x: whether that axis is logarithmic.

    Raises:
        UserError: there are no rows.
    """
    if not rows:
        raise UserError("there are no rows to plot")
    curves = [curve for curve in _curves(rows, x, log_x) if np.isfinite(curve.tau).any()]
    figure = new_figure(*style.PANEL, layout="constrained")
    axes = figure.add_subplot()
    style.frame(axes)
    style.labels(axes, x_name, "Kendall's τ")
    hovers, handles = {}, []
    if not curves:
        write_nothing(axes)
    for number, (curve, shift) in enumerate(zip(curves, _shifts(curves, log_x), strict=True)):
        across = 10 ** (np.log10(curve.x) + shift) if log_x else curve.x + shift
        bars = np.maximum([curve.tau - curve.low, curve.high - curve.tau], 0)
        look = style.curve(number) | {"capsize": 3, "elinewidth": 1.2}
        drawn = axes.errorbar(across, curve.tau, bars, **look)
        drawn.lines[0].set_gid(f"tau{number}")  # given to `errorbar` it would be the bars' too
        handles.append(drawn)
        hovers[f"tau{number}"] = _texts(curve, x_name)
    if curves:
        axes.margins(0.06)
        _set_axes(axes, curves, log_x)
    write_legend(figure, handles, [curve.name for curve in curves])
    write_title(figure, title)
    return Picture(figure, hovers)


def _curves(rows: Sequence[Mapping], x: str, log_x: bool) -> list[_Curve]:
    """Sorts the rows of each score and label by x, in the order in which the curves first come."""
    by_name: dict[str, list[Mapping]] = {}
    for row in rows:
        value = finite([row[x]])[0]
        if np.isnan(value) or (log_x and value <= 0):
            continue
        words = [row["score"].replace("_", " "), row.get("label")]
        by_name.setdefault(", ".join(filter(None, words)), []).append(row)
    curves = []
    for name, some in by_name.items():
        some = sorted(some, key=lambda row: row[x])
        columns = [[row[key] for row in some] for key in (x, "tau", "tau_low", "tau_high")]
        curves.append(_Curve(name, *map(finite, columns)))
    return curves


def _shifts(curves: Sequence[_Curve], log_x: bool) -> list[np.ndarray]:
    """Computes how far each point stands from its x (log: its logarithm), so that no bars meet."""
    values = sorted({float(x) for curve in curves for x in curve.x})
    scale = np.log10(values) if log_x else np.array(values)
    span = float(np.ptp(scale)) if len(values) > 1 else 1.0
    gap = float(np.diff(scale).min()) if len(values) > 1 else 1.0
    shifts = [np.zeros(len(curve.x)) for curve in curves]
    for value in values:
        there = [(i, np.flatnonzero(curve.x == value)) for i, curve in enumerate(curves)]
        there = [(i, at) for i, at in there if len(at)]
        step = min(DODGE * span, 0.6 * gap / len(there))
        for position, (i, at) in enumerate(there):
            shifts[i][at] = step * (position - (len(there) - 1) / 2)
    return shifts


def _texts(curve: _Curve, x_name: str) -> list[str]:
    """Writes what each mark of a curve says."""
    texts = []
    for x, tau, low, high in zip(curve.x, curve.tau, curve.low, curve.high, strict=True):
        if np.isfinite(tau):
            interval = f" [{low:.3f}, {high:.3f}]" if np.isfinite(low + high) else ""
            texts.append(f"{curve.name}\n{x_name} {plain_number(x)}\nτ {tau:.3f}{interval}")
    return texts


def _set_axes(axes: Axes, curves: Sequence[_Curve], log_x: bool) -> None:
    """Sets the scales, ticks at few whole x, and a line at τ = 0 where it lies within."""
    set_scale(axes, "y", log=False)
    set_scale(axes, "x", log=log_x)
    values = np.unique(np.concatenate([curve.x for curve in curves]))
    scale = np.log10(values) if log_x else values
    low, high = np.log10(axes.get_xlim()) if log_x else axes.get_xlim()
    apart = (np.diff(scale) >= NEAR * (high - low)).all()
    if len(values) <= MOST_TICKS and apart and (values == np.round(values)).all():
        set_ticks(axes.xaxis, values)
    bottom, top = axes.get_ylim()
    if bottom < 0 < top:
        axes.axhline(0, color=style.SOFT_INK, linewidth=1, zorder=1)
