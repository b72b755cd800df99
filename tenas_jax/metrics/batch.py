"""What a metric is given to look at."""

import jax
from flax import struct


@struct.dataclass
class Batch:
    """A batch of examples, a tree of arrays.

    Attributes:
        images: [N, H, W, C], normalised.
        labels: int [N], or None for metrics that need none.
    """

    images: jax.Array
    labels: jax.Array | None = None
