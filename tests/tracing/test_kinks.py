"""Kinks of activations, read off programs in which they are written in different ways."""

import flax.linen as nn
import jax
import jax.numpy as jnp
import numpy as np
import pytest
from jax import lax
from jax.sharding import Mesh, PartitionSpec

from tenas_jax.errors import UserError
from tenas_jax.tracing.kinks import CURVED, kink_margins

X = jnp.asarray([[-1.0, 2.0], [0.5, -3.0], [0.0, 1.0]])


@jax.custom_vjp
def custom(x):
    return jnp.maximum(x, 0)


custom.defvjp(lambda x: (custom(x), None), lambda _, g: (g,))


def looped(x):
    """Two turns, the second of which finds nothing negative left."""
    return lax.scan(lambda c, _: (nn.relu(c), None), x, None, 2)[0]


WRAPPED = {
    "nn.relu": nn.relu,
    "zero first": lambda x: jnp.maximum(0, x),
    "zero last": lambda x: jnp.maximum(x, 0.0),
    "an array of zeros": lambda x: jnp.maximum(x, jnp.zeros_like(x)),
    "where": lambda x: jnp.where(x > 0, x, 0),
    "where, the other way": lambda x: jnp.where(x <= 0, 0, x),
    "mask": lambda x: x * (x > 0),
    "checkpoint": jax.checkpoint(nn.relu),
    "jit in jit": jax.jit(lambda x: jax.jit(nn.relu)(x) + 1),
    "custom_vjp": custom,
    "vmap": jax.vmap(nn.relu),
    "all of them": jax.jit(jax.checkpoint(lambda x: custom(jnp.maximum(0, x)))),
    "scan": looped,
    "fori_loop": lambda x: lax.fori_loop(0, 2, lambda i, c: nn.relu(c), x),
    "a loop over examples": lambda x: lax.map(nn.relu, x),
    "a branch": lambda x: lax.cond(x.sum() > -9, nn.relu, lambda x: x, x),
}


@pytest.mark.parametrize("name", WRAPPED)
@pytest.mark.parametrize("jit", [False, True])
def test_every_relu_is_seen(name, jit):
    def run(x):
        return kink_margins(lambda x: WRAPPED[name](2 * x), x)

    margins = (jax.jit(run) if jit else run)(X)
    wanted = [2 * X]
    if name in ("all of them", "scan", "fori_loop"):
        wanted.append(nn.relu(2 * X))  # what a ReLU passes on is positive where its input is
    if name in ("scan", "fori_loop"):  # the axis of turns lies behind that of examples
        wanted = [jnp.stack(wanted, 1).reshape(3, 4)]
    np.testing.assert_array_equal(margins, jnp.concatenate(wanted, 1))


# activation -> where its kinks lie
KINKS = {
    "relu6": (nn.relu6, [0, 6]),
    "leaky_relu": (nn.leaky_relu, [0]),
    "leaky by maximum": (lambda x: jnp.maximum(0.2 * x, x), [0]),
    "leaky by where": (lambda x: jnp.where(0 < x, x, 0.2 * x), [0]),
    "the slope is a parameter": (nn.PReLU().bind({"params": {"negative_slope": 0.3}}), [0]),
    "clip": (lambda x: jnp.clip(x, -0.7, 0.7), [-0.7, 0.7]),
    "clip on one side": (lambda x: jnp.clip(x, None, 0.7), [0.7]),
    "clamp": (lambda x: lax.clamp(-0.7, x, 0.7), [-0.7, 0.7]),
    "hard_tanh": (nn.hard_tanh, [-1, 1]),
    "hard_sigmoid": (nn.hard_sigmoid, [-3, 3]),
    "abs": (jnp.abs, [0]),
    "maximum": (lambda x: jnp.maximum(x, 0.3), [0.3]),
    "minimum": (lambda x: jnp.minimum(0.3, x), [0.3]),
    "a band": (lambda x: jnp.where((x > -1) & (x < 1), x, 0), [-1, 1]),
    "a step": (lambda x: jnp.where(x >= 0.5, 1.0, -1.0), [0.5]),
    "max(-inf, x)": (lambda x: nn.relu(jnp.maximum(x, -jnp.inf)), [0]),
    "thresholds": (lambda x: jnp.maximum(x, jnp.full((1, 1), 0.4)), [0.4]),
}


@pytest.mark.parametrize("name", KINKS)
def test_every_kink_of_an_activation_is_seen(name):
    activation, kinks = KINKS[name]
    x = jnp.linspace(-8, 8, 1603)[:, None]  # meets no kink
    sides = np.asarray(jax.jit(lambda x: kink_margins(activation, x))(x)) > 0
    assert sides.shape == (1603, len(kinks))
    sides = sides == sides[-1]  # max(0.2 x, x) is the first argument on the left
    wanted = np.asarray(x) > np.asarray(kinks)
    assert sorted(sides.T.tolist()) == sorted(wanted.T.tolist())


def test_margins_come_in_the_order_of_the_program():
    def f(x):
        y = nn.relu(x + 1)
        return jax.jit(lambda y: nn.relu(y * 10 - 5))(y[:, :1]) + nn.relu(-x)[:, :1]

    y = np.maximum(X + 1, 0)
    wanted = np.concatenate([X + 1, y[:, :1] * 10 - 5, -X], 1)
    np.testing.assert_allclose(kink_margins(f, X), wanted)


def test_axes_of_an_example_are_flattened():
    x = jnp.asarray(np.random.default_rng(0).normal(size=(4, 2, 3, 2)))
    np.testing.assert_array_equal(kink_margins(nn.relu, x), np.reshape(x, (4, 12)))
    units = jax.vmap(lambda x: nn.relu(x.sum()))
    np.testing.assert_array_equal(kink_margins(units, x), x.sum((1, 2, 3))[:, None])


@pytest.mark.parametrize("axis", [0, 1, 2])
def test_examples_may_lie_along_any_axis(axis):
    """Also where another axis is as long as the batch."""
    x = jnp.asarray(np.random.default_rng(0).normal(size=(3, 3, 2)))
    margins = kink_margins(lambda x: nn.relu(jnp.moveaxis(x, 0, axis)), x)
    np.testing.assert_array_equal(margins, np.reshape(x, (3, 6)))


def test_what_is_no_kink():
    """Maxima of computed values, random or fixed choices, statistics, and curved functions."""

    def f(x):
        y = jnp.maximum(x, x @ jnp.ones((2, 2))) + lax.max(x, x.sum() * 0)
        y += nn.max_pool(x[:, :, None], (2,), padding="SAME")[:, :, 0] + x.max(1, keepdims=True)
        y += jnp.where(jax.random.bernoulli(jax.random.key(0), 0.5, x.shape), x, 0)
        y += jnp.where(jnp.arange(2)[None] > 0, x, 0) + jnp.where(x > 0, x @ jnp.eye(2), 0)
        y += nn.softmax(x) + nn.relu(jnp.ones((3, 2))[: len(x)].sum()) + jnp.tanh(x)
        y = nn.BatchNorm(use_running_average=False).init_with_output(jax.random.key(0), y)[0]
        y = nn.LayerNorm().init_with_output(jax.random.key(0), y)[0]
        for name in sorted(CURVED - {"logaddexp", "logaddexp2"}):
            y += getattr(jax.nn, name)(x)
        return nn.relu(y + jnp.logaddexp(x, 2 * x))

    assert jax.eval_shape(lambda x: kink_margins(f, x), X).shape == (3, 2)


def test_a_whole_network():
    class Net(nn.Module):
        @nn.compact
        def __call__(self, x):
            x = nn.relu(nn.Dense(4)(x))
            return nn.Dense(2)(nn.remat(lambda m, x: nn.relu(nn.Dense(3)(x)))(self, x))

    params = Net().init(jax.random.key(0), X)
    margins = jax.jit(lambda p, x: kink_margins(lambda x: Net().apply(p, x), x))(params, X)
    assert margins.shape == (3, 7)
    hidden = X @ params["params"]["Dense_0"]["kernel"]
    np.testing.assert_array_equal(margins[:, :4], np.asarray(hidden))


def spread(x):
    mesh = Mesh(np.array(jax.devices()[:1]), ("i",))
    return jax.shard_map(
        nn.relu, mesh=mesh, in_specs=PartitionSpec("i"), out_specs=PartitionSpec("i")
    )(x)


@pytest.mark.parametrize(
    ("f", "message"),
    [
        (lambda x: x * 2, "need a network with ReLU"),
        (nn.gelu, "need a network with ReLU"),
        (nn.elu, "need a network with ReLU"),
        (lambda x: lax.while_loop(lambda c: c.sum() < 0, nn.relu, x), "'max' inside `while`"),
        (lambda x: lax.fori_loop(0, x.sum().astype(int), lambda i, c: abs(c), x), "inside `while`"),
        (spread, "'max' inside `shard_map`"),
        (lambda x: nn.relu(x.T @ x), r"axis for the batch of 3: shapes are \(2, 2\)"),
        (lambda x: nn.relu(x.sum()), r"axis for the batch of 3: shapes are \(\)"),
    ],
)
def test_what_cannot_be_counted_is_one_clear_line(f, message):
    with pytest.raises(UserError, match=message) as caught:
        kink_margins(f, X)
    assert "\n" not in str(caught.value)


def test_a_loop_without_kinks_is_run():
    def f(x):
        x = lax.fori_loop(0, 3, lambda i, c: c + 1, x)
        return nn.relu(lax.while_loop(lambda c: c.sum() < 20, lambda c: c + 1, x))

    np.testing.assert_allclose(kink_margins(f, X), X + 4)
