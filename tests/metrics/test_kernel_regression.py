"""Kernel regression against closed forms, and what it refuses."""

import functools

import flax.linen as nn
import jax
import jax.numpy as jnp
import numpy as np
import pytest

from tenas_jax.errors import UserError
from tenas_jax.metrics import Batch, Probe, kernel_regression
from tenas_jax.metrics.kernel_regression import REGRESSION_WEIGHTS, regression
from tenas_jax.networks import Network
from tenas_jax.ntk import FLAGS

N, M, D, C = 6, 5, 8, 3
KEY = jax.random.key(0)
pytestmark = pytest.mark.usefixtures("quick_compilation")


def regress(network, params, batch, **options):
    """Computes E and its flag, by a probe of its own."""
    return kernel_regression(Probe(network, params, batch), **options)


class Linear(nn.Module):
    """Its kernel is C X Xᵀ."""

    @nn.compact
    def __call__(self, x):
        return nn.Dense(C, param_dtype=x.dtype)(x)


class WithCell(nn.Module):
    """A cell behind a fixed product, and a head: the cell's kernel is known by itself."""

    @nn.compact
    def __call__(self, x):
        head = self.param("kernel", nn.initializers.ones_init(), (D, C), x.dtype)
        scale = nn.Dense(1, use_bias=False, param_dtype=x.dtype, name="cell")(x)
        return jnp.broadcast_to(scale, (len(x), C)) + x @ head


def drawn(dtype=jnp.float64, seed=0):
    rng = np.random.default_rng(seed)
    batches = [
        Batch(jnp.asarray(rng.normal(size=(n, D)), dtype), jnp.asarray(rng.integers(0, C, n)))
        for n in (N, M)
    ]
    return batches[0].replace(held_out=batches[1])


def by_hand(kernel, cross, labels, labels2, ridge=0.0):
    """The definition, by an inverse."""
    y, y2 = (np.eye(C)[np.asarray(a)] for a in (labels, labels2))
    y, y2 = y - y.mean(0), y2 - y2.mean(0)
    kernel = kernel + ridge * np.trace(kernel) / len(kernel) * np.eye(len(kernel))
    return np.mean(np.sum((cross @ np.linalg.inv(kernel) @ y - y2) ** 2, axis=1))


@pytest.mark.parametrize(("dtype", "rtol"), [("float64", 1e-10), ("float32", 1e-3)])
@pytest.mark.parametrize("ridge", [0.0, 0.1])
def test_of_a_linear_network(dtype, rtol, ridge):
    with jax.enable_x64(dtype == "float64"):
        batch, network = drawn(dtype), Network(Linear())
        params = network.init(KEY, batch.inputs)
        run = jax.jit(functools.partial(regress, ridge=ridge))
        error, flag = run(network, params, batch)
        x, x2 = (np.asarray(b.inputs, np.float64) for b in (batch, batch.held_out))
        wanted = by_hand(C * x @ x.T, C * x2 @ x.T, batch.targets, batch.held_out.targets, ridge)
        assert FLAGS[int(flag)] == "ok" and error.dtype == dtype
        assert float(error) == pytest.approx(wanted, rel=rtol)


def test_of_the_cells_or_of_all_weights(x64):
    batch, network = drawn(), Network(WithCell())
    params = network.init(KEY, batch.inputs)
    x, x2 = np.asarray(batch.inputs), np.asarray(batch.held_out.inputs)
    labels = batch.targets, batch.held_out.targets
    # The summed logits are C (a · x) + Σ_c x · h_c: both kernels are multiples of X Xᵀ.
    cells, _ = regress(network, params, batch, ridge=0.2)
    assert float(cells) == pytest.approx(by_hand(C**2 * x @ x.T, C**2 * x2 @ x.T, *labels, 0.2))
    only = {"params": params}["params"]
    assert set(only) == {"cell", "kernel"} and set(REGRESSION_WEIGHTS) == {"cells", "all"}
    both, _ = regress(network, params, batch, ridge=0.2, regression_weights="all")
    k = C**2 + C
    assert float(both) == pytest.approx(by_hand(k * x @ x.T, k * x2 @ x.T, *labels, 0.2))


def test_cells_and_all_differ_where_their_kernels_do(x64):
    class Deep(nn.Module):
        @nn.compact
        def __call__(self, x):
            x = jnp.tanh(nn.Dense(7, param_dtype=x.dtype, name="cells_0")(x))
            return nn.Dense(C, param_dtype=x.dtype, name="head")(x)

    batch, network = drawn(), Network(Deep())
    params = network.init(KEY, batch.inputs)
    errors = [
        float(regress(network, params, batch, regression_weights=name)[0])
        for name in REGRESSION_WEIGHTS
    ]

    def kernel(names, x1, x2):
        def logits(some, x):
            return network({**params, **some}, x).sum(-1)

        some = {name: {"kernel": params[name]["kernel"]} for name in names}
        whole = {name: {**params[name], **some[name]} for name in names}
        rows = []
        for x in (x1, x2):
            tree = jax.jacrev(logits)(whole, x)
            rows.append(np.concatenate([tree[n]["kernel"].reshape(len(x), -1) for n in names], 1))
        return rows[0] @ rows[1].T

    for names, error in zip((["cells_0"], ["cells_0", "head"]), errors, strict=True):
        x, x2 = batch.inputs, batch.held_out.inputs
        wanted = by_hand(
            kernel(names, x, x), kernel(names, x2, x), batch.targets, batch.held_out.targets
        )
        assert error == pytest.approx(wanted, rel=1e-6)
    assert errors[0] != pytest.approx(errors[1], rel=1e-3)


def test_a_training_point_is_predicted_exactly_and_a_far_ridge_predicts_the_mean(x64):
    batch, network = drawn(), Network(Linear())
    params = network.init(KEY, batch.inputs)
    itself = batch.replace(held_out=Batch(batch.inputs, batch.targets))
    error, _ = regress(network, params, itself)
    assert float(error) == pytest.approx(0, abs=1e-12)
    shares = np.bincount(batch.held_out.targets, minlength=C) / M
    error, _ = regress(network, params, batch, ridge=1e12)
    assert float(error) == pytest.approx(1 - np.sum(shares**2), rel=1e-9)


def test_a_singular_kernel_is_flagged_and_a_ridge_mends_it(x64):
    batch, network = drawn(), Network(Linear())
    params = network.init(KEY, batch.inputs)
    twice = batch.replace(inputs=batch.inputs.at[1].set(batch.inputs[0]))
    error, flag = regress(network, params, twice)
    assert np.isnan(error) and FLAGS[int(flag)] == "singular"
    error, flag = regress(network, params, twice, ridge=1e-3)
    assert np.isfinite(error) and FLAGS[int(flag)] == "ok"


@pytest.mark.parametrize(
    ("kernel", "flag"),
    [
        (np.diag([1.0, -1.0]), "not positive"),
        (np.array([[1.0, np.nan], [np.nan, 1.0]]), "not finite"),
    ],
)
def test_kernels_that_are_none(kernel, flag):
    y = jnp.eye(2)
    solved = regression(jnp.asarray(kernel, jnp.float32), jnp.eye(2), y, y)
    assert FLAGS[int(solved.flag)] == flag


@pytest.mark.parametrize(
    ("change", "words"),
    [
        ({"held_out": None}, "needs targets, and a held-out batch with targets"),
        ({"targets": None}, "needs targets, and a held-out batch"),
        ({"held_out": Batch(jnp.zeros((M, D)))}, "needs targets, and a held-out batch"),
        (
            {"held_out": Batch(jnp.zeros((M, D + 1)), jnp.zeros(M, int))},
            r"held-out inputs are \(9,\), not \(8,\)",
        ),
    ],
)
def test_batches_on_which_there_is_no_regression(change, words):
    batch, network = drawn(jnp.float32), Network(Linear())
    params = network.init(KEY, batch.inputs)
    with pytest.raises(UserError, match=words):
        regress(network, params, batch.replace(**change))


def test_networks_and_weights_that_do_not_fit():
    class One(nn.Module):
        @nn.compact
        def __call__(self, x):
            return nn.Dense(1)(x)

    batch, network = drawn(jnp.float32), Network(One())
    params = network.init(KEY, batch.inputs)
    with pytest.raises(UserError, match=r"a logit for each class, not outputs \(6, 1\)"):
        regress(network, params, batch)
    network = Network(Linear())
    params = network.init(KEY, batch.inputs)
    with pytest.raises(UserError, match="unknown regression_weights 'cell'.*'cells'"):
        regress(network, params, batch, regression_weights="cell")
