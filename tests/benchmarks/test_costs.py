"""Parameters and multiply-adds of many architectures, against counts of single networks."""

from pathlib import Path

import numpy as np
import pandas as pd
import pytest

from tenas_jax import spaces
from tenas_jax.benchmarks import Table
from tenas_jax.benchmarks.costs import costs
from tenas_jax.errors import UserError
from tenas_jax.networks.derived import count, derived

SPACE = spaces.get("nas_bench_201")
GOLDEN = Path(__file__).parents[1] / "golden" / "nas_bench_201_counts.csv"


def one_by_one(space, archs):
    found = [count(derived(space.name, space.parse(a), classes=10), (32, 32, 3)) for a in archs]
    return [[each.parameters for each in found], [each.macs for each in found]]


def test_sums_are_what_counting_each_gives():
    archs = [SPACE.to_string(arch) for arch in SPACE.sample(np.random.default_rng(0), 6)]
    found = costs(SPACE, archs)
    np.testing.assert_array_equal(list(found.values()), one_by_one(SPACE, archs))
    assert list(found) == ["parameters", "multiply_adds"]
    alone = costs(SPACE, archs[:1])
    assert [v.tolist() for v in alone.values()] == [v[:1].tolist() for v in found.values()]


def test_published_counts():
    published = pd.read_csv(GOLDEN)
    found = costs(SPACE, published["arch"])
    np.testing.assert_allclose(found["parameters"] / 1e6, published["params_m"], atol=6e-6)
    np.testing.assert_allclose(found["multiply_adds"] / 1e6, published["flops_m"], atol=1e-3)


def test_the_whole_table(accuracy_table):
    table = Table.load(accuracy_table, SPACE)
    found = costs(SPACE, table.archs)
    for name, column, off in (("parameters", "params_m", 6e-6), ("multiply_adds", "flops_m", 1e-3)):
        published = table.column(column)
        known = np.isfinite(published)
        assert known.sum() == 15625 - 11
        # flops_m also counts the ten additions of the classifier's bias.
        np.testing.assert_allclose(found[name][known] / 1e6, published[known], atol=off)


def test_a_space_whose_edges_depend_on_each_other():
    darts = spaces.get("darts")
    arch = darts.to_string(darts.sample(np.random.default_rng(0)))
    found = costs(darts, [arch])
    np.testing.assert_array_equal(list(found.values()), one_by_one(darts, [arch]))


def test_no_architectures_and_none_of_the_space():
    assert [len(column) for column in costs(SPACE, []).values()] == [0, 0]
    with pytest.raises(UserError):
        costs(SPACE, ["|nope~0|"])
