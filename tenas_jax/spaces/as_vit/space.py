"""Topologies of As-ViT, a vision transformer in four stages (Chen et al., arXiv:2202.11921).

A stage has a kernel K that makes its tokens, a split S of their grid into S × S windows, within
which they attend to each other, and an expansion E of its MLPs; the heads are those of the last
stage, the others have 1/8, 1/4 and 1/2 of them. Width and depth stand beside the topology: a string
may have them, `as_vit_sizes` reads and writes them.
"""

import math
from collections.abc import Sequence
from types import MappingProxyType
from typing import Any, NamedTuple

import numpy as np

from tenas_jax.errors import UserError, shorten
from tenas_jax.spaces.as_vit.sizes import STAGES, Sizes, split
from tenas_jax.spaces.space import CellSpace

EXAMPLE = "8,2,3|4,1,2|4,1,4|4,1,6|32"  # the published seed topology
STRIDES = (4, 2, 2, 2)  # of the kernels

# What each row of an architecture chooses from, in the order of a string.
CHOICES: dict[str, tuple[int, ...]] = {
    "K1": (4, 5, 6, 7, 8),
    "S1": (2, 4, 8),
    "E1": (2, 3, 4, 5, 6),
    "K2": (2, 3, 4),
    "S2": (1, 2, 4),
    "E2": (2, 3, 4, 5, 6),
    "K3": (2, 3, 4),
    "S3": (1, 2),
    "E3": (2, 3, 4, 5, 6),
    "K4": (2, 3, 4),
    "S4": (1,),
    "E4": (2, 3, 4, 5, 6),
    "heads": (16, 32, 64),
}
LONGEST = max(map(len, CHOICES.values()))
COLUMNS = ("kernel K", "split S", "expansion E")  # of a stage, in words


class Topology(NamedTuple):
    """Holds what an architecture chooses, as numbers.

    Attributes:
        kernels: K of each stage.
        splits: S of each stage.
        ratios: E of each stage.
        heads: of the last stage.
    """

    kernels: tuple[int, ...]
    splits: tuple[int, ...]
    ratios: tuple[int, ...]
    heads: int

    @property
    def stage_heads(self) -> tuple[int, ...]:
        """Returns the heads of each stage."""
        return tuple(self.heads // 2 ** (STAGES - 1 - stage) for stage in range(STAGES))


class AsVit(CellSpace):
    """Holds topologies written `K,S,E|K,S,E|K,S,E|K,S,E|heads`: 4,556,250 of them.

    Of a cell space's words an edge is a choice here, and an operation one of its values.

    An architecture is int8 [1, 13], a row of choices: each number counts in the row of `CHOICES`
    that it belongs to. So a mask is [1, 13, 5]; rows with fewer choices leave columns unused. There
    is no supernet: kernels of two sizes are not run side by side.
    """

    name = "as_vit"
    title = "As-ViT"
    configs = MappingProxyType(
        {"search": "configs/asvit_cifar10.py", "train": "configs/train_as_vit_cifar10.py"}
    )
    networks = "tenas_jax.networks.as_vit"
    operations = tuple(f"choice_{number}" for number in range(LONGEST))
    edges = tuple((row, row) for row in range(len(CHOICES)))
    cells = 1
    has_supernet = False

    def parse(self, string: str) -> np.ndarray:
        """Reads the int8 [1, 13] architecture of a string.

        Raises:
            UserError: stages too many or too few, or a number that is no choice.
        """
        where = f"topology {shorten(string)}"
        stages = [part.split(",") for part in string.split("|")] if isinstance(string, str) else []
        if [len(part) for part in stages] != [3] * STAGES + [1]:
            raise UserError(f"{where} is not of the form K,S,E|K,S,E|K,S,E|K,S,E|heads: {EXAMPLE}")
        texts = [text.strip() for part in stages for text in part]
        numbers = []
        for (name, valid), text in zip(CHOICES.items(), texts, strict=True):
            if text not in map(str, valid):
                raise UserError(f"{where}: {name} is {text!r}{_below(name, text)}; {_valid(name)}")
            numbers.append(valid.index(int(text)))
        return np.array([numbers], np.int8)

    def parse_sized(self, string: str) -> tuple[np.ndarray, dict[str, Any]]:
        """Reads the topology of a string, and `depths` and `hidden` where the string has them."""
        topology, sizes = split(string)
        arch = self.parse(topology)
        return arch, {} if sizes is None else {"depths": list(sizes.depths), "hidden": sizes.hidden}

    def to_string(self, arch: np.ndarray) -> str:
        """Writes the string of an int8 [1, 13] architecture."""
        values = [str(value) for value in self.values(arch)]
        stages = [",".join(values[3 * stage : 3 * stage + 3]) for stage in range(STAGES)]
        return "|".join([*stages, values[-1]])

    def canonical(self, arch: np.ndarray) -> str:
        """Writes the string: no two topologies compute the same family of functions."""
        return self.to_string(arch)

    def values(self, arch: np.ndarray) -> list[int]:
        """Lists the 13 numbers that an architecture chooses."""
        numbers = self.check(arch)[0]
        return [valid[n] for valid, n in zip(CHOICES.values(), numbers, strict=True)]

    def topology(self, arch: np.ndarray) -> Topology:
        """Returns an architecture as a `Topology`."""
        *stages, heads = self.values(arch)
        return Topology(*(tuple(stages[first::3]) for first in range(3)), heads)

    @property
    def options(self) -> np.ndarray:
        """Says which columns of each row are choices, bool [1, 13, 5]."""
        counts = np.array([len(valid) for valid in CHOICES.values()])
        return (np.arange(LONGEST) < counts[:, None])[None]

    @property
    def size(self) -> int:
        """Counts the topologies."""
        return math.prod(len(valid) for valid in CHOICES.values())

    def supernet(self) -> np.ndarray:
        """Returns the mask of all choices, which shapes parameters; it cannot be scored."""
        return self.options.astype(np.uint8)

    def index(self, arch: np.ndarray) -> int:
        """Numbers it in [0, size), K1 the highest digit, each row in its own base."""
        number = 0
        for digit, valid in zip(self.check(arch)[0], CHOICES.values(), strict=True):
            number = number * len(valid) + int(digit)
        return number

    def from_index(self, index: int) -> np.ndarray:
        """Returns the int8 [1, 13] architecture of an `index`; `UserError` if there is none."""
        number, digits = self._check_index(index), []
        for valid in reversed(CHOICES.values()):
            number, digit = divmod(number, len(valid))
            digits.append(digit)
        return np.array([digits[::-1]], np.int8)

    def sample(self, rng: np.random.Generator, n: int | None = None) -> np.ndarray:
        """Draws uniformly with replacement, int8 [1, 13], or [n, 1, 13]; `rng` advances."""
        counts = [len(valid) for valid in CHOICES.values()]
        drawn = rng.integers(counts, size=(1 if n is None else n, 1, len(counts)), dtype=np.int8)
        return drawn[0] if n is None else drawn

    def neighbours(self, arch: np.ndarray) -> list[np.ndarray]:
        """Lists every topology with one other choice, in the order of rows and choices."""
        others = super().neighbours(arch)
        return [other for other in others if self.options[0, range(len(CHOICES)), other[0]].all()]

    def check(self, arch: Sequence | np.ndarray) -> np.ndarray:
        """Checks as `CellSpace.check`; besides, each number must be one of its row's choices."""
        array = super().check(arch)
        for (name, valid), number in zip(CHOICES.items(), array[0], strict=True):
            if number >= len(valid):
                raise UserError(f"{name} has no choice number {number}; {_valid(name)}")
        return array

    def edge_name(self, cell: int, row: int) -> str:
        """Returns the name of a row, such as K1."""
        del cell
        return list(CHOICES)[row]

    def table(
        self, mask: np.ndarray, depths: Sequence[int] = (), hidden: int | None = None
    ) -> tuple[list[str], list[list]]:
        """Lists a row a stage: K, S, E and heads, and blocks and width where they are given.

        A cell is a number, or a text of several choices.
        """
        *stages, heads = (
            [value for value, one in zip(valid, row, strict=False) if one]
            for valid, row in zip(CHOICES.values(), self.check_mask(mask)[0], strict=True)
        )
        columns = {name: stages[first::3] for first, name in enumerate(COLUMNS)}
        columns["heads"] = [
            [h // 2 ** (STAGES - 1 - stage) for h in heads] for stage in range(STAGES)
        ]
        if depths:
            columns["blocks"] = [[depth] for depth in depths]
        if hidden is not None:
            columns["width"] = [[width] for width in Sizes(hidden=hidden).widths]
        cells = zip(*columns.values(), strict=True)
        rows = [[number, *map(_one_or_all, row)] for number, row in enumerate(cells, 1)]
        return ["stage", *columns], rows

    def describe(self, mask: np.ndarray) -> str:
        """Writes a mask in one line: a topology's string, else each row with its choices."""
        mask = self.check_mask(mask)
        if self.is_single(mask):
            return self.to_string(self.from_mask(mask))
        rows = zip(CHOICES.items(), mask[0], strict=True)
        texts = {
            name: ", ".join(str(v) for v, one in zip(valid, row, strict=False) if one)
            for (name, valid), row in rows
        }
        return "; ".join(f"{name}: {text or 'no operation'}" for name, text in texts.items())


def _one_or_all(values: list[int]) -> int | str:
    return values[0] if len(values) == 1 else ", ".join(map(str, values))


def _valid(name: str) -> str:
    return f"valid: {', '.join(map(str, CHOICES[name]))}"


def _below(name: str, text: str) -> str:
    """Says that a kernel is below its stride, where it is."""
    if not name.startswith("K") or not text.isdecimal():
        return ""
    stride = STRIDES[int(name[1]) - 1]
    return f", below its stride of {stride}" if int(text) < stride else ""
