"""One picture of a growth: depth, width and metrics of each step's network by its parameters."""

import math
from collections.abc import Mapping, Sequence

import numpy as np
from matplotlib.axes import Axes
from matplotlib.figure import Figure
from matplotlib.lines import Line2D
from matplotlib.ticker import MaxNLocator

from tenas_jax.errors import UserError
from tenas_jax.report import style
from tenas_jax.report.headings import shrink, write_nothing
from tenas_jax.report.picture import Picture, new_figure, styled
from tenas_jax.report.scales import finite, plain_number, set_scale
from tenas_jax.report.trajectory_panel import axis_words, is_log

MILLION = 1e6
APART = 0.08  # blocks by which lines of stages stand apart, which else hide each other
UNTRAINED = "None of these networks is trained: their accuracies are unknown."
CHOSEN = style.SERIES | {"markersize": 5, "zorder": 3}
DOT = {"color": style.CURVE_COLORS[2], "alpha": 0.3, "linewidths": 0, "s": 22, "zorder": 2}


@styled
def growth_picture(history: Sequence[Mapping], metrics: Sequence[str], title: str) -> Picture:
    """Draws panels over the parameters in full, 1600 x 900 pixels: blocks, width, and each metric.

    A mark is the network that a step took, a faint dot one of the step's candidates. What lacks a
    metric is left out of its panel, and counted below it. Accuracies are not known, so not shown.

    Args:
        history: of `Growth`, a dict a step: `string`, `sizes`, `parameters`, `rank_sum`, the mean
            of each metric or None, and `candidates`, dicts of the same.
        metrics: names of those that are drawn.
        title: shown above.

    Raises:
        UserError: there are no steps, or no metrics.
    """
    if not history or not metrics:
        raise UserError("there are no steps of a growth with metrics to plot")
    figure = new_figure(*style.SIZE)
    depths, width, panels = _panels(figure, len(metrics))
    across = _millions(history)
    texts = [_text(entry, metrics, number) for number, entry in enumerate(history, 1)]
    hovers = _draw_depths(depths, across, history, texts)
    hovers |= _draw_steps(width, across, [e["sizes"][-1] for e in history], "width", texts)
    _write_name(width, "width of the first stage")
    for axes, name in zip(panels, metrics, strict=True):
        hovers |= _draw_metric(axes, name, history, texts)
    _set_parameters([depths, width, *panels], history)
    _write_texts(figure, title)
    return Picture(figure, hovers)


def _panels(figure: Figure, metrics: int) -> tuple[Axes, Axes, list[Axes]]:
    """Makes axes of blocks and width, left, two metrics a column beside; an odd last is tall."""
    columns = 1 + -(-metrics // 2)
    frame = {"left": 0.045, "right": 0.985, "bottom": 0.125, "top": 0.835}
    grid = figure.add_gridspec(2, columns, hspace=0.32, wspace=0.1 * columns, **frame)
    left = [figure.add_subplot(grid[row, 0]) for row in range(2)]
    panels = []
    for number in range(metrics):
        alone = number == metrics - 1 and number % 2 == 0
        rows = slice(0, 2) if alone else number % 2
        panels.append(figure.add_subplot(grid[rows, 1 + number // 2]))
    return *left, panels


def _millions(entries: Sequence[Mapping]) -> np.ndarray:
    """Returns parameters in millions, float64 [entries]."""
    return np.array([entry["parameters"] for entry in entries], float) / MILLION


def _draw_depths(
    axes: Axes, across: np.ndarray, history: Sequence[Mapping], texts: Sequence[str]
) -> dict[str, list[str]]:
    """Draws a line of steps for each stage."""
    depths = np.array([entry["sizes"][:-1] for entry in history])
    hovers = {}
    for stage, blocks in enumerate(depths.T):
        look = style.curve(stage) | {"markersize": 4.5, "label": f"stage {stage + 1}"}
        up = blocks + APART * (stage - (depths.shape[1] - 1) / 2)
        words = [f"stage {stage + 1}: {n} blocks\n{t}" for n, t in zip(blocks, texts, strict=True)]
        hovers |= _draw_steps(axes, across, up, f"stage-{stage + 1}", words, **look)
    _write_name(axes, "blocks of each stage")
    axes.set_ylim(0.5, max(1.3 * depths.max(), depths.max() + 1))  # room for the legend
    axes.legend(loc="upper left", ncols=2, fontsize=style.SMALL_SIZE, frameon=False, handlelength=3)
    return hovers


def _draw_steps(
    axes: Axes, across: np.ndarray, up: Sequence[float], gid: str, texts: Sequence[str], **look
) -> dict[str, list[str]]:
    """Draws what stays until the next step's network, and its marks."""
    look = CHOSEN | look
    style.frame(axes)
    line = look | {"marker": None, "drawstyle": "steps-post"}
    axes.plot(across, up, **line)
    axes.plot(across, up, gid=gid, **look | {"linestyle": "none", "label": None})
    axes.yaxis.set_major_locator(MaxNLocator(nbins=6, integer=True))
    return {gid: list(texts)}


def _draw_metric(
    axes: Axes, name: str, history: Sequence[Mapping], texts: Sequence[str]
) -> dict[str, list[str]]:
    """Draws the line of the networks taken, with a gap where one is bad, over candidates' dots."""
    style.frame(axes)
    others = [
        (step, other) for step, entry in enumerate(history, 1) for other in entry["candidates"]
    ]
    dots = finite(other.get(name) for _, other in others)
    up, across = finite(entry.get(name) for entry in history), _millions(history)
    known, shown = np.isfinite(up), np.flatnonzero(np.isfinite(dots))
    bad = len(dots) - len(shown)
    _write_name(axes, axis_words(name))
    axes.set_xlabel(f" · {bad:,} bad, left out" * bool(bad))
    hovers = {}
    if not len(shown):
        write_nothing(axes)
        return hovers
    # All candidates, and over them the networks taken.
    sizes = _millions([other for _, other in others])
    axes.scatter(sizes[shown], dots[shown], gid=f"candidates-{name}", **DOT)
    hovers[f"candidates-{name}"] = [
        _text(other, (name,), step) for step, other in (others[i] for i in shown)
    ]
    axes.plot(across, up, **CHOSEN | {"marker": None})
    if known.any():
        marks = CHOSEN | {"linestyle": "none"}
        axes.plot(across[known], up[known], gid=f"chosen-{name}", **marks)
        hovers[f"chosen-{name}"] = [texts[i] for i in np.flatnonzero(known)]
    axes.margins(y=0.08)
    set_scale(axes, "y", log=is_log(name, dots))
    return hovers


def _set_parameters(panels: Sequence[Axes], history: Sequence[Mapping]) -> None:
    """Sets the same logarithmic axis below all panels: all candidates', with room at both ends."""
    seen = _millions([other for entry in history for other in entry["candidates"]])
    room = max((seen.max() / seen.min()) ** 0.04, 1.02)
    for axes in panels:
        axes.set_xlim(seen.min() / room, seen.max() * room)
        set_scale(axes, "x", log=True)
        words = "parameters, millions" + axes.get_xlabel()
        axes.set_xlabel(words, fontsize=style.SMALL_SIZE, color=style.INK)


def _write_name(axes: Axes, words: str) -> None:
    """Writes above a panel what it shows, small enough to fit."""
    text = axes.set_title(
        words, loc="left", fontsize=style.LABEL_SIZE, color=style.INK, parse_math=False
    )
    shrink(text, axes.bbox.width)


def _write_texts(figure: Figure, title: str) -> None:
    """Writes the title above, a note below, and what the marks are."""
    look = {"parse_math": False, "color": style.INK}
    heading = figure.text(0.02, 0.94, title, fontsize=style.TITLE_SIZE, fontweight="bold", **look)
    shrink(heading, 0.96 * figure.bbox.width)
    note = f"{UNTRAINED} Sizes and parameters are those of the network in full."
    figure.text(0.02, 0.025, note, fontsize=style.SMALL_SIZE, color=style.SOFT_INK)
    taken = Line2D([], [], label="network that a step took", **CHOSEN)
    dot = {"marker": "o", "linestyle": "none", "color": DOT["color"], "alpha": DOT["alpha"]}
    candidate = Line2D([], [], label="candidate of a step", markersize=math.sqrt(DOT["s"]), **dot)
    figure.legend(
        handles=[taken, candidate],
        loc="upper right",
        bbox_to_anchor=(0.99, 0.93),
        ncols=2,
        fontsize=style.SMALL_SIZE,
        frameon=False,
    )


def _text(entry: Mapping, metrics: Sequence[str], step: int) -> str:
    """Writes what a mark says."""
    values = finite(entry.get(name) for name in metrics)
    named = [
        f"{name.replace('_', ' ')} {plain_number(value) if math.isfinite(value) else 'bad'}"
        for name, value in zip(metrics, values, strict=True)
    ]
    sizes = [f"parameters {entry['parameters']:,}", f"sum of ranks {entry['rank_sum']}"]
    return "\n".join([entry["string"], f"step {step}", *sizes, *named])
