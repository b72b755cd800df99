"""The cell space of DARTS (Liu, Simonyan and Yang 2019, arXiv:1806.09055), after NASNet's.

A normal and a reduction cell of four nodes each. A node adds two operations, each on one of the
cell's two inputs or of the nodes before: 1.1e18 pairs of cells.
"""

import itertools
import math
from collections.abc import Iterator, Sequence
from types import MappingProxyType

import numpy as np

from tenas_jax.errors import UserError, shorten, unknown
from tenas_jax.spaces.darts.genotype import Genotype, read_genotype
from tenas_jax.spaces.forms import least_text
from tenas_jax.spaces.space import CellSpace, Edge

INPUTS = 2  # states 0 and 1, the outputs of the two cells before


class Darts(CellSpace):
    """Holds genotypes, `Genotype(normal=[('sep_conv_3x3', 0), …], normal_concat=range(2, 6), …)`.

    An architecture has operation `none` on every edge that is not chosen, and exactly two other
    operations into each node; in its mask an edge that is not chosen is a row of zeros. The two
    inputs of a node have no order. NASNet's own cells, in which a node may read one state twice, do
    not belong to the space.

    `index` counts in mixed radix, the normal cell's first node the highest digits: pair of sources,
    operation on the first, operation on the second.
    """

    name = "darts"
    title = "DARTS"
    configs = MappingProxyType(
        {"search": "configs/tenas_darts_cifar10.py", "train": "configs/train_darts_cifar10.py"}
    )
    networks = "tenas_jax.networks.darts"
    operations = (
        "none",
        "skip_connect",
        "sep_conv_3x3",
        "sep_conv_5x5",
        "dil_conv_3x3",
        "dil_conv_5x5",
        "avg_pool_3x3",
        "max_pool_3x3",
    )
    nodes = (2, 3, 4, 5)
    edges = tuple((node, source) for node in (2, 3, 4, 5) for source in range(node))
    cells = 2
    cell_names = ("normal", "reduce")
    inputs_per_node = 2
    weightless = frozenset({"avg_pool_3x3", "max_pool_3x3"})

    def parse(self, string: str) -> np.ndarray:
        """Reads the int8 [2, 14] architecture of a genotype's text.

        Raises:
            UserError: it is no such text, or its genotype is not of this space.
        """
        if not isinstance(string, str):
            raise UserError(f"a genotype is a text, not {type(string).__name__}")
        return self.from_genotype(read_genotype(string))

    def to_string(self, arch: np.ndarray) -> str:
        """Writes the text of its genotype, sources of a node in rising order."""
        return repr(self.to_genotype(arch))

    def to_genotype(self, arch: np.ndarray) -> Genotype:
        """Returns the genotype of an int8 [2, 14] architecture."""
        concat = range(self.nodes[0], self.nodes[-1] + 1)
        pairs = [
            [
                (self.operations[o], source)
                for (_, source), o in zip(self.edges, cell, strict=True)
                if o
            ]
            for cell in self.check(arch)
        ]
        return Genotype(pairs[0], concat, pairs[1], concat)

    def from_genotype(self, genotype: Genotype) -> np.ndarray:
        """Returns the int8 [2, 14] architecture of a genotype.

        Raises:
            UserError: pairs too many or too few, an unknown operation or state, a node that reads
                one state twice, or an output that is not all four nodes.
        """
        arch = np.zeros((self.cells, len(self.edges)), np.int8)
        for cell, name in enumerate(self.cell_names):
            pairs, concat = getattr(genotype, name), getattr(genotype, f"{name}_concat")
            if sorted(map(repr, concat)) != sorted(map(repr, self.nodes)):
                raise UserError(f"{name}_concat is {list(concat)}; valid: {list(self.nodes)}")
            if len(pairs) != INPUTS * len(self.nodes):
                raise UserError(f"{name} has {len(pairs)} pairs; valid: 8, two for each node")
            for i, pair in enumerate(pairs):
                edge, operation = self._edge(name, self.nodes[i // INPUTS], pair)
                if arch[cell, edge]:
                    node, state = self.edges[edge]
                    raise UserError(f"{name}: node {node} reads state {state} twice; valid: two")
                arch[cell, edge] = operation
        return arch

    def check(self, arch: Sequence | np.ndarray) -> np.ndarray:
        """Checks as `CellSpace.check`; besides, every node must have two inputs."""
        array = super().check(arch)
        for cell, (node, into) in itertools.product(range(self.cells), self._into().items()):
            count = np.count_nonzero(array[cell, into])
            if count != INPUTS:
                raise UserError(
                    f"{self.cell_names[cell]}: node {node} has {count} inputs; valid: {INPUTS}"
                )
        return array

    @property
    def options(self) -> np.ndarray:
        """Says what an edge may have, bool [2, 14, 8]: all but `none`, an edge not chosen."""
        return super().options & (np.array(self.operations) != "none")

    def to_mask(self, arch: np.ndarray) -> np.ndarray:
        """Returns the uint8 mask [2, 14, 8], zeros on the edges that are not chosen."""
        mask = super().to_mask(arch)
        mask[..., 0] = 0
        return mask

    def from_mask(self, mask: np.ndarray) -> np.ndarray:
        """Does as `CellSpace.from_mask`, with `none` on edges that have no operation."""
        mask = self.check_mask(mask)
        mask[..., 0] |= mask.sum(-1) == 0
        return self.check(super().from_mask(mask))

    def is_single(self, mask: np.ndarray) -> bool:
        """Says whether a mask holds one architecture: two edges a node, one operation on each."""
        chosen = self.check_mask(mask)[..., 1:].sum(-1)
        single = all((chosen[:, into].sum(1) == INPUTS).all() for into in self._into().values())
        return bool(single and (mask.sum(-1) <= 1).all())

    @property
    def size(self) -> int:
        """Counts the architectures."""
        return math.prod(base for _, _, base in self._digits())

    def index(self, arch: np.ndarray) -> int:
        """Numbers it in [0, size), see the class."""
        arch, number = self.check(arch), 0
        for cell, node, base in self._digits():
            pairs, kinds = self._pairs(node), len(self.operations) - 1
            chosen = tuple(e for e in self._into()[node] if arch[cell, e])
            first, second = (int(arch[cell, e]) - 1 for e in chosen)
            number = number * base + (pairs.index(chosen) * kinds + first) * kinds + second
        return number

    def from_index(self, index: int) -> np.ndarray:
        """Returns the int8 [2, 14] architecture of an `index`; `UserError` if there is none."""
        number, kinds = self._check_index(index), len(self.operations) - 1
        arch = np.zeros((self.cells, len(self.edges)), np.int8)
        for cell, node, base in reversed(list(self._digits())):
            number, digit = divmod(number, base)
            digit, second = divmod(digit, kinds)
            pair, first = divmod(digit, kinds)
            arch[cell, list(self._pairs(node)[pair])] = first + 1, second + 1
        return arch

    def sample(self, rng: np.random.Generator, n: int | None = None) -> np.ndarray:
        """Draws uniformly with replacement, int8 [2, 14], or [n, 2, 14]; `rng` advances."""
        numbers = rng.integers(self.size, size=1 if n is None else n)
        archs = [self.from_index(number) for number in numbers]
        return archs[0] if n is None else np.array(archs, np.int8).reshape(n, *self.mask_shape[:2])

    def neighbours(self, arch: np.ndarray) -> list[np.ndarray]:
        """Lists every architecture with one operation exchanged, or one moved to another source."""
        arch, others = self.check(arch), []
        for cell, into in itertools.product(range(self.cells), self._into().values()):
            for edge in (e for e in into if arch[cell, e]):
                own = int(arch[cell, edge])
                exchanged = [(edge, o) for o in range(1, len(self.operations)) if o != own]
                moved = [(e, own) for e in into if not arch[cell, e]]
                for to, operation in exchanged + moved:
                    other = arch.copy()
                    other[cell, edge] = 0
                    other[cell, to] = operation
                    others.append(other)
        return others

    def canonical(self, arch: np.ndarray) -> str:
        """Writes a text that genotypes share whose cells compute the same family of functions.

        Each node's value is written out as a sum, see `forms`: an identity splices its source's
        terms into the sum, and the nodes, whose order in the output the next layer undoes, are
        sorted. On an input of the reduction cell `skip_connect` is no identity but has weights. As
        in NAS-Bench-201, the cells agree in distribution over random weights, not under one seed.
        """
        arch = self.check(arch)
        texts = [least_text(self._values(cell, arch[cell])) for cell in range(self.cells)]
        return "; ".join(
            f"{name} {text}" for name, text in zip(self.cell_names, texts, strict=True)
        )

    def _values(self, cell: int, row: np.ndarray) -> list[tuple]:
        """Returns the values of the four nodes."""
        sums: dict[int, tuple] = {state: (str(state),) for state in range(INPUTS)}
        sums |= dict.fromkeys(self.nodes, ())
        for (node, source), number in zip(self.edges, row, strict=True):
            operation = self.operations[number]
            reduces = self.cell_names[cell] == "reduce" and source < INPUTS
            if operation == "none":
                continue
            if operation == "skip_connect" and not reduces:
                sums[node] += sums[source]
            else:
                edge: Edge | None = None if operation in self.weightless else (node, source)
                sums[node] += ((operation, edge, sums[source]),)
        return [sums[node] for node in self.nodes]

    def _edge(self, name: str, node: int, pair: object) -> tuple[int, int]:
        """Finds the numbers of the edge and the operation of one of a genotype's pairs."""
        if not (isinstance(pair, list | tuple) and len(pair) == 2):
            raise UserError(f"{name}: node {node} has {shorten(pair)}; valid: ('OPERATION', STATE)")
        operation, state = pair
        valid = self.operations[1:]
        if operation not in valid:
            word = operation[:60] if isinstance(operation, str) else shorten(operation)
            raise UserError(f"{name}, node {node}: {unknown('operation', word, valid)}")
        if type(state) is not int or not 0 <= state < node:
            raise UserError(
                f"{name}: node {node} reads state {shorten(state)}; valid: 0 to {node - 1}"
            )
        return self.edges.index((node, state)), self.operations.index(operation)

    def _into(self) -> dict[int, list[int]]:
        """Returns for each node the rows of the edges into it."""
        return {n: [i for i, (node, _) in enumerate(self.edges) if node == n] for n in self.nodes}

    def _pairs(self, node: int) -> list[tuple[int, int]]:
        """Lists the pairs of rows that a node may choose."""
        return list(itertools.combinations(self._into()[node], INPUTS))

    def _digits(self) -> Iterator[tuple[int, int, int]]:
        """Yields (cell, node, how many choices there are) for each digit of an index."""
        kinds = len(self.operations) - 1
        for cell, node in itertools.product(range(self.cells), self.nodes):
            yield cell, node, len(self._pairs(node)) * kinds**INPUTS
