"""One network written four ways is one model: the same kernels, scores and outputs."""

import equinox as eqx
import flax.linen as nn
import jax
import jax.numpy as jnp
import numpy as np
import pytest
from flax import nnx, traverse_util
from jax import lax

import tenas_jax
from tenas_jax.networks.adapters import as_model

pytestmark = pytest.mark.usefixtures("quick_compilation")
KEY = jax.random.key(3)
KINDS = ("linen", "nnx", "equinox", "function")


def draw(shape, seed):
    """Normal numbers, float64 where they are enabled."""
    return jnp.asarray(np.random.default_rng(seed).normal(size=shape))


def normalised(x, axes, scale, mean=lambda x: x):
    """Batch statistics by hand; `mean` goes on over a named axis."""
    centred = x - mean(x.mean(axes, keepdims=True))
    variance = mean((centred**2).mean(axes, keepdims=True))
    return centred / jnp.sqrt(variance + 1e-3) * jnp.expand_dims(scale, axes)


class Scale(nn.Module):
    @nn.compact
    def __call__(self, x):
        return normalised(x, (0, 1, 2), self.param("scale", nn.initializers.ones, x.shape[-1:]))


class LinenNet(nn.Module):
    """Two convolutions and a dense layer, with a norm between on demand."""

    norm: bool

    @nn.compact
    def __call__(self, x):
        x = nn.Conv(4, (3, 3), name="first", param_dtype=x.dtype)(x)
        x = nn.relu(Scale(name="norm")(x) if self.norm else x)
        x = nn.Conv(5, (3, 3), name="second", param_dtype=x.dtype)(x)
        return nn.Dense(3, name="last", param_dtype=x.dtype)(x.mean((1, 2)))


class NnxScale(nnx.Module):
    def __init__(self, width):
        self.scale = nnx.Param(jnp.ones(width))

    def __call__(self, x):
        return normalised(x, (0, 1, 2), self.scale[...])


class NnxNet(nnx.Module):
    def __init__(self, norm):
        rngs = nnx.Rngs(0)
        self.first = nnx.Conv(3, 4, (3, 3), rngs=rngs)
        self.norm = NnxScale(4) if norm else None
        self.second = nnx.Conv(4, 5, (3, 3), rngs=rngs)
        self.last = nnx.Linear(5, 3, rngs=rngs)

    def __call__(self, x):
        x = self.first(x)
        x = nnx.relu(x if self.norm is None else self.norm(x))
        return self.last(self.second(x).mean((1, 2)))


class EquinoxNorm(eqx.Module):
    weight: jax.Array
    axis_name: str = "points"

    def __call__(self, x):
        return normalised(x, (1, 2), self.weight, lambda x: lax.pmean(x, self.axis_name))


class EquinoxNet(eqx.Module):
    first: eqx.nn.Conv2d
    norm: EquinoxNorm | None
    second: eqx.nn.Conv2d
    last: eqx.nn.Linear

    def __init__(self, norm):
        self.first = eqx.nn.Conv2d(3, 4, 3, padding=1, key=KEY)
        self.norm = EquinoxNorm(jnp.ones(4)) if norm else None
        self.second = eqx.nn.Conv2d(4, 5, 3, padding=1, key=KEY)
        self.last = eqx.nn.Linear(5, 3, key=KEY)

    def __call__(self, x):
        x = self.first(x.transpose(2, 0, 1))
        x = jax.nn.relu(x if self.norm is None else self.norm(x))
        return self.last(self.second(x).mean((1, 2)))


def function(params, x):
    """The same, of a list of layers."""

    def conv(x, layer):
        window = {"window_strides": (1, 1), "padding": "SAME"}
        numbers = ("NHWC", "HWIO", "NHWC")
        x = lax.conv_general_dilated(x, layer["kernel"], **window, dimension_numbers=numbers)
        return x + layer["bias"][None, None, None]

    first, norm, second, last = params
    x = conv(x, first)
    x = jax.nn.relu(x if norm is None else normalised(x, (0, 1, 2), norm["scale"]))
    return conv(x, second).mean((1, 2)) @ last["kernel"] + last["bias"][None]


def layers(norm):
    """Weights as Flax lays them."""
    return {
        "first": {"kernel": draw((3, 3, 3, 4), 0), "bias": draw((4,), 1)},
        **({"norm": {"scale": 1 + 0.1 * draw((4,), 2)}} if norm else {}),
        "second": {"kernel": draw((3, 3, 4, 5), 3) / 6, "bias": draw((5,), 4)},
        "last": {"kernel": draw((5, 3), 5), "bias": draw((3,), 6)},
    }


def written(kind, norm):
    """The network of that kind, and what it is given beside."""
    params = layers(norm)
    if kind == "linen":
        return LinenNet(norm), params
    if kind == "nnx":
        return NnxNet(norm), params
    if kind == "function":
        return function, [params.get(name) for name in ("first", "norm", "second", "last")]
    flat = {}
    for (layer, name), leaf in traverse_util.flatten_dict(params).items():
        if name == "bias":
            flat[layer, name] = leaf if layer == "last" else leaf[:, None, None]
        else:
            flat[layer, "weight"] = leaf.transpose(tuple(range(leaf.ndim))[::-1])
            if leaf.ndim == 4:  # [H, W, I, O] -> [O, I, H, W]
                flat[layer, "weight"] = leaf.transpose(3, 2, 0, 1)
    return EquinoxNet(norm), traverse_util.unflatten_dict(flat)


def models(norm, x):
    return {k: as_model(*written(k, norm), x, key=KEY) for k in KINDS}


def kernel_of(model, params, x):
    return jax.jit(tenas_jax.ntk)(model, params, x)


@pytest.mark.parametrize("norm", [False, True])
def test_kernels_agree(norm):
    x = draw((5, 6, 6, 3), 9)
    kernels = {kind: kernel_of(*pair, x) for kind, pair in models(norm, x).items()}
    for kernel in kernels.values():
        assert kernel.dtype == jnp.float32
        np.testing.assert_allclose(kernel, kernels["linen"], atol=1e-5 * kernel.max(), rtol=0)
    alone = kernel_of(*models(norm, x)["linen"], x[:1])[0, 0]
    assert norm != bool(jnp.allclose(alone, kernels["linen"][0, 0], rtol=1e-4))


def test_a_kernel_is_taken_of_what_is_no_model_yet():
    x = draw((3, 6, 6, 3), 9)
    wanted = kernel_of(*models(False, x)["linen"], x)
    for kind in KINDS:
        kernel = tenas_jax.ntk(*written(kind, False), x)
        np.testing.assert_allclose(kernel, wanted, atol=1e-5 * wanted.max(), rtol=0)


@pytest.mark.parametrize("norm", [False, True])
def test_condition_numbers_agree_in_double_precision(norm, x64):
    x = draw((5, 6, 6, 3), 9)
    values = {
        kind: np.asarray(tenas_jax.conditioning(kernel_of(*pair, x)).value)
        for kind, pair in models(norm, x).items()
    }
    assert {value.dtype for value in values.values()} == {np.dtype("float64")}
    for value in values.values():
        assert float(value) == pytest.approx(float(values["linen"]), rel=1e-10)


@pytest.mark.parametrize("norm", [False, True])
def test_scores_agree(norm):
    x = draw((5, 6, 6, 3), 9)
    scores = [tenas_jax.score(*written(kind, norm), x) for kind in KINDS]
    assert set(scores[0]) == {"condition_number", "linear_regions"}
    for score in scores:
        assert score == pytest.approx(scores[0], rel=1e-3)


@pytest.mark.parametrize("kind", KINDS)
def test_a_model_is_an_argument_of_a_compiled_program(kind):
    x, traces = draw((4, 6, 6, 3), 9), []

    @jax.jit
    def run(model, params, x):
        traces.append(model)
        return model(params, x)

    for _ in range(2):  # built anew, it is the same program
        model, params = as_model(*written(kind, True), x, key=KEY)
        assert model.coupled is True
        leaves, structure = jax.tree.flatten(model)
        assert all(isinstance(leaf, jax.Array) for leaf in leaves) and hash(structure) is not None
        np.testing.assert_allclose(run(model, params, x), model(params, x), rtol=1e-4)
    assert len(traces) == 1


@pytest.mark.parametrize("kind", KINDS)
def test_parameters_are_dicts_whose_last_names_say_what_they_are(kind):
    _, params = as_model(*written(kind, True), draw((4, 6, 6, 3), 9), key=KEY)
    weights = {"linen": {"kernel", "scale"}, "equinox": {"weight"}}.get(kind, {"kernel", "scale"})
    flat = traverse_util.flatten_dict(params)
    assert {path[-1] for path in flat} == weights | {"bias"} and len(flat) == 7
    first = {"function": "0"}.get(kind, "first")
    assert {path[0] for path in flat} >= {first} and type(params) is dict


@pytest.mark.parametrize("kind", ["nnx", "equinox"])
def test_a_module_holds_its_own_parameters_and_takes_others(kind):
    x = draw((4, 6, 6, 3), 9)
    module = written(kind, True)[0]
    model, params = as_model(module, None, x, key=KEY)
    plain = module(x) if kind == "nnx" else jax.vmap(module, axis_name="points")(x)
    np.testing.assert_allclose(model(params, x), plain, rtol=1e-4, atol=1e-6)
    doubled = jax.tree.map(lambda leaf: 2 * leaf, params)
    form = eqx.tree_at(lambda m: m.last.bias, module, jnp.ones(3)) if kind == "equinox" else None
    form = form or jax.tree.map(lambda leaf: 2 * leaf, nnx.state(module, nnx.Param))
    again = as_model(module, form, x, key=KEY)[1]
    wanted = doubled if kind == "nnx" else params | {"last": params["last"] | {"bias": jnp.ones(3)}}
    jax.tree.map(np.testing.assert_array_equal, again, wanted)
