"""A cell drawn as a graph: its nodes on a line, each edge an arc with its operations' names."""

from collections.abc import Sequence

import numpy as np
from matplotlib.axes import Axes
from matplotlib.patches import Circle, FancyArrowPatch
from matplotlib.transforms import Bbox

from tenas_jax.report import style
from tenas_jax.report.text_size import shrink


def draw_cell(
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
    shrink(label, 1.2 * step if height else x1 - x0 - 2 * tail.radius - 20)
