"""Gradients at inner values against functions that are split there by hand, in float64."""

import functools

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

from tenas_jax.tracing.taps import tapped, with_shifts

from .by_hand import WIDTH, batch, block, by_hand, close, gradients, loss, params

pytestmark = pytest.mark.usefixtures("x64", "quick_compilation")
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
@pytest.mark.parametrize("case", ["plain", "loop", "coupled"])
def test_every_device_has_the_taps_of_its_examples(case, check_vma):
    """Also in loops, and where a statistic of all devices' examples enters."""

    def f(p, x, mean=lambda v: v.mean(0, keepdims=True)):
        if case == "loop":
            return WRAPPERS["scan over examples"](jax.checkpoint(block))(p, x)
        return block(p, nn.relu(x @ p["b"] - mean(x @ p["b"])) if case == "coupled" else x)

    p, x = params(), batch(8)
    values = [tap.value for tap in tapped(f, p, x)[1]]
    own = functools.partial(f, mean=lambda v: lax.pmean(v.mean(0, keepdims=True), "i"))
    spread = jax.shard_map(
        lambda p, x: ([tap.value for tap in tapped(own, p, x)[1]], gradients(own, p, x)),
        mesh=Mesh(np.array(jax.devices()[:4]), ("i",)),
        in_specs=(PartitionSpec(), PartitionSpec("i")),
        out_specs=PartitionSpec("i"),
        check_vma=check_vma,
    )
    close(jax.jit(spread)(p, x), (values, gradients(f, p, x)))


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
