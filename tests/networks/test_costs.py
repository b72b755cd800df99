"""Closed forms of parameters and multiply-adds, against counts of traced networks."""

import itertools
import sys
import types
from pathlib import Path

import numpy as np
import pandas as pd
import pytest

from tenas_jax import spaces
from tenas_jax.benchmarks import Table
from tenas_jax.errors import UserError
from tenas_jax.networks.costs import cheapest, cost, cost_table, costs
from tenas_jax.networks.counts import count
from tenas_jax.networks.trained import derived
from tenas_jax.spaces import Darts
from tenas_jax.spaces.as_vit.space import CHOICES

SPACE, DARTS = spaces.get("nas_bench_201"), spaces.get("darts")
GOLDEN = Path(__file__).parents[1] / "golden" / "nas_bench_201_counts.csv"
SMALL = {
    "nas_bench_201": dict(channels=4, depth=1),
    "darts": dict(channels=4, depth=3),
    "as_vit": dict(hidden=8),
}
# How many architectures are counted, of which sizes: the default ones, small ones, and others in
# which every field and both sides of the image differ.
SIZES = [
    ("nas_bench_201", 2, {}),
    ("nas_bench_201", 12, SMALL["nas_bench_201"]),
    ("nas_bench_201", 4, dict(channels=3, depth=2, dropout=0.5, classes=7, image=(12, 20, 1))),
    ("darts", 2, {}),
    ("darts", 16, SMALL["darts"]),
    ("darts", 3, dict(channels=6, depth=1, classes=4, image=(6, 10, 2))),
    ("darts", 3, dict(channels=2, depth=2, image=(8, 8, 3))),
    ("darts", 3, dict(channels=6, depth=5, stem="imagenet", auxiliary=True, image=(224, 256, 1))),
    ("as_vit", 3, {}),
    ("as_vit", 16, SMALL["as_vit"]),
    # the last stage would be 1088 wide, but is 1024
    ("as_vit", 3, dict(hidden=136, depths=[2, 1, 3, 1], classes=7, image=(64, 96, 1))),
]
BIASES = 10  # of the classifier: `flops_m` counts each as a multiply-add


def sample(space, count, seed=0):
    return [space.to_string(arch) for arch in space.sample(np.random.default_rng(seed), count)]


def one_by_one(space, archs, *, image=(32, 32, 3), classes=10, **size):
    networks = [derived(space.name, space.parse(a), classes=classes, **size) for a in archs]
    counts = [count(network, image) for network in networks]
    return [[each.parameters for each in counts], [each.macs for each in counts]]


def in_millions(totals):
    """As the benchmark writes them: six digits."""
    columns = zip(totals["parameters"], totals["multiply_adds"] + BIASES, strict=True)
    return [[f"{value / 1e6:.6g}" for value in row] for row in columns]


def published(frame):
    return [[f"{value:.6g}" for value in row] for row in frame[["params_m", "flops_m"]].values]


@pytest.mark.parametrize(("name", "drawn", "size"), SIZES)
def test_closed_forms_are_what_counting_gives(name, drawn, size):
    space = spaces.get(name)
    archs = sample(space, drawn)
    totals = costs(space, archs, **size)
    assert list(totals) == ["parameters", "multiply_adds"]
    np.testing.assert_array_equal(list(totals.values()), one_by_one(space, archs, **size))
    table = cost_table(space, **size)
    rows = [cost(table, space.to_mask(space.parse(arch))) for arch in archs]
    assert rows == [
        dict(zip(totals, row, strict=True)) for row in zip(*totals.values(), strict=True)
    ]


@pytest.fixture(scope="module")
def tables():
    """Space -> its table, of small networks."""
    return {name: cost_table(spaces.get(name), **size) for name, size in SMALL.items()}


def held(space, mask):
    """Every architecture in a mask, in the order of `index`."""
    keeps, parts = space.inputs_per_node, {}
    for cell, edge, operation in np.argwhere(mask).tolist():
        part = (cell, space.edges[edge][0] if keeps else edge)
        parts.setdefault(part, []).append((cell, edge, operation))
    ways = [itertools.combinations(part, keeps or 1) for part in parts.values()]
    archs = []
    for way in itertools.product(*ways):
        chosen = [option for part in way for option in part]
        if len({option[:2] for option in chosen}) == len(chosen):  # no edge is there twice
            arch = np.zeros(mask.shape[:2], np.int8)
            for cell, edge, operation in chosen:
                arch[cell, edge] = operation
            archs.append(space.check(arch))
    return sorted(archs, key=space.index)


NODES = {"nas_bench_201": 3, "darts": 3, "as_vit": 7}


def some_mask(space, rng):
    """A mask of an architecture, and of up to three other operations on edges into some nodes."""
    mask = space.to_mask(space.sample(rng))
    for node in rng.permutation(sorted({target for target, _ in space.edges}))[: NODES[space.name]]:
        into = [i for i, (target, _) in enumerate(space.edges) if target == node]
        for _ in range(3):
            mask[rng.integers(space.cells), rng.choice(into), rng.integers(1, mask.shape[-1])] = 1
    return mask & space.options


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
@pytest.mark.parametrize("name", spaces.SPACES)
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
    sums, leanest = cheapest(space, table, mask)
    assert {tuple(s): a.tolist() for s, a in zip(sums, leanest, strict=True)} == front
    assert len(sums) == len(front)


@pytest.mark.parametrize("name", spaces.SPACES)
def test_a_mask_without_architectures_has_no_cheapest(name, tables):
    space = spaces.get(name)
    mask = space.supernet()
    edges = [i for i, (target, _) in enumerate(space.edges) if target == space.edges[0][0]]
    mask[0, edges[0]] = 0  # the first node of either space needs all of its edges
    sums, archs = cheapest(space, tables[name], mask)
    assert sums.shape == (0, 2) and len(archs) == 0


def test_an_edge_counts_whichever_it_is_and_wherever_it_leads():
    """By hand: in five cells of each of 16, 32 and 64 channels, on 32, 16 and 8 pixels a side."""
    expected = {
        "nor_conv_1x1": [5 * sum(c * c + 2 * c for c in (16, 32, 64)), 15 * 16 * 16 * 32**2],
        "nor_conv_3x3": [5 * sum(9 * c * c + 2 * c for c in (16, 32, 64)), 135 * 16 * 16 * 32**2],
        "skip_connect": [0, 0],
        "avg_pool_3x3": [0, 0],
    }
    empty = np.zeros((1, len(SPACE.edges)), np.int8)
    options = list(itertools.product(range(len(SPACE.edges)), expected))
    single = [empty.copy() for _ in options]
    for arch, (edge, operation) in zip(single, options, strict=True):
        arch[0, edge] = SPACE.operations.index(operation)
    archs = [SPACE.to_string(arch) for arch in [empty, *single]]
    totals = np.array(list(costs(SPACE, archs).values()))
    more = (totals[:, 1:] - totals[:, :1]).T
    np.testing.assert_array_equal(more, [expected[operation] for _, operation in options])


def test_published_counts():
    frame = pd.read_csv(GOLDEN)
    assert len(set(frame["arch"])) == 50
    assert in_millions(costs(SPACE, frame["arch"])) == published(frame)


def test_the_whole_table(accuracy_table):
    table = Table.load(accuracy_table, SPACE)
    totals = in_millions(costs(SPACE, table.archs))
    columns = {name: table.column(name) for name in ("params_m", "flops_m")}
    known = np.isfinite(columns["params_m"])
    assert known.sum() == 15625 - 11
    expected = published(pd.DataFrame(columns)[known])
    assert list(itertools.compress(totals, known)) == expected


def test_no_architectures_and_none_of_the_space():
    assert [len(column) for column in costs(SPACE, []).values()] == [0, 0]
    with pytest.raises(UserError, match="nope"):
        costs(SPACE, ["|nope~0|+|none~0|none~1|+|none~0|none~1|none~2|"])


@pytest.mark.parametrize(
    ("name", "size", "words"),
    [
        ("nas_bench_201", dict(channel=3), "unknown size field of nas_bench_201 'channel'"),
        ("nas_bench_201", dict(depth=0), "depth is 0"),
        ("nas_bench_201", dict(image=(30, 32, 3)), "images of 30 x 32 do not fit"),
        ("darts", dict(image=(32, 30, 3)), "images of 32 x 30 do not fit"),
        ("darts", dict(auxiliary=True, image=(28, 28, 3)), "multiples of 4 from 32"),
        ("as_vit", dict(image=(48, 48, 3)), "S1 is 8, but images of 48 x 48"),
        ("as_vit", dict(hidden=180), "hidden is 180; valid: multiples of 8, for which"),
    ],
)
def test_sizes_and_images_that_networks_do_not_take(name, size, words):
    with pytest.raises(UserError, match=words):
        cost_table(spaces.get(name), **size)


def test_a_space_says_where_its_networks_are(monkeypatch):
    class Elsewhere(Darts):
        networks = "made_up"

    module = types.ModuleType("made_up.trained")
    monkeypatch.setitem(sys.modules, "made_up.trained", module)
    message = "of darts are unknown; valid: .*cost_table, here in made_up.trained"
    with pytest.raises(UserError, match=message):
        cost_table(Elsewhere())
    prices = np.arange(2 * 14 * 8 * 2).reshape(2, 14, 8, 2)
    module.cost_table = lambda network, image: (np.array([3, image[0]]), prices)
    table = cost_table(Elsewhere())
    assert [constant for constant, _ in table.values()] == [3, 32]
    np.testing.assert_array_equal(table["multiply_adds"][1], prices[..., 1])


def test_a_space_without_closed_forms_and_one_whose_module_is_broken(monkeypatch, tmp_path):
    class Broken(Darts):
        name = "broken"
        networks = None

    with pytest.raises(UserError, match="broken has no networks that are trained"):
        costs(Broken(), [])
    (tmp_path / "broken_networks").mkdir()
    (tmp_path / "broken_networks" / "trained.py").write_text("import nowhere_to_be_seen\n")
    monkeypatch.syspath_prepend(tmp_path)
    Broken.networks = "broken_networks"
    with pytest.raises(ModuleNotFoundError, match="nowhere_to_be_seen"):
        costs(Broken(), [])
