"""What the device can do at best, to compare with."""

import jax
import jax.numpy as jnp

from experiments.measure.timing import timed

SIDE, LENGTH = 2048, 2**26  # of a product; of a sum, far more than a cache holds


def best_of_machine() -> tuple[float, float]:
    """Of the first device, in float32.

    Returns:
        GFLOP/s of the product of two large matrices, and GB/s read and written by the sum of two
        large vectors.
    """
    a, x, y = jnp.ones((SIDE, SIDE)), jnp.ones(LENGTH), jnp.ones(LENGTH)
    product, total = jax.jit(jnp.matmul), jax.jit(jnp.add)
    arithmetic = timed(lambda _: product(a, a), 7).median
    memory = timed(lambda _: total(x, y), 7).median
    return 2 * SIDE**3 / arithmetic / 1e9, 3 * x.nbytes / memory / 1e9
