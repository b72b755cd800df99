"""Parameters and multiply-adds of many architectures, against counts of single networks."""

import functools
import itertools
from pathlib import Path

import numpy as np
import pandas as pd
import pytest

from tenas_jax import spaces
from tenas_jax.benchmarks import Table
from tenas_jax.errors import UserError
from tenas_jax.networks import costs as module
from tenas_jax.networks.costs import cheapest, cost, cost_table, costs
from tenas_jax.networks.trained import DERIVED, count, derived
from tenas_jax.spaces.as_vit.space import CHOICES

SPACE, DARTS = spaces.get("nas_bench_201"), spaces.get("darts")
GOLDEN = Path(__file__).parents[2] / "golden" / "nas_bench_201_counts.csv"
SMALL = {
    "nas_bench_201": dict(channels=4, depth=1),
    "darts": dict(channels=4, depth=3),
    "as_vit": dict(hidden=8),
}
DRAWN = {"nas_bench_201": 32, "darts": 32, "as_vit": 45}  # enough that some are not counted
BIASES = 10  # of the classifier: `flops_m` counts each as a multiply-add


def sample(space, count, seed=0):
    return [space.to_string(arch) for arch in space.sample(np.random.default_rng(seed), count)]


def one_by_one(space, archs, **size):
    networks = [derived(space.name, space.parse(a), classes=10, **size) for a in archs]
    found = [count(network, (32, 32, 3)) for network in networks]
    return [[each.parameters for each in found], [each.macs for each in found]]


def in_millions(found):
    """As the benchmark writes them: six digits."""
    columns = zip(found["parameters"], found["multiply_adds"] + BIASES, strict=True)
    return [[f"{value / 1e6:.6g}" for value in row] for row in columns]


def published(frame):
    return [[f"{value:.6g}" for value in row] for row in frame[["params_m", "flops_m"]].values]


@pytest.fixture
def counted(monkeypatch):
    """The architectures that are counted, in order."""
    found, count_one = [], module._counted

    def counting(space, array):
        found.append(space.to_string(array))
        return count_one(space, array)

    monkeypatch.setattr(module, "_counted", counting)
    return found


@pytest.mark.parametrize("name", DERIVED)
def test_many_are_what_counting_each_gives(name, counted, monkeypatch):
    """Of small networks, whose counts depend on the architecture in the same ways."""
    size = SMALL[name]
    monkeypatch.setattr(module, "derived", functools.partial(derived, **size))
    space = spaces.get(name)
    archs = sample(space, 1, seed=1) * 25 + sample(space, DRAWN[name])  # the first rows are one
    found = costs(space, archs)
    assert list(found) == ["parameters", "multiply_adds"]
    assert len(counted) == {"nas_bench_201": 25, "darts": 20, "as_vit": 34}[name]
    assert len(set(counted)) == len(counted)
    rows = [row for row, arch in enumerate(archs) if arch not in counted]
    expected = one_by_one(space, [archs[row] for row in rows], **size)
    np.testing.assert_array_equal([column[rows] for column in found.values()], expected)


@pytest.fixture(scope="module")
def tables():
    """Space -> its table; of small networks, whose costs depend on operations in the same ways."""
    found = {}
    for name, size in SMALL.items():
        with pytest.MonkeyPatch.context() as patch:
            patch.setattr(module, "derived", functools.partial(derived, **size))
            found[name] = cost_table(spaces.get(name))
    return found


def held(space, mask):
    """Every architecture in a mask, in the order of `index`."""
    keeps, parts = space.inputs_per_node, {}
    for cell, edge, operation in np.argwhere(mask).tolist():
        part = (cell, space.edges[edge][0] if keeps else edge)
        parts.setdefault(part, []).append((cell, edge, operation))
    ways = [itertools.combinations(places, keeps or 1) for places in parts.values()]
    found = []
    for way in itertools.product(*ways):
        chosen = [place for places in way for place in places]
        if len({place[:2] for place in chosen}) == len(chosen):  # no edge is there twice
            arch = np.zeros(mask.shape[:2], np.int8)
            for cell, edge, operation in chosen:
                arch[cell, edge] = operation
            found.append(space.check(arch))
    return sorted(found, key=space.index)


NODES = {"nas_bench_201": 3, "darts": 3, "as_vit": 7}


def some_mask(space, rng):
    """A mask of an architecture, and of up to three other operations on edges into some nodes."""
    mask = space.to_mask(space.sample(rng))
    for node in rng.permutation(sorted({target for target, _ in space.edges}))[: NODES[space.name]]:
        into = [i for i, (target, _) in enumerate(space.edges) if target == node]
        for _ in range(3):
            mask[rng.integers(space.cells), rng.choice(into), rng.integers(1, mask.shape[-1])] = 1
    return mask & space.options


@pytest.mark.parametrize("name", DERIVED)
def test_a_table_gives_what_counting_gives(name, tables):
    space = spaces.get(name)
    archs = space.sample(np.random.default_rng(7), 12)
    found = [cost(tables[name], space.to_mask(arch)) for arch in archs]
    expected = one_by_one(space, [space.to_string(arch) for arch in archs], **SMALL[name])
    assert [[f[key] for f in found] for key in ("parameters", "multiply_adds")] == expected


def test_what_operations_cost_by_hand(tables):
    """One cell in each stage, of 4, 8 and 16 channels on 32, 16 and 8 pixels a side."""
    parameters, multiply_adds = (array for _, array in tables["nas_bench_201"].values())
    norm = 2 * (4 + 8 + 16)
    assert (parameters == [0, 0, 336 + norm, 9 * 336 + norm, 0]).all()
    assert (multiply_adds == [0, 0, 3 * 4 * 4 * 32**2, 27 * 4 * 4 * 32**2, 0]).all()
    costs_nothing = [DARTS.operations.index(n) for n in ("none", "avg_pool_3x3", "max_pool_3x3")]
    for _, array in tables["darts"].values():
        assert not array[..., costs_nothing].any() and not array[0, :, 1].any()
        assert (array[1, :2, 1] > 0).all()  # it halves the sides with convolutions
        assert (array[..., 2:6] > 0).all()


def test_what_choices_cost_by_hand(tables):
    """Stages of 8, 16, 32 and 64 channels on grids of 8, 4, 2 and 1 a side; heads cost nothing."""
    rows = list(CHOICES)
    parameters, multiply_adds = (array[0] for _, array in tables["as_vit"].values())
    for array in (parameters, multiply_adds):
        assert not array[:, 0].any() and not array[~spaces.get("as_vit").options[0]].any()
        assert not array[rows.index("heads")].any()
    taps = np.array([k * k - 16 for k in CHOICES["K1"]])
    assert (parameters[rows.index("K1")] == taps * 3 * 8).all()
    assert (multiply_adds[rows.index("K1")] == taps * 3 * 8 * 64).all()
    taps = np.array([k * k - 4 for k in CHOICES["K3"]])
    assert (
        parameters[rows.index("K3"), :3] == taps * 16 * (32 + 2)
    ).all()  # and a norm of the taps
    assert (multiply_adds[rows.index("K3"), :3] == taps * 16 * 32 * 4).all()
    # From 2 x 2 windows of 16 tokens to 4 x 4 of 4 and 8 x 8 of 1: q kᵀ and its product with v.
    assert (multiply_adds[rows.index("S1"), :3] == 2 * 64 * 8 * np.array([0, 4 - 16, 1 - 16])).all()
    assert not parameters[rows.index("S1")].any()
    more = np.arange(5)
    assert (parameters[rows.index("E2")] == more * (2 * 16 * 16 + 16)).all()
    assert (multiply_adds[rows.index("E2")] == more * 2 * 16 * 16 * 16).all()


@pytest.mark.parametrize("seed", range(6))
@pytest.mark.parametrize("name", DERIVED)
def test_the_cheapest_of_a_mask_by_brute_force(name, seed, tables):
    """With prices of their own, so that one cost and the other disagree, and there are ties."""
    space, rng = spaces.get(name), np.random.default_rng(seed)
    table = {
        name: (float(constant), rng.integers(0, 5, space.mask_shape).astype(float))
        for constant, name in enumerate(tables[name])
    }
    mask = some_mask(space, rng)
    archs = held(space, mask)
    assert 10 < len(archs) < 2000
    points = np.array([list(cost(table, space.to_mask(arch)).values()) for arch in archs])
    front = {}
    for arch, point in zip(archs, points, strict=True):
        below = (points <= point).all(1) & (points < point).any(1)
        if not below.any():
            front.setdefault(tuple(point), arch.tolist())
    sums, found = cheapest(space, table, mask)
    assert {tuple(s): a.tolist() for s, a in zip(sums, found, strict=True)} == front
    assert len(sums) == len(front)


@pytest.mark.parametrize("name", DERIVED)
def test_a_mask_without_architectures_has_no_cheapest(name, tables):
    space = spaces.get(name)
    mask = space.supernet()
    edges = [i for i, (target, _) in enumerate(space.edges) if target == space.edges[0][0]]
    mask[0, edges[0]] = 0  # the first node of either space needs all of its edges
    sums, archs = cheapest(space, tables[name], mask)
    assert sums.shape == (0, 2) and len(archs) == 0


@pytest.mark.parametrize("name", DERIVED)
def test_alone_and_repeated_it_is_counted_once(name, counted):
    space = spaces.get(name)
    archs = sample(space, 1, seed=3) * 3
    found = np.array(list(costs(space, archs).values()))
    assert counted == archs[:1]
    np.testing.assert_array_equal(found, np.repeat(one_by_one(space, archs[:1]), 3, axis=1))


def test_an_edge_counts_whichever_it_is_and_wherever_it_leads():
    """By hand: in five cells of each of 16, 32 and 64 channels, on 32, 16 and 8 pixels a side."""
    expected = {
        "nor_conv_1x1": [5 * sum(c * c + 2 * c for c in (16, 32, 64)), 15 * 16 * 16 * 32**2],
        "nor_conv_3x3": [5 * sum(9 * c * c + 2 * c for c in (16, 32, 64)), 135 * 16 * 16 * 32**2],
        "skip_connect": [0, 0],
        "avg_pool_3x3": [0, 0],
    }
    empty = np.zeros((1, len(SPACE.edges)), np.int8)
    places = list(itertools.product(range(len(SPACE.edges)), expected))
    single = [empty.copy() for _ in places]
    for arch, (edge, operation) in zip(single, places, strict=True):
        arch[0, edge] = SPACE.operations.index(operation)
    found = np.array(list(costs(SPACE, [SPACE.to_string(a) for a in [empty, *single]]).values()))
    more = (found[:, 1:] - found[:, :1]).T
    np.testing.assert_array_equal(more, [expected[operation] for _, operation in places])


def test_published_counts():
    frame = pd.read_csv(GOLDEN)
    assert in_millions(costs(SPACE, frame["arch"])) == published(frame)


def test_the_whole_table(accuracy_table):
    table = Table.load(accuracy_table, SPACE)
    found = in_millions(costs(SPACE, table.archs))
    columns = {name: table.column(name) for name in ("params_m", "flops_m")}
    known = np.isfinite(columns["params_m"])
    assert known.sum() == 15625 - 11
    expected = published(pd.DataFrame(columns)[known])
    assert list(itertools.compress(found, known)) == expected


def test_no_architectures_and_none_of_the_space(monkeypatch):
    assert [len(column) for column in costs(SPACE, []).values()] == [0, 0]
    with pytest.raises(UserError, match="nope"):
        costs(SPACE, ["|nope~0|+|none~0|none~1|+|none~0|none~1|none~2|"])
    monkeypatch.delitem(DERIVED, "darts")
    with pytest.raises(UserError, match="unknown space 'darts'"):
        costs(DARTS, sample(DARTS, 1))
