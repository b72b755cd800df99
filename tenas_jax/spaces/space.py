"""What every search space offers: numbers, masks and strings for its architectures.

An architecture (`arch`) is an int8 array [cells, edges] of operation numbers; a mask is a uint8
array [cells, edges, operations] of 0 and 1, with one 1 in each row for an architecture and any
number of them for a supernet. A space knows nothing of networks.

A new cell space is one new file: a subclass of `CellSpace` that sets its attributes and writes
`parse`, `to_string` and `canonical`. A space that forbids some combinations also overrides
`options`, `size`, `index`, `from_index`, `sample`, `neighbours` and `check`, which take every
combination to be valid, and if its masks may have empty rows `to_mask`, `from_mask` and
`is_single`. A space whose choices are no operations, such as kernel sizes, calls each an edge and
its values operations; where they make no graph it overrides `table`, and reports show that instead.
"""

import abc
import operator
from collections.abc import Mapping, Sequence
from types import MappingProxyType
from typing import Any

import numpy as np

from tenas_jax.errors import UserError

Edge = tuple[int, int]


class Space(abc.ABC):
    """Offers what a search, an evaluator and a report ask of any space, whatever it consists of.

    Attributes:
        name: what `spaces.get` calls it.
        title: what reports call it.
        configs: `search` and `train` -> the config file that leaves every field to the preset.
        networks: where its networks are, see `tenas_jax.networks`; None for a space without.
        has_supernet: whether several architectures can be run as one network.
    """

    name: str
    title: str = ""
    configs: Mapping[str, str] = MappingProxyType({})
    networks: Any = None
    has_supernet: bool = False

    @abc.abstractmethod
    def parse(self, string: str) -> np.ndarray:
        """Reads the architecture that a string writes; `UserError` if it is none."""

    def parse_sized(self, string: str) -> tuple[np.ndarray, dict[str, Any]]:
        """Returns what `parse` gives, and the size fields of the trained network written beside it.

        Only a space whose strings may hold sizes gives any.
        """
        return self.parse(string), {}

    @abc.abstractmethod
    def to_string(self, arch: np.ndarray) -> str:
        """Writes an architecture in the one spelling that this library has for it."""

    @abc.abstractmethod
    def canonical(self, arch: np.ndarray) -> str:
        """Returns a text that architectures which compute the same function share."""

    @abc.abstractmethod
    def encode(self, arch: np.ndarray) -> Any:
        """Returns what a network is given of an architecture at run time, a tree of arrays."""

    @abc.abstractmethod
    def example(self) -> Any:
        """Returns an encoding that shapes the parameters of all architectures."""

    @abc.abstractmethod
    def sample(self, rng: np.random.Generator, n: int | None = None) -> np.ndarray:
        """Draws an architecture, or `n` with replacement along a first axis; `rng` advances."""

    @abc.abstractmethod
    def neighbours(self, arch: np.ndarray) -> list[np.ndarray]:
        """Returns every architecture that differs in one choice."""

    @abc.abstractmethod
    def cache_key(self, encoding: Any) -> str:
        """Returns a text that encodings share whose scores are the same in distribution."""

    @abc.abstractmethod
    def describe(self, encoding: Any) -> str:
        """Writes an encoding in one line."""

    def table(self, mask: np.ndarray, **sizes: Any) -> tuple[list[str], list[list]] | None:
        """Returns header and rows that show an encoding of a space without graphs, else None.

        `sizes` are the fields that `parse_sized` gives.
        """
        return None


class CellSpace(Space):
    """Offers cells whose edges each choose among operations: masks, supernets, numbers.

    Attributes:
        operations: names, in the order of a mask's columns.
        edges: (target, source) pairs, in the order of a mask's rows.
        cells: how many masks an architecture has, one a kind of cell.
        cell_names: what each kind is called, where there are several.
        inputs_per_node: how many edges into a node are chosen; None where all are.
    """

    operations: tuple[str, ...]
    edges: tuple[Edge, ...]
    cells: int = 1
    cell_names: tuple[str, ...] = ()
    inputs_per_node: int | None = None
    has_supernet: bool = True

    def encode(self, arch: np.ndarray) -> np.ndarray:
        """Returns the mask of an architecture."""
        return self.to_mask(arch)

    def example(self) -> np.ndarray:
        """Returns the supernet's mask."""
        return self.supernet()

    @property
    def mask_shape(self) -> tuple[int, int, int]:
        """Returns (cells, edges, operations)."""
        return self.cells, len(self.edges), len(self.operations)

    @property
    def options(self) -> np.ndarray:
        """Says which operations an edge may have, if it is chosen: bool, of shape `mask_shape`."""
        return np.ones(self.mask_shape, bool)

    @property
    def size(self) -> int:
        """Counts the architectures."""
        return len(self.operations) ** (self.cells * len(self.edges))

    def supernet(self) -> np.ndarray:
        """Returns the uint8 mask, of shape `mask_shape`, of every operation but `none`."""
        mask = np.ones(self.mask_shape, np.uint8)
        if "none" in self.operations:
            mask[..., self.operations.index("none")] = 0
        return mask

    def to_mask(self, arch: np.ndarray) -> np.ndarray:
        """Returns the uint8 mask, of shape `mask_shape`, with one 1 in each row."""
        return np.eye(len(self.operations), dtype=np.uint8)[self.check(arch)]

    def from_mask(self, mask: np.ndarray) -> np.ndarray:
        """Returns the int8 [cells, edges] architecture of a mask with one operation in each row.

        Raises:
            UserError: the mask has another shape, other values, or a row with no or several ones.
        """
        mask = self.check_mask(mask)
        for cell, row in np.argwhere(mask.sum(-1) != 1):
            raise UserError(
                f"not a single architecture: edge {self.edge_name(cell, row)} has "
                f"{self._row_text(mask[cell, row])}; valid: one operation on each edge"
            )
        return mask.argmax(-1).astype(np.int8)

    def index(self, arch: np.ndarray) -> int:
        """Numbers it in [0, size): operation numbers as digits, the first edge's the highest."""
        number = 0
        for digit in self.check(arch).ravel():
            number = number * len(self.operations) + int(digit)
        return number

    def from_index(self, index: int) -> np.ndarray:
        """Returns the int8 [cells, edges] architecture whose `index` this is.

        Raises:
            UserError: `index` is not an integer in [0, size).
        """
        number = self._check_index(index)
        digits = []
        for _ in range(self.cells * len(self.edges)):
            number, digit = divmod(number, len(self.operations))
            digits.append(digit)
        return np.array(digits[::-1], np.int8).reshape(self.cells, len(self.edges))

    def sample(self, rng: np.random.Generator, n: int | None = None) -> np.ndarray:
        """Draws uniformly with replacement.

        Args:
            rng: where the randomness comes from; it advances.
            n: how many; None for a single one.

        Returns:
            int8 [cells, edges], or [n, cells, edges] where `n` is given.
        """
        shape = (self.cells, len(self.edges))
        shape = shape if n is None else (n, *shape)
        return rng.integers(len(self.operations), size=shape, dtype=np.int8)

    def sample_numbers(self, rng: np.random.Generator, count: int) -> list[int]:
        """Draws `count` different numbers of architectures, or all where there are fewer.

        The first of many are those of few: a larger sample goes on where a smaller one ended.
        """
        numbers: dict[int, None] = {}
        while len(numbers) < min(count, self.size):
            numbers.setdefault(int(rng.integers(self.size)))
        return list(numbers)

    def neighbours(self, arch: np.ndarray) -> list[np.ndarray]:
        """Lists every architecture that differs on one edge, by edges, then operations."""
        arch = self.check(arch)
        others = []
        for edge in np.ndindex(arch.shape):
            for operation in range(len(self.operations)):
                if operation != arch[edge]:
                    other = arch.copy()
                    other[edge] = operation
                    others.append(other)
        return others

    def is_single(self, mask: np.ndarray) -> bool:
        """Says whether a mask holds one architecture, rather than a supernet."""
        return bool((self.check_mask(mask).sum(-1) == 1).all())

    def cache_key(self, mask: np.ndarray) -> str:
        """Writes the canonical form of a single architecture, else a short text of the mask."""
        mask = self.check_mask(mask)
        if self.is_single(mask):
            return self.canonical(self.from_mask(mask))
        return f"mask:{np.packbits(mask).tobytes().hex()}"

    def describe(self, mask: np.ndarray) -> str:
        """Writes a mask in one line: an architecture's string, else operations by edge."""
        mask = self.check_mask(mask)
        if self.is_single(mask):
            return self.to_string(self.from_mask(mask))
        return "; ".join(
            f"{self.edge_name(cell, row)}: {self._row_text(mask[cell, row])}"
            for cell, row in np.ndindex(mask.shape[:2])
        )

    def cell_name(self, cell: int) -> str:
        """Returns a kind of cell in words."""
        return self.cell_names[cell] if self.cell_names else f"cell {cell}"

    def edge_name(self, cell: int, row: int) -> str:
        """Returns an edge in words, such as `2<-1`, after its cell's name if there are several."""
        target, source = self.edges[row]
        prefix = f"{self.cell_name(cell)} " if self.cells > 1 else ""
        return f"{prefix}{target}<-{source}"

    def check(self, arch: Sequence | np.ndarray) -> np.ndarray:
        """Returns `arch` as int8 [cells, edges]; `UserError` where it is no architecture."""
        array = np.asarray(arch)
        shape = (self.cells, len(self.edges))
        if array.shape != shape or array.dtype.kind not in "iu":
            raise UserError(
                f"an architecture of {self.name} is an integer array of shape {shape}; "
                f"this is {array.dtype} of shape {array.shape}"
            )
        for cell, row in np.argwhere((array < 0) | (array >= len(self.operations))):
            names = ", ".join(f"{number} {name}" for number, name in enumerate(self.operations))
            raise UserError(
                f"unknown operation number {array[cell, row]} on edge "
                f"{self.edge_name(cell, row)}; valid: {names}"
            )
        return array.astype(np.int8)

    def check_mask(self, mask: Sequence | np.ndarray) -> np.ndarray:
        """Returns `mask` as uint8 of shape `mask_shape`; `UserError` where it is no mask."""
        array = np.asarray(mask)
        if array.shape != self.mask_shape or array.dtype.kind not in "iufb":
            raise UserError(
                f"a mask of {self.name} has shape {self.mask_shape} (cells, edges, operations); "
                f"this is {array.dtype} of shape {array.shape}"
            )
        for cell, row, column in np.argwhere((array != 0) & (array != 1)):
            raise UserError(
                f"mask value {array[cell, row, column]} for {self.operations[column]} on edge "
                f"{self.edge_name(cell, row)}; valid: 0, 1"
            )
        return array.astype(np.uint8)

    def _check_index(self, index: int) -> int:
        """Returns `index` as an int; `UserError` unless it is a whole number in [0, size)."""
        try:
            number = operator.index(index)
        except TypeError:
            number = -1
        if not 0 <= number < self.size:
            raise UserError(
                f"no architecture {index!r} of {self.name}; valid: 0 to {self.size - 1}"
            )
        return number

    def _row_text(self, row: np.ndarray) -> str:
        return ", ".join(self.operations[i] for i in np.flatnonzero(row)) or "no operation"
