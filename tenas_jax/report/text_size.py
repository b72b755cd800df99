"""How large a text is once drawn, and making it fit."""

from matplotlib.text import Text
from matplotlib.transforms import Bbox


def text_extent(text: Text) -> Bbox:
    """The box `text` takes, in pixels."""
    return text.get_window_extent(text.figure.canvas.get_renderer())


def shrink(text: Text, width: float) -> None:
    """Make `text` smaller until it is no wider than `width` pixels (or too small to read)."""
    for _ in range(20):
        if text_extent(text).width <= width or text.get_fontsize() <= 6:
            return
        text.set_fontsize(text.get_fontsize() - 0.5)
