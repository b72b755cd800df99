"""Parameters and multiply-adds of architectures: the baselines that every score stands beside.

Both are of the derived network at its default, full size, for CIFAR-10.
"""

import itertools
from collections.abc import Callable, Hashable, Sequence

import numpy as np

from tenas_jax.networks.derived import count, derived
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


def costs(space: Space, archs: Sequence[str]) -> dict[str, np.ndarray]:
    """What the networks of some architectures cost.

    Costs are sums: what an operation costs depends on the place where it stands, and not on the
    others. So where an architecture's numbers of operations are a linear combination of those of
    others, its costs are the same combination of theirs. A few of the given architectures are
    counted, at most 25 of NAS-Bench-201 and 20 of DARTS (half a second each); the others, however
    many, follow to the last digit.

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
