"""What is no model, or cannot be run as one, is told in one line."""

import functools

import equinox as eqx
import flax.linen as nn
import jax
import jax.numpy as jnp
import numpy as np
import pytest
from flax import nnx

import tenas_jax
from tenas_jax.errors import UserError
from tenas_jax.networks.adapters import as_model

KEY = jax.random.key(0)
X = jnp.asarray(np.random.default_rng(0).normal(size=(6, 5)), jnp.float32)
PARAMS = {"kernel": jnp.ones((5, 3))}


class Torchlike:
    """A callable object with parameters, printed at length."""

    def __call__(self, x):
        return x

    def __repr__(self):
        return "the printed body\nof many lines"

    def parameters(self):
        return [np.ones(3)]


class Bare(nn.Module):
    """A module without parameters."""

    def __call__(self, x):
        return nn.relu(x)


class Pair(nn.Module):
    """A module with two outputs."""

    @nn.compact
    def __call__(self, x):
        return nn.Dense(2)(x), x


class Fails(nn.Module):
    """A module that raises what a user may."""

    error: type

    @nn.compact
    def __call__(self, x):
        raise self.error()


class Norm(eqx.Module):
    """A stateful module."""

    norm: eqx.nn.BatchNorm

    def __init__(self):
        self.norm = eqx.nn.BatchNorm(5, "batch", mode="batch")

    def __call__(self, x, state):
        return self.norm(x, state)


class Silent(eqx.Module):
    """A module that cannot be called."""

    weight: jax.Array


def linear(params, x, extra=None):
    return x @ params["kernel"]


DENSE = nn.Dense(3)
NNX = nnx.Linear(5, 3, rngs=nnx.Rngs(0))
LINEAR = eqx.nn.Linear(5, 3, key=KEY)


@pytest.mark.parametrize(
    ("network", "given", "words"),
    [
        ("resnet", None, "a network is a Flax module .*, not of type str$"),
        (3.0, KEY, "not of type float$"),
        (None, KEY, "not of type NoneType$"),
        ((LINEAR, LINEAR, LINEAR), None, "not of type tuple$"),
        (Torchlike(), KEY, "f.params, inputs., not of type Torchlike$"),
        (nn.Dense, KEY, "^Dense is a class, not a network: give an instance of it$"),
        (nnx.Linear, KEY, "^Linear is a class"),
        (eqx.nn.Linear, KEY, "^Linear is a class"),
        (Bare(), KEY, "^the network has no parameters$"),
        (nnx.Dropout(0.5, rngs=nnx.Rngs(0)), None, "no parameters"),
        (eqx.nn.Identity(), None, "no parameters"),
        (DENSE, None, "a linen module needs a key, its parameters or .*, not a NoneType$"),
        (DENSE, X, "a linen module needs a key"),
        (DENSE, {"other": {"kernel": X}}, r"cannot be run on inputs \(6, 5\) of float32: .*kernel"),
        (Fails(ValueError), KEY, "cannot be run on .*: ValueError$"),
        (NNX, KEY, "holds its parameters: give None, or others of the same names, not a PRNGKey"),
        (NNX, 3, "not a int$"),
        (NNX, {"kernel": X}, "do not fit: bias is absent, in the module of shape .3,.$"),
        (NNX, {"kernel": X, "bias": X[0]}, "do not fit: bias is of shape .5,., in the module of"),
        (LINEAR, KEY, "holds its parameters"),
        (LINEAR, eqx.nn.Linear(4, 3, key=KEY), "weight is of shape .3, 4., in the module .* .3, 5"),
        (LINEAR, {"weight": X, "bias": X, "more": X}, "bias is of shape"),
        (eqx.nn.make_with_state(Norm)()[0], None, "state is apart: give the pair .module, state."),
        ((LINEAR, 3), None, "an Equinox module goes with its State, not a int$"),
        (Silent(X), None, "cannot be run on .*not callable"),
        (eqx.nn.Linear(4, 3, key=KEY), None, "cannot be run on inputs .6, 5. of float32"),
        (linear, KEY, "needs its parameters, a tree of floating-point arrays; a PRNGKeyArray was"),
        (linear, None, "a NoneType was given, which holds none"),
        (linear, {"kernel": jnp.ones((5, 3), int)}, "a dict was given, which holds none"),
        (linear, {"weight": X}, "cannot be run on .*: 'kernel'$"),
        (lambda p, x: (x @ p["kernel"]).sum(), PARAMS, r"not float32 of shape \(\) for 6 inputs$"),
        (lambda p, x: x[1:] @ p["kernel"], PARAMS, r"not float32 of shape \(5, 3\) for 6 inputs$"),
        (lambda p, x: (x @ p["kernel"]).argmax(1), PARAMS, r"not int32 of shape \(6,\)"),
        (
            lambda p, x: {"logits": x @ p["kernel"]},
            PARAMS,
            "one floating-point .*, not a dict for 6 inputs$",
        ),
        (lambda p: p, PARAMS, "cannot be run on .*argument"),
        (Pair(), KEY, "must return one floating-point array, a row an input, not a tuple for 6"),
    ],
)
def test_a_mistake_is_one_line(network, given, words):
    with pytest.raises(UserError, match=words) as error:
        as_model(network, given, X, key=KEY)
    assert len(str(error.value).splitlines()) == 1 and len(str(error.value)) < 250
    with pytest.raises(UserError, match=words):
        tenas_jax.score(network, given, X, ["condition_number"])


@pytest.mark.parametrize("value", [[1, 2], np.ones(3), jnp.ones(3)])
def test_options_must_be_hashable(value):
    with pytest.raises(UserError, match="^option extra cannot be .*: unhashable type: '"):
        as_model(linear, PARAMS, X, key=KEY, options=(("extra", value),))


@pytest.mark.parametrize("wrap", [jax.jit, functools.partial, lambda f: f, jax.checkpoint])
def test_functions_of_all_makes_are_taken(wrap):
    model, params = as_model(wrap(linear), PARAMS, X, key=KEY)
    np.testing.assert_allclose(model(params, X), X @ PARAMS["kernel"], rtol=1e-6)


def test_the_apply_of_a_module_is_a_function_of_its_variables():
    variables = DENSE.init(KEY, X)
    model, params = as_model(DENSE.apply, variables, X, key=KEY)
    other = as_model(DENSE, variables, X, key=KEY)
    np.testing.assert_allclose(tenas_jax.ntk(model, params, X), tenas_jax.ntk(*other, X), rtol=1e-5)


def test_keys_of_both_makes_draw_parameters():
    old = as_model(DENSE, jax.random.PRNGKey(0), X, key=KEY)[1]
    np.testing.assert_array_equal(old["kernel"], as_model(DENSE, KEY, X, key=KEY)[1]["kernel"])
