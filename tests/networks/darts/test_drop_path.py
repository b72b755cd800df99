"""Branches that are dropped in training, and dropout."""

import flax.linen as nn
import jax
import jax.numpy as jnp
import numpy as np
import pytest
from flax.errors import InvalidRngError

from tenas_jax import spaces
from tenas_jax.errors import UserError
from tenas_jax.networks.darts.trained_cell import Cell
from tenas_jax.networks.layers.trained import Classifier, drop_path
from tenas_jax.networks.trained import derived

SPACE = spaces.get("darts")
KEY = jax.random.key(0)


@pytest.fixture(scope="module", autouse=True)
def _quick(quick_compilation):
    pass


def row(*pairs):
    """A cell's row of (operation, target, source)."""
    numbers = [0] * len(SPACE.edges)
    for operation, target, source in pairs:
        numbers[SPACE.edges.index((target, source))] = SPACE.operations.index(operation)
    return tuple(numbers)


def cell_row(first, others="skip_connect"):
    """`first` on 2<-0, and `others` on the other seven edges."""
    edges = [(2, 1), (3, 0), (3, 1), (4, 0), (4, 1), (5, 0), (5, 1)]
    return row((first, 2, 0), *((others, *edge) for edge in edges))


def test_what_is_dropped_is_an_image_of_a_branch_and_the_mean_stays():
    x = np.ones((4000, 2, 3, 2), np.float32)
    out = np.asarray(drop_path(x, 0.25, KEY)).reshape(len(x), -1)
    assert (out == out[:, :1]).all()
    np.testing.assert_allclose(np.unique(out), [0, 1 / 0.75], rtol=1e-6)
    assert abs((out[:, 0] == 0).mean() - 0.25) < 0.03  # four standard deviations
    assert abs(out.mean() - 1) < 0.04


def test_rate_zero_leaves_everything_and_the_rate_does_not_recompile():
    traces = []

    @jax.jit
    def run(x, rate):
        traces.append(rate)
        return drop_path(x, rate, KEY)

    x = jax.random.normal(KEY, (64, 1, 1, 1))
    np.testing.assert_array_equal(run(x, 0.0), x)
    dropped = [int((run(x, rate) == 0).sum()) for rate in (0.2, 0.9)]
    assert 0 < dropped[0] < 32 < dropped[1]
    assert len(traces) == 1


def test_it_keeps_the_dtype():
    assert drop_path(jnp.ones((2, 1, 1, 1), jnp.bfloat16), 0.5, KEY).dtype == jnp.bfloat16


def test_a_dropped_branch_leaves_the_identity_beside_it():
    """Node 2 is a dropped pooling of the first input plus the second input, undropped."""
    cell = Cell(cell_row("max_pool_3x3"), 2, jnp.float32)
    x = np.random.default_rng(0).normal(size=(32, 4, 4, 2)).astype(np.float32)
    variables = cell.init(KEY, x, x, train=True)

    @jax.jit
    def run(rate):
        return cell.apply(
            variables, x, x, True, rate, rngs={"drop_path": KEY},
            mutable=["batch_stats", "intermediates"],
            capture_intermediates=lambda module, _: isinstance(module, nn.Module),
        )  # fmt: skip

    out, state = run(0.5)
    second = np.asarray(state["intermediates"]["second"]["__call__"][0])
    (pooled,) = state["intermediates"]["edge_2_0"]["__call__"]
    factors = []
    for node, identity, branch in zip(out[..., :2], second, np.asarray(pooled), strict=True):
        factors.append(0 if np.allclose(node, identity, atol=1e-5) else 2)
        np.testing.assert_allclose(node, identity + factors[-1] * branch, atol=1e-4)
    assert set(factors) == {0, 2}
    kept, _ = run(0.0)
    np.testing.assert_allclose(kept[..., :2], second + np.asarray(pooled), atol=1e-5)


def random_draws(cell, train=True, rate=0.5, side=4):
    """How often a cell's program draws random numbers: once for each operation that may drop."""
    x = jnp.zeros((1, side, side, 2))
    variables = jax.eval_shape(lambda: cell.init(KEY, x, x, train=True))
    jaxpr = jax.make_jaxpr(
        lambda v, rate: cell.apply(
            v, x, x, train, rate, rngs={"drop_path": KEY}, mutable=["batch_stats"]
        )
    )(variables, rate)
    return count_draws(jaxpr.jaxpr)


def count_draws(jaxpr):
    total = 0
    for equation in jaxpr.eqns:
        total += equation.primitive.name == "random_bits"
        inner = (getattr(value, "jaxpr", value) for value in equation.params.values())
        total += sum(count_draws(program) for program in inner if hasattr(program, "eqns"))
    return total


@pytest.mark.parametrize(
    "operation, reduction, dropped",
    [
        ("skip_connect", False, 0),
        ("skip_connect", True, 8),  # with stride 2 it has weights
        ("sep_conv_3x3", False, 8),
        ("avg_pool_3x3", False, 8),
    ],
)
def test_all_but_identities_may_drop(operation, reduction, dropped):
    cell = Cell(cell_row(operation, operation), 2, jnp.float32, reduction=reduction)
    assert random_draws(cell) == dropped


def test_nothing_drops_in_inference():
    cell = Cell(cell_row("max_pool_3x3"), 2, jnp.float32)
    assert random_draws(cell) == 1
    assert random_draws(cell, train=False) == 0


def test_the_network_hands_the_rate_to_its_cells():
    """Python's 0 needs no key, any other rate one; in inference neither does."""
    rows = cell_row("sep_conv_3x3", "max_pool_3x3")
    module = derived("darts", np.array([rows, rows]), classes=2, channels=2, depth=1)
    images = jnp.zeros((2, 4, 4, 3))
    variables = jax.eval_shape(lambda: module.init(KEY, images, train=True))

    def run(train, rate, **rngs):
        return jax.eval_shape(
            lambda v: module.apply(v, images, train, rate, rngs=rngs, mutable=["batch_stats"]),
            variables,
        )

    run(True, 0.0), run(False, 0.3), run(True, 0.3, drop_path=KEY)
    with pytest.raises(InvalidRngError, match="drop_path"):
        run(True, 0.3)


@pytest.mark.parametrize("space, cells", [("darts", 2), ("nas_bench_201", 1)])
@pytest.mark.parametrize("rate", [-0.1, 1, 1.5, float("nan")])
def test_a_rate_that_is_none_is_refused(space, cells, rate):
    rows = [cell_row("max_pool_3x3")] * 2 if cells == 2 else [[3] * 6]
    module = derived(space, np.array(rows), classes=2, channels=2, depth=1)
    with pytest.raises(UserError, match="drop_path is .*valid: a number from 0 to below 1"):
        jax.eval_shape(lambda: module.init(KEY, jnp.zeros((1, 4, 4, 3)), True, rate))


def test_dropout_drops_features_in_training_only():
    head = Classifier(3, 0.5)
    x = jnp.ones((4, 2, 2, 64))
    variables = head.init(KEY, x, train=False)
    still = head.apply(variables, x, train=False)
    first, second = (
        head.apply(variables, x, train=True, rngs={"dropout": jax.random.key(k)}) for k in (0, 1)
    )
    assert not np.allclose(first, still) and not np.allclose(first, second)


@pytest.mark.parametrize("space", ["nas_bench_201", "darts"])
def test_networks_hand_dropout_to_their_head(space):
    rows = [[1] * 6] if space == "nas_bench_201" else [cell_row("max_pool_3x3")] * 2
    module = derived(space, np.array(rows), classes=2, channels=2, depth=1, dropout=0.5)
    images = jnp.zeros((2, 4, 4, 3))
    variables = jax.eval_shape(lambda: module.init(KEY, images, train=False))
    with pytest.raises(InvalidRngError, match="dropout"):  # it asks for a key, so it drops
        jax.eval_shape(
            lambda v: module.apply(v, images, train=True, mutable=["batch_stats"]), variables
        )
