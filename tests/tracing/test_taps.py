"""Gradients at inner values against functions that are split there by hand, in float64."""

import flax.linen as nn
import jax
import jax.numpy as jnp
import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from jax import lax
from jax.ad_checkpoint import checkpoint_name
from jax.sharding import Mesh, PartitionSpec

from tenas_jax.errors import UserError
from tenas_jax.tracing.taps import KINDS, Tap, tapped, with_shifts

pytestmark = pytest.mark.usefixtures("x64", "quick_compilation")
WIDTH = 3


def params(seed: int = 0) -> dict:
    keys = jax.random.split(jax.random.key(seed), 4)
    shapes = {"a": (WIDTH, WIDTH), "bias": (WIDTH,), "b": (WIDTH, WIDTH), "c": (WIDTH, 2)}
    return {n: jax.random.normal(k, s) for (n, s), k in zip(shapes.items(), keys, strict=True)}


def batch(count: int = 4) -> jax.Array:
    return jax.random.normal(jax.random.key(9), (count, WIDTH))


def block(p, x, shifts=(0.0, 0.0, 0.0, 0.0)):
    """A layer with each kind of tap but convolution; `shifts` splits it by hand."""
    h = x @ p["a"] + p["bias"][None] + shifts[0]
    y = checkpoint_name(jax.nn.gelu(h + shifts[1]), "middle") + shifts[2]
    return y @ p["b"] + shifts[3]


def close(actual, wanted):
    jax.tree.map(lambda a, w: np.testing.assert_allclose(a, w, rtol=0, atol=1e-12), actual, wanted)


def loss(outputs):
    return sum(jnp.sin(leaf).sum() for leaf in jax.tree.leaves(outputs))


def gradients(f, p, x, **options):
    """∂L/∂value at every tap, read off the program of f."""
    g, zeros = with_shifts(f, p, x, **options)
    return jax.grad(lambda shifts: loss(g(shifts, p, x)[0]))(zeros)


def by_hand(f, p, x, shapes):
    zeros = [jnp.zeros(shape) for shape in shapes]
    return jax.grad(lambda shifts: loss(f(p, x, shifts)))(zeros)


WRAPPERS = {
    "nothing": lambda f: f,
    "jit": jax.jit,
    "remat": jax.checkpoint,
    "remat with a policy": lambda f: jax.checkpoint(
        f, policy=jax.checkpoint_policies.save_only_these_names("middle")
    ),
    "vmap": lambda f: lambda p, x: jax.vmap(lambda x: f(p, x[None])[0])(x),
    "scan over examples": lambda f: lambda p, x: lax.map(lambda x: f(p, x[None])[0], x),
    "a branch": lambda f: lambda p, x: lax.cond(p["a"].sum() > 1e3, lambda _, x: x, f, p, x),
}


@settings(max_examples=8, deadline=None)
@given(st.lists(st.sampled_from(list(WRAPPERS)), max_size=3), st.integers(0, 2))
def test_programs_inside_programs(names, seed):
    """However calls, loops, branches and rematerialisation are nested."""
    with jax.enable_x64(True):  # hypothesis runs a fixture once for all examples
        f = block
        for name in names:
            f = WRAPPERS[name](f)
        p, x = params(seed), batch()
        outputs, taps = tapped(f, p, x)
        close(outputs, block(p, x))
        assert [tap.kind for tap in taps] == ["dense", "activation", "name", "dense"]
        assert [tap.name for tap in taps] == ["a", "tanh", "middle", "b"]
        h = x @ p["a"] + p["bias"][None]
        wanted = [h, h, jax.nn.gelu(h), block(p, x)]
        close([tap.value.reshape(w.shape) for tap, w in zip(taps, wanted, strict=True)], wanted)
        gradient = gradients(f, p, x)
        assert [g.shape for g in gradient] == [tap.value.shape for tap in taps]
        wanted = by_hand(block, p, x, [w.shape for w in wanted])
        close([g.reshape(w.shape) for g, w in zip(gradient, wanted, strict=True)], wanted)


def layers(p, x, shifts=(0.0, 0.0, 0.0)):
    """Three turns through one layer, each with parameters of its own."""
    for turn in range(3):
        x = nn.relu(x @ p["w"][turn] + p["bias"][None] + shifts[turn])
    return x


@pytest.mark.parametrize("reverse", [False, True])
def test_a_scan_has_a_tap_for_each_turn(reverse):
    def f(p, x):
        def turn(x, w):
            return nn.relu(x @ w + p["bias"][None]), x.sum()

        weights = p["w"][::-1] if reverse else p["w"]
        return lax.scan(turn, x, weights, reverse=reverse)[0]

    p = {"w": jax.random.normal(jax.random.key(3), (3, WIDTH, WIDTH)), "bias": jnp.ones(WIDTH)}
    x = batch()
    (tap,) = tapped(f, p, x, kinds=("dense",))[1]
    assert tap.value.shape == (3, 4, WIDTH) and tap.name == "w"
    (gradient,) = gradients(f, p, x, kinds=("activation",))
    wanted = jnp.stack(by_hand(layers, p, x, [x.shape] * 3))
    close(gradient, wanted[::-1] if reverse else wanted)
    assert (jnp.abs(wanted).max(axis=(1, 2)) > 0.01).all()


def test_shifts_move_the_function():
    """Not only in first order: a shift of any size is added to the value."""
    p, x = params(), batch()
    g, zeros = with_shifts(jax.jit(jax.checkpoint(block)), p, x)
    shifts = [jax.random.normal(jax.random.key(i), z.shape) for i, z in enumerate(zeros)]
    outputs, taps = g(shifts, p, x)
    close(outputs, block(p, x, shifts))
    close(taps[0].value, x @ p["a"] + p["bias"][None] + shifts[0])
    close(taps[1].value, taps[0].value + shifts[1])


@pytest.mark.parametrize("how", ["jit", "vmap", "jvp", "hessian"])
def test_under_transformations(how):
    p, x = params(), batch()
    shapes = [x.shape] * 4
    if how == "jit":
        close(jax.jit(lambda p, x: gradients(block, p, x))(p, x), by_hand(block, p, x, shapes))
    elif how == "vmap":
        many = jax.tree.map(lambda *a: jnp.stack(a), *[params(seed) for seed in range(3)])
        gradient = jax.vmap(lambda p: gradients(block, p, x))(many)
        close(gradient, jax.vmap(lambda p: by_hand(block, p, x, shapes))(many))
    else:
        g, zeros = with_shifts(block, p, x)
        ones = [jnp.ones_like(z) for z in zeros]
        ours = lambda s: g(s, p, x)[0]  # noqa: E731
        theirs = lambda s: block(p, x, s)  # noqa: E731
        if how == "hessian":
            ours, theirs = (jax.grad(lambda s, f=f: loss(f(s))) for f in (ours, theirs))
        close(jax.jvp(ours, (zeros,), (ones,)), jax.jvp(theirs, (zeros,), (ones,)))


@pytest.mark.parametrize("check_vma", [False, True])
def test_every_device_has_the_taps_of_its_examples(check_vma):
    p, x = params(), batch(8)
    mesh = Mesh(np.array(jax.devices()[:4]), ("i",))
    split = PartitionSpec("i")
    spread = jax.shard_map(
        lambda p, x: ([t.value for t in tapped(block, p, x)[1]], gradients(block, p, x)),
        mesh=mesh,
        in_specs=(PartitionSpec(), split),
        out_specs=split,
        check_vma=check_vma,
    )
    values, gradient = jax.jit(spread)(p, x)
    close(values, [t.value for t in tapped(block, p, x)[1]])
    close(gradient, by_hand(block, p, x, [x.shape] * 4))


@jax.custom_jvp
def straight_through(x):
    """A step whose derivative is said to be 3."""
    return jnp.where(x > 0, 1.0, -1.0)


straight_through.defjvp(lambda p, t: (straight_through(*p), 3 * t[0]))


def test_a_derivative_of_its_own_is_kept():
    """An activation with one is tapped as a whole."""

    def f(p, x, shifts=(0.0,)):
        return straight_through(x @ p["a"] + shifts[0]) @ p["b"]

    p, x = params(), batch()
    assert [t.name for t in tapped(f, p, x)[1]] == ["a", "straight_through", "b"]
    (gradient,) = gradients(f, p, x, kinds=("activation",))
    close(gradient, by_hand(f, p, x, [x.shape])[0])
    close(gradient, 3 * jnp.cos(f(p, x)) @ p["b"].T)


@pytest.mark.parametrize("mode", ["custom_jvp", "custom_vjp"])
def test_a_tap_inside_a_function_with_a_derivative_of_its_own(mode):
    """Before it the derivative is that of the rule, inside it that of the program."""

    def program(w, x):
        return checkpoint_name(jnp.sin(x @ w), "inner") ** 2

    if mode == "custom_jvp":
        own = jax.custom_jvp(program)
        own.defjvp(lambda p, t: (own(*p), 5 * t[1]))
    else:
        own = jax.custom_vjp(program)
        own.defvjp(lambda w, x: (own(w, x), w), lambda w, g: (0 * w, 5 * g))

    def f(p, x):
        return own(p["a"], checkpoint_name(x @ p["b"], "before"))

    p, x = params(), batch()
    outputs, taps = tapped(f, p, x, kinds=("name",))
    inner = jnp.sin(x @ p["b"] @ p["a"])
    close((outputs, taps[1].value), (inner**2, inner))
    gradient = gradients(f, p, x, kinds=("name",))
    slope = jnp.cos(inner**2)
    close(gradient, [5 * slope, slope * 2 * inner])
    g, zeros = with_shifts(f, p, x, kinds=("name",))
    close(g([z + 1 for z in zeros], p, x)[0], (jnp.sin((x @ p["b"] + 1) @ p["a"]) + 1) ** 2)


def test_branches_not_taken_have_zeros():
    def f(p, x, which):
        small = lambda x: jnp.tanh(x) @ p["a"]  # noqa: E731
        return lax.switch(which, [small, lambda x: 2 * x, lambda x: jnp.tanh(3 * x)], x)

    p, x = params(), batch()
    for which in range(3):
        outputs, taps = tapped(f, p, x, which)
        assert [t.kind for t in taps] == ["activation", "dense", "activation"]
        close(outputs, f(p, x, which))
        close(taps[0].value, x if which == 0 else 0 * x)
        close(taps[2].value, 3 * x if which == 2 else 0 * x)
        g, zeros = with_shifts(f, p, x, which)
        gradient = jax.grad(lambda s, g=g, which=which: loss(g(s, p, x, which)[0]))(zeros)
        assert [bool(jnp.any(v != 0)) for v in gradient] == [which == 0, which == 0, which == 2]
        close(gradient[2], (which == 2) * jnp.cos(jnp.tanh(3 * x)) / jnp.cosh(3 * x) ** 2)


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
