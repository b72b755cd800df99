"""What a page is put together from: sections of key numbers, tables, pictures and notes.

They hold plain text alone; the template writes it, escaped.
"""

from collections.abc import Iterable, Sequence
from dataclasses import dataclass, field
from typing import ClassVar

from tenas_jax.report.page.words import show
from tenas_jax.report.picture import Picture


@dataclass(frozen=True)
class Cell:
    """Holds what stands in a table or beside a key.

    Attributes:
        text: as it is shown.
        number: what it is sorted by; None if it is a text or missing.
        code: whether it is to be read letter by letter, as an architecture is.
        link: the id of a section that it leads to.
    """

    text: str
    number: float | None = None
    code: bool = False
    link: str = ""


@dataclass(frozen=True)
class KeyNumbers:
    """Lists names with their values."""

    type: ClassVar[str] = "numbers"
    pairs: Sequence[tuple[str, Cell]]


@dataclass(frozen=True)
class Table:
    """Holds a table that is sorted by a click on a column's name.

    Attributes:
        header: the columns' names.
        rows: a cell a column.
        caption: what it is.
        note: what its columns mean, or what it lacks.
    """

    type: ClassVar[str] = "table"
    header: Sequence[str]
    rows: Sequence[Sequence[Cell]]
    caption: str
    note: str = ""

    @property
    def numeric(self) -> list[bool]:
        """Says which columns hold numbers, and besides them only missing ones."""
        columns = list(zip(*self.rows, strict=True)) or [()] * len(self.header)
        return [
            any(c.number is not None for c in column)
            and all(c.number is not None or c.text == show(None) for c in column)
            for column in columns
        ]

    @property
    def widths(self) -> list[int]:
        """Measures how wide each column is at least, in letters: headers' words are not broken."""
        widths = []
        for i, name in enumerate(self.header):
            longest = max((len(row[i].text) for row in self.rows), default=0)
            words = [len(word) for word in name.split()]
            words[-1] += 2  # the arrow
            widths.append(max(*words, 4, min(longest, 24) if longest > 24 else 0))
        return widths


@dataclass(frozen=True)
class Figure:
    """Shows a picture.

    Attributes:
        picture: what is drawn.
        caption: what it shows.
        archs: architectures that texts of its marks begin with, and that other pictures of the page
            name as well: each is then written once.
    """

    type: ClassVar[str] = "figure"
    picture: Picture
    caption: str
    archs: Sequence[str] = ()


@dataclass(frozen=True)
class Note:
    """Says a sentence, such as what is missing."""

    type: ClassVar[str] = "note"
    text: str


@dataclass(frozen=True)
class Code:
    """Shows a command, below what it does."""

    type: ClassVar[str] = "code"
    title: str
    text: str


@dataclass(frozen=True)
class Fold:
    """Holds blocks that are shown on a click on their title."""

    type: ClassVar[str] = "fold"
    title: str
    blocks: Sequence["Block"]
    is_open: bool = False


@dataclass(frozen=True)
class Gallery:
    """Shows small pictures side by side."""

    type: ClassVar[str] = "gallery"
    figures: Sequence[Figure]


@dataclass(frozen=True)
class Turnable:
    """Shows a figure in three dimensions that the reader turns, drawn by Plotly's script.

    Attributes:
        traces: what is drawn, as Plotly has it; finite JSON values.
        layout: its axes and legend.
        caption: what it shows.
    """

    type: ClassVar[str] = "turnable"
    traces: Sequence[dict]
    layout: dict
    caption: str

    @property
    def plot(self) -> dict:
        """Returns what the page's script draws."""
        return {"data": list(self.traces), "layout": self.layout}


Block = KeyNumbers | Table | Figure | Note | Code | Fold | Gallery | Turnable


@dataclass(frozen=True)
class Section:
    """Holds a heading and what stands below it."""

    title: str
    blocks: Sequence[Block] = field(default_factory=tuple)


def holds(blocks: Iterable[Block], kind: type) -> bool:
    """Says whether one of some blocks, or one folded in them, is of a kind."""
    return any(
        isinstance(block, kind) or (isinstance(block, Fold) and holds(block.blocks, kind))
        for block in blocks
    )


def cell(value: object, decimals: int | None = None, unit: str = "") -> Cell:
    """Makes a cell of a value.

    Args:
        value: a number, a text, None, or what `show` takes.
        decimals: after the point; None for five significant digits.
        unit: written behind a number, such as ` s`.
    """
    number = None
    text = show(value, decimals)
    if text != show(None) and isinstance(value, int | float) and not isinstance(value, bool):
        number, text = float(value), text + unit
    return Cell(text, number)


def percent(value: float | None) -> Cell:
    """Makes a cell of a part of 1, in percent."""
    return cell(None if value is None else 100 * value, 2, " %")


def code(text: str | None) -> Cell:
    """Makes a cell of an architecture, or of another text that is read letter by letter."""
    return cell(text) if text is None else Cell(text, code=True)


def with_interval(value: float | None, low: float | None, high: float | None, decimals=3) -> Cell:
    """Writes `0.512 [0.49, 0.53]`, sorted by the value; without an interval the value alone."""
    known = show(low, decimals) != show(None) != show(high, decimals)
    interval = f" [{show(low, decimals)}, {show(high, decimals)}]" if known else ""
    bare = cell(value, decimals)
    return bare if bare.number is None else Cell(bare.text + interval, bare.number)


def table(
    header: Sequence[str], rows: Iterable[Sequence[object]], caption: str, note: str = ""
) -> Table:
    """Makes a table of cells and of values that become cells.

    Raises:
        ValueError: a row has more or fewer values than the header.
    """
    made = [[v if isinstance(v, Cell) else cell(v) for v in row] for row in rows]
    for number, row in enumerate(made):
        if len(row) != len(header):
            raise ValueError(f"row {number} has {len(row)} values, the header {len(header)}")
    return Table(tuple(header), made, caption, note)
