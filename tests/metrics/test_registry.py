"""What every metric owes its caller, on a small network of our own."""

import flax.linen as nn
import jax
import jax.numpy as jnp
import numpy as np
import pytest

from tenas_jax.errors import UserError
from tenas_jax.metrics import METRICS, Batch, metric
from tenas_jax.networks import NETWORKS, Network
from tenas_jax.ntk import FLAGS, SharedNtk
from tenas_jax.scoring.presets import Protocol

# name -> (higher is better, scoring network, needs labels, kind of number, whether flagged)
EXPECTED = {
    "condition_number": (False, "ntk", False, "floating", True),
    "linear_regions": (True, "thin", False, "integer", False),
    "kernel_regression": (False, "ntk", True, "floating", True),
    "length_distortion": (True, "curve", False, "floating", False),
    "gauss_length": (True, "curve", False, "floating", False),
    "extrinsic_curvature": (True, "curve", False, "floating", False),
}
N = 6
KEY = jax.random.key(0)
pytestmark = pytest.mark.usefixtures("quick_compilation")

CURVES = {name for name, expected in EXPECTED.items() if expected[1] == "curve"}

by_name = pytest.mark.parametrize("name", EXPECTED)


class Small(nn.Module):
    """A convolution, batch statistics, a ReLU and a dense layer."""

    @nn.compact
    def __call__(self, x):
        x = nn.Conv(4, (3, 3), param_dtype=x.dtype)(x)
        x = nn.relu(x - x.mean((0, 1, 2), keepdims=True))
        return nn.Dense(3, param_dtype=x.dtype)(x.mean((1, 2)))


def make(dtype=jnp.float32):
    rng = np.random.default_rng(0)
    batches = [
        Batch(jnp.asarray(rng.normal(size=(N, 4, 4, 1)), dtype), jnp.arange(N) % 3)
        for _ in range(2)
    ]
    batch = batches[0].replace(validation=batches[1])
    network = Network(Small())
    return network, network.init(KEY, batch.images), batch


def value_and_flag(result):
    return result if isinstance(result, tuple) else (result, jnp.zeros((), jnp.int32))


def test_every_metric_is_tested():
    assert set(EXPECTED) == set(METRICS)


@by_name
def test_what_is_said_of_it(name):
    entry = metric(name)
    higher, variant, labels, _, _ = EXPECTED[name]
    assert (entry.higher_is_better, entry.variant, entry.labels) == (higher, variant, labels)
    without = {space for space, variants in NETWORKS.items() if entry.variant not in variants}
    assert without == ({"as_vit"} if name == "linear_regions" else set())  # it has no ReLU
    assert entry.forward == (name in CURVES)
    assert ("curve_points" in entry.options) == (name in CURVES)
    assert "arXiv:" in entry.reference
    assert 1 <= entry.min_images <= N


@by_name
@pytest.mark.parametrize("dtype", ["float32", "float64"])
def test_a_finite_scalar_that_the_key_and_jit_do_not_change(name, dtype):
    _, _, _, kind, flagged = EXPECTED[name]
    with jax.enable_x64(dtype == "float64"):
        network, params, batch = make(dtype)
        fn = metric(name).fn
        results = [fn(network, params, batch, KEY), fn(network, params, batch, KEY)]
        jitted = jax.jit(fn)  # a network and a batch are trees
        results += [jitted(network, params, batch, KEY), jitted(network, params, batch, KEY)]
    assert isinstance(results[0], tuple) == flagged
    values = [value_and_flag(result)[0] for result in results]
    for value, flag in map(value_and_flag, results):
        assert value.shape == flag.shape == () and flag.dtype == jnp.int32
        assert np.isfinite(value) and FLAGS[int(flag)] == "ok"
        assert value.dtype == (dtype if kind == "floating" else jnp.int32)
    assert values[0] == values[1] and values[2] == values[3]
    np.testing.assert_allclose(values[0], values[2], rtol=1e-3 if dtype == "float32" else 1e-9)


@by_name
def test_labels_may_be_missing_where_they_are_not_needed(name):
    network, params, batch = make()
    fn = jax.jit(metric(name).fn)
    if not EXPECTED[name][2]:
        with_labels, _ = value_and_flag(fn(network, params, batch, KEY))
        without, _ = value_and_flag(fn(network, params, Batch(batch.images), KEY))
        assert with_labels == without


@by_name
def test_what_it_needs_beside_the_network_is_said(name):
    """A metric that is given no more than it asks for works, and its options are a protocol's."""
    network, params, batch = make()
    entry = metric(name)
    if not entry.validation:
        batch = batch.replace(validation=None)
    options = {field: getattr(Protocol(), field) for field in entry.options}
    if entry.kernel:
        options["ntk"] = SharedNtk("jacobian")
    value, flag = value_and_flag(entry.fn(network, params, batch, KEY, **options))
    assert np.isfinite(value) and FLAGS[int(flag)] == "ok"
    assert entry.validation <= entry.labels


@by_name
def test_images_and_parameters_decide(name):
    """A metric of a batch is not a constant; that of a curve is one of the parameters alone."""
    network, params, batch = make()
    fn = jax.jit(metric(name).fn)
    first, _ = value_and_flag(fn(network, params, batch, KEY))
    if name in CURVES:
        others = network.init(jax.random.key(1), batch.images)
        assert value_and_flag(fn(network, others, batch, KEY))[0] != first
        return
    same = batch.replace(images=batch.images.at[1:].set(batch.images[:1]))
    value, flag = value_and_flag(fn(network, params, same, KEY))
    # one image N times: a kernel of rank one, and one region
    assert FLAGS[int(flag)] in ("singular", "not positive") or value == 1
    assert value != first


def test_an_unknown_name_is_one_clear_line():
    with pytest.raises(UserError) as caught:
        metric("condition_numbers")
    message = str(caught.value)
    assert "did you mean 'condition_number'" in message
    assert all(name in message for name in METRICS)
