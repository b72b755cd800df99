"""One picture of a pruning search: what went when, the supernet's scores, what is left."""

import itertools
import math
import os
from collections.abc import Mapping, Sequence

import matplotlib
import numpy as np
from matplotlib.axes import Axes
from matplotlib.backends.backend_agg import FigureCanvasAgg
from matplotlib.figure import Figure
from matplotlib.gridspec import GridSpec
from matplotlib.lines import Line2D
from matplotlib.patches import Circle, FancyArrowPatch, Rectangle
from matplotlib.text import Text
from matplotlib.ticker import LogLocator, MaxNLocator, NullFormatter
from matplotlib.transforms import Bbox

from tenas_jax.errors import UserError
from tenas_jax.records import atomic_write_bytes
from tenas_jax.report import style

KEPT = -1
ABSENT = -2

_GRID_TOP = 0.89  # Where the names of a grid's columns may begin, as a part of the figure.


def plot_pruning(
    space_operations: Sequence[str],
    edges: Sequence[tuple[int, int]],
    rounds: Sequence[Mapping],
    path: str | os.PathLike,
    *,
    title: str,
) -> None:
    """Write the picture that `pruning_figure` makes to `path`, a PNG of 1600 x 900 pixels.

    Raises:
      UserError: the rounds do not fit the space, or the file cannot be written.
    """
    figure = pruning_figure(space_operations, edges, rounds, title=title)
    with matplotlib.rc_context(style.RC):
        atomic_write_bytes(path, lambda f: figure.savefig(f, format="png", dpi=style.DPI))


def pruning_figure(
    space_operations: Sequence[str],
    edges: Sequence[tuple[int, int]],
    rounds: Sequence[Mapping],
    *,
    title: str,
) -> Figure:
    """A figure with, for each cell, the round each operation was pruned in and the final graph.

    Args:
      space_operations: the names of the operations, in the mask's order.
      edges: (source, target) of each edge, in the mask's order.
      rounds: one dict a round: `round`; `mask` [cells][edges][ops] before the round's pruning;
        `condition_number` and `linear_regions` of the supernet, or None; `pruned`, a list of
        [cell, edge, op]. The last one is the final architecture, whose `pruned` is empty.
      title: shown above.

    Raises:
      UserError: there are no rounds, or a mask does not fit the edges and operations.
    """
    when = pruning_rounds(rounds, len(edges), len(space_operations))
    final = np.asarray(rounds[-1]["mask"])
    with matplotlib.rc_context(style.RC):
        figure = Figure(figsize=style.SIZE, dpi=style.DPI, facecolor=style.PAPER)
        FigureCanvasAgg(figure)
        grids, kappa, regions, graphs = _layout(figure, len(final))
        names = [""] if len(final) == 1 else [f"cell {i}" for i in range(len(final))]
        shown = [entry["round"] for entry in rounds]
        for axes, cell, name in zip(grids, when, names, strict=True):
            _draw_grid(axes, cell, space_operations, edges, shown, name)
        for axes in grids[1:] if len(grids) > 2 else ():
            axes.tick_params(labelleft=False)  # No room, and the rows are those of the first.
        _draw_series(kappa, rounds, "condition_number", "NTK condition number κ", log=True)
        _draw_series(regions, rounds, "linear_regions", "Linear regions", log=False)
        for axes, mask, name in zip(graphs, final, names, strict=True):
            _draw_cell(axes, mask, space_operations, edges, name)
        _draw_texts(figure, title, "Resulting cell" if len(final) == 1 else "Resulting cells")
        if kappa.lines or regions.lines:
            _draw_legend(figure)
    return figure


def pruning_rounds(rounds: Sequence[Mapping], edge_count: int, op_count: int) -> np.ndarray:
    """[cells, edges, ops]: the round an operation was pruned in, or `KEPT`, or `ABSENT`.

    Raises:
      UserError: there are no rounds, or a mask has another shape.
    """
    if not rounds:
        raise UserError("there are no rounds to plot")
    masks = [np.asarray(entry["mask"]) for entry in rounds]
    for entry, mask in zip(rounds, masks, strict=True):
        shape = (len(masks[0]), edge_count, op_count)
        if mask.shape != shape:
            raise UserError(f"round {entry['round']}: the mask is {mask.shape}, not {shape}")
    when = np.where(masks[-1] > 0, KEPT, ABSENT)
    # What left without being listed (a search may drop whole edges at its end) shows by its mask.
    for entry, before, after in zip(rounds, masks, masks[1:], strict=False):
        when[(before > 0) & (after == 0)] = entry["round"]
    for entry in rounds:
        for place in entry["pruned"]:
            when[tuple(place)] = entry["round"]
    return when


def _layout(figure: Figure, cells: int) -> tuple[list[Axes], Axes, Axes, list[Axes]]:
    """Axes for the grids (left), the two series (right, above) and the cells (right, below)."""
    left = GridSpec(1, cells, figure, left=0.045, right=0.475, bottom=0.085, top=0.76, wspace=0.16)
    top = GridSpec(1, 2, figure, left=0.555, right=0.985, bottom=0.655, top=0.845, wspace=0.26)
    # Cells lie one below the other: their graphs are wide, as labels stand between the nodes.
    low = GridSpec(cells, 1, figure, left=0.51, right=0.99, bottom=0.03, top=0.535, hspace=0.08)
    grids = [figure.add_subplot(left[0, i]) for i in range(cells)]
    kappa, regions = (figure.add_subplot(top[0, i]) for i in range(2))
    graphs = [figure.add_subplot(low[i, 0]) for i in range(cells)]
    return grids, kappa, regions, graphs


def _draw_texts(figure: Figure, title: str, result: str) -> None:
    heading = {"fontsize": style.HEADING_SIZE, "fontweight": "bold", "color": style.INK}
    text = figure.text(
        0.02, 0.955, title, fontsize=style.TITLE_SIZE, fontweight="bold", parse_math=False
    )
    _shrink(text, 0.96 * figure.bbox.width)
    figure.text(0.02, 0.9, "When each operation was pruned", **heading)
    figure.text(0.52, 0.9, "Supernet by round", **heading)
    figure.text(0.52, 0.555, result, **heading)
    figure.text(
        0.02,
        0.025,
        "number: the round an operation was pruned in, darker is later;   kept: in the result;"
        "   ·: was never there",
        fontsize=style.SMALL_SIZE,
        color=style.SOFT_INK,
    )


def _draw_legend(figure: Figure) -> None:
    figure.legend(
        handles=[Line2D([], [], label="resulting architecture", **style.FINAL_MARK)],
        loc="center right",
        bbox_to_anchor=(0.99, 0.907),
        fontsize=style.SMALL_SIZE,
        frameon=False,
        handletextpad=0.1,
    )


def _draw_grid(
    axes: Axes,
    when: np.ndarray,
    operations: Sequence[str],
    edges: Sequence[tuple[int, int]],
    shown: Sequence[int],
    name: str,
) -> None:
    rows, columns = when.shape
    axes.set(xlim=(0, columns), ylim=(rows, 0))
    box = axes.get_window_extent()
    width, height = box.width / columns, box.height / rows
    points = 72 / axes.figure.dpi
    # "kept" is about 2.6 letter heights wide.
    size = min(style.LABEL_SIZE, 0.55 * height * points, width * points / 3.2)
    # Every round's number stands for a step in lightness, whatever rounds there are.
    order = {number: i / max(len(shown) - 2, 1) for i, number in enumerate(shown)}
    for (row, column), number in np.ndenumerate(when):
        fill, ink, label = _grid_cell(int(number), order)
        axes.add_patch(
            Rectangle((column, row), 1, 1, facecolor=fill, edgecolor=style.PAPER, linewidth=1.5)
        )
        weight = "bold" if number == KEPT else "normal"
        at = {"ha": "center", "va": "center", "fontsize": size, "fontweight": weight}
        axes.text(column + 0.5, row + 0.5, label, color=ink, **at)
    axes.set_yticks(np.arange(rows) + 0.5, [f"{a}→{b}" for a, b in edges])
    axes.set_xticks(np.arange(columns) + 0.5, operations)
    axes.xaxis.tick_top()
    axes.tick_params(length=0, labelsize=min(style.SMALL_SIZE, 0.7 * height * points))
    axes.spines[:].set_visible(False)
    _fit_column_names(axes)
    if name:
        axes.set_xlabel(name, fontsize=style.LABEL_SIZE, color=style.INK, labelpad=6)


def _grid_cell(number: int, order: Mapping[int, float]) -> tuple[object, str, str]:
    if number == KEPT:
        return style.KEPT, style.PAPER, "kept"
    if number == ABSENT:
        return style.ABSENT, style.SOFT_INK, "·"
    return style.pruned_shade(min(order[number], 1.0)), style.INK, str(number)


def _fit_column_names(axes: Axes) -> None:
    """Turn the operations' names upright where they do not fit above their columns."""
    labels = axes.get_xticklabels()
    box = axes.get_window_extent()
    if max(_extent(label).width for label in labels) > box.width / len(labels) - 8:
        for label in labels:
            label.set(rotation=90)
        # The longest name must end below the heading.
        height = max(_extent(label).height for label in labels) + 12
    else:
        height = 36.0
    place = axes.get_position()
    top = _GRID_TOP - height / axes.figure.bbox.height
    axes.set_position([place.x0, place.y0, place.width, top - place.y0])


def _draw_series(
    axes: Axes, rounds: Sequence[Mapping], field: str, title: str, *, log: bool
) -> None:
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


def _draw_cell(
    axes: Axes,
    mask: np.ndarray,
    operations: Sequence[str],
    edges: Sequence[tuple[int, int]],
    name: str,
) -> None:
    """The nodes on a line and each edge an arc, above or below it, with its operations.

    The apex of the arc from a to b, where its label stands, lies over (a + b) / 2 at a height that
    grows with b - a: no two labels share a place.
    """
    box = axes.get_window_extent()
    # In pixels, so that the height of an arc and the size of a text compare.
    axes.set(xlim=(0, box.width), ylim=(0, box.height), xticks=[], yticks=[])
    axes.set_axis_off()
    used = [i for i in range(len(edges)) if mask[i].any()]
    sides = arc_sides([edges[i] for i in used])
    nodes = sorted({node for edge in edges for node in edge})
    x, y, heights = _place_nodes(box, nodes, [edges[i] for i in used], sides)
    radius = min(22.0, 0.11 * box.height, 0.13 * (x[nodes[1]] - x[nodes[0]]))
    circles = {}
    for node in nodes:
        circles[node] = Circle((x[node], y), radius, zorder=3, **style.NODE)
        axes.add_patch(circles[node])
        at = {"ha": "center", "va": "center", "zorder": 4, "fontsize": style.LABEL_SIZE}
        axes.text(x[node], y, str(node), color=style.INK, **at)
    for i, height in zip(used, heights, strict=True):
        (a, b), names = edges[i], [operations[op] for op in np.flatnonzero(mask[i])]
        _draw_edge(axes, circles[a], circles[b], height, names, x[nodes[1]] - x[nodes[0]])
    if name:
        axes.text(0, box.height, name, va="top", fontsize=style.LABEL_SIZE, color=style.INK)


def arc_sides(edges: Sequence[tuple[int, int]]) -> list[int]:
    """1 (above), -1 (below) or 0 (straight, between neighbours) for each edge, few crossings."""
    sides: dict[tuple[int, int], int] = {}
    for a, b in sorted(edges, key=lambda edge: (edge[1] - edge[0], edge)):
        if b - a == 1:
            sides[a, b] = 0
            continue
        crossings = {1: 0, -1: 0}
        for (c, d), side in sides.items():
            if side and (a < c < b < d or c < a < d < b):
                crossings[side] += 1
        load = {s: sum(side == s for side in sides.values()) for s in crossings}
        sides[a, b] = min(crossings, key=lambda s: (crossings[s], load[s], -s))
    return [sides[tuple(edge)] for edge in edges]


def _place_nodes(
    box: Bbox, nodes: Sequence[int], edges: Sequence[tuple[int, int]], sides: Sequence[int]
) -> tuple[dict[int, float], float, list[float]]:
    """Where the nodes lie, and how high each edge's arc rises (below: falls), in pixels."""
    pad_x, pad_y = 30.0, 20.0
    step = (box.width - 2 * pad_x) / (nodes[-1] - nodes[0])
    spans = [b - a for a, b in edges]
    # On each side the spans that occur there, shortest first, share the height evenly.
    levels = {
        side: sorted({span for span, s in zip(spans, sides, strict=True) if s == side})
        for side in (1, -1)
    }
    lift = 0.4  # The labels of straight edges take some of the room above.
    above, below = max(len(levels[1]) + lift, 0.5), max(len(levels[-1]), 0.5)
    level = min((box.height - 2 * pad_y) / (above + below), 100.0)
    y = box.height / 2 + level * (below - above) / 2
    heights = [
        side * level * (levels[side].index(span) + 1 + lift * (side > 0)) if side else 0.0
        for side, span in zip(sides, spans, strict=True)
    ]
    return {node: pad_x + step * (node - nodes[0]) for node in nodes}, y, heights


def _draw_edge(
    axes: Axes, tail: Circle, head: Circle, height: float, names: Sequence[str], step: float
) -> None:
    empty = list(names) == ["none"]
    line = style.NONE_EDGE if empty else style.EDGE
    (x0, y), (x1, _) = tail.center, head.center
    shape = {
        "connectionstyle": f"arc3,rad={-2 * height / (x1 - x0)}",  # Its apex is at `height`.
        "arrowstyle": "-" if empty else "-|>",
        "mutation_scale": 16,
        "shrinkA": 0,
        "shrinkB": 1,
    }
    axes.add_patch(FancyArrowPatch((x0, y), (x1, y), patchA=tail, patchB=head, **shape, **line))
    # An arc is broken by its label; a straight edge is too short for that and has it above.
    backing = {"facecolor": style.PAPER, "edgecolor": "none", "pad": 1.5 if height else 0.5}
    at = {"ha": "center", "va": "center", "fontsize": style.SMALL_SIZE, "bbox": backing}
    text = " + ".join(names) if len(names) < 3 else f"{len(names)} operations"
    middle = y + (height or 13.0)
    label = axes.text((x0 + x1) / 2, middle, text, zorder=2.5, **at)
    label.set_color(line["color"])
    _shrink(label, 1.2 * step if height else x1 - x0 - 2 * tail.radius - 20)


def _shrink(text: Text, width: float) -> None:
    """Make `text` smaller until it is no wider than `width` pixels (or too small to read)."""
    for _ in itertools.repeat(None, 20):
        if _extent(text).width <= width or text.get_fontsize() <= 6:
            return
        text.set_fontsize(text.get_fontsize() - 0.5)


def _extent(text: Text):
    return text.get_window_extent(text.figure.canvas.get_renderer())
