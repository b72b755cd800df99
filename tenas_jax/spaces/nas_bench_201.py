"""The cell space of NAS-Bench-201 (Dong and Yang 2020, arXiv:2001.00326).

Four nodes, an edge from each node to every later one, five operations an edge: 15,625 cells.
"""

import difflib
import re
from types import MappingProxyType

import numpy as np

from tenas_jax.errors import UserError, shorten, unknown
from tenas_jax.spaces.forms import least_text
from tenas_jax.spaces.space import CellSpace, Edge

EXAMPLE = "|OP~0|+|OP~0|OP~1|+|OP~0|OP~1|OP~2|"


class NasBench201(CellSpace):
    """Holds cells written `|nor_conv_3x3~0|+|none~0|avg_pool_3x3~1|+|...|`, `OP~SOURCE` an edge.

    `index` counts in mixed radix, edge 1<-0 the highest digit. The benchmark's own files number
    the same architectures in another, shuffled order, which only a table such as
    `benchmarks.Table` knows.
    """

    name = "nas_bench_201"
    title = "NAS-Bench-201"
    configs = MappingProxyType(
        {"search": "configs/tenas_nas_bench_201.py", "train": "configs/train_nas_bench_201.py"}
    )
    networks = "tenas_jax.networks.nas_bench_201"
    operations = ("none", "skip_connect", "nor_conv_1x1", "nor_conv_3x3", "avg_pool_3x3")
    edges = ((1, 0), (2, 0), (2, 1), (3, 0), (3, 1), (3, 2))
    cells = 1
    nodes = 4
    weightless = frozenset({"avg_pool_3x3"})

    def parse(self, string: str) -> np.ndarray:
        """Reads the int8 [1, 6] architecture of a string; edges of one node may come in any order.

        Raises:
            UserError: an unknown operation or source, a node or an edge too many or too few, or
                anything else that is not of the form above.
        """
        where = f"architecture {shorten(string)}"
        texts = string.strip().split("+") if isinstance(string, str) and string.strip() else []
        if len(texts) != self.nodes - 1:
            raise UserError(
                f"{where} has {len(texts)} nodes; valid: {self.nodes - 1}, as {EXAMPLE}, "
                f"OP one of {', '.join(self.operations)}"
            )
        row = {}
        for target, text in enumerate(texts, start=1):
            row |= self._parse_node(f"{where}, node {target}", target, text.strip())
        return np.array([[row[edge] for edge in self.edges]], np.int8)

    def to_string(self, arch: np.ndarray) -> str:
        """Writes the benchmark's spelling of an int8 [1, 6] architecture."""
        texts = dict.fromkeys(range(1, self.nodes), "|")
        for (target, source), operation in zip(self.edges, self.check(arch)[0], strict=True):
            texts[target] += f"{self.operations[operation]}~{source}|"
        return "+".join(texts.values())

    def canonical(self, arch: np.ndarray) -> str:
        """Writes a text that cells share exactly where they compute the same family of functions.

        It is the output node written out as a sum, after three steps: `none`, and any operation
        on a zero, contributes nothing; `skip_connect` splices its source's terms into the sum; the
        terms are sorted. A term that occurs twice stays twice. An operation that does not reach
        the output is left out. Operations are opaque: that pooling is linear is not used, and
        convolution with its norm maps zero to zero, as it does while the norm's bias is 0.

        Two convolutions of the same input have weights of their own, one convolution used twice
        has not: where two edges hold convolutions of equal sources, both get a number,
        `(0)@nor_conv_3x3:1`. Cells with one form therefore agree once the weights of their edges
        are renamed, or in distribution over random weights. They agree neither number by number
        under one seed, since an edge draws its own, nor in what unused operations add: parameters,
        and the signs of activations that never reach the output.

        The 15,625 cells have 5,260 forms; the benchmark counts 6,466, by its
        `to_unique_str(consider_zero=True)`. Three differences, in order, with N1 to N3 the nodes:

        - It keeps zeros as terms `#`, and takes a source for zero only where its text is that one
          sign, not `#+#`. So N3 = N0 gets another text than N2 = N0, N3 = N2, each with `none`
          elsewhere: `#+#+0`, `#+#+#+0`. Without zeros 5,390 are left.
        - It sorts the terms of a node, but not those of a sum that `skip_connect` brings in: with
          x < y < N0 in its sorting, (x + N0) + y is `x+0+y` and (x + y) + N0 is `x+y+0`. Sorted,
          4,930 are left.
        - It does not tell one convolution used twice, N1 = conv(N0), N2 = N1, N3 = N1 + N2, from
          two, N2 = conv(N0): both are `#+#+x+x`, x being `(0)@conv`. Told apart, they make 5,260.

        Args:
            arch: int8 [1, 6].

        Raises:
            UserError: `arch` is no architecture of this space.
        """
        return least_text([self._output(self.check(arch)[0])])

    def _output(self, row: np.ndarray) -> tuple:
        """Returns the last node's value."""
        sums: list[list] = [["0"]] + [[] for _ in range(self.nodes - 1)]
        for (target, source), number in zip(self.edges, row, strict=True):
            operation, value = self.operations[number], sums[source]
            if operation == "none" or not value:
                continue
            if operation == "skip_connect":
                sums[target] += value
            else:
                edge = None if operation in self.weightless else (target, source)
                sums[target].append((operation, edge, tuple(value)))
        return tuple(sums[-1])

    def _parse_node(self, where: str, target: int, text: str) -> dict[Edge, int]:
        """Reads the operation number of each edge into one node."""
        if len(text) < 2 or text[0] != "|" or text[-1] != "|":
            raise UserError(f"{where} is {shorten(text)}; valid: OP~SOURCE between bars")
        row = {}
        for term in text[1:-1].split("|"):
            match = re.fullmatch(r"([^~]*)~([^~]*)", term.strip())
            if match is None:
                raise UserError(f"{where} has {shorten(term)}; valid: OP~SOURCE, as skip_connect~0")
            operation, source = match.groups()
            if operation not in self.operations:
                raise UserError(f"{where}: {unknown('operation', operation[:60], self.operations)}")
            edge = target, self._source(where, target, source)
            if edge in row:
                raise UserError(f"{where} has two edges from node {source}; valid: one")
            row[edge] = self.operations.index(operation)
        missing = [str(source) for source in range(target) if (target, source) not in row]
        if missing:
            raise UserError(f"{where} has no edge from node {', '.join(missing)}; valid: one each")
        return row

    @staticmethod
    def _source(where: str, target: int, text: str) -> int:
        """Reads the number of a source node, which lies before its target."""
        valid = [str(node) for node in range(target)]
        if text in valid:
            return int(text)
        if re.fullmatch(r"[0-9]{1,9}", text):
            near = str(min(int(text), target - 1))
        else:
            near = (difflib.get_close_matches(text, valid, n=1, cutoff=0.1) or valid)[0]
        raise UserError(
            f"{where}: unknown source node {shorten(text)} "
            f"(did you mean {near!r}?); valid: {', '.join(valid)}"
        )
