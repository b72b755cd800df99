"""What a probe computes of losses and outputs against closed forms, and what it refuses."""

from collections.abc import Callable

import flax.linen as nn
import jax
import jax.numpy as jnp
import numpy as np
import pytest
from jax.flatten_util import ravel_pytree

from tenas_jax.errors import UserError
from tenas_jax.metrics import Batch, Probe
from tenas_jax.networks import Network

N, D, C, T = 6, 4, 3, 5
KEY = jax.random.key(0)
pytestmark = pytest.mark.usefixtures("quick_compilation", "x64")


class Centred(nn.Module):
    """A dense layer on φ = tanh(inputs − their mean): coupled, and linear in its weights."""

    @nn.compact
    def __call__(self, x):
        return nn.Dense(C, param_dtype=x.dtype)(jnp.tanh(x - x.mean(0, keepdims=True)))


class Positions(nn.Module):
    """Logits [N, T, C] of each token by itself."""

    @nn.compact
    def __call__(self, tokens):
        x = nn.Embed(7, D, param_dtype=jnp.float64)(tokens)
        return nn.Dense(C, param_dtype=jnp.float64)(x)


def made(module, inputs, targets=None, weights=None, **how) -> Probe:
    """A probe of a module whose every parameter is random, biases too."""
    network = Network(module)
    shapes = jax.eval_shape(lambda: network.init(KEY, inputs))
    rng = np.random.default_rng(1)
    params = jax.tree.map(lambda leaf: jnp.asarray(rng.normal(size=leaf.shape)), shapes)
    return Probe(network, params, Batch(inputs, targets, weights), **how)


def of_vectors(module=None, **how) -> Probe:
    rng = np.random.default_rng(0)
    inputs, targets = rng.normal(size=(N, D)), rng.integers(0, C, N)
    return made(module or Centred(), jnp.asarray(inputs), jnp.asarray(targets), **how)


def of_tokens(weights=None) -> Probe:
    rng = np.random.default_rng(0)
    tokens, targets = rng.integers(0, 7, (N, T)), rng.integers(0, C, (N, T))
    return made(Positions(), jnp.asarray(tokens), jnp.asarray(targets), weights)


def features(inputs):
    """φ [N, D] of the centred network, in NumPy."""
    return np.tanh(inputs - inputs.mean(0))


def dense(probe):
    """Weights [D, C] and bias [C]."""
    layer = probe.params["Dense_0"]
    return np.asarray(layer["kernel"]), np.asarray(layer["bias"])


def softmax(logits):
    share = np.exp(logits)
    return share / share.sum(-1, keepdims=True)


def wrong(probe, inputs, targets):
    """softmax − target [N, C]: the gradient of an example's loss in its logits."""
    kernel, bias = dense(probe)
    return softmax(features(inputs) @ kernel + bias) - np.eye(C)[targets]


def close(tree, wanted):
    jax.tree.map(lambda a, b: np.testing.assert_allclose(a, b, rtol=1e-9, atol=1e-12), tree, wanted)


def in_numpy(probe):
    return np.asarray(probe.batch.inputs), np.asarray(probe.batch.targets)


def test_outputs():
    probe = of_vectors()
    kernel, bias = dense(probe)
    wanted = features(in_numpy(probe)[0]) @ kernel + bias
    close(probe.outputs, wanted)
    close(
        probe.function()(2 * probe.batch.inputs), features(2 * in_numpy(probe)[0]) @ kernel + bias
    )
    assert probe.output_shape == wanted.shape


def test_losses_of_one_target_each():
    probe = of_vectors()
    inputs, targets = in_numpy(probe)
    kernel, bias = dense(probe)
    wanted = -np.log(softmax(features(inputs) @ kernel + bias)[np.arange(N), targets])
    close(probe.losses(probe.params), wanted)
    close(probe.loss(probe.params), wanted.mean())
    other = Batch(probe.batch.inputs[:2], probe.batch.targets[:2])
    wanted = -np.log(softmax(features(inputs[:2]) @ kernel + bias)[np.arange(2), targets[:2]])
    close(probe.losses(probe.params, other), wanted)


@pytest.mark.parametrize("weighted", [False, True])
def test_losses_of_a_target_each_position(weighted):
    weights = np.random.default_rng(3).random((N, T)) if weighted else np.ones((N, T))
    weights[0, 1:] = weights[1] = 1 - weighted  # padding: one target that counts, and none
    probe = of_tokens(jnp.asarray(weights) if weighted else None)
    tokens, targets = in_numpy(probe)
    kernel, bias = dense(probe)
    logits = np.asarray(probe.params["Embed_0"]["embedding"])[tokens] @ kernel + bias
    each = -np.log(np.take_along_axis(softmax(logits), targets[..., None], -1))[..., 0]
    wanted = (weights * each).sum(1) / np.maximum(weights.sum(1), 1e-30)
    assert (wanted[1] == 0) == weighted
    close(probe.losses(probe.params), wanted)


def test_the_gradient_of_the_mean_loss():
    probe = of_vectors()
    inputs, targets = in_numpy(probe)
    error = wrong(probe, inputs, targets)
    wanted = {"kernel": features(inputs).T @ error / N, "bias": error.mean(0)}
    close(probe.gradient, {"Dense_0": wanted})


def test_each_part_of_a_batch_has_its_own_statistics():
    probe = of_vectors()
    inputs, targets = in_numpy(probe)
    held_out = Batch(probe.batch.inputs[:1], probe.batch.targets[:1])  # which is not split
    probe.batch = probe.batch.replace(held_out=held_out)
    for parts in (1, 2, 3):
        kernels, biases = [], []
        for x, y in zip(np.split(inputs, parts), np.split(targets, parts), strict=True):
            error = wrong(probe, x, y)
            kernels.append(features(x).T @ error / len(x))
            biases.append(error.mean(0))
        wanted = {"kernel": np.stack(kernels), "bias": np.stack(biases)}
        close(probe.gradients_of_parts(parts), {"Dense_0": wanted})
    # The same parts by the statistics of the whole batch would be others.
    whole = features(inputs)[:2].T @ wrong(probe, inputs, targets)[:2] / 2
    assert not np.allclose(probe.gradients_of_parts(3)["Dense_0"]["kernel"][0], whole, rtol=0.1)


def test_the_gradient_of_each_example_s_loss_in_its_batch():
    probe = of_vectors()
    inputs, targets = in_numpy(probe)
    error = wrong(probe, inputs, targets)
    kernels = np.einsum("nd,nc->ndc", features(inputs), error)
    close(probe.example_gradients, {"Dense_0": {"kernel": kernels, "bias": error}})
    close(jax.tree.map(lambda leaf: leaf.mean(0), probe.example_gradients), probe.gradient)


def test_the_gradient_in_the_inputs():
    """Σ_nc f = Σ_n φ_n · s, s = Σ_c W_c: an input moves its own φ and, by the mean, all."""
    probe = of_vectors()
    slopes = (1 - features(in_numpy(probe)[0]) ** 2) * dense(probe)[0].sum(1)
    close(probe.input_gradient, slopes - slopes.mean(0))


def test_products_with_the_hessian():
    """H = mean_n (diag p − p pᵀ) ⊗ φ φᵀ of a layer that is linear in its weights; bias: φ = 1."""
    probe = of_vectors()
    inputs, _ = in_numpy(probe)
    kernel, bias = dense(probe)
    with_one = np.concatenate([features(inputs), np.ones((N, 1))], 1)
    p = softmax(features(inputs) @ kernel + bias)
    curvature = p[:, :, None] * np.eye(C) - p[:, :, None] * p[:, None]
    hessian = np.einsum("nd,ne,nij->diej", with_one, with_one, curvature) / N
    v = np.random.default_rng(5).normal(size=(D + 1, C))
    wanted = np.einsum("diej,ej->di", hessian, v)
    tangent = {"Dense_0": {"kernel": jnp.asarray(v[:D]), "bias": jnp.asarray(v[D])}}
    close(probe.hessian_product(tangent), {"Dense_0": {"kernel": wanted[:D], "bias": wanted[D]}})


@jax.custom_vjp
def hyperbolic(x):
    """tanh without forward mode."""
    return jnp.tanh(x)


hyperbolic.defvjp(lambda x: (jnp.tanh(x), x), lambda x, g: (g * (1 - jnp.tanh(x) ** 2),))


class Layers(nn.Module):
    """Two layers, whose Hessian is more than that of the loss in the logits."""

    activation: Callable

    @nn.compact
    def __call__(self, x):
        x = self.activation(nn.Dense(3, param_dtype=x.dtype)(x))
        return nn.Dense(C, param_dtype=x.dtype)(x)


@pytest.mark.parametrize("activation", [jnp.tanh, hyperbolic], ids=["forward", "backward alone"])
def test_products_with_a_hessian_of_several_layers(activation):
    probe, smooth = of_vectors(Layers(activation)), of_vectors(Layers(jnp.tanh))
    flat, unravel = ravel_pytree(smooth.params)
    tangent = jax.tree.map(jnp.cos, probe.params)
    hessian = jax.jit(jax.hessian(lambda p: smooth.loss(unravel(p))))(flat)
    wanted = unravel(hessian @ ravel_pytree(tangent)[0])
    close(jax.jit(lambda v: probe.hessian_product(v))(tangent), wanted)


def test_rows_are_the_jacobian_of_the_summed_outputs():
    """∂ Σ_c f_c(x_n) / ∂W = φ_n ⊗ 1; biases take no part, unless they are named."""
    probe = of_vectors()
    inputs, _ = in_numpy(probe)

    def rows(inputs):
        return np.repeat(features(inputs), C, axis=1)

    close(probe.rows(), rows(inputs))
    close(probe.rows(probe.batch.inputs[:2]), rows(inputs[:2]))
    close(probe.rows(weights=("bias",)), np.ones((N, C)))


def changed(probe, **changes):
    return Probe(probe.model, probe.params, probe.batch.replace(**changes))


@pytest.mark.parametrize(
    ("ask", "words"),
    [
        (lambda p: changed(p, targets=None).gradient, "a loss needs targets: give the batch as"),
        (lambda p: changed(p, targets=None).gradients_of_parts(2), "a loss needs targets"),
        (lambda p: changed(p, targets=p.batch.targets[:2]).gradient, r"targets of shape \(6,\)"),
        (lambda p: p.gradients_of_parts(4), "a batch of 6 does not divide into 4 parts"),
        (lambda p: of_tokens().input_gradient, "needs inputs that are floats, not int"),
        (lambda p: p.rows(weights=("scale",)), "no parameter is named scale; there are"),
    ],
)
def test_what_is_refused_is_told_in_one_line(ask, words):
    with pytest.raises(UserError, match=words) as caught:
        ask(of_vectors())
    assert "\n" not in str(caught.value)
