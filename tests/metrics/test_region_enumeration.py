"""Counts of linear regions against the pieces of functions of one number, told by their slopes."""

import flax.linen as nn
import jax
import jax.numpy as jnp
import numpy as np
import pytest
from jax import lax

from tenas_jax.metrics import Batch, Probe, linear_regions

pytestmark = pytest.mark.usefixtures("x64", "quick_compilation")
ACTIVATIONS = {
    "relu": nn.relu,
    "relu6": lambda x: nn.relu6(4 * x),
    "leaky_relu": nn.leaky_relu,
    "clip": lambda x: jnp.clip(x, -0.5, 0.5),
    "where": lambda x: jnp.where(x > 0, x, 0),
    "abs": jnp.abs,
    "hard_sigmoid": lambda x: nn.hard_sigmoid(4 * x),
}
KEY = jax.random.key(0)
DEPTH, WIDTH, STRETCH = 2, 5, 3.0
POINTS = np.linspace(-STRETCH, STRETCH, 6001)


def parameters(seed: int):
    rng = np.random.default_rng(seed)
    weights = rng.normal(size=(DEPTH, WIDTH, WIDTH)) / np.sqrt(WIDTH / 2)
    return {
        "first": jnp.asarray(rng.normal(size=(1, WIDTH))),
        "weights": jnp.asarray(weights),
        "biases": jnp.asarray(rng.normal(size=(DEPTH, WIDTH))),
        "readouts": jnp.asarray(rng.normal(size=(DEPTH, WIDTH, 1))),
    }


def network(activation, loop: bool):
    """A function of one number, with its layers in a loop or one after the other.

    All layers are read out, so that no unit that is switched off hides another's kink.
    """

    def layer(h, p):
        weights, bias, readout = p
        h = activation(h @ weights + bias[None])
        return h, h @ readout

    def f(p, x):
        h = x.reshape(len(x), 1) @ p["first"]
        layers = p["weights"], p["biases"], p["readouts"]
        if loop:
            return lax.scan(layer, h, layers)[1].sum(0)
        total = 0
        for i in range(DEPTH):
            h, out = layer(h, jax.tree.map(lambda a, i=i: a[i], layers))
            total += out
        return total

    return f


def pieces(f, params, points: np.ndarray) -> int:
    """The affine functions that a function of one number is at some points, each counted once."""

    def alone(x):
        return f(params, x[None, None])[0, 0]

    values, slopes = jax.jit(jax.vmap(jax.value_and_grad(alone)))(jnp.asarray(points))
    affine = np.stack([slopes, values - slopes * points], 1)
    return len(np.unique(np.round(affine, 8), axis=0))


@pytest.mark.parametrize("loop", [False, True], ids=["layers", "scan"])
@pytest.mark.parametrize("name", ACTIVATIONS)
def test_patterns_are_pieces(name, loop):
    """Distinct patterns are as many as distinct pieces."""
    f, images = network(ACTIVATIONS[name], loop), jnp.asarray(POINTS)[:, None, None, None]
    count = jax.jit(lambda p, x: linear_regions(Probe(f, p, Batch(x), KEY), pass_size=6001))
    for seed in range(2):
        wanted = pieces(f, parameters(seed), POINTS)
        assert wanted > 4
        assert count(parameters(seed), images) == wanted


def test_the_boundaries_are_those_of_the_function():
    """A region begins just where the slope changes, by bisection."""
    f, params = network(nn.relu6, loop=True), parameters(1)
    slope = jax.jit(jax.grad(lambda x: f(params, x[None, None])[0, 0]))

    @jax.jit
    def regions(pair):
        return linear_regions(Probe(f, params, Batch(pair[:, None, None, None]), KEY))

    bends = 0
    for i in range(0, len(POINTS) - 1, 100):
        low, high = POINTS[i], POINTS[i + 100]
        if abs(slope(low) - slope(high)) < 1e-9:
            continue
        left = slope(low)
        for _ in range(40):  # until they enclose a change of slope
            middle = (low + high) / 2
            low, high = (middle, high) if abs(slope(middle) - left) < 1e-9 else (low, middle)
        assert high - low < 1e-12
        assert (
            regions(jnp.asarray([low - 1e-9, low])) == 1 and regions(jnp.asarray([low, high])) == 2
        )
        bends += 1
    assert bends > 4
