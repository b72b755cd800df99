"""A published table: one row an architecture, one column a measured number."""

import difflib
import functools
import operator
import os
import pathlib
import re
from collections.abc import Iterable, Sequence

import numpy as np
import pandas as pd

from tenas_jax.benchmarks.parquet import import_pyarrow
from tenas_jax.errors import UserError, lookup
from tenas_jax.spaces.space import Space

Arch = str | np.ndarray
ACCURACIES = ("cifar10_test", "cifar100_test", "imagenet16_120_test")


class Table:
    """Holds accuracies and costs of a space's architectures, such as NAS-Bench-201's.

    An architecture is given as a string, in any spelling that the space parses, or as an array
    [cells, edges]. Blank entries are NaN.

    Attributes:
        space: the search space of the architectures.
        archs: their strings, as the space spells them, in the order of the file.
        columns: names of the numeric columns but `index`; columns of text are left out.
    """

    def __init__(
        self, frame: pd.DataFrame, space: Space, source: str = "table", arch_column: str = "arch"
    ):
        """Checks `frame`, which has a column of architectures and may have the table's `index`.

        Without a column `index` the table's own index is the number of the row, from 0.

        Raises:
            UserError: no such column or no numeric one, an architecture that does not parse or
                comes twice, an `index` that is no whole number or comes twice.
        """
        if arch_column not in frame:
            names = [str(column) for column in frame.columns]
            near = difflib.get_close_matches(arch_column, names, n=1, cutoff=0.4)
            hint = f" (is it {near[0]!r}?)" if near else ""
            raise UserError(
                f"{source} has no column {arch_column!r}{hint}; it has {str(names)[:200]}"
            )
        # The numbers, by column.
        self.space = space
        self._source = source
        numbers = frame.select_dtypes("number").drop(
            columns=[arch_column, "index"], errors="ignore"
        )
        if not len(numbers.columns):
            raise UserError(f"{source} has no numeric column; it has {list(frame.columns)}")
        self.columns = tuple(str(column) for column in numbers.columns)
        self._values = dict(zip(self.columns, numbers.to_numpy(np.float64).T, strict=True))
        # The rows, by architecture and by the table's own index.
        archs = self._parse(frame[arch_column])
        self.archs = tuple(space.to_string(arch) for arch in archs)
        self._rows = self._unique([space.index(arch) for arch in archs], "architecture")
        own = frame["index"] if "index" in frame else pd.Series(range(len(frame)), dtype=int)
        if own.dtype.kind not in "iu":
            raise UserError(f"{source}: column 'index' must hold whole numbers, has {own.dtype}")
        self._own = self._unique(own.tolist(), "index")

    @classmethod
    def load(cls, path: str | os.PathLike, space: Space, *, arch_column: str = "arch") -> "Table":
        """Reads a CSV file, or Parquet where the name ends so, as `Table(frame, space)`.

        Raises:
            UserError: no such file, one that cannot be read as a table, Parquet without pyarrow, or
                what `Table` raises.
        """
        path = pathlib.Path(path)
        if not path.is_file():
            raise UserError(f"no table at {str(path)!r}; valid: a CSV or Parquet file")
        read = pd.read_csv
        if path.suffix.lower() in (".parquet", ".pq"):
            import_pyarrow(path)
            read = pd.read_parquet
        try:
            frame = read(path)
        except (ValueError, OSError) as error:  # pandas' and Arrow's parse errors are ValueErrors
            line = str(error).strip().splitlines()[0]
            raise UserError(f"cannot read {str(path)!r} as a table: {line}") from error
        return cls(frame, space, str(path), arch_column)

    def __len__(self) -> int:
        """Returns the number of rows."""
        return len(self.archs)

    def __contains__(self, arch: Arch) -> bool:
        """Says whether the table has a row of the architecture."""
        return self.space.index(self._array(arch)) in self._rows

    @property
    def accuracies(self) -> tuple[str, ...]:
        """Names the three test accuracies of the benchmark; of a table without them all columns."""
        return tuple(name for name in ACCURACIES if name in self.columns) or self.columns

    @property
    def datasets(self) -> tuple[str, ...]:
        """Names the data sets of columns that are called such as `DATASET_test`, in order."""
        names = (re.match(r"(.+?)_(?:test|val)(?:_|$)", column) for column in self.columns)
        return tuple(dict.fromkeys(name[1] for name in names if name))

    def row(self, arch: Arch) -> dict[str, float]:
        """Returns an architecture's numbers, by column; `UserError` names one that is missing."""
        return self._numbers(self._find(arch))

    def row_at(self, index: int) -> dict[str, float]:
        """Returns the numbers of the architecture with that index of the table's own."""
        return self._numbers(self._find_own(index))

    def arch_at(self, index: int) -> np.ndarray:
        """Returns the int8 [cells, edges] architecture with that index of the table's own."""
        return self.space.parse(self.archs[self._find_own(index)])

    def index_of(self, arch: Arch) -> int:
        """Returns the table's own index of an architecture."""
        return self._own_of_row[self._find(arch)]

    def equivalents(self, arch: Arch) -> list[str]:
        """Lists the table's architectures with the canonical form of `arch`, in the file's order.

        Raises:
            UserError: there is none.
        """
        array = self._array(arch)
        rows = self._canonical.get(self.space.canonical(array))
        if rows is None:
            raise self._missing(f"architecture equivalent to {self.space.to_string(array)!r}")
        return [self.archs[row] for row in rows]

    def column(self, name: str, archs: Sequence[Arch] | None = None) -> np.ndarray:
        """Returns one column as float64: [rows], or [K] for the K given architectures."""
        values = lookup("column", self._values, name)
        rows = slice(None) if archs is None else [self._find(arch) for arch in archs]
        return values[rows].copy()

    def best(self, name: str) -> tuple[str, float]:
        """Finds the architecture with the highest number in a column, and that number."""
        values = self.column(name)
        if np.isnan(values).all():
            raise UserError(f"{self._source}: column {name!r} is blank")
        row = int(np.nanargmax(values))
        return self.archs[row], float(values[row])

    def _parse(self, strings: Iterable) -> list[np.ndarray]:
        """Parses the column of architectures; an error names the row."""
        archs = []
        for row, string in enumerate(strings):
            try:
                archs.append(self.space.parse(string))
            except UserError as error:
                raise UserError(f"{self._source}, row {row}: {error}") from error
        return archs

    def _unique(self, keys: list[int], kind: str) -> dict[int, int]:
        """Returns the row of each key; `UserError` where one comes twice."""
        rows: dict[int, int] = {}
        for row, key in enumerate(keys):
            if rows.setdefault(key, row) != row:
                name = repr(self.archs[row]) if kind == "architecture" else key
                raise UserError(f"{self._source}: {kind} {name} in rows {rows[key]} and {row}")
        return rows

    def _array(self, arch: Arch) -> np.ndarray:
        """Brings an architecture to an array [cells, edges]."""
        return self.space.parse(arch) if isinstance(arch, str) else self.space.check(arch)

    def _find(self, arch: Arch) -> int:
        """Finds the row of an architecture."""
        array = self._array(arch)
        row = self._rows.get(self.space.index(array))
        if row is None:
            raise self._missing(f"architecture {self.space.to_string(array)!r}")
        return row

    def _find_own(self, index: int) -> int:
        """Finds the row of an index of the table's own."""
        try:
            return self._own[operator.index(index)]
        except (TypeError, KeyError):
            raise self._missing(f"index {index!r}") from None

    def _missing(self, what: str) -> UserError:
        """Makes the error for what the table has not."""
        valid = f"{min(self._own)} to {max(self._own)}" if self._own else "none"
        return UserError(f"no {what} in {self._source}, of {len(self)} rows (indices {valid})")

    def _numbers(self, row: int) -> dict[str, float]:
        """Returns a row, by column."""
        return {name: float(values[row]) for name, values in self._values.items()}

    @functools.cached_property
    def _own_of_row(self) -> dict[int, int]:
        """Holds the table's own index of each row."""
        return {row: index for index, row in self._own.items()}

    @functools.cached_property
    def _canonical(self) -> dict[str, list[int]]:
        """Holds the rows of each canonical form, worked out on first use."""
        rows: dict[str, list[int]] = {}
        for row, string in enumerate(self.archs):
            rows.setdefault(self.space.canonical(self.space.parse(string)), []).append(row)
        return rows
