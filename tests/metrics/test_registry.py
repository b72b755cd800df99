"""What every metric says of itself and owes its caller, on a small network of our own."""

import functools
import inspect
from typing import NamedTuple

import flax.linen as nn
import jax
import jax.numpy as jnp
import numpy as np
import pytest

from tenas_jax.errors import UserError
from tenas_jax.metrics import (
    METRICS,
    Batch,
    Metric,
    Probe,
    check_needs,
    check_options,
    measure,
    metric,
)
from tenas_jax.metrics.metric import NEEDS, SETTINGS
from tenas_jax.networks import Network, NetworkSpec, blueprints, complete
from tenas_jax.ntk import FLAGS
from tenas_jax.spaces import SPACES


class Said(NamedTuple):
    """A metric in one row; `dtype` is that of its value, None for the parameters' own."""

    higher_is_better: bool
    spec: NetworkSpec = NetworkSpec()
    needs: tuple[str, ...] = ()
    options: tuple[str, ...] = ()
    batch_size: int | None = None
    repeats: int | None = None
    dtype: str | None = None
    flagged: bool = False
    differentiable: bool = False


LOGITS, SMOOTH = NetworkSpec(outputs="logits"), NetworkSpec(smooth=True)
CURVE = Said(True, SMOOTH, ("float_inputs", "forward_mode"), ("curve_points", "basis"))
EXPECTED = {
    "condition_number": Said(False, needs=("kernel",), flagged=True, differentiable=True),
    "linear_regions": Said(
        True, NetworkSpec("patch"), ("relu", "float_inputs"), ("pass_size",), 3000, dtype="int32"
    ),
    "kernel_regression": Said(
        False,
        LOGITS,
        ("kernel", "targets", "held_out", "two_classes", "logits"),
        ("ridge", "regression_weights"),
        flagged=True,
        differentiable=True,
    ),
    "length_distortion": CURVE,
    "gauss_length": CURVE,
    "extrinsic_curvature": CURVE,
    "snip": Said(True, LOGITS, ("targets",), batch_size=64),
}
# Spaces whose networks are not what a metric asks for: a transformer has no ReLUs and no head.
WITHOUT = {("as_vit", name) for name in ("linear_regions", "kernel_regression", "snip")}

N = 6
KEY = jax.random.key(0)
pytestmark = pytest.mark.usefixtures("quick_compilation")
by_name = pytest.mark.parametrize("name", EXPECTED)


class Small(nn.Module):
    """A convolution, batch statistics, a ReLU and a dense layer."""

    @nn.compact
    def __call__(self, x):
        x = nn.Conv(4, (3, 3), param_dtype=x.dtype)(x)
        x = nn.relu(x - x.mean((0, 1, 2), keepdims=True))
        return nn.Dense(3, param_dtype=x.dtype)(x.mean((1, 2)))


def drawn(dtype=jnp.float32):
    """Parameters, the same numbers in each precision, and a batch with a held-out one."""
    rng = np.random.default_rng(0)
    batches = [
        Batch(jnp.asarray(rng.normal(size=(N, 4, 4, 1)), dtype), jnp.arange(N) % 3)
        for _ in range(2)
    ]
    batch = batches[0].replace(held_out=batches[1])
    shapes = jax.eval_shape(lambda: Network(Small()).init(KEY, batch.inputs))
    params = jax.tree.map(lambda leaf: jnp.asarray(rng.normal(size=leaf.shape), dtype), shapes)
    return params, batch


@functools.partial(jax.jit, static_argnums=0)
def value_and_flag(name, params, batch, key=KEY, options=None):
    """Measures in a program of its own, compiled once for a metric and what it is given."""
    return measure(metric(name), Probe(Network(Small()), params, batch, key), **(options or {}))


def test_every_metric_is_tested():
    assert set(EXPECTED) == set(METRICS)
    assert {need for said in EXPECTED.values() for need in said.needs} == set(NEEDS)


@by_name
def test_what_is_said_of_it(name):
    m, said = metric(name), EXPECTED[name]
    for part in ("higher_is_better", "spec", "needs", "options", "batch_size", "repeats"):
        assert getattr(m, part) == getattr(said, part), part
    assert (m.mask_gradient is not None) == said.differentiable
    assert "arXiv:" in m.reference
    assert set(m.option_checks) <= set(m.options)


@by_name
@pytest.mark.parametrize("space", SPACES.values(), ids=SPACES)
def test_the_network_that_it_asks_for(space, name):
    networks = blueprints(space)
    try:
        spec = complete(metric(name).spec, networks, space=space.name)
    except UserError:
        assert (space.name, name) in WITHOUT
    else:
        assert (space.name, name) not in WITHOUT
        assert "relu" not in metric(name).needs or networks[spec.name].relu


@by_name
def test_a_finite_scalar_that_comes_out_again(name):
    values, said = {}, EXPECTED[name]
    plane = np.linalg.qr(np.random.default_rng(1).normal(size=(16, 2)))[0]
    for dtype in ("float32", "float64"):
        with jax.enable_x64(dtype == "float64"):
            params, batch = drawn(dtype)
            # A key draws other planes in another precision.
            options = {"basis": jnp.asarray(plane, dtype)} if said is CURVE else {}
            value, flag = value_and_flag(name, params, batch, KEY, options)
            again, _ = value_and_flag(name, params, batch, KEY, options)
        assert value.shape == flag.shape == () and flag.dtype == jnp.int32
        assert np.isfinite(value) and FLAGS[int(flag)] == "ok" and value == again
        assert value.dtype == (said.dtype or dtype)
        values[dtype] = float(value)
    assert values["float32"] == pytest.approx(values["float64"], rel=1e-3)
    probe = Probe(Network(Small()), *drawn(), KEY)
    with_flag = jax.eval_shape(lambda: metric(name).fn(probe))
    assert isinstance(with_flag, tuple) == said.flagged


@by_name
def test_what_it_does_not_need_may_be_missing(name):
    params, batch = drawn()
    needs = EXPECTED[name].needs
    held_out = batch.held_out if "held_out" in needs else None
    bare = Batch(batch.inputs, batch.targets if "targets" in needs else None, held_out=held_out)
    assert value_and_flag(name, params, bare) == value_and_flag(name, params, batch)


@by_name
def test_inputs_and_parameters_decide(name):
    """A metric of a batch is not a constant; that of a curve is one of the parameters alone."""
    params, batch = drawn()
    first, _ = value_and_flag(name, params, batch)
    other, _ = value_and_flag(name, jax.tree.map(jnp.cos, params), batch)
    assert other != first or name == "linear_regions"
    same = batch.replace(inputs=batch.inputs.at[1:].set(batch.inputs[:1]))
    value, flag = value_and_flag(name, params, same)
    if "kernel" in EXPECTED[name].needs:  # of rank one
        assert np.isnan(value) and FLAGS[int(flag)] in ("singular", "not positive")
    else:
        assert (value == first) == (EXPECTED[name] is CURVE)


@by_name
def test_what_it_needs_and_lacks_is_refused(name):
    m = metric(name)
    check_needs(name, m, dict.fromkeys(NEEDS, True), "all of it")
    check_needs(name, m, {}, "what is not known")
    for need in NEEDS:
        offered = {**dict.fromkeys(NEEDS, True), need: False}
        if need not in m.needs:
            check_needs(name, m, offered, "the rest")
            continue
        with pytest.raises(UserError) as caught:
            check_needs(name, m, offered, "my data")
        wanted = f"{name} needs {NEEDS[need]}; my data does not meet it ({need})"
        assert str(caught.value) == wanted and "\n" not in wanted


@by_name
def test_its_options_are_a_protocols(name):
    m = metric(name)
    parameters = inspect.signature(m.fn).parameters
    check_options(name, m, {option: parameters[option].default for option in m.options})
    check_options(name, m, {"network": "testing", "norms": "on", "batch_size": 7, "repeats": 1})
    for option in (*m.options, *SETTINGS):
        with pytest.raises(UserError) as caught:
            check_options(name, m, {f"{option}x": 1})
        assert f"unknown option of {name} '{option}x' (did you mean '{option}'?)" in str(
            caught.value
        )
        assert all(valid in str(caught.value) for valid in (*m.options, *SETTINGS))


CURVES = [name for name, said in EXPECTED.items() if said is CURVE]


@pytest.mark.parametrize(
    ("names", "option", "values", "words"),
    [
        (["kernel_regression"], "ridge", (-1e-9, np.nan, np.inf, True, "1"), "ridge must be a fi"),
        (["kernel_regression"], "regression_weights", ("cell", None), "unknown regression_weights"),
        (CURVES, "curve_points", (1, 0, 2.5, True), "curve_points must be at least 2, not"),
        (["linear_regions"], "pass_size", (0, -1, 2.5, True), "pass_size must be a whole number"),
        (EXPECTED, "batch_size", (0, 2.5, True), "batch_size of {} must be at least 1, not"),
        (EXPECTED, "repeats", (0, -1, "2"), "repeats of {} must be at least 1, not"),
    ],
)
def test_values_that_options_do_not_take(names, option, values, words):
    for name in names:
        for value in values:
            with pytest.raises(UserError, match=words.format(name)) as caught:
                check_options(name, metric(name), {option: value})
            assert str(value) in str(caught.value) and "\n" not in str(caught.value)


def test_a_number_that_is_not_finite_is_flagged():
    probe = Probe(lambda params, x: x, None, Batch(jnp.ones((2, 3))))
    for wanted in (np.nan, np.inf, -np.inf):
        bad = Metric(lambda probe, wanted=wanted: probe.outputs.sum() * wanted, True, "none")
        value, flag = measure(bad, probe)
        assert np.isnan(value) and FLAGS[int(flag)] == "not finite"
    told = Metric(lambda probe, *, scale=1: (probe.outputs.sum() * scale, 7), True, "none")
    assert measure(told, probe, scale=2) == (12, 7)  # a flag of its own is left alone


def test_unknown_names_are_one_clear_line():
    with pytest.raises(UserError) as caught:
        metric("condition_numbers")
    message = str(caught.value)
    assert "did you mean 'condition_number'" in message and "\n" not in message
    assert all(name in message for name in METRICS)
    with pytest.raises(UserError, match="unknown need of a metric 'target'.*mean 'targets'"):
        Metric(lambda probe: 0, True, "none", needs=("target",))
