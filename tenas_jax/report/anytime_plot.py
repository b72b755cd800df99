"""How good a search's answer is by what it has cost so far, over several runs of each search."""

from collections.abc import Mapping, Sequence
from typing import NamedTuple

import numpy as np
from matplotlib.artist import Artist
from matplotlib.axes import Axes

from tenas_jax.errors import UserError
from tenas_jax.report import style
from tenas_jax.report.headings import write_legend, write_nothing, write_title
from tenas_jax.report.picture import Picture, new_figure, styled
from tenas_jax.report.scales import finite, is_wide, plain_number, set_scale

MOST_MARKS = 12  # on a line, besides its last
LEVELS = {
    "oracle": ("the best of all", {"color": style.INK, "linestyle": (0, (5, 1))}),
    "floor": ("mean of random ones", {"color": style.SOFT_INK, "linestyle": (0, (1, 1.5))}),
}

Run = tuple[np.ndarray, np.ndarray]  # costs, increasing, and the accuracies from each on


class Course(NamedTuple):
    """Holds the runs of a search together, [points] each: a step at each cost."""

    cost: np.ndarray
    mean: np.ndarray
    low: np.ndarray
    high: np.ndarray


@styled
def anytime_picture(
    curves: Mapping[str, Sequence[Sequence[tuple[float, float]]]],
    *,
    y_name: str,
    x_name: str,
    floor: float | None = None,
    oracle: float | None = None,
    title: str,
) -> Picture:
    """Draws a step line for each search, the mean of its runs, in a band of all of them.

    The band is from the least to the greatest. A line begins where all runs of the search have an
    answer and ends with the longest; a run that has ended keeps its answer. A search whose runs
    have one answer each is drawn as marks.

    Args:
        curves: the name of a search -> its runs, each a list of (cost, accuracy of the answer so
            far) with increasing cost. What is None or not finite is left out.
        y_name: of the accuracy.
        x_name: of the cost.
        floor: the mean accuracy of random architectures, a level.
        oracle: the best accuracy there is, a level.
        title: shown above.

    Raises:
        UserError: there are no searches.
    """
    if not curves:
        raise UserError("there are no searches to plot")
    figure = new_figure(*style.PANEL, layout="constrained")
    axes = figure.add_subplot()
    style.frame(axes)
    style.labels(axes, x_name, y_name)
    answered = {name: _runs(runs) for name, runs in curves.items()}
    shown = {name: runs for name, runs in answered.items() if runs}
    if not shown:
        write_nothing(axes)
    # The searches, each as a line or as marks.
    hovers, legend, notes = {}, {}, {}
    for number, (name, runs) in enumerate(shown.items()):
        gid, label = f"search{number}", f"{name}, {len(runs)} run{'s' * (len(runs) > 1)}"
        if all(len(costs) == 1 for costs, _ in runs):
            legend[label], texts = _draw_marks(axes, runs, style.curve(number), gid)
            notes["mark: a run of one answer"] = None
        else:
            legend[label], texts = _draw_course(axes, course(runs), style.curve(number), gid)
            if len(runs) > 1:
                notes["line: mean of the runs · band: least to greatest"] = None
        hovers[gid] = [f"{label}\n{x_name} {x}\n{y_name} {y}" for x, y in texts]
    if shown:
        _finish(axes, shown, {"oracle": oracle, "floor": floor}, legend)
    # What is drawn, in words.
    words = {"fontsize": style.SMALL_SIZE, "color": style.SOFT_INK}
    axes.set_title(" · ".join(notes), loc="left", **words)
    write_legend(figure, list(legend.values()), list(legend))
    write_title(figure, title)
    return Picture(figure, hovers)


def course(runs: Sequence[Run]) -> Course:
    """Computes mean, least and greatest accuracy of the runs, from where all have begun."""
    begin = max(costs[0] for costs, _ in runs)
    at = np.unique(np.concatenate([costs for costs, _ in runs]))
    at = at[at >= begin]
    values = [accuracies[np.searchsorted(costs, at, "right") - 1] for costs, accuracies in runs]
    mean, low, high = np.mean(values, 0), np.min(values, 0), np.max(values, 0)
    # The same shape with fewer points: the first, the last, and those at which something changes.
    kept = np.ones(len(at), bool)
    kept[1:-1] = (np.diff(values, axis=1) != 0).any(0)[:-1]
    return Course(at[kept], mean[kept], low[kept], high[kept])


def _runs(runs: Sequence[Sequence[tuple[float, float]]]) -> list[Run]:
    """Returns the runs that have an answer, as arrays."""
    answered = []
    for run in runs:
        costs, accuracies = finite(c for c, _ in run), finite(a for _, a in run)
        known = np.isfinite(costs) & np.isfinite(accuracies)
        if known.any():
            answered.append((costs[known], accuracies[known]))
    return answered


def _draw_marks(axes: Axes, runs: Sequence[Run], look: dict, gid: str) -> tuple[Artist, list]:
    """Draws runs of one answer each; gives what the legend explains, and (x, y) in words."""
    costs = [float(costs[0]) for costs, _ in runs]
    accuracies = [float(accuracies[0]) for _, accuracies in runs]
    points = look | {"linestyle": "none", "markeredgecolor": style.PAPER, "markeredgewidth": 0.7}
    [line] = axes.plot(costs, accuracies, gid=gid, zorder=3, **points)
    pairs = zip(costs, accuracies, strict=True)
    return line, [(plain_number(x), f"{y:.6g}") for x, y in pairs]


def _draw_course(axes: Axes, runs: Course, look: dict, gid: str) -> tuple[Artist, list]:
    """Draws a line of steps and its band; gives what `_draw_marks` does."""
    count = len(runs.cost)
    marked = sorted({*range(0, count, -(-count // MOST_MARKS)), count - 1})
    steps = {"drawstyle": "steps-post", "markevery": marked, "markersize": 5.5}
    [line] = axes.plot(runs.cost, runs.mean, gid=gid, zorder=2.5, **(look | steps))
    if (runs.low < runs.high).any():
        band = {"color": look["color"], "alpha": 0.16, "linewidth": 0}
        axes.fill_between(runs.cost, runs.low, runs.high, step="post", **band)
    return line, [
        (
            plain_number(runs.cost[i]),
            f"{runs.mean[i]:.6g} [{runs.low[i]:.6g}, {runs.high[i]:.6g}]",
        )
        for i in marked
    ]


def _finish(
    axes: Axes,
    shown: Mapping[str, Sequence[Run]],
    levels: Mapping[str, float | None],
    legend: dict[str, Artist],
) -> None:
    """Draws the levels, and sets the scales."""
    for name, level in levels.items():
        if level is not None and np.isfinite(level):
            words, look = LEVELS[name]
            line = axes.axhline(level, linewidth=1.4, zorder=1.5, **look)
            legend[f"{words}, {level:.6g}"] = line
    axes.margins(0.05)
    costs = np.concatenate([costs for runs in shown.values() for costs, _ in runs])
    set_scale(axes, "x", log=is_wide(costs))
    set_scale(axes, "y", log=False)
