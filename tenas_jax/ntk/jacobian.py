"""The empirical kernel by our own engine: the Jacobian in chunks of rows, then K = J Jᵀ."""

from collections.abc import Callable
from typing import Any

import jax
import jax.numpy as jnp
from jax.extend import core

from tenas_jax.tracing.loops import map_or_unroll, needs_unrolling

Function = Callable[[Any, jax.Array], jax.Array]

CACHE = 32 * 2**20  # bytes: about a CPU's last-level cache
HOST_MEMORY = 2**30  # bytes that a chunk may take on CPU where the cache does not matter


def rows(
    f: Function,
    params: Any,
    x: jax.Array,
    *,
    chunk: int | None = None,
    coupled: bool = True,
) -> jax.Array:
    """Computes the Jacobian of a scalar output of each sample with respect to all parameters.

    One vector-Jacobian product is vectorised over a chunk of basis cotangents, and repeated over
    chunks. Where samples are coupled, as by batch statistics, each row is a backward pass through
    the whole batch; where they are not, through its own sample alone.

    Args:
        f: `(params, x) -> [N]`.
        params: tree of arrays, P numbers in all.
        x: batch [N, ...].
        chunk: cotangents that are in memory at a time; peak memory grows with it. None takes as
            many as fit a budget, see `affordable`.
        coupled: whether a sample's output may depend on other samples.

    Returns:
        [N, P], in the parameters' dtype.
    """
    if not coupled:
        return _rows_apart(f, params, x, chunk)
    outputs, pullback = jax.vjp(lambda p: f(p, x), params)
    n = outputs.shape[0]

    def row(cotangent: jax.Array) -> jax.Array:
        (tree,) = pullback(cotangent)
        return jnp.concatenate([leaf.ravel() for leaf in jax.tree.leaves(tree)])

    # Traced once, here, and looked at.
    program = jax.make_jaxpr(row)(jax.ShapeDtypeStruct((n,), outputs.dtype))
    unrolled = needs_unrolling(program.jaxpr)
    if chunk is None:
        chunk = affordable(pullback, unrolled)
    steps = -(-n // max(1, min(chunk, n)))
    size = -(-n // steps)  # chunks of one size; what the last lacks are zeros
    basis = jnp.eye(steps * size, n, dtype=outputs.dtype).reshape(steps, size, n)
    run = core.jaxpr_as_fun(program)

    def block(cotangents: jax.Array) -> jax.Array:
        if size == 1:
            return run(cotangents[0])[0][None]
        return jax.vmap(run)(cotangents)[0]

    blocks = map_or_unroll(block, basis, unroll=unrolled)
    return blocks.reshape(steps * size, -1)[:n]


def _rows_apart(f: Function, params: Any, x: jax.Array, chunk: int | None) -> jax.Array:
    """`rows` of samples that are not coupled."""

    def row(sample: jax.Array) -> jax.Array:
        tree = jax.grad(lambda p: f(p, sample[None])[0])(params)
        return jnp.concatenate([leaf.ravel() for leaf in jax.tree.leaves(tree)])

    program = jax.make_jaxpr(row)(x[0])
    unrolled = needs_unrolling(program.jaxpr)
    if chunk is None:
        chunk = affordable(jax.eval_shape(lambda p: jax.vjp(f, p, x[:1])[1], params), unrolled)
    n, run = len(x), core.jaxpr_as_fun(program)
    steps = -(-n // max(1, min(chunk, n)))
    size = -(-n // steps)  # what the last chunk lacks are samples once more
    indices = jnp.minimum(jnp.arange(steps * size), n - 1).reshape(steps, size)
    blocks = map_or_unroll(lambda at: jax.vmap(run)(x[at])[0], indices, unroll=unrolled)
    return blocks.reshape(steps * size, -1)[:n]


def affordable(pullback: Any, unrolled: bool) -> int:
    """Chooses how many cotangents to vectorise over, 1 or more.

    A backward pass needs about as much memory as what the forward pass left for it. On CPU a loop
    of passes that each stay in the cache is fastest, but an unrolled one should be short, since
    each pass is compiled. An accelerator wants large batches, here within a sixteenth of its
    memory, since four candidates are vectorised over besides and XLA needs room of its own.
    """
    needed = sum(leaf.size * leaf.dtype.itemsize for leaf in jax.tree.leaves(pullback))
    budget = HOST_MEMORY if unrolled else CACHE
    device = jax.local_devices()[0]
    if device.platform != "cpu":
        budget = (device.memory_stats() or {}).get("bytes_limit", 16 * HOST_MEMORY) // 16
    return max(1, budget // max(needed, 1))


def kernel(
    f: Function,
    params: Any,
    x1: jax.Array,
    x2: jax.Array | None = None,
    *,
    chunk: int | None = None,
    coupled: bool = True,
) -> jax.Array:
    """Computes the empirical kernel Θ = J(x1) J(x2)ᵀ of a scalar output of each sample.

    Args:
        f: `(params, x) -> [N]`.
        params: tree of arrays.
        x1: batch [N1, ...].
        x2: batch [N2, ...], evaluated apart from x1; None is x1.
        chunk: see `rows`.
        coupled: see `rows`.

    Returns:
        [N1, N2]
    """
    with jax.default_matmul_precision("float32"):  # neither bfloat16 on TPU nor TF32 on GPU
        j1 = rows(f, params, x1, chunk=chunk, coupled=coupled)
        j2 = j1 if x2 is None else rows(f, params, x2, chunk=chunk, coupled=coupled)
        return j1 @ j2.T
