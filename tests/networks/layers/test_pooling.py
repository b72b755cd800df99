"""Pooling in both forms, against Flax's own."""

import flax.linen as nn
import jax
import jax.numpy as jnp
import numpy as np
import pytest

from tenas_jax.errors import UserError
from tenas_jax.networks.layers.maps import average_pool_2x2
from tenas_jax.networks.layers.pooling import MAXIMA, SUMS, average_pool_3x3, max_pool_3x3

FORMS = tuple(SUMS)
POOLS = {"average": average_pool_3x3, "largest": max_pool_3x3}
SHAPES = [(3, 4, 6, 2), (1, 5, 3, 2), (2, 1, 7, 1), (2, 2, 2, 1)]  # [C, H, W, N]


def reference_3x3(x, stride=1, kind="average"):
    options = {"strides": (stride, stride), "padding": [(1, 1), (1, 1)]}
    images = x.transpose(3, 1, 2, 0)
    if kind == "average":
        pooled = nn.avg_pool(images, (3, 3), **options, count_include_pad=False)
    else:
        pooled = nn.max_pool(images, (3, 3), **options)
    return pooled.transpose(3, 1, 2, 0)


def reference_2x2(x):
    return nn.avg_pool(x.transpose(3, 1, 2, 0), (2, 2), strides=(2, 2)).transpose(3, 1, 2, 0)


def make(shape, dtype=jnp.float64):
    rng = np.random.default_rng(0)
    return jnp.asarray(rng.normal(size=shape), dtype), rng


def value_and_gradients(fn, x, cotangents):
    value, pullback = jax.vjp(fn, x)
    return value, jax.vmap(pullback)(cotangents)[0]


def assert_same(fn, reference, x, cotangents):
    got = jax.jit(lambda x, c: value_and_gradients(fn, x, c))(x, cotangents)
    wanted = jax.jit(lambda x, c: value_and_gradients(reference, x, c))(x, cotangents)
    for a, b in zip(got, wanted, strict=True):
        assert a.dtype == x.dtype
        tolerance = 100 * jnp.finfo(x.dtype).eps
        np.testing.assert_allclose(a, b, rtol=tolerance, atol=tolerance)


@pytest.mark.parametrize("form", FORMS)
@pytest.mark.parametrize("stride", [1, 2])
@pytest.mark.parametrize("kind", POOLS)
@pytest.mark.parametrize("shape", SHAPES, ids=str)
def test_3x3_equals_flax(shape, kind, stride, form, x64):
    x, rng = make(shape)
    channels, height, width, n = shape
    pooled = channels, -(-height // stride), -(-width // stride), n
    cotangents = jnp.asarray(rng.normal(size=(2, *pooled)))

    def fn(x):
        return POOLS[kind](x, stride=stride, form=form)

    assert_same(fn, lambda x: reference_3x3(x, stride, kind), x, cotangents)


@pytest.mark.parametrize("form", FORMS)
def test_of_equal_neighbours_the_first_has_the_gradient(form):
    """As in PyTorch: behind a ReLU many are zero at once."""
    x = jnp.zeros((1, 3, 3, 1))
    _, pullback = jax.vjp(lambda x: max_pool_3x3(x, form=form), x)
    (gradient,) = pullback(jnp.ones_like(x))
    wanted = [[4, 2, 0], [2, 1, 0], [0, 0, 0]]
    np.testing.assert_array_equal(gradient[0, :, :, 0], wanted)


@pytest.mark.parametrize("form", FORMS)
def test_3x3_in_float32(form):
    x, rng = make(SHAPES[0], jnp.float32)
    cotangents = jnp.asarray(rng.normal(size=(2, *x.shape)), jnp.float32)
    assert_same(lambda x: average_pool_3x3(x, form=form), reference_3x3, x, cotangents)


def test_padding_does_not_count():
    """The mean of a constant image is that constant up to the border."""
    x = jnp.full((1, 4, 3, 2), -7.0)
    for form in FORMS:
        for pool in POOLS.values():
            np.testing.assert_allclose(pool(x, form=form), x, rtol=1e-6)


@pytest.mark.parametrize("form", FORMS)
@pytest.mark.parametrize("kind", POOLS)
def test_3x3_second_derivative(kind, form, x64):
    """The backward pass can itself be differentiated, in the cotangent."""
    x, rng = make(SHAPES[0])
    c = jnp.asarray(rng.normal(size=x.shape))

    def squares(fn):
        return jax.jit(jax.grad(lambda c: (jax.vjp(fn, x)[1](c)[0] ** 2).sum()))(c)

    got = squares(lambda x: POOLS[kind](x, form=form))
    wanted = squares(lambda x: reference_3x3(x, kind=kind))
    np.testing.assert_allclose(got, wanted, rtol=1e-12, atol=1e-12)


@pytest.mark.parametrize("shape", [(3, 4, 6, 2), (1, 2, 2, 1)], ids=str)
def test_2x2_equals_flax(shape, x64):
    x, rng = make(shape)
    channels, height, width, n = shape
    cotangents = jnp.asarray(rng.normal(size=(2, channels, height // 2, width // 2, n)))
    assert_same(average_pool_2x2, reference_2x2, x, cotangents)


def test_an_unknown_form_is_one_clear_line():
    assert list(SUMS) == list(MAXIMA)
    for pool in POOLS.values():
        with pytest.raises(UserError, match="unknown form 'plan'.*did you mean 'plain'.*condensed"):
            pool(jnp.ones((1, 3, 3, 1)), form="plan")
