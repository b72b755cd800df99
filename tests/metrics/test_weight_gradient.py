"""Derivatives in the weights of operations against finite differences and closed forms."""

import flax.linen as nn
import jax
import jax.numpy as jnp
import numpy as np
import pytest

from tenas_jax import spaces
from tenas_jax.metrics import METRICS, Batch, Probe
from tenas_jax.networks import Network, NetworkSpec, scored_network
from tenas_jax.networks.layers.maps import operation_weights

DIFFERENTIABLE = [name for name, m in METRICS.items() if m.mask_gradient is not None]
pytestmark = pytest.mark.usefixtures("quick_compilation")


class Mixed(nn.Module):
    """Two edges of three operations each, in a row, coupled by the batch's statistics."""

    @nn.compact
    def __call__(self, x, mask):
        x = x.reshape(len(x), -1)
        for edge, row in enumerate(operation_weights(mask[0])):
            parts = [
                nn.Dense(6, param_dtype=x.dtype, name=f"cell_{edge}_{op}")(x) for op in range(2)
            ]
            mixed = row[0] * jnp.tanh(parts[0]) + row[1] * nn.relu(parts[1]) + row[2] * x[:, :6]
            x = mixed / jnp.sqrt((mixed**2).mean(0, keepdims=True))
        return nn.Dense(4, param_dtype=x.dtype, name="head")(x)


def batches(n, shape, classes):
    rng = np.random.default_rng(0)
    both = [
        Batch(jnp.asarray(rng.normal(size=(n, *shape))), jnp.asarray(rng.integers(0, classes, n)))
        for _ in range(2)
    ]
    return both[0].replace(held_out=both[1])


def weights_of(mask):
    return mask / np.maximum(mask.sum(-1, keepdims=True), 1)


def compare(name, module, mask, batch, removals, rtol):
    """The derivative along each removal's path against a difference of the metric's logarithm."""
    m, mask = METRICS[name], np.asarray(mask, float)
    params = Network(module, jnp.asarray(mask)).init(jax.random.key(1), batch.inputs)

    @jax.jit
    def logarithm(mask):
        return jnp.log(m.fn(Probe(Network(module, mask), params, batch))[0])

    @jax.jit
    def gradient(mask):
        return m.mask_gradient(Probe(Network(module, mask), params, batch))

    slopes = np.asarray(gradient(jnp.asarray(mask)))
    assert slopes.shape == mask.shape and np.isfinite(slopes).all()
    step = 1e-5
    for removal in removals:
        # Weights stay on the path mask / count, whose count is never below 1.
        before = mask.copy()
        before[removal] -= step
        difference = (float(logarithm(jnp.asarray(mask))) - float(logarithm(before))) / step
        direction = (weights_of(mask) - weights_of(before)) / step
        assert (slopes * direction).sum() == pytest.approx(difference, rel=rtol, abs=1e-5)


@pytest.mark.parametrize("name", DIFFERENTIABLE)
def test_of_a_small_network(x64, name):
    mask = np.ones((1, 2, 3))
    mask[0, 1, 1] = 0
    removals = [(0, 0, 0), (0, 0, 1), (0, 0, 2), (0, 1, 0), (0, 1, 2)]
    compare(name, Mixed(), mask, batches(7, (2, 5), 4), removals, 1e-3)
    alone = np.array([[[0, 1, 0], [1, 0, 0]]])  # each the only one on its edge
    compare(name, Mixed(), alone, batches(7, (2, 5), 4), [(0, 0, 1), (0, 1, 0)], 1e-3)


@pytest.mark.parametrize("name", DIFFERENTIABLE)
def test_of_the_scoring_network(x64, name):
    space = spaces.get("nas_bench_201")
    mask = space.supernet().astype(float)
    mask[0, 1, 1] = 0
    mask[0, 2] = [0, 0, 0, 1, 0]
    module = scored_network(space, NetworkSpec("testing"), classes=4).network.module
    removals = [(0, 0, 1), (0, 0, 3), (0, 3, 2), (0, 2, 3), (0, 4, 4)]
    compare(name, module, mask, batches(8, (8, 8, 3), 4), removals, 1e-3)


def test_eigenvalues_that_meet(x64):
    """Of orthogonal images all eigenvalues are equal, whatever the weights: κ = 1 stays 1."""

    class Scaled(nn.Module):
        @nn.compact
        def __call__(self, x, mask):
            row = operation_weights(mask[0])[0]
            return nn.Dense(2, use_bias=False, param_dtype=x.dtype)(x) * (1 + row[0] + 2 * row[1])

    images = 3 * jnp.eye(5)
    network = Network(Scaled(), jnp.ones((1, 1, 2)))
    params = network.init(jax.random.key(0), images)
    slopes = METRICS["condition_number"].mask_gradient(Probe(network, params, Batch(images)))
    np.testing.assert_allclose(slopes, np.zeros((1, 1, 2)), atol=1e-12)


def test_a_bad_kernel_has_no_derivative():
    mask = jnp.ones((1, 2, 3))
    batch = batches(6, (2, 5), 4)
    batch = jax.tree.map(lambda a: jnp.asarray(a, a.dtype), batch)
    same = batch.replace(inputs=jnp.ones_like(batch.inputs))
    network = Network(Mixed(), mask)
    params = network.init(jax.random.key(0), batch.inputs)
    for name in DIFFERENTIABLE:
        probe = Probe(network, params, same)
        value, flag = METRICS[name].fn(probe)
        assert flag != 0 and np.isnan(value)
        assert np.isnan(METRICS[name].mask_gradient(probe)).all()
