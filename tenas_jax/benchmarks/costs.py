"""Parameters and multiply-adds of architectures: the baselines that every score stands beside.

Both are of the derived network at its default, full size, for CIFAR-10.
"""

from collections.abc import Sequence

import numpy as np

from tenas_jax.networks.derived import count, derived
from tenas_jax.spaces import Space

NAMES = ("parameters", "multiply_adds")
IMAGE, CLASSES = (32, 32, 3), 10  # CIFAR-10


def costs(space: Space, archs: Sequence[str]) -> dict[str, np.ndarray]:
    """What the networks of some architectures cost.

    Where every edge may have any operation, costs are sums: what an operation costs depends on
    where it stands, not on the others. So one network is counted for each operation in each place,
    and any number of architectures follow. In a space that keeps some edges of each node
    (`Space.inputs_per_node`) each network is counted by itself, which takes seconds.

    Args:
        space: whose architectures they are, one with a derived network.
        archs: [K] strings.

    Returns:
        `parameters` and `multiply_adds`, float64 [K], whole numbers.

    Raises:
        UserError: the space has no derived network, or one is no architecture of it.
    """
    arrays = [space.parse(arch) for arch in archs]
    if space.inputs_per_node is None and len(arrays) > 1:
        found = _summed(space, np.stack(arrays))
    else:
        found = np.array([_counted(space, array) for array in arrays]).reshape(-1, len(NAMES))
    return dict(zip(NAMES, found.T, strict=True))


def _summed(space: Space, arrays: np.ndarray) -> np.ndarray:
    """[K, 2] of architectures [K, cells, edges]."""
    base = np.zeros(arrays.shape[1:], arrays.dtype)  # the first operation on every edge
    least = _counted(space, base)
    found = np.tile(least, (len(arrays), 1))
    for place in np.ndindex(base.shape):
        column = arrays[(slice(None), *place)]
        for operation in set(column.tolist()) - {0}:
            other = base.copy()
            other[place] = operation
            found[column == operation] += _counted(space, other) - least
    return found


def _counted(space: Space, array: np.ndarray) -> np.ndarray:
    """[2] of one architecture [cells, edges]."""
    counts = count(derived(space.name, array, classes=CLASSES), IMAGE)
    return np.array([counts.parameters, counts.macs], np.float64)
