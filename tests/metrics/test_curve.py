"""What the metrics of curves share: planes, velocities, speeds."""

import flax.linen as nn
import jax
import jax.numpy as jnp
import numpy as np
import pytest

from tenas_jax.metrics import METRICS, Batch, Probe
from tenas_jax.metrics.curve import along, circle, motion, speed, turning, velocity
from tenas_jax.networks import Network

SHAPE = 3, 4, 2
KEY = jax.random.key(0)
pytestmark = pytest.mark.usefixtures("quick_compilation")

by_name = pytest.mark.parametrize(
    "name", ["length_distortion", "gauss_length", "extrinsic_curvature"]
)
by_dtype = pytest.mark.parametrize("dtype", ["float32", "float64"])


@by_dtype
@pytest.mark.parametrize("shape", [(32, 32, 3), (2,)], ids=str)
def test_a_plane_has_orthonormal_columns(shape, dtype):
    with jax.enable_x64(dtype == "float64"):
        basis = circle(KEY, shape, dtype)
        assert basis.shape == (np.prod(shape), 2) and basis.dtype == dtype
        assert not np.allclose(basis, circle(jax.random.key(1), shape, dtype))
        gram = np.asarray(basis.T @ basis)
    np.testing.assert_allclose(gram, np.eye(2), atol=1e-6 if dtype == "float32" else 1e-14)


def test_speeds_are_euclidean_lengths():
    np.testing.assert_allclose(speed(jnp.asarray([[3.0, -4.0], [0.0, 2.0]])), [5, 2])
    assert np.isnan(speed(jnp.asarray([[jnp.inf, 1.0], [jnp.nan, 1.0]]))).all()


def test_outputs_of_any_shape_are_laid_in_a_row():
    probe = Probe(lambda params, x: x[:, :, 1:], None, Batch(jnp.zeros((7, *SHAPE))), KEY)
    outputs = along(probe, 4)
    assert outputs(0.0).shape == velocity(outputs).shape == (4, 3 * 3 * 2)
    # and s moves all points together: a quarter of the circle is what takes h to its velocity
    np.testing.assert_allclose(outputs(np.pi / 2), velocity(outputs), atol=1e-6)


class Perceptron(nn.Module):
    """Two layers of tanh."""

    @nn.compact
    def __call__(self, x):
        x = x.reshape(len(x), -1)
        for width in (16, 6):
            x = jnp.tanh(nn.Dense(width, param_dtype=x.dtype)(4 * x))
        return x


def perceptron(dtype):
    network = Network(Perceptron())
    return network, network.init(KEY, jnp.zeros((1, *SHAPE), dtype))


def test_derivatives_are_limits_of_differences(x64):
    network, params = perceptron("float64")
    p, e = jax.tree.map(np.asarray, params), 1e-4
    basis = circle(KEY, SHAPE, "float64")
    u = np.asarray(basis)

    def outputs(shift):
        t = np.linspace(0, 2 * np.pi, 10)[:, None] + shift
        x = np.cos(t) * u[:, 0] + np.sin(t) * u[:, 1]
        for layer in ("Dense_0", "Dense_1"):
            x = np.tanh(4 * x @ p[layer]["kernel"] + p[layer]["bias"])
        return x

    f = [outputs(k * e) for k in (-2, -1, 0, 1, 2)]
    v, a = (f[3] - f[1]) / (2 * e), (f[3] - 2 * f[2] + f[1]) / e**2
    before, after = f[2] - f[0], f[4] - f[2]  # the motion at a step to each side
    turned = [d / np.linalg.norm(d, axis=1, keepdims=True) for d in (before, after)]
    turned = np.linalg.norm(turned[1] - turned[0], axis=1) / (2 * e)
    batch = Batch(jnp.zeros((1, *SHAPE)))
    moved = motion(along(Probe(network, params, batch), 10, basis))
    np.testing.assert_allclose(moved.velocity, v, rtol=1e-5, atol=1e-6)
    np.testing.assert_allclose(moved.acceleration, a, rtol=1e-5, atol=1e-5)
    np.testing.assert_allclose(turning(moved), turned, rtol=1e-5)
    speeds = np.linalg.norm(v, axis=1)
    for name, expected in {
        "length_distortion": speeds.sum(),
        "gauss_length": turned.sum(),
        "extrinsic_curvature": (turned / speeds).sum(),
    }.items():
        value = METRICS[name].fn(Probe(network, params, batch, KEY))  # which draws that plane
        np.testing.assert_allclose(value, expected, rtol=1e-6)


@by_name
def test_jit_and_vmap_change_nothing(name):
    network, params = perceptron("float32")
    several = jax.tree.map(lambda p: jnp.stack([p, 2 * p, -p / 2]), params)
    batch = Batch(jnp.zeros((1, *SHAPE)))

    def value(params):
        return METRICS[name].fn(Probe(network, params, batch, KEY))

    jitted = jax.jit(value)
    one_by_one = [jitted(jax.tree.map(lambda p, i=i: p[i], several)) for i in range(3)]
    np.testing.assert_allclose(jax.jit(jax.vmap(value))(several), one_by_one, rtol=1e-4)
    np.testing.assert_allclose(value(params), one_by_one[0], rtol=1e-4)
    assert len(set(map(float, one_by_one))) == 3


@by_name
def test_the_key_decides_and_images_do_not(name):
    network, params = perceptron("float32")
    zeros, other_key = Batch(jnp.zeros((1, *SHAPE))), jax.random.key(1)

    def value(batch, key, **options):
        return METRICS[name].fn(Probe(network, params, batch, key), **options)

    first = value(zeros, KEY)
    assert value(Batch(jnp.ones((4, *SHAPE)), jnp.arange(4)), KEY) == first
    assert value(zeros, other_key) != first
    assert value(zeros, other_key, basis=circle(KEY, SHAPE)) == first
