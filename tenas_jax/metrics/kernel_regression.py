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

from collections.abc import Callable
from typing import NamedTuple

import jax
import jax.numpy as jnp
from jax.scipy.linalg import cho_factor, cho_solve

from tenas_jax.errors import UserError, lookup
from tenas_jax.metrics.batch import Batch
from tenas_jax.metrics.weight_gradient import Pull, weight_gradient
from tenas_jax.networks.model import Network, Params
from tenas_jax.ntk import OK, SharedNtk, conditioning, ntk

# name -> what a module's name begins with whose weights take part; None for all
REGRESSION_WEIGHTS: dict[str, str | None] = {"cells": "cell", "all": None}


class Regression(NamedTuple):
    """A solved regression.

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
    network: Network,
    params: Params,
    batch: Batch,
    key: jax.Array | None = None,
    *,
    ntk: Callable[..., jax.Array] = ntk,
    ridge: float = 0.0,
    regression_weights: str = "cells",
) -> tuple[jax.Array, jax.Array]:
    """E for a batch and its validation batch.

    Args:
        network: `(params, images) -> logits [N, C]`, a logit for each class.
        params: its parameters.
        batch: images [N, H, W, ...] and labels [N], and so in `batch.validation`; N at least 2.
        key: unused; every metric takes one.
        ntk: the kernel, `tenas_jax.ntk.ntk` or one like it.
        ridge: ρ ≥ 0, relative to the mean of K(x, x)'s diagonal.
        regression_weights: a name in `REGRESSION_WEIGHTS`; `cells` are the modules whose name
            begins with `cell`, and the whole of a network that has none.

    Returns:
        The scalar E ≥ 0 in the parameters' dtype (NaN if flagged), and the flag.

    Raises:
        UserError: no labels or validation batch, one whose images have another shape, a network
            without a logit for each class, or unknown weights.
    """
    del key
    _check(network, params, batch)
    within = _within(params, regression_weights)
    found = _solved(network, params, batch, ntk, ridge, within)[0]
    return jnp.where(found.flag == OK, found.error, jnp.nan), found.flag


def kernel_regression_gradient(
    network: Network,
    params: Params,
    batch: Batch,
    key: jax.Array | None = None,
    *,
    ntk: SharedNtk | None = None,
    ridge: float = 0.0,
    regression_weights: str = "cells",
) -> jax.Array:
    """∂ log E / ∂w, w the weights of the mask's operations: [cells, edges, operations].

    With e = 2 (Ŷ − Y') / M and b = (K(x, x) + ρ k I)⁻¹ K(x, x') e the error moves by
    dE = Σ_c e_cᵀ dK(x', x) α_c − b_cᵀ dK(x, x) α_c; what the ridge adds to the diagonal is held
    constant. NaN where the kernel is flagged.

    Args:
        network: with a mask.
        params: as for `kernel_regression`, and so are the others.
        ntk: which may have the Jacobians already.
    """
    del key
    ntk = ntk or SharedNtk()
    _check(network, params, batch)
    within = _within(params, regression_weights)
    found, cross = _solved(network, params, batch, ntk, ridge, within)
    e = 2 * found.residuals / len(cross)
    with jax.default_matmul_precision("float32"):
        b = cho_solve(found.factor, cross.T @ e)
    x = batch.images
    pulls = [Pull(batch.validation.images, e), Pull(x, -b), Pull(x, found.duals / found.error)]
    form = jnp.zeros((3, 3), e.dtype).at[:2, 2].set(1)  # each of the first two with the third
    form = jnp.broadcast_to(form, (e.shape[1], 3, 3))
    gradient = weight_gradient(network, params, pulls, form, shared=ntk, within=within)
    return jnp.where(found.flag == OK, gradient, jnp.nan)


def _solved(network, params, batch, ntk, ridge, within) -> tuple[Regression, jax.Array]:
    """The regression, and K(x', x) [M, N]."""
    kernel = ntk(network, params, batch.images, within=within)
    cross = ntk(network, params, batch.validation.images, batch.images, within=within)
    classes = _outputs(network, params, batch)[-1]
    y, y2 = (_centred(b.labels, classes, kernel.dtype) for b in (batch, batch.validation))
    return regression(kernel, cross, y, y2, ridge), cross


def regression(
    kernel: jax.Array, cross: jax.Array, y: jax.Array, y2: jax.Array, ridge: float = 0.0
) -> Regression:
    """Regression by a given kernel.

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


def _centred(labels: jax.Array, classes: int, dtype) -> jax.Array:
    """One-hot labels [N, classes] less their mean over the batch."""
    hot = jax.nn.one_hot(labels, classes, dtype=dtype)
    return hot - hot.mean(0, keepdims=True)


def _within(params: Params, name: str) -> str | None:
    """What the names of the modules that take part begin with."""
    prefix = lookup("regression_weights", REGRESSION_WEIGHTS, name)
    names = [str(k.key) for path, _ in jax.tree_util.tree_leaves_with_path(params) for k in path]
    return prefix if prefix and any(name.startswith(prefix) for name in names) else None


def _check(network: Network, params: Params, batch: Batch) -> None:
    """Raises for a batch on which there is no regression."""
    if batch.validation is None or batch.labels is None or batch.validation.labels is None:
        raise UserError("kernel_regression needs labels, and a validation batch with labels")
    shape, other = batch.images.shape[1:], batch.validation.images.shape[1:]
    if shape != other:
        raise UserError(f"validation images are {other}, not {shape} as those of the batch")
    logits = _outputs(network, params, batch)
    if len(logits) != 2 or logits[1] < 2:
        raise UserError(f"kernel_regression needs a logit for each class, not outputs {logits}")


def _outputs(network: Network, params: Params, batch: Batch) -> tuple[int, ...]:
    """The shape of the network's outputs; it is not run."""
    return jax.eval_shape(lambda p, x: network(p, x), params, batch.images).shape
