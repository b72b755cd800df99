"""The picture of a search's way: what it scored and its answers, over each pair of metrics."""

import itertools
import math
from collections.abc import Sequence

import numpy as np
from matplotlib.axes import Axes
from matplotlib.figure import Figure
from matplotlib.gridspec import GridSpec

from tenas_jax.errors import UserError
from tenas_jax.report import style
from tenas_jax.report.headings import write_legend, write_title
from tenas_jax.report.picture import Picture, new_figure, styled
from tenas_jax.report.series_panel import draw_numbers
from tenas_jax.report.trajectory import Trajectory
from tenas_jax.report.trajectory_panel import ORDER, Panel, answer_texts, dot_texts

ACROSS = 3  # panels in a row
SERIES_HEIGHT = 2.3  # inches


@styled
def trajectory_picture(trajectory: Trajectory, *, title: str) -> Picture:
    """Draws a panel for each pair of metrics, or one by order, and below the rounds' numbers.

    A dot is an architecture, darker the later it was scored; a line leads from answer to answer.
    What lacks a value is left out of the panels that need it, and counted above them.

    Args:
        trajectory: the search's way.
        title: shown above.

    Raises:
        UserError: nothing was scored, or by no metric.
    """
    names = trajectory.metrics
    pairs = list(itertools.combinations(names, 2)) or [(ORDER, name) for name in names]
    return _picture(trajectory, pairs, list(trajectory.series()), title)


@styled
def costs_picture(trajectory: Trajectory, *, title: str) -> Picture:
    """Draws a panel for each metric against each cost, with the Pareto front marked.

    Raises:
        UserError: nothing was scored, or there are no costs.
    """
    pairs = [(cost, name) for cost in trajectory.costs for name in trajectory.metrics]
    return _picture(trajectory, pairs, [], title)


def _picture(
    trajectory: Trajectory, pairs: Sequence[tuple[str, str]], series: list[str], title: str
) -> Picture:
    """Draws a panel for each pair, and a line below for each number of the rounds."""
    if not trajectory.archs or not pairs:
        raise UserError("there are no architectures with values to plot")
    figure, panels, lines = _axes(len(pairs), len(series))
    hovers, handles = {}, {}
    dots, answers = dot_texts(trajectory), answer_texts(trajectory)
    for number, (axes, (x, y)) in enumerate(zip(panels, pairs, strict=True)):
        panel = Panel(trajectory, x, y, axes, number)
        handles |= panel.draw_dots(dots, hovers)
        handles |= panel.draw_path(answers, hovers)
        panel.finish()
    if pairs[0][0] != ORDER:
        _draw_bar(figure, panels, len(trajectory.archs))
    steps = np.array([entry["steps"] for entry in trajectory.entries], float)
    for axes, name in zip(lines, series, strict=True):
        hovers |= draw_numbers(axes, steps, trajectory.series()[name], name)
    write_legend(figure, list(handles.values()), list(handles))
    write_title(figure, title)
    return Picture(figure, hovers)


def _axes(pairs: int, series: int) -> tuple[Figure, list[Axes], list[Axes]]:
    """Makes a figure with rows of panels, and below one row of lines over the steps."""
    across = min(pairs, ACROSS)
    rows = math.ceil(pairs / across)
    width, height = style.PANEL if pairs == 1 else (across * style.SMALL_PANEL[0], 4.3)
    width = max(width, 3.4 * series)
    heights = [height] * rows + [SERIES_HEIGHT] * bool(series)
    figure = new_figure(width, sum(heights), layout="constrained")
    columns = math.lcm(across, max(series, 1))
    grid = GridSpec(len(heights), columns, figure, height_ratios=heights)
    wide = columns // across
    panels = [
        figure.add_subplot(grid[i // across, wide * (i % across) : wide * (i % across + 1)])
        for i in range(pairs)
    ]
    narrow = columns // max(series, 1)
    lines = [figure.add_subplot(grid[rows, narrow * i : narrow * (i + 1)]) for i in range(series)]
    return figure, panels, lines


def _draw_bar(figure: Figure, panels: Sequence[Axes], count: int) -> None:
    """Says what the shades mean, beside the panels."""
    dots = [c for axes in panels for c in axes.collections if c.get_array() is not None]
    if not dots:
        return
    bar = figure.colorbar(dots[0], ax=list(panels), pad=0.01, aspect=30)
    bar.set_label("number scored", fontsize=style.SMALL_SIZE, color=style.INK)
    bar.ax.tick_params(labelsize=style.SMALL_SIZE, colors=style.INK)
    bar.set_ticks(sorted({1, round((1 + count) / 2), max(count, 2)}))
    bar.outline.set_visible(False)
