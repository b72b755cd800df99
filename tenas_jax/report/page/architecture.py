"""An architecture on the page: its string, and where it can be read its cells or its choices."""

import numpy as np

from tenas_jax import spaces
from tenas_jax.errors import UserError
from tenas_jax.report.cell_picture import cell_picture
from tenas_jax.report.courses import removals_text
from tenas_jax.report.page.blocks import Block, Figure, Note, table
from tenas_jax.report.page.words import words
from tenas_jax.spaces import Space


def cell_graph(space: str, arch: str, caption: str = "") -> Block:
    """Draws the cells of an architecture, or says why they are not drawn.

    Where they are no graphs, it is a table of the choices.

    Args:
        space: its name.
        arch: the string; it may have sizes.
        caption: of the picture or the table.
    """
    try:
        own = spaces.get(space)
        parsed, sizes = own.parse_sized(arch)
        mask = own.to_mask(parsed)
        if (choices := own.table(mask, **sizes)) is not None:
            return table(*choices, caption or f"The choices, of {words(space)}.")
        picture = cell_picture(mask, own)
    except UserError as error:
        return Note(f"The cell is not drawn: {error}")
    return Figure(picture, caption or f"The cell, of {words(space)}.")


def difference(space: Space, mask: np.ndarray, whole: np.ndarray | None) -> str:
    """Puts a mask into few words: an architecture's string, else what it lacks of the whole.

    Args:
        space: what the masks are of.
        mask: [cells, edges, operations] of 0 and 1.
        whole: the supernet of its round; None if that is not known.
    """
    mask = space.check_mask(mask)
    if space.is_single(mask):
        return space.describe(mask)
    if whole is not None:
        removals = np.argwhere(np.asarray(whole) > mask)
        if not len(removals):
            return "the supernet"
        if len(removals) <= 2:
            return f"without {removals_text(space, removals)}"
    return f"supernet of {int(mask.sum())} operations"
