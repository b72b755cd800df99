"""snip against its closed form; the golden numbers judge it on whole networks."""

import flax.linen as nn
import jax.numpy as jnp
import numpy as np
import pytest

from tenas_jax.errors import UserError
from tenas_jax.metrics import Batch, Probe, snip
from tenas_jax.networks import Network

N, D, C, T = 6, 4, 3, 5
pytestmark = pytest.mark.usefixtures("quick_compilation", "x64")


def drawn(*shape):
    return jnp.asarray(np.random.default_rng(len(shape)).normal(size=shape))


def error(logits, targets):
    """softmax − target, over the number of examples."""
    share = np.exp(logits)
    share /= share.sum(-1, keepdims=True)
    return (share - np.eye(logits.shape[-1])[targets]) / len(logits)


def test_of_a_dense_layer_without_its_bias():
    x, targets = drawn(N, D), jnp.arange(N) % C
    params = {"layer": {"kernel": drawn(D, C), "bias": drawn(C)}}
    model = Network(nn.Dense(C, param_dtype=jnp.float64))
    probe = Probe(lambda p, x: model(p["layer"], x), params, Batch(x, targets))
    kernel, bias = (np.asarray(params["layer"][name]) for name in ("kernel", "bias"))
    gradient = np.asarray(x).T @ error(np.asarray(x) @ kernel + bias, targets)
    np.testing.assert_allclose(snip(probe), np.abs(kernel * gradient).sum(), rtol=1e-12)


def test_of_positions_each_with_a_target_and_without_what_is_embedded():
    rng = np.random.default_rng(0)
    tokens, targets = rng.integers(0, 7, (N, T)), rng.integers(0, C, (N, T))
    params = {"embedding": drawn(7, D), "kernel": drawn(D, C)}
    batch = Batch(jnp.asarray(tokens), jnp.asarray(targets))
    probe = Probe(lambda p, x: p["embedding"][x] @ p["kernel"], params, batch)
    x, kernel = np.asarray(params["embedding"])[tokens].reshape(-1, D), np.asarray(params["kernel"])
    gradient = x.T @ error(x @ kernel, targets.ravel())
    np.testing.assert_allclose(snip(probe), np.abs(kernel * gradient).sum(), rtol=1e-12)


def test_a_weight_of_one_axis_is_a_norms():
    """Some libraries call a norm's scale `weight`, as they do a layer's matrix."""
    x, targets = drawn(N, D), jnp.arange(N) % C
    params = {"norm": {"weight": drawn(D)}, "dense": {"weight": drawn(C, D)}}

    def model(p, x):
        return x * p["norm"]["weight"].reshape(1, -1) @ p["dense"]["weight"].T

    scaled, weight = np.asarray(x * params["norm"]["weight"].reshape(1, -1)), params["dense"]
    weight = np.asarray(weight["weight"])
    gradient = error(scaled @ weight.T, targets).T @ scaled
    score = snip(Probe(model, params, Batch(x, targets)))
    np.testing.assert_allclose(score, np.abs(weight * gradient).sum(), rtol=1e-12)


def test_what_it_cannot_be_taken_of_is_told():
    x, targets = drawn(N, D), jnp.arange(N) % C
    probe = Probe(lambda p, x: x @ p["kernel"], {"kernel": drawn(D, C)}, Batch(x))
    with pytest.raises(UserError, match="a loss needs targets"):
        snip(probe)
    probe = Probe(
        lambda p, x: x * p["scale"].reshape(1, -1), {"scale": drawn(D)}, Batch(x, targets)
    )
    with pytest.raises(UserError, match="no parameter is named kernel, weight; there are"):
        snip(probe)
    probe = Probe(lambda p, x: x @ p["kernel"], {"kernel": drawn(D, 1)[:, 0]}, Batch(x, targets))
    with pytest.raises(UserError, match=r"logits \(6,\) need targets"):
        snip(probe)
    # Matrices there are none, though a weight has the name.
    probe = Probe(
        lambda p, x: x * p["weight"].reshape(1, -1), {"weight": drawn(D)}, Batch(x, targets)
    )
    with pytest.raises(UserError, match="no weight of a layer"):
        snip(probe)
