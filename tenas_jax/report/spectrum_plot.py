"""Spectra of kernels: each one's eigenvalues as parts of its largest, of good and bad networks."""

from collections.abc import Mapping, Sequence

import numpy as np
from matplotlib.axes import Axes
from matplotlib.lines import Line2D
from matplotlib.ticker import MaxNLocator

from tenas_jax.errors import UserError, lookup
from tenas_jax.report import style
from tenas_jax.report.headings import write_legend, write_nothing, write_title
from tenas_jax.report.picture import Picture, new_figure, styled
from tenas_jax.report.scales import finite, plain_number, set_scale

MOST_MARKS = 9  # on a line
# group -> how its lines look
GROUPS = {
    "best": {"color": style.KEPT, "linestyle": "solid", "marker": "o"},
    "worst": {"color": "#b3400f", "linestyle": (0, (5, 2)), "marker": "s"},
}


@styled
def spectrum_picture(spectra: Sequence[Mapping], *, title: str) -> Picture:
    """Draws eigenvalues, divided by the largest, against their number: a line an architecture.

    Args:
        spectra: dicts with `arch`, `accuracy`, `group` (of `GROUPS`) and `eigenvalues`, [N] of one
            kernel, the largest first. One that is not positive does not fit the axis: it is a
            gap, and how many there are is said. A kernel whose largest is not is left out.
        title: shown above.

    Raises:
        UserError: there are no spectra, or a group is unknown.
    """
    if not spectra:
        raise UserError("there are no spectra to plot")
    figure = new_figure(*style.PANEL, layout="constrained")
    axes = figure.add_subplot()
    style.frame(axes)
    style.labels(axes, "number of the eigenvalue", "eigenvalue / the largest")
    # The lines.
    hovers, members, gaps, left_out = {}, {}, 0, 0
    for number, spectrum in enumerate(spectra):
        look = lookup("group", GROUPS, spectrum["group"])
        parts = _parts(spectrum["eigenvalues"])
        if parts is None:
            left_out += 1
            continue
        gaps += int(np.isnan(parts).sum())
        members.setdefault(spectrum["group"], []).append(spectrum["accuracy"])
        gid = f"spectrum{number}"
        hovers[gid] = _draw_line(axes, spectrum, parts, look, gid)
    if members:
        axes.margins(0.03, 0.06)
        set_scale(axes, "y", log=True)
        axes.xaxis.set_major_locator(MaxNLocator(integer=True, nbins=8, min_n_ticks=1))
    else:
        write_nothing(axes)
    # What is left out, and what the lines are.
    words = {"fontsize": style.SMALL_SIZE, "color": style.SOFT_INK}
    axes.set_title(_remarks(gaps, left_out), loc="left", **words)
    handles = [Line2D([], [], linewidth=1.6, markersize=5, **GROUPS[name]) for name in members]
    write_legend(figure, handles, [_group(*member) for member in members.items()])
    write_title(figure, title)
    return Picture(figure, hovers)


def _parts(eigenvalues: Sequence[float]) -> np.ndarray | None:
    """Returns parts of the largest, NaN where not positive; None if the largest is not positive."""
    values = finite(eigenvalues)
    if not len(values) or not values[0] > 0:
        return None
    return np.where(values > 0, values, np.nan) / values[0]


def _draw_line(axes: Axes, spectrum: Mapping, parts: np.ndarray, look: Mapping, gid: str) -> list:
    """Draws a line with a few marks; gives the marks' texts."""
    known = np.flatnonzero(np.isfinite(parts))
    marked = sorted({*known[:: -(-len(known) // MOST_MARKS)].tolist(), int(known[-1])})
    lines = {"linewidth": 1.3, "markersize": 4.5, "alpha": 0.85, "markevery": marked}
    axes.plot(np.arange(1, len(parts) + 1), parts, gid=gid, **look, **lines)
    about = f"{spectrum['arch']}\n{spectrum['group']}, accuracy {spectrum['accuracy']:.6g}"
    return [f"{about}\neigenvalue {i + 1}: {plain_number(parts[i])}" for i in marked]


def _group(name: str, accuracies: Sequence[float]) -> str:
    """Says in the legend how many a group has, and how accurate they are."""
    ends = dict.fromkeys(f"{end:.6g}" for end in (min(accuracies), max(accuracies)))
    return f"the {name} {len(accuracies)}, accuracy {' to '.join(ends)}"


def _remarks(gaps: int, left_out: int) -> str:
    """Says what is not drawn."""
    words = [f"gaps: {gaps:,} eigenvalues are not positive"] * bool(gaps)
    words += [f"left out: {left_out:,} kernels without a positive one"] * bool(left_out)
    return " · ".join(words)
