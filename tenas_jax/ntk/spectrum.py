"""Eigenvalues of a kernel, its condition number, and what can be wrong with it."""

from typing import NamedTuple

import jax
import jax.numpy as jnp

# A kernel's flag is the number of the first word that holds for it.
FLAGS = ("ok", "not finite", "singular", "not positive")
OK, NOT_FINITE, SINGULAR, NOT_POSITIVE = range(len(FLAGS))


class Conditioning(NamedTuple):
    """Holds a condition number and whether it may be trusted.

    Attributes:
        value: λ_max / λ_min, or NaN where `flag` is not `OK`.
        flag: int32, a number into `FLAGS`.
    """

    value: jax.Array
    flag: jax.Array


def spectrum(kernel: jax.Array) -> jax.Array:
    """Eigenvalues of a symmetric kernel [N, N], ascending, [N]; all NaN if it is not finite."""
    finite = jnp.isfinite(kernel).all()
    # A solver given NaN may not return: it is given the identity, and its answer thrown away.
    safe = jnp.where(finite, (kernel + kernel.T) / 2, jnp.eye(len(kernel), dtype=kernel.dtype))
    return jnp.where(finite, jnp.linalg.eigvalsh(safe), jnp.nan)


def conditioning(kernel: jax.Array) -> Conditioning:
    """Computes the condition number κ = λ_max / λ_min of a kernel [N, N], guarded.

    In floating point of precision ε the eigenvalues of K carry an absolute error of up to about
    N ε λ_max. A λ_min within it of zero says only that κ ≥ 1 / (N ε), so such a kernel is
    `singular` (at N = 72 that is κ above 1.2e5 in float32, 6e13 in float64); one clearly below zero
    is `not positive`, which no J Jᵀ is. The released TE-NAS code divides regardless, so that
    round-off below zero gives a negative κ, which then ranks as the best.
    """
    eigenvalues = spectrum(kernel)
    smallest, largest = eigenvalues[0], eigenvalues[-1]
    guard = len(kernel) * jnp.finfo(kernel.dtype).eps * jnp.abs(eigenvalues).max()
    flag = jnp.select(
        [~jnp.isfinite(largest), smallest < -guard, smallest <= guard],
        [NOT_FINITE, NOT_POSITIVE, SINGULAR],
        OK,
    ).astype(jnp.int32)
    value = jnp.where(flag == OK, largest / jnp.where(flag == OK, smallest, 1), jnp.nan)
    return Conditioning(value, flag)
