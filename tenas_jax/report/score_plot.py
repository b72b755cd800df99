"""Scores of architectures against their accuracies, a panel a score."""

import math
from collections.abc import Collection, Mapping, Sequence

import numpy as np
from matplotlib.axes import Axes
from matplotlib.collections import PolyCollection
from matplotlib.colors import LinearSegmentedColormap, LogNorm

from tenas_jax.errors import UserError
from tenas_jax.report import style
from tenas_jax.report.headings import write_nothing, write_title
from tenas_jax.report.picture import Picture, new_figure, styled
from tenas_jax.report.scales import finite, is_wide, plain_number, set_scale, set_ticks

MOST_POINTS = 2000  # architectures beyond which a panel shows their density
HEXAGONS = (36, 20)  # along a panel, and up it


@styled
def score_picture(
    scores: Mapping[str, np.ndarray],
    accuracy: np.ndarray,
    archs: Sequence[str],
    *,
    accuracy_name: str,
    lower_is_better: Collection[str] = (),
    taus: Mapping[str, float | None] | None = None,
    title: str,
) -> Picture:
    """Draws a panel for each score: a point an architecture, or of many how dense they lie.

    Args:
        scores: name -> [K]; what is not finite counts as bad and is left out.
        accuracy: [K]; what is not finite is left out.
        archs: [K] strings, shown where a point is pointed at.
        accuracy_name: of the accuracy.
        lower_is_better: names of the scores of which that is said.
        taus: score -> Kendall's τ, None where it is undefined; shown above the panel.
        title: shown above.

    Raises:
        UserError: there are no scores, or not a value for each architecture.
    """
    if not scores:
        raise UserError("there are no scores to plot")
    for name, values in {**scores, accuracy_name: accuracy}.items():
        if len(values) != len(archs):
            raise UserError(f"{name} has {len(values)} values for {len(archs)} architectures")
    columns = min(len(scores), 2 if len(scores) < 5 else 3)
    rows = math.ceil(len(scores) / columns)
    width, height = style.PANEL if len(scores) == 1 else style.SMALL_PANEL
    figure = new_figure(columns * width, rows * height, layout="constrained")
    panels = figure.subplots(rows, columns, squeeze=False).ravel()
    hovers, accuracy, what = {}, finite(accuracy), accuracy_name.replace("_", " ")
    for number, (axes, (name, values)) in enumerate(zip(panels, scores.items(), strict=False)):
        known = _Points(finite(values), accuracy, archs)
        words = name.replace("_", " ")
        hovers |= known.draw(axes, f"score{number}", words, what)
        note = " (lower is better)" if name in lower_is_better else ""
        style.labels(axes, words + note, what)
        heading = " · ".join([*_tau(taus or {}, name), *known.counts()])
        axes.set_title(heading, loc="left", fontsize=style.SMALL_SIZE, color=style.INK)
    for axes in panels[len(scores) :]:
        axes.set_axis_off()
    write_title(figure, title)
    return Picture(figure, hovers)


def _tau(taus: Mapping[str, float | None], name: str) -> list[str]:
    """Writes τ of a score, if it is known."""
    if name not in taus:
        return []
    tau = taus[name]
    return ["τ undefined" if tau is None or math.isnan(tau) else f"τ = {tau:.3f}"]


class _Points:
    """Holds what one panel shows: the architectures that have both a score and an accuracy."""

    def __init__(self, score: np.ndarray, accuracy: np.ndarray, archs: Sequence[str]):
        """Sorts out which architectures are shown, and counts the others."""
        shown = np.isfinite(score) & np.isfinite(accuracy)
        self.score, self.accuracy = score[shown], accuracy[shown]
        self.archs = [archs[i] for i in np.flatnonzero(shown)]
        self.bad = int(np.isnan(score).sum())
        self.blank = int((np.isnan(accuracy) & ~np.isnan(score)).sum())

    def counts(self) -> list[str]:
        """Says how many are shown and are not."""
        words = [_architectures(len(self.score))]
        words += [f"{self.bad:,} bad"] * bool(self.bad)
        return words + [f"{self.blank:,} without accuracy"] * bool(self.blank)

    def draw(self, axes: Axes, gid: str, score_name: str, accuracy_name: str) -> dict:
        """Draws them, and gives the texts of the marks by their gid."""
        style.frame(axes)
        log = is_wide(self.score)
        if not len(self.score):
            write_nothing(axes)
            return {}
        if len(self.score) > MOST_POINTS:
            texts = self._draw_density(axes, gid, log)
        else:
            alpha = float(np.clip(12 / len(self.score) ** 0.5, 0.35, 1))
            look = {"color": style.SERIES["color"], "alpha": alpha, "linewidths": 0}
            axes.scatter(self.score, self.accuracy, s=26, gid=gid, **look)
            texts = [
                f"{arch}\n{score_name} {plain_number(score)}\n{accuracy_name} {accuracy:.6g}"
                for arch, score, accuracy in zip(self.archs, self.score, self.accuracy, strict=True)
            ]
        axes.margins(0.05)
        for which, logarithmic in (("x", log), ("y", False)):
            set_scale(axes, which, log=logarithmic)
        return {gid: texts}

    def _draw_density(self, axes: Axes, gid: str, log: bool) -> list[str]:
        """Draws hexagons, darker where more architectures lie, with what each counts."""
        along = _extent(np.log10(self.score) if log else self.score)
        hexagons: PolyCollection = axes.hexbin(
            self.score,
            self.accuracy,
            gridsize=HEXAGONS,
            extent=(*along, *_extent(self.accuracy)),
            mincnt=1,
            xscale="log" if log else "linear",
            cmap=LinearSegmentedColormap.from_list("density", style.DENSITY),
            linewidths=(0.2, 0.2),  # With one width matplotlib's SVG loses a hexagon that is alone.
            gid=gid,
        )
        counts = hexagons.get_array()
        most = max(int(counts.max()), 2)
        hexagons.set_norm(LogNorm(1, most))
        bar = axes.figure.colorbar(hexagons, ax=axes, pad=0.02)
        bar.set_label("architectures", fontsize=style.SMALL_SIZE, color=style.INK)
        ticks = [n for n in (1, 3, 10, 30, 100, 300, 1000, 3000, 10000) if 1.4 * n <= most] + [most]
        set_ticks(bar.ax.yaxis, ticks)
        bar.ax.tick_params(labelsize=style.SMALL_SIZE, colors=style.INK)
        bar.outline.set_visible(False)
        return [_architectures(int(n)) for n in counts]


def _extent(values: np.ndarray) -> tuple[float, float]:
    """Finds the ends of what the hexagons cover, apart even where all values are the same."""
    low, high = float(values.min()), float(values.max())
    if high - low <= 1e-12 * max(abs(low), abs(high)):
        margin = 0.1 * abs(high) or 0.1
        return low - margin, high + margin
    return low, high


def _architectures(count: int) -> str:
    """Writes how many architectures."""
    return "1 architecture" if count == 1 else f"{count:,} architectures"
