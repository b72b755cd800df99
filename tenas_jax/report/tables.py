"""Tables in plain text."""

from collections.abc import Iterable, Sequence

import numpy as np

MISSING = "–"


def format_table(header: Sequence[str], rows: Iterable[Sequence[object]]) -> str:
    """Aligns columns under `header`: numbers to the right, texts to the left.

    A column is one of numbers where every value in it is a number or None, which is shown as "–".
    Floats are shown with five significant digits: format them yourself for others.

    Raises:
        ValueError: a row has more or fewer values than the header.
    """
    rows = [list(row) for row in rows]
    for index, row in enumerate(rows):
        if len(row) != len(header):
            raise ValueError(f"row {index} has {len(row)} values, the header {len(header)}")
    columns = list(zip(*rows, strict=True)) or [()] * len(header)
    right = [bool(c) and all(v is None or _is_number(v) for v in c) for c in columns]
    cells = [[str(name) for name in header], *([_show(v) for v in row] for row in rows)]
    widths = [max(map(len, column)) for column in zip(*cells, strict=True)]
    cells.insert(1, ["-" * width for width in widths])
    return "\n".join(_line(row, widths, right) for row in cells)


def _line(row: Sequence[str], widths: Sequence[int], right: Sequence[bool]) -> str:
    """Joins the texts of a row, each in its width, on the right side or the left."""
    aligned = zip(row, widths, right, strict=True)
    return "  ".join(t.rjust(w) if r else t.ljust(w) for t, w, r in aligned).rstrip()


def _is_number(value: object) -> bool:
    """Says whether a value is a number, which no truth value is."""
    return isinstance(value, int | float | np.number) and not isinstance(value, bool)


def _show(value: object) -> str:
    """Writes a value on one line."""
    if value is None:
        return MISSING
    if isinstance(value, float | np.floating):
        return f"{value:.5g}"
    return " ".join(str(value).split())  # A line break would break the table.
