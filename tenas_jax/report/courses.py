"""The course of a search: its rounds, or its answers so far, as a table and a picture."""

import os
import pathlib
from collections.abc import Sequence

import numpy as np

from tenas_jax.report.path_plot import path_picture
from tenas_jax.report.picture import save_png
from tenas_jax.report.pruning_plot import pruning_figure
from tenas_jax.report.tables import MISSING, format_table
from tenas_jax.report.trajectory import Trajectory, has_trajectory, of_records, of_rounds
from tenas_jax.report.trajectory_plot import trajectory_picture
from tenas_jax.scoring.recorder import Recorded
from tenas_jax.search import Pruning, Strategy
from tenas_jax.spaces import Space

PATH = "path.png"
MANY = 8  # removals that are named; of more, a picture shows which
ROWS = 10  # of a table of answers, spread over the search


def pruning_course(
    strategy: Pruning,
    space: Space,
    metrics: Sequence[str],
    path: str | os.PathLike,
    title: str,
    records: Sequence[Recorded] = (),
) -> str:
    """Writes the picture of a search by pruning to `path`, a PNG, and returns its rounds' table.

    Of several metrics, `path.png` beside it shows the supernet's way over each pair of them.
    """
    del records  # the history has all that is shown
    history = strategy.history
    edges = [(source, target) for target, source in space.edges]
    names = [space.cell_name(cell) for cell in range(space.cells)] if space.cells > 1 else [""]
    if len(metrics) > 1:
        path_of = path_picture(history, *metrics, title=f"The search's path: {title}")
        save_png(path_of.figure, pathlib.Path(path).with_name(PATH))
    look = {"title": title, "cells": names}
    save_png(pruning_figure(space.operations, edges, metrics, history, **look), path)
    rows = [
        (
            entry["round"],
            int(np.sum(entry["mask"])),
            *(entry[name] for name in metrics),
            _pruned(space, entry["pruned"]),
        )
        for entry in history
    ]
    words = (name.replace("_", " ") for name in metrics)
    return format_table(("round", "operations", *words, "pruned (edge: operation)"), rows)


def _pruned(space: Space, removals: Sequence[Sequence[int]]) -> str:
    """Says what was pruned in a round, as the printed table has it."""
    text = removals_text(space, removals) or MISSING
    return f"{text}, see the picture" if len(removals) > MANY else text


def removals_text(space: Space, removals: Sequence[Sequence[int]]) -> str:
    """Names operations by their edges, `2<-1: nor_conv_1x1, 3<-0: skip_connect`, or counts them.

    Args:
        space: what they are removed from.
        removals: (cell, edge, operation) of each; more than `MANY` are counted.
    """
    if len(removals) > MANY:
        edges = {tuple(removal[:2]) for removal in removals}
        return f"{len(removals)} operations on {len(edges)} edges"
    words = (f"{space.edge_name(c, edge)}: {space.operations[op]}" for c, edge, op in removals)
    return ", ".join(words)


def trajectory_course(
    strategy: Strategy,
    space: Space,
    metrics: Sequence[str],
    path: str | os.PathLike,
    title: str,
    records: Sequence[Recorded] = (),
) -> str:
    """Writes the picture of a search by single architectures, and returns its answers' table.

    Args:
        strategy: a learning one, whose history has its answers; or one whose `incumbents` are.
        space: what is searched.
        metrics: names of those that it is searched by.
        path: of the picture, a PNG.
        title: above it.
        records: of the search, in the order in which they were made.

    Raises:
        UserError: nothing was scored, or the picture cannot be written.
    """
    rounds = getattr(strategy, "history", ())
    if has_trajectory(rounds):
        front = strategy.state().get("own", {}).get("front", ())
        trajectory = of_rounds(records, rounds, space, metrics, front)
    else:
        answers = getattr(strategy, "incumbents", ())
        named = [(scored, space.to_string(arch)) for scored, arch in answers]
        trajectory = of_records(records, space, metrics, named)
    save_png(trajectory_picture(trajectory, title=title).figure, path)
    header, rows = course_rows(trajectory)
    return format_table([name.replace("_", " ") for name in header], rows)


def course_rows(trajectory: Trajectory) -> tuple[list[str], list[list]]:
    """Returns names of columns, and about `ROWS` rows: what was done, and the answer then.

    The columns are steps (where there are rounds), scored, the answer's metrics, and diversity
    (where the rounds have it).
    """
    if not trajectory.entries:
        counts = _spread(1, len(trajectory.archs))
        rows = [[n, *_metrics(trajectory, trajectory.answer(n))] for n in counts]
        return ["scored", *trajectory.metrics], rows
    shown = [trajectory.entries[i] for i in _spread(0, len(trajectory.entries) - 1)]
    extra = ["diversity"] * ("diversity" in trajectory.series())
    rows = [
        [
            entry["steps"],
            entry["scored"],
            *_metrics(trajectory, entry["best"]),
            *(entry.get(name) for name in extra),
        ]
        for entry in shown
    ]
    return ["steps", "scored", *trajectory.metrics, *extra], rows


def _spread(first: int, last: int) -> list[int]:
    """Chooses at most `ROWS` whole numbers from the first to the last, as even as can be."""
    if last < first:
        return []
    return sorted({round(at) for at in np.linspace(first, last, min(ROWS, last - first + 1))})


def _metrics(trajectory: Trajectory, number: int | None) -> list[float | None]:
    """Returns those of the architecture of that number; None where it is bad, or there is none."""
    values = [
        np.nan if number is None else float(trajectory.values[name][number])
        for name in trajectory.metrics
    ]
    return [value if np.isfinite(value) else None for value in values]
