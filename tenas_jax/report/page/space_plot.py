"""What is drawn over three metrics as a figure that can be turned, by Plotly's script in the page.

A figure is the JSON that Plotly's `newPlot` takes. Its script, some five megabytes, is part of the
page, which so needs no network.
"""

import html
import textwrap
from collections.abc import Mapping, Sequence

import numpy as np

from tenas_jax.report import style
from tenas_jax.report.page.blocks import Turnable
from tenas_jax.report.page.words import words
from tenas_jax.report.scales import finite, plain_number
from tenas_jax.report.trajectory import Trajectory
from tenas_jax.report.trajectory_panel import (
    PATH_COLOR,
    SCORED,
    answer_texts,
    axis_words,
    dot_texts,
    is_log,
)

AXES = ("x", "y", "z")
LETTERS = 60  # in a line of what a mark says
MOST_TICKS = 6
CAMERA = {"eye": {"x": 1.5, "y": 1.5, "z": 0.85}, "center": {"x": 0, "y": 0, "z": -0.15}}
FONT = {"family": "system-ui, sans-serif", "size": 12, "color": style.INK}

Columns = Mapping[str, np.ndarray]  # of three metrics, by name


def plotly_script() -> str:
    """Returns Plotly's own script, as it can stand in a `script` element."""
    from plotly.offline import get_plotlyjs  # slow to import, and not needed by most pages

    # Either would end the element, or hide its end, wherever it stands in a string of the script.
    return get_plotlyjs().replace("</script", "<\\/script").replace("<!--", "<\\!--")


def trajectory_space(trajectory: Trajectory, caption: str) -> Turnable | None:
    """Draws all that a search scored and its answers' path; None without three metrics in common.

    Args:
        trajectory: the search's way; the first three of its metrics are drawn.
        caption: of the figure.
    """
    names = trajectory.metrics[: len(AXES)]
    columns = {name: trajectory.values[name] for name in names}
    known = _known(columns)
    if len(names) < len(AXES) or not known.any():
        return None
    dots, count = np.flatnonzero(known), len(trajectory.archs)
    scale = [[i / (len(SCORED) - 1), color] for i, color in enumerate(SCORED)]
    shade = {"color": (dots + 1).tolist(), "colorscale": scale, "cmin": 1, "cmax": max(count, 2)}
    marker = {"size": 3, **shade}  # what the shades mean is in the caption: no room in a hand
    texts = dot_texts(trajectory)
    traces = [_trace("architecture", columns, dots, [texts[i] for i in dots], marker=marker)]
    front = [at for at in trajectory.front if known[at]]
    if front:
        ring = {"size": 6, "symbol": "circle-open", "color": style.INK}
        own = [texts[i] for i in front]
        traces.append(_trace("Pareto front", columns, front, own, marker=ring))
    path = {name: column[trajectory.path] for name, column in columns.items()}
    traces += _path(
        path, answer_texts(trajectory), ("answers so far", "first answer", "last answer")
    )
    return Turnable(traces, _layout(columns), caption)


def supernet_space(
    history: Sequence[Mapping], metrics: Sequence[str], caption: str
) -> Turnable | None:
    """Draws the path of a pruning search's supernet; None without three metrics once known.

    Args:
        history: dicts with `round`, `mask`, `pruned` and the supernet's value of each metric.
        metrics: names; the first three are drawn.
        caption: of the figure.
    """
    names = metrics[: len(AXES)]
    columns = {name: finite(entry.get(name) for entry in history) for name in names}
    if len(names) < len(AXES) or not _known(columns).any():
        return None
    texts = [
        "\n".join(
            [
                f"round {entry['round']}",
                *(f"{words(name)} {plain_number(columns[name][i])}" for name in names),
                f"operations left {int(np.sum(entry['mask']))}",
            ]
        )
        for i, entry in enumerate(history)
    ]
    end = "latest round" if history[-1].get("pruned") else "result"
    traces = _path(columns, texts, ("rounds", "first round", end))
    return Turnable(traces, _layout(columns), caption)


def _known(columns: Columns) -> np.ndarray:
    """Says of each row whether all columns are finite there, bool [rows]."""
    return np.all([np.isfinite(column) for column in columns.values()], axis=0)


def _path(columns: Columns, texts: Sequence[str], names: tuple[str, str, str]) -> list[dict]:
    """Draws the line through all points that are known, and marks the first and the last of all."""
    known = _known(columns)
    last = len(known) - 1
    line = {"color": PATH_COLOR, "width": 4}
    looks = (
        (names[0], np.flatnonzero(known), {"size": 3, "color": PATH_COLOR}),
        (names[1], [0] if last > 0 and known[0] else [], {"size": 6, "symbol": "square-open"}),
        (names[2], [last] if last >= 0 and known[last] else [], {"size": 6, "symbol": "diamond"}),
    )
    traces = []
    for number, (name, rows, look) in enumerate(looks):
        if not len(rows):
            continue
        how = {"marker": {"color": PATH_COLOR, **look}}
        if number == 0:
            how |= {"line": line, "mode": "lines+markers"}
        traces.append(_trace(name, columns, rows, [texts[i] for i in rows], **how))
    return traces


def _trace(name: str, columns: Columns, rows: Sequence[int], texts: Sequence[str], **look) -> dict:
    """Makes Plotly's trace of the points in some rows of the columns, each with its text."""
    points = zip(AXES, columns.values(), strict=True)
    return {
        "type": "scatter3d",
        "mode": "markers",
        "name": name,
        **{axis: [float(column[i]) for i in rows] for axis, column in points},
        "text": [_label(text) for text in texts],
        "hoverinfo": "text",
        **look,
    }


def _label(text: str) -> str:
    """Writes a text as Plotly takes it, which knows some tags: in short lines, and escaped."""
    lines = [part for line in text.split("\n") for part in textwrap.wrap(line, LETTERS)]
    return "<br>".join(html.escape(line, quote=False) for line in lines)


def _layout(columns: Columns) -> dict:
    """Sets axes with few plain numbers, logarithmic where that suits, and a legend below."""
    scene = {"aspectmode": "cube", "camera": CAMERA}
    for axis, (name, column) in zip(AXES, columns.items(), strict=True):
        known = column[np.isfinite(column)]
        log = is_log(name, known)
        ticks = _ticks(float(known.min()), float(known.max()), log)
        scene[f"{axis}axis"] = {
            "title": {"text": axis_words(name).replace(" (", "<br>(")},
            "type": "log" if log else "linear",
            "tickvals": ticks,
            "ticktext": [plain_number(tick) for tick in ticks],
            "gridcolor": style.GRID,
            "zeroline": False,
        }
    legend = {"orientation": "h", "x": 0, "y": 0, "yanchor": "top", "itemsizing": "constant"}
    return {
        "scene": scene,
        "legend": legend,
        "font": FONT,
        "paper_bgcolor": style.PAPER,
        "margin": {"l": 0, "r": 0, "t": 30, "b": 0},
        "hoverlabel": {"align": "left", "bgcolor": style.INK, "font": {"color": style.PAPER}},
    }


def _ticks(low: float, high: float, log: bool) -> list[float]:
    """Chooses round numbers from the least to the greatest value, at most `MOST_TICKS` or so."""
    from matplotlib.ticker import LogLocator, MaxNLocator

    slack = 1e-9 * max(abs(low), abs(high))
    if high - low <= slack:
        return [low]
    if log and high > 3 * low:
        subs = (1,) if high > 1e3 * low else (1, 3) if high > 30 * low else (1, 2, 5)
        ticks = LogLocator(subs=subs, numticks=MOST_TICKS + 1).tick_values(low, high)
    else:
        ticks = MaxNLocator(nbins=MOST_TICKS - 1).tick_values(low, high)
    kept = [float(tick) for tick in ticks if low - slack <= tick <= high + slack]
    return kept or [low]
