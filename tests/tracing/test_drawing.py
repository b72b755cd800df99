"""Variables drawn without running the module: the same numbers, whatever the module has."""

import flax.linen as nn
import jax
import jax.numpy as jnp
import numpy as np
import pytest

from tenas_jax.networks.nas_bench_201.scored import NasBench201
from tenas_jax.tracing.drawing import lazy_init

KEY = jax.random.key(3)
pytestmark = pytest.mark.usefixtures("quick_compilation")
HUGE = jax.ShapeDtypeStruct((10**9, 20, 20, 3), jnp.float32)


class Mixed(nn.Module):
    """Parameters, running statistics, dropout, and a parameter shared by two calls."""

    @nn.compact
    def __call__(self, x, train: bool = True):
        dense = nn.Dense(x.shape[-1])
        x = nn.BatchNorm(use_running_average=not train)(dense(nn.relu(dense(x))))
        return nn.Dropout(0.5, deterministic=True)(x) * self.param("gain", nn.initializers.ones, ())


class DataDependent(nn.Module):
    """A parameter that starts as the mean of the first batch."""

    @nn.compact
    def __call__(self, x):
        return x - self.param("mean", lambda key: x.mean(0, keepdims=True) + 1)


def assert_equal(got, wanted):
    assert jax.tree.structure(got) == jax.tree.structure(wanted)
    jax.tree.map(np.testing.assert_array_equal, got, wanted)


def test_every_collection_is_as_init_gives_it():
    x = jnp.ones((4, 5))
    for options in ({}, {"train": False}):
        got = lazy_init(Mixed(), KEY, x, **options)
        assert set(got) == {"params", "batch_stats"}
        assert_equal(got, Mixed().init(KEY, x, **options))


def test_a_scoring_network_is_as_init_gives_it():
    module = NasBench201(channels=2, stages=1)
    x, mask = jnp.ones((2, 4, 4, 3)), jnp.ones((1, 6, 5))
    assert_equal(lazy_init(module, KEY, x, mask), jax.jit(module.init)(KEY, x, mask))


def test_nothing_of_the_size_of_the_input_is_computed():
    got = lazy_init(Mixed(), KEY, HUGE)
    assert got["params"]["Dense_0"]["kernel"].shape == (3, 3)


def test_an_input_counts_as_zeros():
    got = lazy_init(DataDependent(), KEY, jnp.full((4, 2), 7.0))
    np.testing.assert_array_equal(got["params"]["mean"], [[1.0, 1.0]])
