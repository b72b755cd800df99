"""The course of a search by single architectures: its answers so far as a table, and a picture."""

import os
from collections.abc import Sequence

import numpy as np

from tenas_jax.report.picture import save_png
from tenas_jax.report.tables import format_table
from tenas_jax.report.trajectory import Trajectory, has_trajectory, of_records, of_rounds
from tenas_jax.report.trajectory_plot import trajectory_picture
from tenas_jax.scoring.recorder import Recorded
from tenas_jax.search import Strategy
from tenas_jax.spaces import Space

ROWS = 10  # of the table, spread over the search


def trajectory_course(
    strategy: Strategy,
    space: Space,
    metrics: Sequence[str],
    path: str | os.PathLike,
    title: str,
    records: Sequence[Recorded] = (),
) -> str:
    """Writes the picture to `path`, a PNG, and returns a table of the answers so far.

    Args:
        strategy: a learning one, whose history has its answers; or one whose `incumbents` are.
        space: what is searched.
        metrics: names of those that it is searched by.
        path: of the picture.
        title: above it.
        records: of the search, in the order in which they were made.

    Raises:
        UserError: nothing was scored, or the picture cannot be written.
    """
    rounds = getattr(strategy, "history", ())
    if has_trajectory(rounds):
        front = strategy.state().get("own", {}).get("front", ())
        way = of_rounds(records, rounds, space, metrics, front)
    else:
        answers = getattr(strategy, "incumbents", ())
        named = [(scored, space.to_string(arch)) for scored, arch in answers]
        way = of_records(records, space, metrics, named)
    save_png(trajectory_picture(way, title=title).figure, path)
    header, rows = course_rows(way)
    return format_table([name.replace("_", " ") for name in header], rows)


def course_rows(found: Trajectory) -> tuple[list[str], list[list]]:
    """Names of the columns, and about `ROWS` rows: what was done, and the answer then.

    The columns are steps (where there are rounds), scored, the answer's metrics, and diversity
    (where the rounds have it).
    """
    if not found.entries:
        counts = _spread(1, len(found.archs))
        rows = [[n, *_metrics(found, found.answer(n))] for n in counts]
        return ["scored", *found.metrics], rows
    shown = [found.entries[i] for i in _spread(0, len(found.entries) - 1)]
    extra = ["diversity"] * ("diversity" in found.series())
    rows = [
        [
            entry["steps"],
            entry["scored"],
            *_metrics(found, entry["best"]),
            *(entry.get(name) for name in extra),
        ]
        for entry in shown
    ]
    return ["steps", "scored", *found.metrics, *extra], rows


def _spread(first: int, last: int) -> list[int]:
    """At most `ROWS` whole numbers from the first to the last one, as even as they can be."""
    if last < first:
        return []
    return sorted({round(at) for at in np.linspace(first, last, min(ROWS, last - first + 1))})


def _metrics(found: Trajectory, at: int | None) -> list[float | None]:
    """Those of the architecture at a place; None where it is bad, or there is none."""
    values = [np.nan if at is None else float(found.values[name][at]) for name in found.metrics]
    return [value if np.isfinite(value) else None for value in values]
