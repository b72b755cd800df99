"""An architecture's cells as graphs, one below the other."""

import numpy as np

from tenas_jax.report import style
from tenas_jax.report.cell_graph import draw_cell
from tenas_jax.report.picture import Picture, new_figure, styled
from tenas_jax.spaces import Space

HEIGHT = 3.0  # inches of a cell
NODE = 1.7  # inches from one node to the next, at least: an operation's name stands between


@styled
def cell_picture(mask: np.ndarray, space: Space) -> Picture:
    """Nodes, and edges with the names of their operations; a cell has its name if it has others.

    Args:
        mask: [cells, edges, operations] of 0 and 1, one of the space's architectures or supernets.
        space: what it is of.

    Raises:
        UserError: it is no mask of the space.
    """
    mask = space.check_mask(mask)
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
