"""What a metric is given to look at."""

from typing import Optional

import jax
from flax import struct


@struct.dataclass
class Batch:
    """A batch of examples, a tree of arrays.

    Attributes:
        images: [N, H, W, C], normalised.
        labels: int [N], or None for metrics that need none.
        validation: a second batch of such images, [M, H, W, C], and labels, for metrics that
            measure how well the first generalises; None for all others.
    """

    images: jax.Array
    labels: jax.Array | None = None
    validation: Optional["Batch"] = None
