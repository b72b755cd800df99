"""Arithmetic counted on programs whose count is known by hand."""

import jax
import jax.numpy as jnp
import pytest
from jax import lax

from tenas_jax.tracing.programs import multiply_adds

A, B = jnp.ones((3, 5)), jnp.ones((5, 7))
IMAGES, KERNEL = jnp.ones((2, 6, 8, 4)), jnp.ones((3, 3, 4, 10))


def convolve(x, kernel, groups=1):
    return lax.conv_general_dilated(
        x,
        kernel,
        (1, 1),
        "SAME",
        dimension_numbers=("NHWC", "HWIO", "NHWC"),
        feature_group_count=groups,
    )


@pytest.mark.parametrize(
    ("f", "args", "count"),
    [
        (lambda a, b: jnp.tanh(a @ b) + 1, (A, B), 3 * 5 * 7),
        (jax.jit(jax.checkpoint(lambda a, b: a @ b)), (A, B), 3 * 5 * 7),
        (lambda a, b: jnp.einsum("ij,jk->", a, b), (A, B), None),
        (convolve, (IMAGES, KERNEL), (2 * 6 * 8 * 10) * (3 * 3 * 4)),
        # each of two groups of features reads two of the four channels
        (
            lambda x, k: convolve(x, k, groups=2),
            (IMAGES, KERNEL[:, :, :2]),
            (2 * 6 * 8 * 10) * (3 * 3 * 2),
        ),
        (lambda a, b: lax.map(lambda row: row @ b, a), (A, B), 3 * 5 * 7),
        (
            lambda a, b: lax.cond(a.sum() > 0, lambda: a @ b, lambda: (a + a) @ (b @ jnp.eye(7))),
            (A, B),
            3 * 5 * 7 + 5 * 7 * 7,
        ),
        (jnp.add, (A, A), 0),
    ],
)
def test_counts(f, args, count):
    counted = multiply_adds(jax.make_jaxpr(f)(*args).jaxpr)
    assert counted > 0 if count is None else counted == count


def test_a_backward_pass_is_two_products():
    grad = jax.grad(lambda a, b: ((a @ b) ** 2).sum(), argnums=(0, 1))
    assert multiply_adds(jax.make_jaxpr(grad)(A, B).jaxpr) == 3 * 3 * 5 * 7
