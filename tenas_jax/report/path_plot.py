"""The way of a pruning search: the supernet's metrics, round by round, over each pair of them."""

import itertools
from collections.abc import Mapping, Sequence

import numpy as np
from matplotlib.axes import Axes
from matplotlib.transforms import Bbox

from tenas_jax.errors import UserError
from tenas_jax.metrics import METRICS
from tenas_jax.report import style
from tenas_jax.report.headings import text_extent, write_legend, write_nothing, write_title
from tenas_jax.report.picture import Picture, new_figure, styled
from tenas_jax.report.pruning_plot import SERIES
from tenas_jax.report.scales import finite, is_wide, plain_number, set_scale

ACROSS = 3  # panels in a row
FIRST_MARK = {"color": style.KEPT, "marker": "s", "markersize": 9, "linestyle": "none"}
BACKING = {"facecolor": style.PAPER, "edgecolor": "none", "alpha": 0.8, "pad": 0.6}
# Where the number of a round may stand, in points from its mark: beside it, then further away.
OFFSETS = [
    (radius * x, radius * y)
    for radius in (13, 22)
    for x, y in (
        (0, 1),
        (0.8, 0.7),
        (1, 0),
        (-0.8, 0.7),
        (-1, 0),
        (0.8, -0.7),
        (0, -1),
        (-0.8, -0.7),
    )
]


@styled
def path_picture(history: Sequence[Mapping], *metrics: str, title: str) -> Picture:
    """Draws the supernet's path over metrics, a panel a pair; marks are numbered if there is room.

    Args:
        history: dicts with `round`, `mask` [cells][edges][ops] before the round's pruning, and the
            supernet's value of each metric, or None. A round in which one is not known is a gap.
            The last one is the result, unless something was `pruned` in it.
        *metrics: names of two or more.
        title: shown above.

    Raises:
        UserError: there are no rounds, fewer than two metrics, or a round lacks one.
    """
    if not history:
        raise UserError("there are no rounds to plot")
    if len(metrics) < 2:
        raise UserError(f"a path is drawn over two metrics or more, not {', '.join(metrics)}")
    for entry in history:
        for name in metrics:
            if name not in entry:
                raise UserError(f"round {entry['round']} has no {name}")
    pairs = list(itertools.combinations(metrics, 2))
    columns = min(len(pairs), ACROSS)
    rows = -(-len(pairs) // columns)
    width, height = style.PANEL if len(pairs) == 1 else style.SMALL_PANEL
    figure = new_figure(columns * width, rows * height, layout="constrained")
    panels = figure.subplots(rows, columns, squeeze=False).ravel()
    hovers, handles, drawn = {}, {}, []
    for number, (axes, pair) in enumerate(zip(panels, pairs, strict=False)):
        known = _draw_pair(axes, history, *pair)
        drawn.append((axes, *known))
        end = "latest round" if history[-1].get("pruned") else "result"
        texts = [_text(entry, *pair) for entry in history]
        marks, own = _draw_path(axes, *known, texts, end, f"-{number}" if number else "")
        hovers |= marks
        handles |= own
        _set_scales(axes, *known)
    for axes in panels[len(pairs) :]:
        axes.set_axis_off()
    write_legend(figure, list(handles.values()), list(handles))
    write_title(figure, title)
    figure.draw_without_rendering()  # The layout decides where there is room for numbers.
    numbers = np.array([entry["round"] for entry in history])
    for axes, across, up in drawn:
        known = np.isfinite(across)
        _write_numbers(axes, across[known], up[known], numbers[known])
    return Picture(figure, hovers)


def _draw_pair(
    axes: Axes, history: Sequence[Mapping], x: str, y: str
) -> tuple[np.ndarray, np.ndarray]:
    """Names the axes of two metrics; gives both's values [rounds], NaN where one is not known."""
    style.frame(axes)
    style.labels(axes, _axis_words(x), _axis_words(y))
    across, up = (finite(entry[name] for entry in history) for name in (x, y))
    known = np.isfinite(across) & np.isfinite(up)
    if not known.any():
        write_nothing(axes)
    return np.where(known, across, np.nan), np.where(known, up, np.nan)


def _set_scales(axes: Axes, across: np.ndarray, up: np.ndarray) -> None:
    """Sets both scales, where anything is shown."""
    if np.isfinite(across).any():
        axes.margins(0.1)
        set_scale(axes, "x", log=is_wide(across))
        set_scale(axes, "y", log=is_wide(up))


def _axis_words(name: str) -> str:
    """Puts a metric into words, and says which way it is better."""
    words, _ = SERIES.get(name, (name.replace("_", " "), False))
    if name not in METRICS:
        return words
    return f"{words} ({'higher' if METRICS[name].higher_is_better else 'lower'} is better)"


def _text(entry: Mapping, x: str, y: str) -> str:
    """Writes what the mark of a round says."""
    values = [f"{SERIES.get(n, (n.replace('_', ' '),))[0]} {_number(entry[n])}" for n in (x, y)]
    left = f"operations left {int(np.sum(entry['mask']))}"
    return "\n".join([f"round {entry['round']}", *values, left])


def _number(value: float | None) -> str:
    """Writes a metric's value, or that it is not known."""
    return "not known" if value is None else plain_number(value)


def _draw_path(
    axes: Axes,
    across: np.ndarray,
    up: np.ndarray,
    texts: Sequence[str],
    end: str,
    suffix: str,
) -> tuple[dict, dict]:
    """Draws the line and its marks; gives the marks' texts by gid, and what the legend explains."""
    axes.plot(across, up, color=style.SERIES["color"], linewidth=1.5, zorder=2)
    last = len(across) - 1
    kinds = {
        "first round": ("first", [0] if last else [], FIRST_MARK),
        "rounds between": ("between", range(1, last), style.SERIES | {"linestyle": "none"}),
        end: ("last", [last], style.FINAL_MARK),
    }
    hovers, handles = {}, {}
    for label, (name, rounds, look) in kinds.items():
        gid = name + suffix
        shown = [i for i in rounds if np.isfinite(across[i])]
        if shown:
            [handles[label]] = axes.plot(across[shown], up[shown], gid=gid, zorder=3, **look)
            hovers[gid] = [texts[i] for i in shown]
    return hovers, handles


def _write_numbers(axes: Axes, across: np.ndarray, up: np.ndarray, rounds: np.ndarray) -> None:
    """Writes each round's number beside its mark, where it touches neither mark nor number."""
    points = axes.figure.dpi / 72
    marks = axes.transData.transform(np.column_stack([across, up]))
    taken = [Bbox.from_bounds(a - 5 * points, b - 5 * points, *[10 * points] * 2) for a, b in marks]
    for x, y, number in zip(across, up, rounds, strict=True):
        look = {"fontsize": style.SMALL_SIZE, "color": style.INK, "ha": "center", "va": "center"}
        beside = {"textcoords": "offset points", "annotation_clip": False}
        label = axes.annotate(str(number), (x, y), OFFSETS[0], bbox=BACKING, **beside, **look)
        label.set_in_layout(False)
        for offset in OFFSETS:
            label.set_position(offset)
            box = text_extent(label)
            if axes.bbox.contains(box.x0, box.y0) and axes.bbox.contains(box.x1, box.y1):
                if not any(box.overlaps(other) for other in taken):
                    taken.append(box)
                    break
        else:
            label.remove()
