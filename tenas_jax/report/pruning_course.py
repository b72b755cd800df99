"""The course of a pruning search: its rounds as a table, and its picture."""

import os
from collections.abc import Sequence

import numpy as np

from tenas_jax.report.pruning_plot import plot_pruning
from tenas_jax.report.tables import format_table
from tenas_jax.search import Pruning
from tenas_jax.spaces import Space


def pruning_course(
    strategy: Pruning, space: Space, metrics: Sequence[str], path: str | os.PathLike, title: str
) -> str:
    """Writes the picture to `path`, a PNG, and returns the table of the rounds."""
    edges = [(source, target) for target, source in space.edges]
    plot_pruning(space.operations, edges, metrics, strategy.history, path, title=title)
    rows = [
        (
            entry["round"],
            int(np.sum(entry["mask"])),
            *(entry[name] for name in metrics),
            ", ".join(_operation(space, place) for place in entry["pruned"]) or "–",
        )
        for entry in strategy.history
    ]
    names = (name.replace("_", " ") for name in metrics)
    return format_table(("round", "operations", *names, "pruned (edge: operation)"), rows)


def _operation(space: Space, place: Sequence[int]) -> str:
    """An edge and operation in words: `2<-1: nor_conv_1x1`."""
    cell, edge, operation = place
    target, source = space.edges[edge]
    where = f"cell {cell} " if space.cells > 1 else ""
    return f"{where}{target}<-{source}: {space.operations[operation]}"
