"""Kernels that share a Jacobian are those that are computed alone."""

import flax.linen as nn
import jax
import jax.numpy as jnp
import numpy as np
import pytest

from tenas_jax.errors import UserError
from tenas_jax.networks import Network
from tenas_jax.ntk import ENGINES, SharedNtk, jacobian, ntk

pytestmark = pytest.mark.usefixtures("quick_compilation")
GROUPS = {"all": {}, "cells": {"within": "cell"}, "scales": {"weights": ("scale",)}}


class Net(nn.Module):
    """A stem, a cell with a scale, and a head; the names sort differently from that order."""

    @nn.compact
    def __call__(self, x):
        x = jnp.tanh(nn.Dense(4, name="stem")(x.reshape(len(x), -1)))
        x = jnp.tanh(nn.Dense(3, name="cell_0")(x))
        x = nn.LayerNorm(name="cells_1")(x)
        return nn.Dense(2, name="a_head")(x)


@pytest.fixture(scope="module")
def made():
    network = Network(Net())
    x1, x2 = (jax.random.normal(jax.random.key(i), (n, 3, 2)) for i, n in enumerate((5, 4)))
    return network, network.init(jax.random.key(2), x1), x1, x2


@pytest.mark.parametrize("engine", ENGINES)
@pytest.mark.parametrize("group", GROUPS)
def test_each_kernel_is_that_of_the_plain_function(made, engine, group):
    network, params, x1, x2 = made
    shared = SharedNtk(engine, chunk=2)
    for images in ((x1,), (x2, x1), (x1, x2)):
        alone = ntk(network, params, *images, engine="jacobian", **GROUPS[group])
        found = shared(network, params, *images, **GROUPS[group])
        np.testing.assert_allclose(found, alone, rtol=2e-5, atol=1e-5)


def test_the_cells_kernel_is_that_of_the_cells_gradient(made):
    network, params, x1, _ = made

    def logits(cells):
        return network({**params, **cells}, x1).sum(-1)

    cells = {name: params[name] for name in ("cell_0", "cells_1")}
    found = jax.jacrev(logits)(cells)
    rows = [found["cell_0"]["kernel"].reshape(5, -1), found["cells_1"]["scale"]]
    j = jnp.concatenate(rows, axis=1)
    np.testing.assert_allclose(
        SharedNtk("jacobian")(network, params, x1, within="cell"), j @ j.T, rtol=1e-4, atol=1e-6
    )


def test_a_batch_s_jacobian_is_computed_once(made, monkeypatch):
    network, params, x1, x2 = made
    seen, rows = [], jacobian.rows
    monkeypatch.setattr(jacobian, "rows", lambda *a, **k: seen.append(a[2]) or rows(*a, **k))

    @jax.jit
    def kernels(params, x1, x2):
        shared = SharedNtk("jacobian")
        first = shared(network, params, x1), shared(network, params, x1, within="cell")
        return first, shared(network, params, x2, x1, within="cell")

    kernels(params, x1, x2)
    assert len(seen) == 2 and seen[0].shape == x1.shape and seen[1].shape == x2.shape


def test_a_name_that_no_module_has(made):
    network, params, x1, _ = made
    with pytest.raises(UserError, match=r"no parameter in a module block… is named kernel, scale"):
        SharedNtk("jacobian")(network, params, x1, within="block")
    with pytest.raises(UserError, match="unknown engine 'jacob'"):
        SharedNtk("jacob")
