"""An architecture's cells as graphs, one below the other, or its choices as a drawn table."""

from collections.abc import Sequence

import numpy as np
from matplotlib.figure import Figure

from tenas_jax.report import style
from tenas_jax.report.cell_graph import draw_cell
from tenas_jax.report.picture import Picture, new_figure, styled
from tenas_jax.spaces import Space

HEIGHT = 3.0  # inches of a cell
NODE = 1.7  # inches from one node to the next, at least: an operation's name stands between
ROW, COLUMN = 0.42, 1.5  # inches of a table's row and of its column


@styled
def cell_picture(mask: np.ndarray, space: Space, **sizes) -> Picture:
    """Nodes, and edges with the names of their operations; a cell has its name if it has others.

    Of a space whose architectures are no graphs it is the table that the space makes.

    Args:
        mask: [cells, edges, operations] of 0 and 1, one of the space's architectures or supernets.
        space: what it is of.
        **sizes: the fields that `Space.parse_sized` gives, which a table shows.

    Raises:
        UserError: it is no mask of the space.
    """
    mask = space.check_mask(mask)
    if (found := space.table(mask, **sizes)) is not None:
        return Picture(_drawn_table(*found), {})
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
    """A figure of the header, a line below it, and the rows."""
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
