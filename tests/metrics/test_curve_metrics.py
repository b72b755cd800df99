"""The metrics of curves against closed forms, and their errors."""

import jax
import jax.numpy as jnp
import numpy as np
import pytest

from tenas_jax.errors import UserError
from tenas_jax.metrics import METRICS, Batch, Probe
from tenas_jax.metrics.curve import circle

NAMES = ("length_distortion", "gauss_length", "extrinsic_curvature")
SHAPE = 3, 4, 2
SIZE = 24
KEY = jax.random.key(0)
TOLERANCES = {"float32": 2e-5, "float64": 1e-11}
pytestmark = pytest.mark.usefixtures("quick_compilation")

by_name = pytest.mark.parametrize("name", NAMES)
by_dtype = pytest.mark.parametrize("dtype", TOLERANCES)


def by_definition(v, a):
    """The metrics of velocities and accelerations [T, F] by their formulas, in NumPy."""
    vv, aa, va = (v * v).sum(1), (a * a).sum(1), (v * a).sum(1)
    turned = a / vv[:, None] ** 0.5 - (va / vv**1.5)[:, None] * v
    return {
        "length_distortion": np.sqrt(vv).sum(),
        "gauss_length": np.sqrt((turned * turned).sum(1)).sum(),
        "extrinsic_curvature": (vv**-1.5 * np.sqrt(np.maximum(vv * aa - va**2, 0))).sum(),
    }


def plane(seed=0):
    """Orthonormal columns [SIZE, 2], in float64."""
    return np.linalg.qr(np.random.default_rng(seed).normal(size=(SIZE, 2)))[0]


def positions(u, points=10):
    """h, ∂h / ∂t, ∂²h / ∂t² [T, SIZE], by hand."""
    t = 2 * np.pi * np.arange(points)[:, None] / (points - 1)
    first, second = u.T[:, None]
    h = np.cos(t) * first + np.sin(t) * second
    return h, np.cos(t) * second - np.sin(t) * first, -h


def measured(name, network, dtype="float32", params=None, **options):
    """A metric's value along the curve of `plane()`, of one image that is no number."""
    batch = Batch(jnp.full((1, *SHAPE), jnp.nan, dtype))
    options = {"basis": jnp.asarray(plane(), dtype)} | options
    return METRICS[name].fn(Probe(network, params, batch), **options)


def linear(matrix):
    """A network that multiplies by a matrix [SIZE, F]."""
    return lambda params, x: x.reshape(len(x), -1) @ jnp.asarray(matrix, x.dtype)


def orthonormal_rows():
    return np.linalg.qr(np.random.default_rng(1).normal(size=(40, SIZE)))[0].T


@by_dtype
@pytest.mark.parametrize("points", [2, 10])
@by_name
def test_a_network_that_keeps_distances_gives_the_number_of_points(name, points, dtype):
    with jax.enable_x64(dtype == "float64"):
        value = measured(name, linear(orthonormal_rows()), dtype, curve_points=points)
        assert value.shape == () and value.dtype == dtype
    np.testing.assert_allclose(value, points, rtol=TOLERANCES[dtype])


@by_name
def test_there_are_ten_points_unless_another_number_is_given(name):
    np.testing.assert_allclose(measured(name, linear(orthonormal_rows())), 10, rtol=1e-5)


@by_name
@pytest.mark.parametrize("scale", [3.0, 1e25, 1e-25])
def test_outputs_of_any_size_may_be_squared(scale, name):
    """A circle of radius c: the length has it as a factor, the curvature is one over it."""
    value = measured(name, linear(orthonormal_rows() * scale))
    power = {"length_distortion": 1, "gauss_length": 0, "extrinsic_curvature": -1}[name]
    np.testing.assert_allclose(value, 10 * scale**power, rtol=2e-5)


MATRIX = np.random.default_rng(2).normal(size=(SIZE, 5))


def cubed(params, x):
    return x**3


def less_their_mean(params, x):
    return x - x.mean(0, keepdims=True)


def of_matrix(h, v, a):
    return v @ MATRIX, a @ MATRIX


def of_cubed(h, v, a):
    return 3 * h**2 * v, 6 * h * v**2 + 3 * h**2 * a


def of_less_their_mean(h, v, a):
    return v - v.mean(0), a - a.mean(0)


@by_dtype
@by_name
@pytest.mark.parametrize(
    ("network", "by_hand"),
    [(linear(MATRIX), of_matrix), (cubed, of_cubed), (less_their_mean, of_less_their_mean)],
    ids=["linear", "cubed", "batch statistics"],
)
def test_closed_forms(network, by_hand, name, dtype):
    expected = by_definition(*by_hand(*positions(plane())))[name]
    with jax.enable_x64(dtype == "float64"):
        value = measured(name, network, dtype)
    np.testing.assert_allclose(value, expected, rtol=TOLERANCES[dtype])


@by_name
def test_a_curve_that_stands_still_is_no_number(name):
    assert np.isnan(measured(name, lambda params, x: 0 * x + 1))
    # cos t has no velocity at t = 0, and has one at other points
    u = np.eye(SIZE)[:, :2]
    value = measured(name, linear(u[:, :1]), basis=jnp.asarray(u, jnp.float32))
    assert np.isnan(value)


@by_name
@by_dtype
def test_a_straight_curve_is_not_bent(name, dtype):
    u = plane()
    along_a_line = np.outer(np.cos(0.3) * u[:, 0] - np.sin(0.3) * u[:, 1], [1, 2, -0.7])
    with jax.enable_x64(dtype == "float64"):
        value = measured(name, linear(along_a_line), dtype)
    t = np.linspace(0, 2 * np.pi, 10)
    length = np.sqrt(1 + 4 + 0.49) * np.abs(np.sin(t + 0.3)).sum()
    expected = length if name == "length_distortion" else 0
    np.testing.assert_allclose(value, expected, rtol=1e-5, atol=100 * TOLERANCES[dtype])
    assert float(value) >= 0


@by_name
def test_low_precision_is_only_the_networks(name, x64):
    """Bfloat16 goes in and out of the network; float32 stays float32 beside float64."""
    for dtype, tolerance in (("bfloat16", 0.02), ("float32", 1e-5)):
        basis = circle(KEY, SHAPE, dtype)
        value = measured(name, lambda params, x: x, dtype, basis=basis)
        assert value.dtype == basis.dtype == jnp.float32
        np.testing.assert_allclose(value, 10, rtol=tolerance)


@by_name
@pytest.mark.parametrize(
    ("options", "words"),
    [
        ({"curve_points": 1}, "curve_points must be at least 2, not 1"),
        ({"curve_points": 0}, "at least 2, not 0"),
        ({"basis": None}, "needs a key that draws it, or a basis"),
        ({"basis": jnp.zeros((SIZE, 3))}, r"basis of \(24, 3\) .* \(3, 4, 2\); valid: \(24, 2\)"),
        ({"basis": jnp.zeros((SIZE - 1, 2))}, r"basis of \(23, 2\) does not fit"),
        ({"network": lambda params, x: (x, x)}, "must return one array, not a tuple"),
    ],
)
def test_bad_input_is_one_line(name, options, words):
    network = options.get("network", cubed)
    options = {key: value for key, value in options.items() if key != "network"}
    with pytest.raises(UserError, match=words) as error:
        measured(name, network, **options)
    assert "\n" not in str(error.value)


@by_name
def test_an_image_of_one_value_has_no_plane(name):
    with pytest.raises(UserError, match=r"two values at least, not \(1, 1, 1\)"):
        METRICS[name].fn(Probe(cubed, None, Batch(jnp.zeros((5, 1, 1, 1))), KEY))
