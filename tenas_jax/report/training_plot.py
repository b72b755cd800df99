"""One picture of a training: loss and accuracy by epoch, and which classes are confused."""

import textwrap
from collections.abc import Mapping, Sequence

import matplotlib
import numpy as np
from matplotlib.axes import Axes
from matplotlib.colors import LinearSegmentedColormap
from matplotlib.figure import Figure
from matplotlib.ticker import MaxNLocator

from tenas_jax.errors import UserError
from tenas_jax.report import style
from tenas_jax.report.headings import shrink
from tenas_jax.report.picture import new_figure

# name of a record's field -> what the legend calls it
AUGMENTED = "training, as augmented"
LOSSES = {"train_loss": AUGMENTED, "test_loss": "test"}
ACCURACIES = {"train_top1": AUGMENTED, "test_top1": "test", "test_top5": "test top-5"}
MOST_NAMED = 20  # classes beyond which the matrix has neither names nor numbers
MOST_MARKED = 40  # epochs beyond which points have no markers
LINE = 300  # letters of the subtitle on a line


def training_figure(
    records: Sequence[Mapping],
    confusion: np.ndarray,
    names: Sequence[str],
    *,
    title: str,
    subtitle: str = "",
) -> Figure:
    """Draws losses (left, above), accuracies (below) and confusion (right), 1600 x 900 pixels.

    Args:
        records: one dict an epoch: `epoch`, and each of `LOSSES` and `ACCURACIES`, or None where it
            was not evaluated.
        confusion: int [classes, classes], images by true class (rows) and predicted one (columns).
        names: one a class.
        title: shown above.
        subtitle: shown below the title, such as the architecture.

    Raises:
        UserError: there are no records.
    """
    if not records:
        raise UserError("there are no epochs to plot")
    with matplotlib.rc_context(style.RC):
        figure = new_figure(*style.SIZE)
        left = {"left": 0.06, "right": 0.47, "bottom": 0.075, "top": 0.83}
        curves = figure.add_gridspec(2, 1, hspace=0.2, **left)
        _draw_curves(figure.add_subplot(curves[0]), records, LOSSES, "loss")
        below = figure.add_subplot(curves[1])
        _draw_curves(below, records, ACCURACIES, "accuracy, %", scale=100)
        below.set_xlabel("epoch", fontsize=style.LABEL_SIZE, color=style.INK)
        right = figure.add_gridspec(1, 1, left=0.58, right=0.985, bottom=0.15, top=0.83)
        _draw_confusion(figure.add_subplot(right[0]), np.asarray(confusion), names)
        _draw_texts(figure, title, subtitle)
    return figure


def _draw_curves(
    axes: Axes, records: Sequence[Mapping], fields: Mapping[str, str], what: str, scale: float = 1
) -> None:
    """Draws a curve for each field, over the epochs in which it is known."""
    style.frame(axes)
    for number, (field, label) in enumerate(fields.items()):
        known = [record for record in records if record.get(field) is not None]
        look = style.curve(number) | {"markersize": 5}
        if len(known) > MOST_MARKED:
            look["marker"] = None
        values = [scale * record[field] for record in known]
        axes.plot([record["epoch"] for record in known], values, label=label, **look)
    axes.set_ylabel(what, fontsize=style.LABEL_SIZE, color=style.INK)
    axes.xaxis.set_major_locator(MaxNLocator(integer=True, min_n_ticks=1))
    axes.margins(x=0.03, y=0.08)
    axes.legend(fontsize=style.SMALL_SIZE, frameon=False, handlelength=3.5, loc="best")


def _draw_confusion(axes: Axes, confusion: np.ndarray, names: Sequence[str]) -> None:
    """Draws shares of each true class, darker where they are larger, with the numbers of images."""
    shares = confusion / np.maximum(confusion.sum(1, keepdims=True), 1)
    shades = LinearSegmentedColormap.from_list("shades", [style.PAPER, style.KEPT])
    axes.imshow(shares, cmap=shades, vmin=0, vmax=1, aspect="auto", interpolation="nearest")
    axes.spines[:].set_visible(False)
    words = {"fontsize": style.LABEL_SIZE, "color": style.INK}
    axes.set_xlabel("predicted class", **words)
    axes.set_ylabel("true class", **words)
    axes.tick_params(length=0, labelsize=style.SMALL_SIZE, colors=style.INK)
    if len(names) > MOST_NAMED:
        return
    axes.set_yticks(range(len(names)), names)
    axes.set_xticks(range(len(names)), names, rotation=90)
    size = min(style.SMALL_SIZE, 190 / len(names))
    for (row, column), count in np.ndenumerate(confusion):
        if count:
            ink = style.PAPER if shares[row, column] > 0.5 else style.INK
            axes.text(column, row, str(count), ha="center", va="center", color=ink, fontsize=size)


def _draw_texts(figure: Figure, title: str, subtitle: str) -> None:
    """Writes title, subtitle and the headings of both sides."""
    look = {"parse_math": False, "color": style.INK}
    heading = figure.text(0.02, 0.95, title, fontsize=style.TITLE_SIZE, fontweight="bold", **look)
    lines = "\n".join(textwrap.wrap(subtitle, LINE))
    below = figure.text(0.02, 0.935, lines, fontsize=style.SMALL_SIZE, va="top", **look)
    for text in (heading, below):
        shrink(text, 0.96 * figure.bbox.width)
    small = {"fontsize": style.HEADING_SIZE, "fontweight": "bold", "color": style.INK}
    figure.text(0.02, 0.86, "By epoch", **small)
    figure.text(0.5, 0.86, "Test images by class, darker: a larger share of the row", **small)
