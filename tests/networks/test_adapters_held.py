"""What a model holds: statistics, state, keys, and what of a tree is no parameter."""

import dataclasses
import sys

import equinox as eqx
import flax.linen as nn
import jax
import jax.numpy as jnp
import numpy as np
import pytest
from flax import nnx

import tenas_jax
from tenas_jax.networks.adapters import as_model

pytestmark = pytest.mark.usefixtures("quick_compilation")
KEY = jax.random.key(0)
X = jnp.asarray(np.random.default_rng(0).normal(2, 3, (6, 5)), jnp.float32)
WEIGHT = jnp.asarray(np.random.default_rng(1).normal(size=(5, 4)), jnp.float32)


class LinenNormed(nn.Module):
    @nn.compact
    def __call__(self, x):
        x = nn.BatchNorm(use_running_average=False, name="norm")(x)
        return nn.Dense(4, use_bias=False, name="last")(nn.relu(x))


class NnxNormed(nnx.Module):
    def __init__(self):
        self.norm = nnx.BatchNorm(5, rngs=nnx.Rngs(0))
        self.last = nnx.Linear(5, 4, use_bias=False, rngs=nnx.Rngs(1))

    def __call__(self, x):
        return self.last(nnx.relu(self.norm(x)))


class EquinoxNormed(eqx.Module):
    """A stateful module; its state's argument has any name."""

    norm: eqx.nn.BatchNorm
    last: eqx.nn.Linear

    def __init__(self, axis_name="batch"):
        self.norm = eqx.nn.BatchNorm(5, axis_name, mode="batch")
        self.last = eqx.nn.Linear(5, 4, use_bias=False, key=KEY)

    def __call__(self, x, memory):
        x, memory = self.norm(x, memory)
        return self.last(jax.nn.relu(x)), memory


FLAX = {"norm": {"scale": jnp.ones(5), "bias": jnp.zeros(5)}, "last": {"kernel": WEIGHT}}
EQUINOX = {"norm": {"weight": jnp.ones(5), "bias": jnp.zeros(5)}, "last": {"weight": WEIGHT.T}}
STATISTICS = {"batch_stats": {"norm": {"mean": jnp.zeros(5), "var": jnp.ones(5)}}}
NORMED = {
    "linen": (LinenNormed(), {"params": FLAX, **STATISTICS}),
    "nnx": (NnxNormed(), FLAX),
    "pair": (eqx.nn.make_with_state(EquinoxNormed)(), EQUINOX),
    "whole": (EquinoxNormed("samples"), EQUINOX),
}


def arrays(tree):
    """A copy of every array but keys."""
    leaves = (leaf for leaf in jax.tree.leaves(tree) if leaf.dtype != KEY.dtype)
    return [np.array(leaf) for leaf in leaves]


@pytest.mark.parametrize("kind", NORMED)
def test_batch_statistics_are_those_of_the_batch_and_no_state_changes(kind):
    network, given = NORMED[kind]
    model, params = as_model(network, given, X, key=KEY)
    centred = X - X.mean(0, keepdims=True)
    wanted = jax.nn.relu(centred / jnp.sqrt(X.var(0, keepdims=True) + 1e-5)) @ WEIGHT
    before = arrays(model)
    assert sum(leaf.shape == (5,) for leaf in before) == 2  # the running statistics are leaves
    run = jax.jit(lambda model, params, x: model(params, x))
    for _ in range(2):
        np.testing.assert_allclose(model(params, X), wanted, rtol=1e-3, atol=1e-4)
        np.testing.assert_allclose(run(model, params, X), wanted, rtol=1e-3, atol=1e-4)
    jax.tree.map(np.testing.assert_array_equal, before, arrays(model))
    jax.tree.map(
        np.testing.assert_array_equal, params, FLAX if "kernel" in params["last"] else EQUINOX
    )
    model, params = as_model(network, given, X, key=KEY)  # nor does the user's own module
    np.testing.assert_allclose(model(params, X), wanted, rtol=1e-3, atol=1e-4)
    # One example's output moves when another example does.
    assert model.coupled and not np.allclose(model(params, X.at[1].add(1))[0], wanted[0], rtol=1e-2)


def test_normed_networks_have_one_score():
    scores = [tenas_jax.score(*pair, X[3:], ["condition_number"]) for pair in NORMED.values()]
    for score in scores:
        assert score == pytest.approx(scores[0], rel=1e-3)
    frozen = eqx.nn.inference_mode(NORMED["pair"][0][0]), NORMED["pair"][0][1]
    other = tenas_jax.score(frozen, EQUINOX, X[3:], ["condition_number"])
    assert other != pytest.approx(scores[0], rel=1e-2)


class LinenDropped(nn.Module):
    @nn.compact
    def __call__(self, x):
        return nn.Dense(3)(nn.Dropout(0.5, deterministic=False)(x))


class NnxDropped(nnx.Module):
    """Draws from its own streams, or from those that it is called with."""

    def __init__(self, own):
        self.drop = nnx.Dropout(0.5, rngs=nnx.Rngs(7) if own else None)
        self.last = nnx.Linear(5, 3, rngs=nnx.Rngs(1))

    def __call__(self, x):
        return self.last(self.drop(x))


class NnxGiven(NnxDropped):
    def __call__(self, x, rngs):
        return self.last(self.drop(x, rngs=rngs))


def dropped():
    layers = [eqx.nn.Dropout(0.5), eqx.nn.Linear(5, 3, key=KEY)]
    return {
        "linen": (LinenDropped(), KEY),
        "nnx": (NnxGiven(False), None),
        "equinox": (eqx.nn.Sequential(layers), None),
        "own": (NnxDropped(True), None),
    }


@pytest.mark.parametrize("kind", dropped())
def test_dropout_is_drawn_by_the_key_and_held(kind):
    network, given = dropped()[kind]
    first, again, other = (
        as_model(network, given, X, key=jax.random.key(seed)) for seed in (1, 1, 2)
    )
    out = first[0](first[1], X)
    np.testing.assert_array_equal(out, first[0](first[1], X))
    np.testing.assert_array_equal(out, again[0](again[1], X))
    # An NNX module's own streams are a part of it.
    assert np.array_equal(out, other[0](first[1], X)) == (kind == "own")
    rows = {tuple(row) for row in np.asarray(first[0](first[1], jnp.ones_like(X)))}
    assert len(rows) > 1  # examples are dropped apart


class Stats(eqx.Module):
    """A module with a counter, whole numbers, a switch and a shared function."""

    weight: jax.Array
    table: jax.Array
    scale: float
    act: object = jax.nn.relu

    def __call__(self, x, *, double: bool = False):
        return self.act(x @ self.weight) * self.scale * self.table.sum() * (2 if double else 1)


@jax.tree_util.register_dataclass
@dataclasses.dataclass
class Layer:
    kernel: jax.Array
    steps: jax.Array
    nothing: None = None


def test_what_is_no_parameter_is_held():
    module = Stats(WEIGHT, jnp.arange(3), 0.5)
    for options, factor in (((), 1.5), ((("double", True),), 3)):
        model, params = as_model(module, None, X, key=KEY, options=options)
        assert set(params) == {"weight"}
        np.testing.assert_allclose(model(params, X), jax.nn.relu(X @ WEIGHT) * factor, rtol=1e-6)

    def f(params, x, power=1):
        layers, (last,) = params
        assert isinstance(layers[0], Layer) and layers[0].nothing is None and last is None
        return (x @ layers[0].kernel) ** power * layers[0].steps

    given = ([Layer(WEIGHT, jnp.array(3))], (None,))
    model, params = as_model(f, given, X, key=KEY, options=(("power", 2),))
    assert list(params) == ["0"] and set(params["0"]["0"]) == {"kernel"}
    np.testing.assert_allclose(model(params, X), (X @ WEIGHT) ** 2 * 3, rtol=1e-6)
    model, params = as_model(lambda w, x: x @ w, np.asarray(WEIGHT), X, key=KEY)
    assert tenas_jax.ntk(model, params, X).shape == (6, 6)


@pytest.mark.parametrize("coupled", [True, False])
def test_a_model_may_say_that_its_examples_are_apart(coupled):
    def f(params, x):
        return x @ params["kernel"]

    class Module(eqx.Module):
        weight: jax.Array
        coupled: bool = eqx.field(static=True)

        def __call__(self, x):
            return x @ self.weight

    f.coupled = coupled
    module = nnx.Linear(5, 4, rngs=nnx.Rngs(0))
    module.coupled = coupled
    for network, given in (
        (f, {"kernel": WEIGHT}),
        (Module(WEIGHT, coupled), None),
        (module, None),
    ):
        model, params = as_model(network, given, X, key=KEY)
        assert model.coupled is coupled
        np.testing.assert_allclose(tenas_jax.ntk(model, params, X), 4 * X @ X.T, rtol=1e-3)


def test_equinox_is_not_needed_for_other_models(monkeypatch):
    monkeypatch.setitem(sys.modules, "equinox", None)
    for kind in ("linen", "nnx"):
        network, given = NORMED[kind]
        assert as_model(network, given, X, key=KEY)[1]
    assert as_model(lambda p, x: x @ p["kernel"], {"kernel": WEIGHT}, X, key=KEY)[1]
