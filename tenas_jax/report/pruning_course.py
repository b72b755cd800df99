"""The course of a pruning search: its rounds as a table, and its picture."""

import os
import pathlib
from collections.abc import Sequence

import numpy as np

from tenas_jax.report.path_plot import path_picture
from tenas_jax.report.picture import save_png
from tenas_jax.report.pruning_plot import plot_pruning
from tenas_jax.report.tables import format_table
from tenas_jax.scoring.recorder import Recorded
from tenas_jax.search import Pruning
from tenas_jax.spaces import Space

PATH = "path.png"
MANY = 8  # places pruned in one round that the table names; of more, the picture shows which


def pruning_course(
    strategy: Pruning,
    space: Space,
    metrics: Sequence[str],
    path: str | os.PathLike,
    title: str,
    records: Sequence[Recorded] = (),
) -> str:
    """Writes the picture to `path`, a PNG, and returns the table of the rounds.

    Of several metrics, `path.png` beside it shows the supernet's way over each pair of them.
    """
    del records  # the history has all that is shown
    edges = [(source, target) for target, source in space.edges]
    names = [space.cell_name(cell) for cell in range(space.cells)] if space.cells > 1 else [""]
    if len(metrics) > 1:
        path_of = path_picture(strategy.history, *metrics, title=f"The search's path: {title}")
        save_png(path_of.figure, pathlib.Path(path).with_name(PATH))
    plot_pruning(space.operations, edges, metrics, strategy.history, path, title=title, cells=names)
    rows = [
        (
            entry["round"],
            int(np.sum(entry["mask"])),
            *(entry[name] for name in metrics),
            _pruned(space, entry["pruned"]),
        )
        for entry in strategy.history
    ]
    words = (name.replace("_", " ") for name in metrics)
    return format_table(("round", "operations", *words, "pruned (edge: operation)"), rows)


def _pruned(space: Space, places: Sequence[Sequence[int]]) -> str:
    """Edges and operations in words, `2<-1: nor_conv_1x1`, or how many of them, if many."""
    if len(places) > MANY:
        edges = {tuple(place[:2]) for place in places}
        return f"{len(places)} operations on {len(edges)} edges, see the picture"
    words = (f"{space.edge_name(c, edge)}: {space.operations[op]}" for c, edge, op in places)
    return ", ".join(words) or "–"
