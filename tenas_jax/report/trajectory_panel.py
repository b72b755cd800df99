"""One panel of a search's way: what it scored over two metrics, and the path of its answers."""

from collections.abc import Sequence

import numpy as np
from matplotlib.artist import Artist
from matplotlib.axes import Axes
from matplotlib.collections import PathCollection
from matplotlib.colors import LinearSegmentedColormap, Normalize

from tenas_jax.metrics import METRICS
from tenas_jax.report import style
from tenas_jax.report.headings import write_nothing
from tenas_jax.report.pruning_plot import SERIES
from tenas_jax.report.scales import is_wide, plain_number, set_scale
from tenas_jax.report.trajectory import Trajectory

ORDER = "scored"  # the axis of a search by one metric: the number of an architecture
MOST_HOVERED = 3000  # architectures beyond which their dots are one image without texts

PATH_COLOR = style.FINAL_MARK["color"]
LINE = {"color": PATH_COLOR, "linewidth": 1.6, "zorder": 3}
LOOKS = {
    "first answer": {"marker": "s", "markersize": 8, "markerfacecolor": style.PAPER},
    "later answers": {"marker": "o", "markersize": 4},
    "last answer": {"marker": "D", "markersize": 8},
}
FRONT = {"facecolors": "none", "edgecolors": style.INK, "linewidths": 1.3, "s": 62, "zorder": 2.8}
COSTS = {"multiply_adds": "multiply-adds"}  # names that are not their own words
SCORED = ("#b9cbdc", "#6d93ba", style.KEPT)  # from the first one scored to the last
SHADES = LinearSegmentedColormap.from_list("scored", SCORED)


class Panel:
    """Draws on one pair of axes, and knows which architectures have a value on both."""

    def __init__(self, trajectory: Trajectory, x: str, y: str, axes: Axes, number: int):
        """Frames and names empty axes.

        Args:
            trajectory: the search's way.
            x: the metric or cost across, or `ORDER`.
            y: the metric or cost up.
            axes: empty.
            number: of the panel in its figure.
        """
        order = np.arange(1, len(trajectory.archs) + 1, dtype=float)
        self.x, self.y = ({ORDER: order, **trajectory.values}[name] for name in (x, y))
        self.names, self.trajectory, self.axes, self.number = (x, y), trajectory, axes, number
        self.known = np.isfinite(self.x) & np.isfinite(self.y)
        style.frame(axes)
        style.labels(axes, axis_words(x), axis_words(y))

    def draw_dots(self, texts: Sequence[str], hovers: dict[str, list[str]]) -> dict[str, Artist]:
        """Draws the dots, and rings around those of the Pareto front."""
        shown = np.flatnonzero(self.known)
        few = len(shown) <= MOST_HOVERED
        count = len(self.trajectory.archs)
        handles: dict[str, Artist] = {}
        if not len(shown):
            write_nothing(self.axes)
            return handles
        # Few dots have a text each; many are one image without.
        gid = f"dots{self.number}"
        dots: PathCollection = self.axes.scatter(
            self.x[shown],
            self.y[shown],
            c=shown + 1,
            cmap=SHADES,
            norm=Normalize(1, max(count, 2)),
            s=24,
            linewidths=0,
            zorder=2,
            gid=gid if few else None,
            rasterized=not few,
        )
        handles["architecture"] = dots
        if few:
            hovers[gid] = [texts[i] for i in shown]
        front = [at for at in self.trajectory.front if self.known[at]]
        if front:
            handles["Pareto front"] = self.axes.scatter(self.x[front], self.y[front], **FRONT)
        return handles

    def draw_path(self, texts: Sequence[str], hovers: dict[str, list[str]]) -> dict[str, Artist]:
        """Draws the line from answer to answer, and its marks; a value that lacks is a gap."""
        path = self.trajectory.path
        across = np.where(self.known[path], self.x[path], np.nan)
        up = np.where(self.known[path], self.y[path], np.nan)
        if ORDER in self.names:  # an answer stands from when it was found, and the last to the end
            across = self.trajectory.since.astype(float)
            end = [len(self.x)] * bool(len(path))
            held = np.append(up, up[-1:])
            self.axes.plot(np.append(across, end), held, drawstyle="steps-post", **LINE)
        else:
            self.axes.plot(across, up, **LINE)
        last, handles = len(path) - 1, {}
        marks = [[0] if last > 0 else [], range(1, last), [last] if last >= 0 else []]
        for number, (label, marked) in enumerate(zip(LOOKS, marks, strict=True)):
            shown = [i for i in marked if np.isfinite(up[i])]
            if shown:
                gid = f"path{self.number}-{number}"
                look = {"color": PATH_COLOR, "linestyle": "none", "zorder": 4} | LOOKS[label]
                [handles[label]] = self.axes.plot(across[shown], up[shown], gid=gid, **look)
                hovers[gid] = [texts[i] for i in shown]
        return handles

    def finish(self) -> None:
        """Sets the scales, and says how many are shown."""
        bad = int((~self.known).sum())
        counts = [f"{int(self.known.sum()):,} shown", *[f"{bad:,} bad, left out"] * bool(bad)]
        words = {"fontsize": style.SMALL_SIZE, "color": style.SOFT_INK}
        self.axes.set_title(" · ".join(counts), loc="left", **words)
        if self.known.any():
            self.axes.margins(0.06)
            for which, name, values in zip("xy", self.names, (self.x, self.y), strict=True):
                set_scale(self.axes, which, log=name != ORDER and is_log(name, values[self.known]))


def axis_words(name: str) -> str:
    """Says what is on an axis, and which way it is better."""
    if name == ORDER:
        return "architectures scored"
    words = _words(name)
    if name not in METRICS:
        return words
    return f"{words} ({'higher' if METRICS[name].higher_is_better else 'lower'} is better)"


def is_log(name: str, values: np.ndarray) -> bool:
    """Says whether a logarithmic axis suits: for κ wherever possible, else over a wide span."""
    known = values[np.isfinite(values)]
    asked = SERIES.get(name, ("", False))[1]
    return is_wide(values) or bool(asked and known.size and known.min() > 0)


def dot_texts(trajectory: Trajectory) -> list[str]:
    """Writes what each dot says, [K]: the architecture, its number and its values."""
    return [
        "\n".join(
            [
                arch,
                f"scored as number {at + 1:,}",
                *(_value(name, column[at]) for name, column in trajectory.values.items()),
            ]
        )
        for at, arch in enumerate(trajectory.archs)
    ]


def answer_texts(trajectory: Trajectory) -> list[str]:
    """Writes what each mark of the path says, [P]."""
    return [
        "\n".join(
            [
                trajectory.archs[at],
                f"the answer from {since:,} scored on",
                *(_value(name, trajectory.values[name][at]) for name in trajectory.metrics),
            ]
        )
        for at, since in zip(trajectory.path, trajectory.since, strict=True)
    ]


def _value(name: str, value: float) -> str:
    """Writes a metric or cost and its value."""
    return f"{_words(name)} {plain_number(float(value)) if np.isfinite(value) else 'bad'}"


def _words(name: str) -> str:
    """Puts a metric or cost into words."""
    return SERIES.get(name, (COSTS.get(name, name.replace("_", " ")),))[0]
