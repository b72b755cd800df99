"""An architecture on the page: its string, and where it can be read its cells or its choices."""

from collections.abc import Sequence

import numpy as np

from tenas_jax import spaces
from tenas_jax.errors import UserError
from tenas_jax.report.cell_picture import cell_picture
from tenas_jax.report.page.blocks import Block, Figure, Note, table
from tenas_jax.report.page.words import words
from tenas_jax.spaces import Space


def cell_graph(space: str, arch: str, caption: str = "") -> Block:
    """The cells of an architecture, a table where they are no graphs, or why they are not shown.

    Args:
        space: its name.
        arch: the string; it may have sizes.
        caption: of the picture or the table.
    """
    try:
        found = spaces.get(space)
        parsed, sizes = found.parse_sized(arch)
        mask = found.to_mask(parsed)
        if (made := found.table(mask, **sizes)) is not None:
            return table(*made, caption or f"The choices, of {words(space)}.")
        picture = cell_picture(mask, found)
    except UserError as error:
        return Note(f"The cell is not drawn: {error}")
    return Figure(picture, caption or f"The cell, of {words(space)}.")


def difference(space: Space, mask: np.ndarray, whole: np.ndarray | None) -> str:
    """A mask in few words: an architecture's string, else what it lacks of the whole.

    Args:
        space: what the masks are of.
        mask: [cells, edges, operations] of 0 and 1.
        whole: the supernet of its round; None if that is not known.
    """
    mask = space.check_mask(mask)
    if space.is_single(mask):
        return space.describe(mask)
    if whole is not None:
        places = np.argwhere(np.asarray(whole) > mask)
        if not len(places):
            return "the supernet"
        if len(places) <= 2:
            return f"without {places_words(space, places)}"
    return f"supernet of {int(mask.sum())} operations"


def places_words(space: Space, places: Sequence[Sequence[int]]) -> str:
    """Operations by their edges, `2<-1: nor_conv_1x1, 3<-0: skip_connect`."""
    return ", ".join(f"{space.edge_name(c, e)}: {space.operations[op]}" for c, e, op in places)
