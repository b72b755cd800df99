"""An architecture's cells as graphs, one below the other, or its choices as a drawn table.

A cell's nodes stand on a line, and each edge is an arc with the names of its operations.
"""

from collections.abc import Sequence

import numpy as np
from matplotlib.axes import Axes
from matplotlib.figure import Figure
from matplotlib.patches import Circle, FancyArrowPatch
from matplotlib.transforms import Bbox

from tenas_jax.report import style
from tenas_jax.report.headings import shrink
from tenas_jax.report.picture import Picture, new_figure, styled
from tenas_jax.spaces import Space

HEIGHT = 3.0  # inches of a cell
NODE = 1.7  # inches from one node to the next, at least: an operation's name stands between
ROW, COLUMN = 0.42, 1.5  # inches of a table's row and of its column


@styled
def cell_picture(mask: np.ndarray, space: Space, **sizes) -> Picture:
    """Draws nodes, and edges with the names of their operations.

    A cell has its name if it has others. Of a space whose architectures are no graphs, the table
    that the space makes is drawn.

    Args:
        mask: [cells, edges, operations] of 0 and 1, one of the space's architectures or supernets.
        space: what it is of.
        **sizes: the fields that `Space.parse_sized` gives, which a table shows.

    Raises:
        UserError: it is no mask of the space.
    """
    mask = space.check_mask(mask)
    if (choices := space.table(mask, **sizes)) is not None:
        return Picture(_drawn_table(*choices), {})
    edges = [(source, target) for target, source in space.edges]
    nodes = {node for edge in edges for node in edge}
    width = max(style.PANEL[0], NODE * len(nodes))
    figure = new_figure(width, HEIGHT * space.cells)
    for number, cell in enumerate(mask):
        bottom = 1 - (number + 0.98) / space.cells
        axes = figure.add_axes((0.01, bottom, 0.98, 0.96 / space.cells))
        name = space.cell_name(number) if space.cells > 1 else ""
        draw_cell(axes, cell, space.operations, edges, name)
    return Picture(figure, {})


def _drawn_table(header: Sequence[str], rows: Sequence[Sequence]) -> Figure:
    """Draws the header, a line below it, and the rows."""
    figure = new_figure(max(style.PANEL[0], COLUMN * len(header)), ROW * (len(rows) + 1.5))
    axes = figure.add_axes((0.02, 0, 0.96, 1))
    axes.set(xlim=(0, len(header)), ylim=(len(rows) + 1.25, -0.25))
    axes.set_axis_off()
    look = {"ha": "center", "va": "center", "fontsize": style.LABEL_SIZE, "parse_math": False}
    for number, row in enumerate([header, *rows]):
        weight = "normal" if number else "bold"
        for column, value in enumerate(row):
            at = column + 0.5, number + 0.5
            axes.text(*at, str(value), color=style.INK, fontweight=weight, **look)
    axes.axhline(1, color=style.INK, linewidth=1)
    return figure


def draw_cell(
    axes: Axes,
    mask: np.ndarray,
    operations: Sequence[str],
    edges: Sequence[tuple[int, int]],
    name: str,
) -> None:
    """Draws the nodes on a line and each edge as an arc, above or below it, with its operations.

    The apex of the arc from a to b, where its label stands, lies over (a + b) / 2 at a height that
    grows with b - a: no two labels meet.

    Args:
        axes: what is drawn on; its ticks and frame go.
        mask: [edges, operations] of 0 and 1; an edge without operations is left out.
        operations: their names, in the mask's order.
        edges: (source, target) of each edge, in the mask's order.
        name: of the cell, written above; it may be empty.
    """
    box = axes.get_window_extent()
    # In pixels, so that the height of an arc and the size of a text compare.
    axes.set(xlim=(0, box.width), ylim=(0, box.height), xticks=[], yticks=[])
    axes.set_axis_off()
    used = [i for i in range(len(edges)) if mask[i].any()]
    sides = arc_sides([edges[i] for i in used])
    nodes = sorted({node for edge in edges for node in edge})
    x, y, heights = _positions(box, nodes, [edges[i] for i in used], sides)
    radius = min(22.0, 0.11 * box.height, 0.13 * (x[nodes[1]] - x[nodes[0]]))
    # The nodes, over which no edge is drawn.
    circles = {}
    for node in nodes:
        circles[node] = Circle((x[node], y), radius, zorder=3, **style.NODE)
        axes.add_patch(circles[node])
        at = {"ha": "center", "va": "center", "zorder": 4, "fontsize": style.LABEL_SIZE}
        axes.text(x[node], y, str(node), color=style.INK, **at)
    # The edges.
    for i, height in zip(used, heights, strict=True):
        (a, b), names = edges[i], [operations[op] for op in np.flatnonzero(mask[i])]
        _draw_edge(axes, circles[a], circles[b], height, names, x[nodes[1]] - x[nodes[0]])
    if name:
        axes.text(0, box.height, name, va="top", fontsize=style.LABEL_SIZE, color=style.INK)


def arc_sides(edges: Sequence[tuple[int, int]]) -> list[int]:
    """Chooses 1 (above), -1 (below) or 0 (straight, between neighbours) for each edge.

    Each takes the side on which it crosses fewer of the shorter ones.
    """
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


def _positions(
    box: Bbox, nodes: Sequence[int], edges: Sequence[tuple[int, int]], sides: Sequence[int]
) -> tuple[dict[int, float], float, list[float]]:
    """Says where the nodes lie, and how high each edge's arc rises (below: falls), in pixels."""
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
    """Draws the arc from one node to another, and the names of its operations at its apex."""
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
    shrink(label, 1.2 * step if height else x1 - x0 - 2 * tail.radius - 20)
