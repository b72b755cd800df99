"""Kernels of both engines against closed forms and `jax.jacrev`."""

import functools
from types import SimpleNamespace

import flax.linen as nn
import jax
import jax.numpy as jnp
import numpy as np
import pytest

from tenas_jax.errors import UserError
from tenas_jax.networks import Network
from tenas_jax.ntk import ENGINES, jacobian, ntk, resolve_engine

N, C = 5, 3
KEY = jax.random.key(0)

# engines -> whether `chunk` bounds their memory
EXPECTED = {"jacobian": True, "neural_tangents": False}
by_engine = pytest.mark.parametrize("engine", EXPECTED)


pytestmark = pytest.mark.usefixtures("quick_compilation")


class Linear(nn.Module):
    """Logits linear in flat images."""

    @nn.compact
    def __call__(self, x):
        return nn.Dense(C, param_dtype=x.dtype)(x.reshape(len(x), -1))


class Coupled(nn.Module):
    """Two layers with a normalisation by the batch's statistics, and biases."""

    @nn.compact
    def __call__(self, x):
        x = nn.Conv(3, (3, 3), param_dtype=x.dtype)(x)
        mean = x.mean((0, 1, 2), keepdims=True)
        variance = ((x - mean) ** 2).mean((0, 1, 2), keepdims=True)
        scale = self.param("scale", nn.initializers.ones_init(), (3,), x.dtype)
        x = nn.relu((x - mean) / jnp.sqrt(variance + 1e-5) * scale[None, None, None])
        return nn.Dense(C, param_dtype=x.dtype)(x.mean((1, 2)))


def images(n, dtype=jnp.float64, seed=0):
    return jnp.asarray(np.random.default_rng(seed).normal(size=(n, 4, 4, 2)), dtype)


def make(module, dtype=jnp.float64):
    network, x = Network(module), images(N, dtype)
    return network, network.init(KEY, x), x


@functools.cache
def jacobians():
    """J(x1) and J(x2) of the coupled network's summed logits, without biases, by `jacrev`."""
    with jax.enable_x64(True):
        network, params, x = make(Coupled())
        assert params["Conv_0"]["bias"].shape == params["Dense_0"]["bias"].shape == (3,)

        def parts(x):
            j = jax.jacrev(lambda p: network(p, x).sum(-1))(params)
            leaves = [j["Conv_0"]["kernel"], j["Dense_0"]["kernel"], j["scale"]]
            return jnp.concatenate([leaf.reshape(len(x), -1) for leaf in leaves], 1)

        return [np.asarray(jax.jit(parts)(x)) for x in (x, images(3, seed=1))]


def error(found, wanted):
    assert found.shape == wanted.shape
    return np.abs(np.asarray(found, np.float64) - wanted).max() / np.abs(wanted).max()


def test_every_engine_is_tested():
    assert set(EXPECTED) == set(ENGINES)


def test_linear_function_has_the_inputs_gram_matrix(x64):
    x = images(N).reshape(N, -1)
    found = jacobian.kernel(lambda w, x: x @ w, jnp.ones(x.shape[1]), x)
    np.testing.assert_allclose(found, x @ x.T, rtol=1e-13, atol=1e-13)
    np.testing.assert_array_equal(
        jacobian.rows(lambda w, x: x @ w, jnp.ones(x.shape[1]), x), np.asarray(x)
    )


@by_engine
def test_summed_logits_of_a_linear_network(engine, x64):
    """Θ = C X Xᵀ: every class adds a Gram matrix; a bias, where it takes part, adds C."""
    network, params, x = make(Linear())
    flat = np.asarray(x).reshape(N, -1)
    found = ntk(network, params, x, engine=engine)
    assert error(found, C * flat @ flat.T) < 1e-13
    found = ntk(network, params, x, engine=engine, weights=("kernel", "bias"))
    assert error(found, C * (flat @ flat.T + 1)) < 1e-13
    found = ntk(network, params, x, engine=engine, weights=("bias",))
    assert error(found, np.full((N, N), float(C))) < 1e-13


@by_engine
def test_an_output_without_classes(engine, x64):
    network, params, x = make(Linear())
    flat = np.asarray(x).reshape(N, -1)

    def first(params, x):
        return network(params, x)[:, 0]

    assert error(ntk(first, params, x, engine=engine), flat @ flat.T) < 1e-13


class Own:
    """A model that is neither a module nor a function, of examples by themselves."""

    coupled = False

    def __call__(self, params, x):
        return x.reshape(len(x), -1) @ params["kernel"]


@by_engine
def test_a_model_of_ones_own(engine, x64):
    x = images(N)
    flat = np.asarray(x).reshape(N, -1)
    params = {"kernel": jnp.ones((flat.shape[1], C))}
    assert error(ntk(Own(), params, x, engine=engine), C * flat @ flat.T) < 1e-13
    with pytest.raises(UserError, match="Own is a class, not a network"):
        ntk(Own, params, x, engine=engine)


@by_engine
def test_coupled_network_equals_jacrev(engine, x64):
    network, params, x = make(Coupled())
    j1, j2 = jacobians()
    x2 = images(3, seed=1)
    square, cross = jax.jit(
        lambda p: [ntk(network, p, x, engine=engine), ntk(network, p, x, x2, engine=engine)]
    )(params)
    assert square.dtype == cross.dtype == jnp.float64
    assert error(square, j1 @ j1.T) < 1e-12
    assert error(cross, j1 @ j2.T) < 1e-12
    np.testing.assert_allclose(square, square.T, rtol=1e-10)


@by_engine
def test_float32_is_close_to_float64(engine):
    with jax.enable_x64(True):
        network, params, x = make(Coupled())
    params, x = jax.tree.map(lambda a: jnp.asarray(np.asarray(a), jnp.float32), (params, x))
    found = jax.jit(lambda p: ntk(network, p, x, engine=engine))(params)
    assert found.dtype == jnp.float32
    j, _ = jacobians()
    assert error(found, j @ j.T) < 1e-5


def test_chunks_of_any_size_give_the_same_kernel(x64):
    network, params, x = make(Coupled())
    x2 = images(3, seed=1)
    j1, j2 = jacobians()
    for chunk in (1, 2, N - 1, N + 4):
        found = jax.jit(lambda p, c=chunk: ntk(network, p, x, engine="jacobian", chunk=c))(params)
        assert error(found, j1 @ j1.T) < 1e-12
    found = jax.jit(lambda p: ntk(network, p, x, x2, engine="jacobian", chunk=2))(params)
    assert error(found, j1 @ j2.T) < 1e-12


def test_a_chunk_bounds_the_cotangents_in_memory():
    network, params, x = make(Coupled(), jnp.float32)

    def widest(chunk):
        program = jax.make_jaxpr(lambda p: ntk(network, p, x, engine="jacobian", chunk=chunk))
        # the pulled-back activations [cotangents, N, 4, 4, 3]
        text = str(program(params))
        return max(m for m in range(1, N + 1) if f"f32[{m},{N},4,4,3]" in text)

    assert widest(None) == N and widest(2) == 2


def test_without_a_chunk_memory_is_bounded_by_a_budget(monkeypatch):
    """Half the budget, half the cotangents; one at least."""
    network, params, x = make(Coupled(), jnp.float32)
    _, pullback = jax.vjp(lambda p: network(p, x), params)
    for unrolled, name in ((True, "HOST_MEMORY"), (False, "CACHE")):
        most = jacobian.affordable(pullback, unrolled)
        monkeypatch.setattr(jacobian, name, getattr(jacobian, name) // 2)
        assert most // 2 == jacobian.affordable(pullback, unrolled) > N
        monkeypatch.setattr(jacobian, name, 1)
        assert jacobian.affordable(pullback, unrolled) == 1


def test_an_accelerators_budget_is_a_share_of_its_memory(monkeypatch):
    pullback = [jnp.zeros((256, 1024), jnp.float32)]  # a MiB
    for stats, budget in (({"bytes_limit": 160 * 2**20}, 10), (None, 1024), ({}, 1024)):
        device = SimpleNamespace(platform="gpu", memory_stats=lambda stats=stats: stats)
        monkeypatch.setattr(jax, "local_devices", lambda device=device: [device])
        assert jacobian.affordable(pullback, False) == budget


def test_chunks_are_a_loop_unless_they_hold_convolutions():
    """One compiled pass for all chunks, but XLA's CPU convolutions are slow inside a loop."""
    for module, loops in ((Coupled(), 0), (Linear(), 1)):
        network, params, x = make(module, jnp.float32)
        run = functools.partial(ntk, network, inputs=x, engine="jacobian", chunk=2)
        text = str(jax.make_jaxpr(lambda p, run=run: run(p))(params))
        assert text.count("= scan[") == loops


def test_vmap_over_parameters(x64):
    network, _, x = make(Coupled())
    keys = jax.random.split(KEY, 2)
    stacked = jax.vmap(lambda key: network.init(key, x))(keys)
    run = functools.partial(ntk, network, inputs=x, engine="jacobian")
    batched = jax.jit(jax.vmap(lambda p: run(p)))(stacked)
    single = jax.jit(lambda p: run(p))
    for k in range(2):
        wanted = single(jax.tree.map(lambda a, k=k: a[k], stacked))
        assert error(batched[k], np.asarray(wanted)) < 1e-12


def test_products_run_in_full_float32():
    network, params, x = make(Coupled(), jnp.float32)
    program = str(jax.make_jaxpr(lambda p: ntk(network, p, x, engine="jacobian"))(params))
    assert program.count("dot_general[") + program.count("conv_general_dilated[") >= 4
    assert program.count("precision=None") == 0


def test_auto_is_our_engine_on_cpu(monkeypatch):
    for backend, engine in {"cpu": "jacobian", "gpu": "neural_tangents"}.items():
        monkeypatch.setattr(jax, "default_backend", lambda backend=backend: backend)
        assert resolve_engine("auto") == engine
        assert all(resolve_engine(name) == name for name in ENGINES)


def test_wrong_requests_are_one_clear_line():
    network, params, x = make(Linear(), jnp.float32)
    with pytest.raises(UserError, match="unknown engine 'jacobain'.*did you mean 'jacobian'"):
        ntk(network, params, x, engine="jacobain")
    with pytest.raises(UserError, match=r"no parameter is named w, b;.*\['bias', 'kernel'\]"):
        ntk(network, params, x, weights=("w", "b"))
