"""The error on held-out images of regression by the neural tangent kernel. Lower is better.

    Ŷ = K(x', x) (K(x, x) + ρ k I)⁻¹ Y        E = mean_j ‖Ŷ_j − Y'_j‖²

x, Y a batch of N images and their labels, x', Y' another of M; labels one-hot less their batch's
mean; K the kernel of the summed logits over the weights of the cells alone; k the mean of K's
diagonal; the ridge ρ is 0 by default. Predicting the mean gives E = 1 − Σ_c p_c², p_c the share of
a class: 0.9 for ten even ones. A wide network that gradient descent trains to convergence predicts
so, but for the network's own start (Jacot, Gabriel and Hongler, 2018, arXiv:1806.07572).

Source: Chen et al., 2021 (TEG-NAS), arXiv:2108.11939. What its program does, at commit dfa4177,
beside: K is inverted, and an exception there gives -1, later replaced by the worst value so far,
while a kernel that is singular to rounding gives some number; here K is solved by Cholesky's
decomposition, and such a kernel carries a flag and NaN. Its three repeats are three networks on one
batch of 64; here a repeat draws as for the other metrics. Its validation images are the test set's;
here they are of the split that is searched on, none of them in the batch, and not augmented.
"""

import math
from typing import NamedTuple

import jax
import jax.numpy as jnp
from jax.scipy.linalg import cho_factor, cho_solve

from tenas_jax.errors import UserError, lookup
from tenas_jax.metrics.probe import Probe
from tenas_jax.metrics.weight_gradient import Pull, weight_gradient
from tenas_jax.networks.model import Params
from tenas_jax.ntk import OK, conditioning

# name -> what a module's name begins with whose weights take part; None for all
REGRESSION_WEIGHTS: dict[str, str | None] = {"cells": "cell", "all": None}


class Regression(NamedTuple):
    """Holds a solved regression.

    Attributes:
        flag: of K(x, x) + ρ k I, see `tenas_jax.ntk.FLAGS`; the others mean nothing if it is bad.
        error: the scalar E.
        factor: Cholesky's factor of K(x, x) + ρ k I.
        duals: α = (K(x, x) + ρ k I)⁻¹ Y, [N, C].
        residuals: Ŷ − Y', [M, C].
    """

    flag: jax.Array
    error: jax.Array
    factor: tuple
    duals: jax.Array
    residuals: jax.Array


def kernel_regression(
    probe: Probe, *, ridge: float = 0.0, regression_weights: str = "cells"
) -> tuple[jax.Array, jax.Array]:
    """Computes E for a batch and its held-out batch.

    Args:
        probe: with inputs and targets [N], N at least 2, in both batches; outputs [N, C].
        ridge: ρ ≥ 0, relative to the mean of K(x, x)'s diagonal.
        regression_weights: a name in `REGRESSION_WEIGHTS`; `cells` are the modules whose name
            begins with `cell`, and the whole of a network that has none.

    Returns:
        The scalar E ≥ 0 in the parameters' dtype (NaN if flagged), and the flag.

    Raises:
        UserError: no targets or held-out batch, one whose inputs have another shape, a network
            without a logit for each class, unknown weights, or a ridge that is no number from 0.
    """
    solved = _solved(probe, ridge, regression_weights)[0]
    return jnp.where(solved.flag == OK, solved.error, jnp.nan), solved.flag


def kernel_regression_gradient(
    probe: Probe, *, ridge: float = 0.0, regression_weights: str = "cells"
) -> jax.Array:
    """Computes ∂ log E / ∂w, w the weights of the mask's operations: [cells, edges, operations].

    With e = 2 (Ŷ − Y') / M and b = (K(x, x) + ρ k I)⁻¹ K(x, x') e the error moves by
    dE = Σ_c e_cᵀ dK(x', x) α_c − b_cᵀ dK(x, x) α_c; what the ridge adds to the diagonal is held
    constant. NaN where the kernel is flagged.

    Args:
        probe: of a network whose encoding is a mask; the others as for `kernel_regression`.
    """
    solved, cross = _solved(probe, ridge, regression_weights)
    e = 2 * solved.residuals / len(cross)
    with jax.default_matmul_precision("float32"):
        b = cho_solve(solved.factor, cross.T @ e)
    x, x2 = probe.batch.inputs, probe.batch.held_out.inputs
    pulls = [Pull(x2, e), Pull(x, -b), Pull(x, solved.duals / solved.error)]
    form = jnp.zeros((3, 3), e.dtype).at[:2, 2].set(1)  # each of the first two with the third
    form = jnp.broadcast_to(form, (e.shape[1], 3, 3))
    within = _within(probe.params, regression_weights)
    gradient = weight_gradient(probe, pulls, form, within=within)
    return jnp.where(solved.flag == OK, gradient, jnp.nan)


def _solved(probe: Probe, ridge: float, weights: str) -> tuple[Regression, jax.Array]:
    """Solves the regression; beside it K(x', x) [M, N]."""
    _check(probe)
    check_ridge(ridge)
    within, batch = _within(probe.params, weights), probe.batch
    kernel = probe.kernel(within=within)
    cross = probe.kernel(batch.held_out.inputs, batch.inputs, within=within)
    classes = probe.output_shape[-1]
    y, y2 = (_centred(b.targets, classes, kernel.dtype) for b in (batch, batch.held_out))
    return regression(kernel, cross, y, y2, ridge), cross


def regression(
    kernel: jax.Array, cross: jax.Array, y: jax.Array, y2: jax.Array, ridge: float = 0.0
) -> Regression:
    """Solves a regression by a given kernel.

    Args:
        kernel: K(x, x) [N, N].
        cross: K(x', x) [M, N].
        y: targets [N, C].
        y2: those of x', [M, C].
        ridge: ρ.
    """
    eye = jnp.eye(len(kernel), dtype=kernel.dtype)
    kernel = (kernel + kernel.T) / 2 + ridge * jnp.trace(kernel) / len(kernel) * eye
    flag = conditioning(kernel).flag
    factor = cho_factor(jnp.where(flag == OK, kernel, eye))
    with jax.default_matmul_precision("float32"):  # neither bfloat16 on TPU nor TF32 on GPU
        duals = cho_solve(factor, y)
        residuals = cross @ duals - y2
    return Regression(flag, (residuals * residuals).sum(1).mean(), factor, duals, residuals)


def check_ridge(ridge: float) -> None:
    """Raises a `UserError` for a ridge that is no finite number from 0."""
    number = isinstance(ridge, int | float) and not isinstance(ridge, bool)
    if not number or not 0 <= ridge < math.inf:
        raise UserError(f"ridge must be a finite number from 0, not {ridge}")


def check_weights(name: str) -> str | None:
    """Returns what the modules' names begin with that some weights are of; `UserError` if none."""
    return lookup("regression_weights", REGRESSION_WEIGHTS, name)


def _centred(targets: jax.Array, classes: int, dtype) -> jax.Array:
    """Returns one-hot targets [N, classes] less their mean over the batch."""
    hot = jax.nn.one_hot(targets, classes, dtype=dtype)
    return hot - hot.mean(0, keepdims=True)


def _within(params: Params, name: str) -> str | None:
    """Tells what the names of the modules that take part begin with; None for all."""
    prefix = check_weights(name)
    names = [str(k.key) for path, _ in jax.tree_util.tree_leaves_with_path(params) for k in path]
    return prefix if prefix and any(name.startswith(prefix) for name in names) else None


def _check(probe: Probe) -> None:
    """Raises for a batch on which there is no regression."""
    batch, other = probe.batch, probe.batch.held_out
    if other is None or batch.targets is None or other.targets is None:
        raise UserError("kernel_regression needs targets, and a held-out batch with targets")
    shape, second = batch.inputs.shape[1:], other.inputs.shape[1:]
    if shape != second:
        raise UserError(f"held-out inputs are {second}, not {shape} as those of the batch")
    logits = probe.output_shape
    if len(logits) != 2 or logits[1] < 2:
        raise UserError(f"kernel_regression needs a logit for each class, not outputs {logits}")
