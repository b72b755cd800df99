"""Parameters and multiply-adds of architectures: baselines of scores, and what a budget limits.

Both are of the derived network at its default, full size, for CIFAR-10. Costs are sums: what an
operation costs depends on the place where it stands, and not on the others. So the costs of few
architectures give those of all, to the last digit, and the cheapest that a mask holds are found
place by place.
"""

import itertools
from collections.abc import Callable, Hashable, Iterator, Mapping, Sequence

import numpy as np

from tenas_jax.networks.trained import count, derived
from tenas_jax.spaces import Space
from tenas_jax.spaces.space import Edge

NAMES = ("parameters", "multiply_adds")
IMAGE, CLASSES = (32, 32, 3), 10  # CIFAR-10

# space -> of the number of a cell and an edge (target, source): places with the same value are
# alike, an operation costs the same at each. Without an entry every place stands alone. In DARTS's
# reduction cell (1), operations on the cell's two inputs halve the sides.
ALIKE: dict[str, Callable[[int, Edge], Hashable]] = {
    "darts": lambda cell, edge: (cell, cell == 1 and edge[1] < 2),
}

# space that forbids some combinations -> an operation that costs nothing wherever it stands, of
# which a whole architecture can be made. Another space needs none.
FREE = {"darts": "avg_pool_3x3"}

Table = Mapping[str, tuple[float, np.ndarray]]


def costs(space: Space, archs: Sequence[str]) -> dict[str, np.ndarray]:
    """What the networks of some architectures cost.

    Where an architecture's numbers of operations are a linear combination of those of others, its
    costs are the same combination of theirs. A few of the given architectures are counted, at most
    25 of NAS-Bench-201, 20 of DARTS and 34 of As-ViT (half a second each, or less); the others,
    however many, follow.

    Args:
        space: whose architectures they are, one with a derived network.
        archs: [K] strings.

    Returns:
        `parameters` and `multiply_adds`, float64 [K], whole numbers.

    Raises:
        UserError: the space has no derived network, or one is no architecture of it.
    """
    if not len(archs):
        return {name: np.zeros(0) for name in NAMES}
    arrays = np.stack([space.parse(arch) for arch in archs])
    numbers = _numbers(space, arrays)
    order = np.count_nonzero(arrays, axis=(1, 2)).argsort(kind="stable")  # small networks first
    chosen = order[_independent(numbers[order])]
    counted = np.array([_counted(space, arrays[row]) for row in chosen])
    weights = np.linalg.lstsq(numbers[chosen].T, numbers.T, rcond=None)[0]
    found = np.rint(counted.T @ weights)  # they are whole up to rounding
    return dict(zip(NAMES, found, strict=True))


def cost_table(space: Space) -> dict[str, tuple[float, np.ndarray]]:
    """What each operation costs at each place.

    It takes as many counted networks as `costs` does: seconds.

    Args:
        space: one with a derived network.

    Returns:
        For `parameters` and `multiply_adds` a constant and float64 [cells, edges, operations],
        whole numbers: an architecture costs the constant and what its mask selects. On an edge that
        is not chosen nothing is selected, or `none`, which is 0 then. Where every edge is chosen,
        the first operation is 0, and the others are what they cost more than that. What is no
        option of the space is 0.

    Raises:
        UserError: the space has no derived network.
    """
    free = space.operations.index(FREE.get(space.name, space.operations[0]))
    base = np.zeros((space.cells, len(space.edges)), np.int8)
    for cell, edges, inputs in _parts(space):
        base[cell, edges[:inputs]] = free
    places = [tuple(place) for place in np.argwhere(space.options).tolist()]
    archs = [base, *(_with(space, base, *place) for place in places)]
    found = costs(space, [space.to_string(arch) for arch in archs])
    table = {name: (float(column[0]), np.zeros(space.mask_shape)) for name, column in found.items()}
    for name, (constant, array) in table.items():
        array[tuple(np.transpose(places))] = found[name][1:] - constant
    return table


def cost(table: Table, mask: np.ndarray) -> dict[str, float]:
    """What the architecture of a mask [cells, edges, operations] costs, by `cost_table`'s table."""
    return {
        name: constant + float((array * mask).sum()) for name, (constant, array) in table.items()
    }


def cheapest(space: Space, table: Table, mask: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """The architectures in a mask than which no other in it is cheaper in one cost and no dearer.

    Costs add up, so that none of them has a part that another would undercut: they are put together
    place by place, or where a node keeps some of its edges, node by node.

    Args:
        space: of the mask.
        table: `cost_table` of the space.
        mask: [cells, edges, operations], of a supernet or an architecture.

    Returns:
        Costs float64 [P, 2] in the table's order, and int8 [P, cells, edges]; of architectures with
        equal costs the one of least `index`. P is 0 where the mask holds no architecture.
    """
    left = space.check_mask(mask).astype(bool) & space.options
    prices = np.stack([array for _, array in table.values()], -1)
    sums = np.array([[constant for constant, _ in table.values()]])
    archs = np.zeros((1, space.cells, len(space.edges)), np.int8)
    for cell, edges, inputs in _parts(space):
        options = _options(left[cell], prices[cell], edges, inputs)
        added = [prices[cell, at, kinds].sum(0) for at, kinds in options]
        sums = (sums[:, None] + np.reshape(added, (-1, sums.shape[1]))).reshape(-1, sums.shape[1])
        kept = _not_undercut(sums)
        sums = sums[kept]
        archs = archs[kept // max(1, len(options))]
        for arch, way in zip(archs, kept % max(1, len(options)), strict=True):
            at, kinds = options[way]
            arch[cell, at] = kinds
    return sums, archs


def _parts(space: Space) -> Iterator[tuple[int, list[int], int]]:
    """(cell, edges, how many of them an architecture keeps), in the order of `Space.index`."""
    if space.inputs_per_node is None:
        for cell, edge in np.ndindex(space.cells, len(space.edges)):
            yield cell, [edge], 1
        return
    for cell, node in itertools.product(range(space.cells), sorted({n for n, _ in space.edges})):
        into = [i for i, (target, _) in enumerate(space.edges) if target == node]
        yield cell, into, space.inputs_per_node


def _with(space: Space, base: np.ndarray, cell: int, edge: int, operation: int) -> np.ndarray:
    """An architecture with an operation on one edge, in place of another edge where it must be."""
    arch = base.copy()
    for part, edges, inputs in _parts(space):
        if part == cell and edge in edges[inputs:]:
            arch[cell, edges[inputs - 1]] = 0
    arch[cell, edge] = operation
    return arch


def _options(
    left: np.ndarray, prices: np.ndarray, edges: list[int], inputs: int
) -> list[tuple[list[int], list[int]]]:
    """(edges, operations on them) that a part may consist of, in the order of `Space.index`."""
    kinds = {}
    for edge in edges:
        there = np.flatnonzero(left[edge])
        kinds[edge] = there[_not_undercut(prices[edge, there])].tolist()
    return [
        (list(chosen), list(operations))
        for chosen in itertools.combinations(edges, inputs)
        for operations in itertools.product(*(kinds[edge] for edge in chosen))
    ]


def _not_undercut(rows: np.ndarray) -> np.ndarray:
    """Of rows [K, 2] those that no other undercuts, rising; of equal rows the first."""
    order = np.lexsort((rows[:, 1], rows[:, 0]))  # stable: equal rows stay in their order
    second = rows[order, 1]
    least = np.minimum.accumulate(np.concatenate([[np.inf], second]))[:-1]
    return np.sort(order[second < least])


def _numbers(space: Space, arrays: np.ndarray) -> np.ndarray:
    """How often each operation stands at each kind of place: [K, F] of [K, cells, edges]."""
    alike = ALIKE.get(space.name, lambda cell, edge: (cell, edge))
    kinds = [alike(*place) for place in itertools.product(range(space.cells), space.edges)]
    places = arrays.reshape(len(arrays), -1)
    counts: dict[Hashable, np.ndarray] = {}
    for kind, place in zip(kinds, places.T, strict=True):
        counts[kind] = counts.get(kind, 0) + np.eye(len(space.operations))[place]
    return np.concatenate(list(counts.values()), axis=1)


def _independent(rows: np.ndarray) -> list[int]:
    """The first rows of which all others are linear combinations, for rows of whole numbers."""
    chosen: list[int] = []
    rest = rows.copy()
    while True:
        lengths = np.linalg.norm(rest, axis=1)
        left = lengths > 1e-6  # less is rounding
        if not left.any():
            return chosen
        first = int(left.argmax())
        chosen.append(first)
        direction = rest[first] / lengths[first]
        rest -= np.outer(rest @ direction, direction)


def _counted(space: Space, array: np.ndarray) -> np.ndarray:
    """[2] of one architecture [cells, edges]."""
    counts = count(derived(space.name, array, classes=CLASSES), IMAGE)
    return np.array([counts.parameters, counts.macs], np.float64)
