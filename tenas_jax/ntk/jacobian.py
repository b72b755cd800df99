"""The empirical kernel by our own engine: the Jacobian in blocks of rows, then K = J Jᵀ."""

from collections.abc import Callable
from typing import Any

import jax
import jax.numpy as jnp

Function = Callable[[Any, jax.Array], jax.Array]


def rows(f: Function, params: Any, x: jax.Array, *, chunk: int | None = None) -> jax.Array:
    """The Jacobian of a scalar output of each sample with respect to all parameters.

    One vector-Jacobian product is vectorised over basis cotangents. Samples may be coupled, as by
    batch statistics: each row is a backward pass through the whole batch.

    Args:
        f: `(params, x) -> [N]`.
        params: tree of arrays, P numbers in all.
        x: batch [N, ...].
        chunk: cotangents that are in memory at a time; None takes all N. Peak memory grows with it.

    Returns:
        [N, P], in the parameters' dtype.
    """
    outputs, pullback = jax.vjp(lambda p: f(p, x), params)
    n = outputs.shape[0]

    def row(cotangent: jax.Array) -> jax.Array:
        (tree,) = pullback(cotangent)
        return jnp.concatenate([leaf.ravel() for leaf in jax.tree.leaves(tree)])

    basis = jnp.eye(n, dtype=outputs.dtype)
    step = n if chunk is None else max(1, min(chunk, n))
    # The loop is unrolled: inside a device loop XLA's CPU convolutions are several times slower.
    blocks = [jax.vmap(row)(basis[start : start + step]) for start in range(0, n, step)]
    return jnp.concatenate(blocks)


def kernel(
    f: Function,
    params: Any,
    x1: jax.Array,
    x2: jax.Array | None = None,
    *,
    chunk: int | None = None,
) -> jax.Array:
    """The empirical neural tangent kernel Θ = J(x1) J(x2)ᵀ of a scalar output of each sample.

    Args:
        f: `(params, x) -> [N]`.
        params: tree of arrays.
        x1: batch [N1, ...].
        x2: batch [N2, ...], evaluated apart from x1; None is x1.
        chunk: see `rows`.

    Returns:
        [N1, N2]
    """
    with jax.default_matmul_precision("float32"):  # neither bfloat16 on TPU nor TF32 on GPU
        j1 = rows(f, params, x1, chunk=chunk)
        j2 = j1 if x2 is None else rows(f, params, x2, chunk=chunk)
        return j1 @ j2.T
