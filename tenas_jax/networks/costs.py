"""Parameters and multiply-adds of architectures: baselines of scores, and what a budget limits.

Both are of the network for training, at its default, full size for CIFAR-10 unless another is asked
for. They are sums: what an operation costs depends on the edge where it stands, and not on others.
A space states them in closed form, as `cost_table` beside its network for training; and the
cheapest that a mask holds are put together edge by edge.
"""

import itertools
from collections.abc import Callable, Iterator, Mapping, Sequence
from typing import Any

import numpy as np

from tenas_jax.errors import UserError
from tenas_jax.networks import part_of
from tenas_jax.networks.trained import derived
from tenas_jax.spaces import Space

NAMES = ("parameters", "multiply_adds")
IMAGE, CLASSES = (32, 32, 3), 10  # CIFAR-10

Table = Mapping[str, tuple[float, np.ndarray]]


def costs(space: Space, archs: Sequence[str], **size: Any) -> dict[str, np.ndarray]:
    """Returns what the networks of some architectures cost.

    Args:
        space: whose architectures they are, one with closed forms.
        archs: [K] strings.
        **size: as for `cost_table`.

    Returns:
        `parameters` and `multiply_adds`, float64 [K], whole numbers.

    Raises:
        UserError: see `cost_table`; or one is no architecture of the space.
    """
    table = cost_table(space, **size)
    shape = (len(archs), *space.mask_shape[:2])
    arrays = np.array([space.parse(arch) for arch in archs], int).reshape(shape)
    cells, edges = np.indices(shape[1:])
    return {
        name: constant + prices[cells, edges, arrays].sum((1, 2))
        for name, (constant, prices) in table.items()
    }


def cost_table(
    space: Space, *, image: Sequence[int] = IMAGE, classes: int = CLASSES, **size: Any
) -> dict[str, tuple[float, np.ndarray]]:
    """Returns what each operation costs on each edge.

    Args:
        space: one with closed forms.
        image: (height, width, channels).
        classes: how many.
        **size: fields of the network for training, those that `size_fields` lists.

    Returns:
        For `parameters` and `multiply_adds` a constant and float64 [cells, edges, operations],
        whole numbers: an architecture costs the constant and what its mask selects. On an edge that
        is not chosen nothing is selected, or `none`, which is 0 then. Where every edge is chosen,
        the first operation is 0, and the others are what they cost more than that. What is no
        option of the space is 0.

    Raises:
        UserError: the space has no closed form, or a size, or an image, that its network does not
            take.
    """
    closed_form = _closed_form(space)
    network = derived(space.name, space.from_index(0), classes=classes, **size)
    constants, prices = closed_form(network, image)
    return {
        name: (float(constant), np.array(array, np.float64))
        for name, constant, array in zip(NAMES, constants, np.moveaxis(prices, -1, 0), strict=True)
    }


def cost(table: Table, mask: np.ndarray) -> dict[str, float]:
    """Returns what the architecture of a mask [cells, edges, operations] costs by a table."""
    return {
        name: constant + float((prices * mask).sum()) for name, (constant, prices) in table.items()
    }


def cheapest(space: Space, table: Table, mask: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """Finds those in a mask than which no other in it is cheaper in one cost and no dearer.

    Costs add up, so that none of them has a part that another would undercut: they are put together
    edge by edge, or where a node keeps some of its edges, node by node.

    Args:
        space: of the mask.
        table: `cost_table` of the space.
        mask: [cells, edges, operations], of a supernet or an architecture.

    Returns:
        Costs float64 [P, 2] in the table's order, and int8 [P, cells, edges]; of architectures with
        equal costs the one of least `index`. P is 0 where the mask holds no architecture.
    """
    left = space.check_mask(mask).astype(bool) & space.options
    prices = np.stack([own for _, own in table.values()], -1)
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
    """Yields (cell, edges, how many of them an architecture keeps) in the order of `index`."""
    if space.inputs_per_node is None:
        for cell, edge in np.ndindex(space.cells, len(space.edges)):
            yield cell, [edge], 1
        return
    for cell, node in itertools.product(range(space.cells), sorted({n for n, _ in space.edges})):
        into = [i for i, (target, _) in enumerate(space.edges) if target == node]
        yield cell, into, space.inputs_per_node


def _options(
    left: np.ndarray, prices: np.ndarray, edges: list[int], inputs: int
) -> list[tuple[list[int], list[int]]]:
    """Lists (edges, operations on them) that a part may consist of, in the order of `index`."""
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
    """Finds the rows of [K, 2] that no other undercuts, rising; of equal rows the first."""
    order = np.lexsort((rows[:, 1], rows[:, 0]))  # stable: equal rows stay in their order
    second = rows[order, 1]
    least = np.minimum.accumulate(np.concatenate([[np.inf], second]))[:-1]
    return np.sort(order[second < least])


def _closed_form(space: Space) -> Callable[..., tuple[np.ndarray, np.ndarray]]:
    """Finds `(network, image) -> (constants, prices)` of a space, see `cost_table`."""
    closed_form = getattr(part_of(space, "trained"), "cost_table", None)
    if closed_form is None:
        raise UserError(
            f"parameters and multiply-adds of {space.name} are unknown; valid: spaces with a "
            f"function cost_table, here in {space.networks}.trained"
        )
    return closed_form
