"""The texts around a figure: its title, its legend, and how large a text is once drawn."""

import textwrap
from collections.abc import Sequence

from matplotlib.artist import Artist
from matplotlib.axes import Axes
from matplotlib.figure import Figure
from matplotlib.text import Text
from matplotlib.transforms import Bbox

from tenas_jax.report import style

LETTER = 0.13  # inches that a letter of a title takes at most
LEGEND_LETTER, LEGEND_MARK, LEGEND_LINE = 0.083, 0.95, 0.23  # inches
LEAST_SIZE = 6  # points below which a text is not shrunk further


def write_title(figure: Figure, title: str) -> None:
    """Puts the title above, on as many lines as it takes.

    Args:
        figure: as of `picture.new_figure(…, layout="constrained")`.
        title: plain text.
    """
    figure.get_layout_engine().set(w_pad=0.1, h_pad=0.06)
    lines = "\n".join(textwrap.wrap(title, int(figure.get_figwidth() / LETTER)))
    text = {"x": 0.02, "ha": "left", "color": style.INK, "parse_math": False}
    figure.suptitle(lines, fontsize=style.HEADING_SIZE, fontweight="bold", **text)


def write_legend(figure: Figure, handles: Sequence[Artist], labels: Sequence[str]) -> None:
    """Puts a legend below what is shown, in as many columns as fit; the figure grows by it."""
    if not labels:
        return
    width = LEGEND_MARK + LEGEND_LETTER * max(map(len, labels))
    columns = min(max(int(figure.get_figwidth() / width), 1), len(labels))
    figure.set_figheight(figure.get_figheight() + LEGEND_LINE * -(-len(labels) // columns))
    legend = figure.legend(
        handles,
        labels,
        loc="outside lower left",
        ncols=columns,
        fontsize=style.SMALL_SIZE,
        frameon=False,
        handlelength=3.5,
        columnspacing=1.5,
    )
    for text in legend.get_texts():
        text.set(parse_math=False, color=style.INK)


def write_nothing(axes: Axes) -> None:
    """Says in the middle of empty axes that there is nothing to show."""
    axes.set(xticks=[], yticks=[])
    where = {"transform": axes.transAxes, "ha": "center", "va": "center"}
    axes.text(0.5, 0.5, "nothing to show", color=style.SOFT_INK, **where)


def text_extent(text: Text) -> Bbox:
    """Measures the box that a text takes, in pixels."""
    return text.get_window_extent(text.figure.canvas.get_renderer())


def shrink(text: Text, width: float) -> None:
    """Makes a text smaller until it is no wider than `width` pixels (or too small to read)."""
    for _ in range(20):
        if text_extent(text).width <= width or text.get_fontsize() <= LEAST_SIZE:
            return
        text.set_fontsize(text.get_fontsize() - 0.5)
