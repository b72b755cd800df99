"""Signs of ReLUs, read off programs in which they are written and wrapped in different ways."""

import flax.linen as nn
import jax
import jax.numpy as jnp
import numpy as np
import pytest
from jax import lax

from tenas_jax.errors import UserError
from tenas_jax.metrics.relu_patterns import relu_inputs, relu_patterns

X = jnp.asarray([[-1.0, 2.0], [0.5, -3.0], [0.0, 1.0]])


@jax.custom_vjp
def custom(x):
    return jnp.maximum(x, 0)


custom.defvjp(lambda x: (custom(x), None), lambda _, g: (g,))

SPELLINGS = {
    "nn.relu": nn.relu,
    "zero first": lambda x: jnp.maximum(0, x),
    "zero last": lambda x: jnp.maximum(x, 0.0),
    "checkpoint": jax.checkpoint(nn.relu),
    "jit in jit": jax.jit(lambda x: jax.jit(nn.relu)(x) + 1),
    "custom_vjp": custom,
    "vmap": jax.vmap(nn.relu),
    "all of them": jax.jit(jax.checkpoint(lambda x: custom(jnp.maximum(0, x)))),
}


@pytest.mark.parametrize("spelling", SPELLINGS)
@pytest.mark.parametrize("jit", [False, True])
def test_every_spelling_is_seen(spelling, jit):
    def run(x):
        return relu_patterns(lambda x: SPELLINGS[spelling](2 * x), x)

    found = (jax.jit(run) if jit else run)(X)
    wanted = np.asarray(X) > 0  # zero counts as off
    assert found.dtype == bool
    count = 2 if spelling == "all of them" else 1
    # what a ReLU passes on is positive where its input is
    np.testing.assert_array_equal(found, np.tile(wanted, count))


def test_inputs_come_in_the_order_of_the_program():
    def f(x):
        y = nn.relu(x + 1)
        return jax.jit(lambda y: nn.relu(y * 10 - 5))(y[:, :1]) + nn.relu(-x)[:, :1]

    found = relu_inputs(f, X)
    y = np.maximum(X + 1, 0)
    wanted = np.concatenate([X + 1, y[:, :1] * 10 - 5, -X], 1)
    np.testing.assert_allclose(found, wanted)


def test_axes_of_a_sample_are_flattened():
    x = jnp.asarray(np.random.default_rng(0).normal(size=(4, 2, 3, 2)))
    np.testing.assert_array_equal(relu_patterns(nn.relu, x), np.reshape(x > 0, (4, 12)))


@pytest.mark.parametrize("axis", [0, 1, 2])
def test_samples_may_lie_along_any_axis(axis):
    """Also where another axis is as long as the batch."""
    x = jnp.asarray(np.random.default_rng(0).normal(size=(3, 3, 2)))
    found = relu_patterns(lambda x: nn.relu(jnp.moveaxis(x, 0, axis)), x)
    np.testing.assert_array_equal(found, np.reshape(x > 0, (3, 6)))


def test_other_maxima_are_no_relu():
    """Neither a maximum of arrays that happen to be zero, nor one with another constant."""

    def f(x):
        floor = jnp.maximum(x, 1.0) + jnp.maximum(x, x * 0) + lax.max(x, x.sum() * 0)
        pooled = nn.max_pool(x[:, :, None], (2,))
        return nn.relu(x) + floor + pooled[:, :, 0]

    assert relu_patterns(f, X).shape == (3, 2)


def test_a_whole_network():
    class Net(nn.Module):
        @nn.compact
        def __call__(self, x):
            x = nn.relu(nn.Dense(4)(x))
            return nn.Dense(2)(nn.remat(lambda m, x: nn.relu(nn.Dense(3)(x)))(self, x))

    params = Net().init(jax.random.key(0), X)
    found = jax.jit(lambda p, x: relu_patterns(lambda x: Net().apply(p, x), x))(params, X)
    assert found.shape == (3, 7)
    hidden = X @ params["params"]["Dense_0"]["kernel"]
    np.testing.assert_array_equal(found[:, :4], np.asarray(hidden) > 0)


@pytest.mark.parametrize(
    ("f", "message"),
    [
        (lambda x: x * 2, "need a network with ReLU"),
        (nn.gelu, "need a network with ReLU"),
        (lambda x: lax.scan(lambda c, _: (nn.relu(c), None), x, None, 2)[0], "inside `scan`"),
        (lambda x: lax.cond(x.sum() > 0, nn.relu, lambda x: x, x), "inside `cond`"),
        (lambda x: lax.fori_loop(0, x.size, lambda i, c: nn.relu(c), x), "inside `scan`"),
        (lambda x: lax.while_loop(lambda c: c.sum() < 0, nn.relu, x), "inside `while`"),
        (lambda x: nn.relu(x.T @ x), r"axis for the batch of 3: shapes are \(2, 2\)"),
        (lambda x: nn.relu(x.sum()), r"axis for the batch of 3: shapes are \(\)"),
    ],
)
def test_what_cannot_be_counted_is_one_clear_line(f, message):
    with pytest.raises(UserError, match=message) as caught:
        relu_patterns(f, X)
    assert "\n" not in str(caught.value)


def test_a_loop_without_relu_is_run():
    def f(x):
        return nn.relu(lax.fori_loop(0, 3, lambda i, c: c + 1, x))

    np.testing.assert_allclose(relu_inputs(f, X), X + 3)
