"""Kernels and rows of a probe are those that are computed alone, and nothing is computed twice."""

import flax.linen as nn
import jax
import jax.numpy as jnp
import numpy as np
import pytest

from tenas_jax.errors import UserError
from tenas_jax.metrics import Batch, Probe
from tenas_jax.networks import Network
from tenas_jax.ntk import ENGINES, jacobian, ntk

N, D, C = 6, 4, 3
GROUPS = {"all": {}, "cells": {"within": "cell"}, "scales": {"weights": ("scale",)}}
pytestmark = pytest.mark.usefixtures("quick_compilation", "x64")


class Deep(nn.Module):
    """A stem, a cell with a scale, and a head; the names sort differently from that order."""

    @nn.compact
    def __call__(self, x):
        x = jnp.tanh(nn.Dense(4, param_dtype=x.dtype, name="stem")(x))
        x = jnp.tanh(nn.Dense(3, param_dtype=x.dtype, name="cell_0")(x))
        x = nn.LayerNorm(param_dtype=x.dtype, name="cells_1")(x)
        return nn.Dense(C, param_dtype=x.dtype, name="a_head")(x)


def of_vectors() -> Probe:
    rng = np.random.default_rng(0)
    batch = Batch(jnp.asarray(rng.normal(size=(N, D))), jnp.asarray(rng.integers(0, C, N)))
    network = Network(Deep())
    return Probe(network, network.init(jax.random.key(2), batch.inputs), batch)


def close(tree, wanted):
    jax.tree.map(lambda a, b: np.testing.assert_allclose(a, b, rtol=1e-9, atol=1e-12), tree, wanted)


def test_rows_of_some_modules_are_some_of_the_columns():
    probe = of_vectors()
    summed = jax.jit(jax.jacrev(lambda p: probe.model(p, probe.batch.inputs).sum(-1)))
    jac = summed(probe.params)
    own = [jac["cell_0"]["kernel"].reshape(N, -1), jac["cells_1"]["scale"]]
    close(probe.rows(within="cell"), jnp.concatenate(own, axis=1))
    kernels = [jac[name]["kernel"].reshape(N, -1) for name in ("a_head", "cell_0")]
    others = [jac["cells_1"]["scale"], jac["stem"]["kernel"].reshape(N, -1)]
    close(probe.rows(), jnp.concatenate(kernels + others, axis=1))


@pytest.mark.parametrize("engine", ENGINES)
@pytest.mark.parametrize("group", GROUPS)
def test_each_kernel_is_that_of_the_plain_function(engine, group):
    original, some = of_vectors(), GROUPS[group]
    model, x = original.model, original.batch.inputs
    x2 = x[:4] + 1

    @jax.jit
    def both(params, x, x2):
        probe = Probe(model, params, Batch(x), engine=engine, chunk=2)
        kernels = [probe.kernel(*given, **some) for given in ((), (x2,), (x2, x), (None, x2))]
        given = ((x,), (x2,), (x2, x), (x, x2))
        return kernels, [ntk(model, params, *g, engine="jacobian", **some) for g in given]

    close(*both(original.params, x, x2))


def test_a_kernel_of_the_cells_is_that_of_their_rows():
    probe = of_vectors()
    rows = probe.rows(within="cell")
    close(probe.kernel(within="cell"), rows @ rows.T)
    assert not np.allclose(probe.kernel(), rows @ rows.T, rtol=0.1)


class Counted:
    """A model that counts how often it is called."""

    coupled = True

    def __init__(self, probe):
        self.model, self.calls = probe.model, 0

    def __call__(self, params, inputs):
        self.calls += 1
        return self.model(params, inputs)


@pytest.mark.parametrize("engine", ENGINES)
@pytest.mark.parametrize(
    "ask",
    [
        lambda probe: probe.outputs,
        lambda probe: probe.output_shape,
        lambda probe: probe.gradient,
        lambda probe: probe.example_gradients,
        lambda probe: probe.input_gradient,
        lambda probe: probe.rows(),
        lambda probe: probe.kernel(),
        lambda probe: probe.kernel(probe.batch.inputs, weights=("kernel",)),
        lambda probe: probe.kernel(probe.batch.inputs, probe.batch.held_out.inputs),
    ],
    ids="outputs shape gradient examples inputs rows kernel weights cross".split(),
)
def test_nothing_is_computed_twice_in_a_program(engine, ask):
    original, calls = of_vectors(), []
    batch = original.batch.replace(held_out=Batch(original.batch.inputs[:2]))

    @jax.jit
    def program(params, batch):
        model = Counted(original)
        probe = Probe(model, params, batch, engine=engine)
        for _ in range(2):
            ask(probe)
            calls.append(model.calls)
        return probe.outputs

    program(original.params, batch)
    assert calls[0] == calls[1] > 0


def test_kernels_of_some_weights_share_the_rows_of_all(monkeypatch):
    probe, seen, rows = of_vectors(), [], jacobian.rows
    monkeypatch.setattr(jacobian, "rows", lambda *a, **k: seen.append(a[2]) or rows(*a, **k))

    @jax.jit
    def kernels(params, x1, x2):
        shared = Probe(probe.model, params, Batch(x1), engine="jacobian")
        return shared.kernel(), shared.kernel(within="cell"), shared.kernel(x2, x1, within="cell")

    kernels(probe.params, probe.batch.inputs, probe.batch.inputs[:4])
    assert [x.shape for x in seen] == [(N, D), (4, D)]


def two_arrays(params, inputs):
    return inputs, inputs.sum()


@pytest.mark.parametrize(
    ("ask", "words"),
    [
        (lambda p: p.kernel(within="block"), "no parameter in a module block… is named kernel, sc"),
        (lambda p: p.rows(weights=("gain",)), "no parameter is named gain; there are"),
        (lambda p: Probe(two_arrays, p.params, p.batch).kernel(), "one array, not a tuple"),
        (lambda p: Probe(p.model, p.params, p.batch, engine="jacob"), "unknown engine 'jacob'"),
    ],
)
def test_what_is_refused_is_told_in_one_line(ask, words):
    with pytest.raises(UserError, match=words) as caught:
        ask(of_vectors())
    assert "\n" not in str(caught.value)
