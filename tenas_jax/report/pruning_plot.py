"""One picture of a pruning search: what went when, the supernet's scores, what is left."""

from collections.abc import Mapping, Sequence

import matplotlib
import numpy as np
from matplotlib.axes import Axes
from matplotlib.figure import Figure
from matplotlib.gridspec import GridSpec
from matplotlib.lines import Line2D
from matplotlib.patches import Rectangle

from tenas_jax.errors import UserError
from tenas_jax.report import style
from tenas_jax.report.cell_picture import draw_cell
from tenas_jax.report.headings import shrink, text_extent
from tenas_jax.report.picture import Picture, new_figure
from tenas_jax.report.series_panel import draw_rounds

KEPT = -1
ABSENT = -2

# metric -> its title, and whether its axis is logarithmic; others have their name, and a linear one
SERIES = {
    "condition_number": ("NTK condition number κ", True),
    "linear_regions": ("Linear regions", False),
}

_GRID_TOP = 0.89  # Where the names of a grid's columns may begin, as a part of the figure.


def pruning_figure(
    space_operations: Sequence[str],
    edges: Sequence[tuple[int, int]],
    metrics: Sequence[str],
    rounds: Sequence[Mapping],
    *,
    title: str,
    cells: Sequence[str] = (),
) -> Figure:
    """Draws when each operation was pruned, and the final graph, of each cell: 1600 x 900 pixels.

    Args:
        space_operations: the names of the operations, in the mask's order.
        edges: (source, target) of each edge, in the mask's order.
        metrics: names of the values that are drawn by round.
        rounds: one dict a round: `round`; `mask` [cells][edges][ops] before the round's pruning;
            each of `metrics` for the supernet, or None; `pruned`, a list of [cell, edge, op]. The
            last one is the final architecture, whose `pruned` is empty.
        title: shown above.
        cells: what each cell is called; by default they are numbered, and one alone has no name.

    Raises:
        UserError: there are no rounds, or a mask does not fit the edges and operations.
    """
    when = pruning_rounds(rounds, len(edges), len(space_operations))
    final = np.asarray(rounds[-1]["mask"])
    with matplotlib.rc_context(style.RC):
        figure = new_figure(*style.SIZE)
        grids, lines, graphs = _layout(figure, len(final), len(metrics))
        names = cells or ([""] if len(final) == 1 else [f"cell {i}" for i in range(len(final))])
        shown = [entry["round"] for entry in rounds]
        for number, (axes, name) in enumerate(zip(grids, names, strict=True)):
            _draw_grid(axes, number, when[number], space_operations, edges, shown, name)
        for axes in grids[1:] if len(grids) > 2 else ():
            axes.tick_params(labelleft=False)  # No room, and the rows are those of the first.
        for axes, name in zip(lines, metrics, strict=True):
            words, log = SERIES.get(name, (name.replace("_", " "), False))
            draw_rounds(axes, rounds, name, words, log=log)
        for axes, mask, name in zip(graphs, final, names, strict=True):
            draw_cell(axes, mask, space_operations, edges, name)
        _draw_texts(figure, title, "Resulting cell" if len(final) == 1 else "Resulting cells")
        if any(axes.lines for axes in lines):
            _draw_legend(figure)
    return figure


def pruning_picture(
    space_operations: Sequence[str],
    edges: Sequence[tuple[int, int]],
    metrics: Sequence[str],
    rounds: Sequence[Mapping],
    **words,
) -> Picture:
    """Draws what `pruning_figure` does of the same, with a text for each operation of the grids.

    Raises:
        UserError: there are no rounds, or a mask does not fit the edges and operations.
    """
    figure = pruning_figure(space_operations, edges, metrics, rounds, **words)
    when = pruning_rounds(rounds, len(edges), len(space_operations))
    hovers = {}
    for (cell, row, column), number in np.ndenumerate(when):
        (source, target), operation = edges[row], space_operations[column]
        fate = {KEPT: "kept", ABSENT: "was never there"}.get(number, f"pruned in round {number}")
        hovers[_gid(cell, row, column)] = [f"{source}→{target}: {operation}\n{fate}"]
    return Picture(figure, hovers)


def pruning_rounds(rounds: Sequence[Mapping], edge_count: int, op_count: int) -> np.ndarray:
    """Finds the round each operation was pruned in, or `KEPT`, or `ABSENT`: [cells, edges, ops].

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
        for removal in entry["pruned"]:
            when[tuple(removal)] = entry["round"]
    return when


def _layout(figure: Figure, cells: int, metrics: int) -> tuple[list[Axes], list[Axes], list[Axes]]:
    """Makes axes for the grids (left), the series (right, above) and the cells (right, below)."""
    left = GridSpec(1, cells, figure, left=0.045, right=0.475, bottom=0.085, top=0.76, wspace=0.16)
    top = GridSpec(
        1, metrics, figure, left=0.555, right=0.985, bottom=0.655, top=0.845, wspace=0.26
    )
    # Cells lie one below the other: their graphs are wide, as labels stand between the nodes.
    low = GridSpec(cells, 1, figure, left=0.51, right=0.99, bottom=0.03, top=0.535, hspace=0.08)
    grids = [figure.add_subplot(left[0, i]) for i in range(cells)]
    lines = [figure.add_subplot(top[0, i]) for i in range(metrics)]
    graphs = [figure.add_subplot(low[i, 0]) for i in range(cells)]
    return grids, lines, graphs


def _draw_texts(figure: Figure, title: str, result: str) -> None:
    """Writes the title, the headings of the parts, and what the grids say."""
    heading = {"fontsize": style.HEADING_SIZE, "fontweight": "bold", "color": style.INK}
    text = figure.text(
        0.02, 0.955, title, fontsize=style.TITLE_SIZE, fontweight="bold", parse_math=False
    )
    shrink(text, 0.96 * figure.bbox.width)
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
    """Says which mark is the result's."""
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
    number: int,
    when: np.ndarray,
    operations: Sequence[str],
    edges: Sequence[tuple[int, int]],
    shown: Sequence[int],
    name: str,
) -> None:
    """Draws a cell's operations as squares, edges down and operations across.

    Args:
        axes: empty.
        number: of the cell.
        when: int [edges, operations] of `pruning_rounds`.
        operations: their names.
        edges: (source, target) of each.
        shown: the numbers of the rounds.
        name: of the cell; it may be empty.
    """
    rows, columns = when.shape
    axes.set(xlim=(0, columns), ylim=(rows, 0))
    box = axes.get_window_extent()
    width, height = box.width / columns, box.height / rows
    points = 72 / axes.figure.dpi
    # "kept" is about 2.6 letter heights wide.
    size = min(style.LABEL_SIZE, 0.55 * height * points, width * points / 3.2)
    # Every round's number stands for a step in lightness, whatever rounds there are.
    order = {number: i / max(len(shown) - 2, 1) for i, number in enumerate(shown)}
    for (row, column), pruned in np.ndenumerate(when):
        fill, ink, label = _grid_cell(int(pruned), order)
        look = {"facecolor": fill, "edgecolor": style.PAPER, "linewidth": 1.5}
        gid = _gid(number, row, column)
        axes.add_patch(Rectangle((column, row), 1, 1, gid=gid, **look))
        weight = "bold" if pruned == KEPT else "normal"
        at = {"ha": "center", "va": "center", "fontsize": size, "fontweight": weight}
        axes.text(column + 0.5, row + 0.5, label, color=ink, **at)
    # The names of edges and operations.
    axes.set_yticks(np.arange(rows) + 0.5, [f"{a}→{b}" for a, b in edges])
    axes.set_xticks(np.arange(columns) + 0.5, operations)
    axes.xaxis.tick_top()
    axes.tick_params(length=0, labelsize=min(style.SMALL_SIZE, 0.7 * height * points))
    axes.spines[:].set_visible(False)
    _fit_column_names(axes)
    if name:
        axes.set_xlabel(name, fontsize=style.LABEL_SIZE, color=style.INK, labelpad=6)


def _gid(cell: int, row: int, column: int) -> str:
    """Names the square of an operation, for its text to be put there."""
    return f"operation-{cell}-{row}-{column}"


def _grid_cell(number: int, order: Mapping[int, float]) -> tuple[object, str, str]:
    """Returns fill, ink and label of an operation pruned in a round."""
    if number == KEPT:
        return style.KEPT, style.PAPER, "kept"
    if number == ABSENT:
        return style.ABSENT, style.SOFT_INK, "·"
    return style.pruned_shade(min(order[number], 1.0)), style.INK, str(number)


def _fit_column_names(axes: Axes) -> None:
    """Turns the operations' names upright where they do not fit above their columns."""
    labels = axes.get_xticklabels()
    box = axes.get_window_extent()
    if max(text_extent(label).width for label in labels) > box.width / len(labels) - 8:
        for label in labels:
            label.set(rotation=90)
        # The longest name must end below the heading.
        height = max(text_extent(label).height for label in labels) + 12
    else:
        height = 36.0
    box = axes.get_position()
    top = _GRID_TOP - height / axes.figure.bbox.height
    axes.set_position([box.x0, box.y0, box.width, top - box.y0])
