"""Fonts, colours and line styles of every figure, in one place.

Shades differ in lightness, never in hue alone, so that a figure survives a black-and-white printer.
"""

from matplotlib.axes import Axes

DPI = 100
SIZE = (16.0, 9.0)  # Inches: 1600 x 900 pixels.
PANEL = (7.0, 4.6)  # Inches: a picture of one panel, which is read on a telephone too.
SMALL_PANEL = (5.2, 4.0)  # One of several.

# Set while a figure is made, so that a user's own matplotlib settings do not change it.
RC = {
    "font.family": "sans-serif",
    "font.sans-serif": ["DejaVu Sans"],  # Comes with matplotlib and has the arrows and κ.
    "font.size": 12.0,
    "text.usetex": False,
    "axes.formatter.use_mathtext": True,
    "axes.unicode_minus": True,
    "path.sketch": None,
}

TITLE_SIZE = 18
HEADING_SIZE = 13
LABEL_SIZE = 12
SMALL_SIZE = 10.5

INK = "#1a1a1a"
SOFT_INK = "#5a5a5a"
GRID = "#d9d9d9"
PAPER = "#ffffff"

KEPT = "#12355b"  # The darkest shade: what the search ends with.
FIRST_PRUNED = (0.93, 0.95, 0.97)  # From the first round, lightest,
LAST_PRUNED = (0.47, 0.62, 0.77)  # to the last one.
ABSENT = "#ffffff"
DENSITY = ("#dde5ec", "#7f9fbf", KEPT)  # The shades of counts, from one to the most.

SERIES = {"color": "#1f5a94", "linewidth": 1.8, "marker": "o", "markersize": 6}
# What tells curves in one figure apart: 7 markers and 4 line styles pair up in 28 ways.
CURVE_COLORS = ("#12355b", "#b3400f", "#3f7fb5", "#5a5a5a", "#d98c3f")
CURVE_MARKERS = ("o", "s", "^", "D", "v", "P", "X")
CURVE_LINES = ("solid", (0, (6, 2)), (0, (1.5, 1.5)), (0, (7, 2, 1.5, 2)))
FINAL_MARK = {"color": "#b3400f", "marker": "D", "markersize": 8, "linestyle": "none"}

EDGE = {"color": INK, "linewidth": 1.8, "linestyle": "solid"}
# The operation `none` carries nothing; its edge is drawn so that the cell's shape stays visible.
NONE_EDGE = {"color": SOFT_INK, "linewidth": 1.5, "linestyle": (0, (1, 2.5))}
NODE = {"facecolor": "#e8eef4", "edgecolor": INK, "linewidth": 1.8}


def pruned_shade(position: float) -> tuple[float, float, float]:
    """Returns the shade of an operation pruned at `position`, from 0 (first round) to 1 (last)."""
    pairs = zip(FIRST_PRUNED, LAST_PRUNED, strict=True)
    return tuple(a + (b - a) * position for a, b in pairs)


def curve(number: int) -> dict:
    """Returns the look of a figure's curve of that number, from 0; the first 28 all differ."""
    return {
        "color": CURVE_COLORS[number % len(CURVE_COLORS)],
        "marker": CURVE_MARKERS[number % len(CURVE_MARKERS)],
        "linestyle": CURVE_LINES[number % len(CURVE_LINES)],
        "linewidth": 1.8,
        "markersize": 7,
    }


def frame(axes: Axes) -> None:
    """Gives axes with data the common frame: no box, a light grid, readable ticks."""
    axes.spines[["top", "right"]].set_visible(False)
    axes.spines[["left", "bottom"]].set_color(SOFT_INK)
    axes.grid(True, axis="y", color=GRID, linewidth=0.8)
    axes.set_axisbelow(True)
    axes.tick_params(labelsize=SMALL_SIZE, colors=INK)


def labels(axes: Axes, x: str, y: str) -> None:
    """Says what the axes are; the words are never taken for mathematical text."""
    words = {"fontsize": LABEL_SIZE, "color": INK, "parse_math": False}
    axes.set_xlabel(x, **words)
    axes.set_ylabel(y, **words)
