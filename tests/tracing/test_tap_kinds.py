"""Which values of a program are taps, however it is written."""

import flax.linen as nn
import jax
import jax.numpy as jnp
import numpy as np
import pytest
from jax import lax
from jax.sharding import Mesh, PartitionSpec

from tenas_jax.errors import UserError
from tenas_jax.tracing.taps import KINDS, Tap, tapped, with_shifts

from .by_hand import batch, block, close, loss, params

pytestmark = pytest.mark.usefixtures("x64", "quick_compilation")
ACTIVATIONS = {
    **{name: getattr(jax.nn, name) for name in ("relu", "relu6", "leaky_relu", "elu", "silu")},
    **{name: getattr(jax.nn, name) for name in ("softplus", "hard_tanh", "mish", "sigmoid")},
    **{name: getattr(jax.nn, name) for name in ("gelu", "tanh", "hard_swish")},
    "exact gelu": lambda x: jax.nn.gelu(x, approximate=False),
    "where": lambda x: jnp.where(x > 0, x, 0),
    "leaky where": lambda x: jnp.where(x >= 0, x, 0.1 * x),
    "where of two bounds": lambda x: jnp.where((x > -1) & (x < 1), x, jnp.sign(x)),
    "leaky maximum": lambda x: jnp.maximum(0.1 * x, x),
    "an array of zeros": lambda x: jnp.maximum(x, jnp.zeros_like(x)),
    "mask": lambda x: x * (x > 0),
    "silu written out": lambda x: x * jax.nn.sigmoid(x),
    "clip": lambda x: jnp.clip(x, -1, 1),
    "clamp": lambda x: lax.clamp(-1.0, x, 1.0),
    "slope is a parameter": lambda x: nn.PReLU().apply({"params": {"negative_slope": 0.3}}, x),
    "two at once": lambda x: nn.relu(x) + x,
}


@pytest.mark.parametrize("name", ACTIVATIONS)
def test_activations_are_given_what_they_are_a_function_of(name):
    """One tap for each, whose shift moves all of the function."""
    x, activation = 2 * batch(), ACTIVATIONS[name]

    def f(x):
        return activation(3 * x + 1)

    (tap,) = tapped(f, x)[1]
    h = 3 * x + 1
    close(tap.value, h)
    g, zeros = with_shifts(f, x)
    (gradient,) = jax.grad(lambda s: loss(g(s, x)[0]))(zeros)
    moved = g([z + 0.7 for z in zeros], x)[0]
    if name == "two at once":  # the sum's other term is no part of the activation
        close(gradient, jnp.cos(f(x)) * (h > 0))
        close(moved, nn.relu(h + 0.7) + h)
    else:
        close(gradient, jax.grad(lambda h: loss(activation(h)))(h))
        close(moved, activation(h + 0.7))


@pytest.mark.parametrize(
    "f",
    [
        jax.nn.softmax,
        lambda x: nn.LayerNorm(use_scale=False, use_bias=False).apply({}, x),
        lambda x: nn.BatchNorm(use_running_average=False).init_with_output(jax.random.key(0), x)[0],
        lambda x: (
            jnp.maximum(x, x.sum()) + nn.max_pool(x[:, :, None], (2,), padding="SAME")[..., 0]
        ),
        lambda x: jnp.where(jax.random.bernoulli(jax.random.key(0), 0.5, x.shape), 2 * x, 0),
        lambda x: x * (x + 1) + jnp.tanh(jnp.arange(3.0))[None] + x @ x.T @ x,
    ],
    ids=["softmax", "layer norm", "batch norm", "maxima", "dropout", "no activation"],
)
def test_what_is_no_tap(f):
    assert tapped(f, batch())[1] == []


def test_layers_are_named_after_their_parameters():
    class Net(nn.Module):
        @nn.compact
        def __call__(self, x):
            x = nn.Conv(4, (3, 3), name="stem")(x)
            x = nn.avg_pool(nn.relu(x), (2, 2))
            q, k = nn.Dense(3, name="query")(x), nn.Dense(3, use_bias=False, name="key")(x)
            mixed = jnp.einsum("nhwc,nhvc->nhwv", q, k)  # of data and data
            return mixed @ (jnp.eye(3) + 1)  # of data and a constant

    x = jax.random.normal(jax.random.key(0), (2, 4, 4, 1))
    variables = Net().init(jax.random.key(1), x)
    taps = tapped(Net().apply, variables, x)[1]
    assert [(tap.kind, tap.name) for tap in taps] == [
        ("convolution", "params/stem/kernel"),
        ("activation", "relu"),
        ("dense", "params/query/kernel"),
        ("dense", "params/key/kernel"),
    ]
    close(taps[0].value, taps[1].value)  # with the bias
    closed = tapped(lambda x: Net().apply(variables, x), x)[1]
    assert [t.kind for t in closed] == [t.kind for t in taps] + ["dense"]  # what is a constant now?
    close([t.value for t in closed[:4]], [t.value for t in taps])
    # An encoding is no data either.
    masked = lambda v, x, mask: Net().apply(jax.tree.map(lambda w: w * mask, v), x)  # noqa: E731
    encoded = tapped(masked, variables, x, jnp.ones(()), weights=(0, 2))[1]
    assert [t.name for t in encoded] == [t.name for t in taps]
    assert [t.name for t in tapped(masked, variables, x, jnp.ones(()))[1]] == ["relu"]
    # In the other order of arguments the images would be the parameters.
    swapped = tapped(lambda x, v: Net().apply(v, x), x, variables, weights=1)[1]
    assert [t.name for t in swapped] == [t.name for t in taps]


def test_kinds_are_chosen_and_named():
    p, x = params(), batch()
    assert set(KINDS) == {"activation", "convolution", "dense", "name"}
    for kind in ("activation", "dense", "name"):
        taps = tapped(block, p, x, kinds=kind)[1]
        assert {tap.kind for tap in taps} == {kind}
    assert tapped(block, p, x, kinds=())[1] == []
    taps = jax.jit(lambda p, x: tapped(block, p, x)[1])(p, x)
    assert all(isinstance(tap, Tap) for tap in taps)
    with pytest.raises(UserError, match="unknown kind of tap 'activations'.*'activation'"):
        tapped(block, p, x, kinds=("activations",))
    with pytest.raises(UserError, match="has 4 taps, but 1 shifts are given"):
        with_shifts(block, p, x)[0]([jnp.zeros(())], p, x)


def spread(x):
    mesh = Mesh(np.array(jax.devices()[:2]), ("i",))
    return jax.shard_map(
        jnp.tanh, mesh=mesh, in_specs=PartitionSpec("i"), out_specs=PartitionSpec("i")
    )(x)


@pytest.mark.parametrize(
    ("f", "message"),
    [
        (lambda x: lax.while_loop(lambda x: x.sum() > 9, nn.relu, x), "inside `while`.*use `scan`"),
        (spread, "inside `shard_map` cannot be looked at; look at the function inside it"),
    ],
)
def test_where_values_cannot_be_handed_out(f, message):
    with pytest.raises(UserError, match=message) as caught:
        tapped(f, batch())
    assert "\n" not in str(caught.value)
    outputs, taps = tapped(
        lambda x: f(x), batch(), kinds=("dense",)
    )  # without taps inside, it runs
    close(outputs, f(batch()))
    assert taps == []
