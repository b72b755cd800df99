"""A figure and what its marks say: written as a PNG, or as an SVG element to stand in a page.

In the page each mark carries its text as `data-hover`, for a script to show, and where there are
few of them as a `<title>`, which a browser shows without one.
"""

import io
import os
import re
import xml.etree.ElementTree as ElementTree
from collections.abc import Callable
from typing import NamedTuple, TypeVar

import matplotlib
from matplotlib.backends.backend_agg import FigureCanvasAgg
from matplotlib.figure import Figure

from tenas_jax.report import style
from tenas_jax.runs.files import atomic_write_bytes

F = TypeVar("F", bound=Callable)

MOST_TITLED = 500  # marks of an artist beyond which a text is written once, not twice
FALLBACK_FONTS = "'DejaVu Sans', Verdana, sans-serif"  # Verdana's letters are as wide.

_SVG = "http://www.w3.org/2000/svg"
_NO_METADATA = dict.fromkeys(("Date", "Creator", "Format", "Type"))
# Without a salt of their own the ids would differ from one call to the next.
_SVG_RC = {"svg.fonttype": "none", "svg.hashsalt": "tenas_jax", "svg.image_inline": True}
_CONTROL = re.compile("[\x00-\x08\x0b\x0c\x0e-\x1f\ufffe\uffff]")  # XML does not take these.
_REFERENCE = re.compile(r"url\(#")
_LONG_NUMBER = re.compile(r"-?\d+\.\d{3,}")
_FONT = re.compile(r"'DejaVu Sans'(, sans-serif)?")


class Picture(NamedTuple):
    """Holds a figure, and the text of each of its marks.

    Attributes:
        figure: with a canvas.
        hovers: the gid of an artist -> a text for each of its marks, in the order of its data.
            Marks are the points of a scatter, the markers of a line (else the line), a patch. Each
            must be drawn: not NaN.
    """

    figure: Figure
    hovers: dict[str, list[str]]


def styled(function: F) -> F:
    """Makes a function draw in the style of `tenas_jax.report.style`, whatever the user has set."""
    return matplotlib.rc_context(style.RC)(function)


def new_figure(width: float, height: float, **options) -> Figure:
    """Makes an empty figure that can be drawn and saved, to be called in a `styled` function.

    Args:
        width: in inches.
        height: in inches.
        **options: of matplotlib's `Figure`, such as `layout`.
    """
    figure = Figure(figsize=(width, height), dpi=style.DPI, facecolor=style.PAPER, **options)
    FigureCanvasAgg(figure)
    return figure


@styled
def save_png(figure: Figure, path: str | os.PathLike) -> None:
    """Writes a figure to the file `path`, `style.DPI` pixels an inch.

    Raises:
        UserError: the file cannot be written.
    """
    atomic_write_bytes(path, lambda file: figure.savefig(file, format="png", dpi=style.DPI))


def to_svg(picture: Picture, prefix: str) -> str:
    """Writes the picture as one `<svg>` element, the same for the same picture.

    It has a viewBox and no size of its own, its text is text, and its ids begin with the prefix, so
    that pictures of different prefixes can stand in one page.

    Args:
        picture: what is drawn.
        prefix: of letters, digits, `-` and `_`, beginning with a letter.

    Raises:
        ValueError: another prefix; a gid that no artist has; more or fewer texts than marks.
    """
    if not re.fullmatch(r"[A-Za-z][\w-]*", prefix, re.ASCII):
        raise ValueError(f"an id cannot begin with {prefix!r}")
    file = io.StringIO()
    with matplotlib.rc_context(style.RC | _SVG_RC):
        picture.figure.savefig(file, format="svg", metadata=_NO_METADATA)
    root = ElementTree.fromstring(_CONTROL.sub("\ufffd", file.getvalue()))
    _make_embeddable(root)
    groups = {element.get("id"): element for element in root.iter("g")}
    for gid, texts in picture.hovers.items():
        if gid not in groups:
            raise ValueError(f"no artist has the gid {gid!r}")
        _add_hovers(groups[gid], gid, texts)
    for element in root.iter():
        _shorten(element)
        _prefix_ids(element, prefix)
    return ElementTree.tostring(root, encoding="unicode")


def _make_embeddable(root: ElementTree.Element) -> None:
    """Drops namespaces, size and style sheet, none of which can stand in the middle of HTML."""
    for element in root.iter():
        element.tag = element.tag.rpartition("}")[2]
        for name in [name for name in element.attrib if "}" in name]:
            element.set(name.rpartition("}")[2], element.attrib.pop(name))
        element.text = element.text if (element.text or "").strip() else None
        element.tail = None
    for child in list(root):
        # Its rule is for every element of a page; inherited from here it is for this picture.
        if child.find("style") is not None:
            root.remove(child)
    viewed = {"xmlns": _SVG, "viewBox": root.get("viewBox")}
    lines = {"stroke-linejoin": "round", "stroke-linecap": "butt"}
    root.attrib.clear()
    root.attrib.update(viewed | lines | {"pointer-events": "none"})


def _add_hovers(group: ElementTree.Element, gid: str, texts: list[str]) -> None:
    """Gives the k-th mark of an artist the k-th text."""
    marks = list(group.iter("use"))
    if not marks:
        defined = {path for defs in group.iter("defs") for path in defs.iter("path")}
        marks = [path for path in group.iter("path") if path not in defined]
    if len(marks) != len(texts):
        raise ValueError(f"artist {gid!r} has {len(marks)} marks and {len(texts)} texts")
    group.set("pointer-events", "visiblePainted")  # of these alone: what lies above hides none
    for mark, text in zip(marks, texts, strict=True):
        text = _CONTROL.sub("\ufffd", text)
        mark.set("data-hover", text)
        if len(marks) <= MOST_TITLED:
            ElementTree.SubElement(mark, "title").text = text


def _shorten(element: ElementTree.Element) -> None:
    """Writes hundredths of a point, a look of many marks once, and fonts that all machines have."""
    for name in {"d", "x", "y"} & element.attrib.keys():
        element.set(name, _LONG_NUMBER.sub(lambda m: f"{float(m[0]):.2f}", element.get(name)))
    if "font" in element.get("style", ""):
        element.set("style", _FONT.sub(FALLBACK_FONTS, element.get("style")))
    looks = {child.get("style", "") for child in element}
    marks = len(element) > 1 and all(child.tag == "use" for child in element)
    # Opacity alone is not inherited: of a group it is that of its sum.
    if marks and len(looks) == 1 and not re.search(r"(^|;)\s*opacity", min(looks)):
        element.set("style", min(looks))
        for child in element:
            child.attrib.pop("style", None)


def _prefix_ids(element: ElementTree.Element, prefix: str) -> None:
    """Puts the prefix before an element's id, and before those that it refers to."""
    for name, value in element.attrib.items():
        if name == "id":
            element.set(name, f"{prefix}-{value}")
        elif name == "href" and value.startswith("#"):
            element.set(name, f"#{prefix}-{value[1:]}")
        elif name != "data-hover":
            element.set(name, _REFERENCE.sub(f"url(#{prefix}-", value))
