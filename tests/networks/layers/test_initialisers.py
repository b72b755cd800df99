"""Moments, bounds and seeds of every initialiser."""

import math

import jax
import jax.numpy as jnp
import numpy as np
import pytest

from tenas_jax.errors import UserError
from tenas_jax.networks import INITIALISERS, initialiser

# name -> (variance from fan in and fan out, whether uniform)
EXPECTED = {
    "pytorch_default": (lambda fan_in, fan_out: 1 / (3 * fan_in), True),
    "kaiming_normal_fan_in": (lambda fan_in, fan_out: 2 / fan_in, False),
    "kaiming_normal_fan_out": (lambda fan_in, fan_out: 2 / fan_out, False),
    "xavier_normal": (lambda fan_in, fan_out: 2 / (fan_in + fan_out), False),
    "lecun_normal": (lambda fan_in, fan_out: 1 / fan_in, False),
    "small_normal": (lambda fan_in, fan_out: 4e-4, False),
}
# a convolution's kernel and a dense one, with fan in and fan out
SHAPES = {(3, 3, 20, 80): (180, 720), (400, 50): (400, 50)}

by_name = pytest.mark.parametrize("name", EXPECTED)


def test_every_initialiser_is_tested():
    assert set(EXPECTED) == set(INITIALISERS)


@by_name
@pytest.mark.parametrize("shape", SHAPES, ids=str)
def test_moments(name, shape):
    variance, uniform = EXPECTED[name]
    deviation = math.sqrt(variance(*SHAPES[shape]))
    values = np.asarray(initialiser(name)(jax.random.key(1), shape), np.float64)
    assert values.shape == shape
    standard = values.ravel() / deviation
    assert abs(standard.mean()) < 5 / math.sqrt(standard.size)
    assert abs((standard**2).mean() - 1) < 0.05
    # The fourth moment tells a uniform distribution (1.8) from a normal one (3).
    assert abs((standard**4).mean() - (1.8 if uniform else 3)) < 0.25
    if uniform:
        bound = math.sqrt(3)
        assert 0.99 * bound < np.abs(standard).max() <= bound * (1 + 1e-6)
        assert standard.min() < -0.99 * bound and standard.max() > 0.99 * bound
    else:
        assert standard.min() < -3 and standard.max() > 3


@by_name
def test_no_number_is_drawn_twice(name):
    """Draws have a length that is a power of two; these shapes are on either side of one."""
    for shape in [(2, 2, 16, 32), (3, 3, 16, 15), (2049, 1)]:
        values = np.asarray(initialiser(name)(jax.random.key(0), shape))
        # 24 random bits collide now and then; a repeated block would halve the count
        assert len(np.unique(values)) > 0.98 * values.size


@by_name
def test_the_key_decides(name):
    init, shape = initialiser(name), (3, 3, 4, 5)
    first, again, other = (np.asarray(init(jax.random.key(k), shape)) for k in (0, 0, 1))
    np.testing.assert_array_equal(first, again)
    assert (first != other).all()
    jitted = jax.jit(init, static_argnums=1)(jax.random.key(0), shape)
    np.testing.assert_allclose(jitted, first, rtol=1e-6)


@by_name
def test_dtype(name, x64):
    init = initialiser(name)
    assert init(jax.random.key(0), (4, 5)).dtype == jnp.float32
    for dtype in (jnp.float32, jnp.float64):
        assert init(jax.random.key(0), (4, 5), dtype).dtype == dtype


def test_an_unknown_name_is_one_clear_line():
    with pytest.raises(UserError, match="unknown initialiser 'kaiming_normal'.*did you mean"):
        initialiser("kaiming_normal")
    with pytest.raises(UserError) as caught:
        initialiser("?")
    assert all(name in str(caught.value) for name in INITIALISERS)
