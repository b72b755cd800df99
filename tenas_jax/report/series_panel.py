"""A number of a search's state over its steps, such as the diversity of its population."""

import numpy as np
from matplotlib.axes import Axes
from matplotlib.ticker import MaxNLocator

from tenas_jax.report import style
from tenas_jax.report.headings import write_nothing
from tenas_jax.report.scales import plain_number

MOST_MARKS = 60  # places of a line that have a text
WORDS = {
    "diversity": "population diversity (edges)",
    "entropy": "policy entropy (nats an edge)",
    "front": "Pareto front (architectures)",
}


def draw_numbers(axes: Axes, steps: np.ndarray, values: np.ndarray, name: str) -> dict:
    """Draws the line, with a gap where a value is not known.

    Args:
        axes: empty.
        steps: [rounds]
        values: [rounds]; NaN where it is not known.
        name: of the number.

    Returns:
        The texts of the marks by their gid.
    """
    style.frame(axes)
    words = WORDS.get(name, name.replace("_", " "))
    axes.set_title(words, loc="left", fontsize=style.LABEL_SIZE, color=style.INK, parse_math=False)
    axes.set_xlabel("steps", fontsize=style.SMALL_SIZE, color=style.INK, labelpad=2)
    known = np.flatnonzero(np.isfinite(values))
    if not len(known):
        write_nothing(axes)
        return {}
    color = style.SERIES["color"]
    axes.plot(steps, values, color=color, linewidth=1.4, zorder=2)
    every = -(-len(known) // MOST_MARKS)
    marked = sorted({*known[::every].tolist(), int(known[-1])})
    size = 4 if len(marked) < 25 else 2.5
    look = {"color": color, "marker": "o", "markersize": size, "linestyle": "none"}
    axes.plot(steps[marked], values[marked], gid=f"series-{name}", zorder=3, **look)
    axes.margins(x=0.04, y=0.12)
    whole = bool((values[known] % 1 == 0).all())
    for axis, integer in ((axes.xaxis, True), (axes.yaxis, whole)):
        axis.set_major_locator(MaxNLocator(nbins=4, integer=integer))
        axis.set_major_formatter(lambda value, _: plain_number(value))
    texts = [f"{words} {values[i]:.5g}\nafter {int(steps[i]):,} steps" for i in marked]
    return {f"series-{name}": texts}
