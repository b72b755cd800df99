"""The number of linear regions that a batch of inputs falls into. Higher is more expressive.

R = #{distinct rows of A}, A[s, v] = 1 if sample s lies above the v-th kink of an activation. Of a
ReLU that is whether its output is positive; of other piecewise linear activations, and in loops,
every kink counts (see `tenas_jax.tracing.kinks`).

Source: Chen, Gong and Wang, 2021 (TE-NAS), arXiv:2102.11535, after Xiong et al., 2020,
arXiv:2003.00680. The released program looks at ReLUs alone, and finds distinct rows by an S × S
product of A, in half precision; here rows are packed into 64-bit words on the device and counted by
a sort, which is exact for up to 64 kinks a sample (the thin NAS-Bench-201 network has 36). Wider
patterns are hashed to 64 bits by random parities: two distinct patterns collide with probability
2^-64, so that among S samples any collision at all has probability below S² 2^-65, 2.4e-13 for S =
3000, and it could only lower R.

The paper counts on images; its program on 3 × 3 crops of one channel, in a network of one channel
without stem, because larger inputs put almost every sample in a region of its own: the count
saturates at S.
"""

import jax
import jax.numpy as jnp
from jax import lax
from jax.extend import core

from tenas_jax.errors import UserError
from tenas_jax.metrics.probe import Probe
from tenas_jax.tracing.kinks import kink_margins
from tenas_jax.tracing.loops import map_or_unroll, needs_unrolling

WORDS = 2  # of 32 bits, for each pattern


def linear_regions(probe: Probe, *, pass_size: int = 1000) -> jax.Array:
    """Counts R for the inputs of a batch.

    Args:
        probe: of the network whose kinks count, and a batch [S, ...]; its key draws the parities of
            patterns wider than 64, and is unused otherwise.
        pass_size: inputs that go through the network together, and so share batch statistics (1000
            in the released program, which makes three such passes). It must divide S.

    Returns:
        int32 scalar between 1 and S; higher is more expressive.

    Raises:
        UserError: S is not a multiple of `pass_size`, the network has no piecewise linear
            activation, or it has one inside a `while`.
    """
    inputs, size = probe.batch.inputs, min(pass_size, len(probe.batch))
    if len(inputs) % size:
        raise UserError(f"{len(inputs)} inputs do not divide into passes of {size}")
    passes = inputs.reshape(-1, size, *inputs.shape[1:])

    def words(inputs: jax.Array) -> jax.Array:
        return pack(kink_margins(probe.function(), inputs) > 0, probe.key)

    program = jax.make_jaxpr(words)(passes[0])  # traced once, for all passes
    run, unroll = core.jaxpr_as_fun(program), needs_unrolling(program.jaxpr)
    patterns = map_or_unroll(lambda inputs: run(inputs)[0], passes, unroll=unroll)
    return count_distinct(patterns.reshape(-1, WORDS))


def pack(patterns: jax.Array, key: jax.Array) -> jax.Array:
    """Packs patterns into words that are equal where the patterns are.

    Args:
        patterns: bool [S, V].
        key: the same for all patterns that are compared.

    Returns:
        uint32 [S, 2]: the bits themselves if V ≤ 64, else 64 random parities of them.
    """
    bits = 32 * WORDS
    width = patterns.shape[1]
    if width <= bits:
        patterns = jnp.pad(patterns, ((0, 0), (0, bits - width)))
    else:
        subsets = jax.random.bernoulli(key, 0.5, (width, bits)).astype(jnp.float32)
        # Sums of up to 2^24 zeros and ones are exact in float32.
        ones = jnp.dot(patterns.astype(jnp.float32), subsets, precision=lax.Precision.HIGHEST)
        patterns = ones.astype(jnp.int32) % 2 == 1
    powers = jnp.left_shift(jnp.uint32(1), jnp.arange(32, dtype=jnp.uint32))
    grouped = patterns.reshape(len(patterns), WORDS, 32).astype(jnp.uint32)
    return (grouped * powers[None, None, :]).sum(-1, dtype=jnp.uint32)


def count_distinct(words: jax.Array) -> jax.Array:
    """Counts the distinct rows of uint32 [S, 2], int32: one sort, and a look at neighbours."""
    high, low = lax.sort((words[:, 0], words[:, 1]), num_keys=2)
    return 1 + ((high[1:] != high[:-1]) | (low[1:] != low[:-1])).sum(dtype=jnp.int32)
