"""Budgets against brute force, and what of them a search's config says."""

import json

import numpy as np
import pytest

from tenas_jax import spaces
from tenas_jax.errors import UserError
from tenas_jax.networks.costs import cost_table, costs
from tenas_jax.search import budget as module
from tenas_jax.search.budget import Budget
from tenas_jax.search.latency import LATENCIES
from tenas_jax.search.task import TASK, budget_of, checked

SPACE, DARTS = spaces.get("nas_bench_201"), spaces.get("darts")
LEAST = (73306, 7783040)  # of NAS-Bench-201, without any convolution in a cell
CONV3 = (243040, 35389440)  # what each 3x3 convolution adds
NONE = "|none~0|+|none~0|none~1|+|none~0|none~1|none~2|"


class Clock:
    """A stopwatch for architectures that take the sum of their operations' numbers, and 1."""

    def __init__(self):
        self.asked = []

    def milliseconds(self, arch):
        self.asked.append(np.asarray(arch).tolist())
        return 1.0 + float(np.sum(arch))


@pytest.fixture(scope="module")
def table():
    return cost_table(SPACE)


@pytest.fixture
def counted(table, monkeypatch):
    """Of NAS-Bench-201 the costs are counted once for all tests."""
    monkeypatch.setattr(module, "cost_table", lambda space: table)


@pytest.fixture(scope="module")
def everything():
    """The costs of the whole space, [15625, 2], by `index`."""
    archs = [SPACE.to_string(SPACE.from_index(number)) for number in range(SPACE.size)]
    return np.stack(list(costs(SPACE, archs).values()), -1)


def random_masks(count, seed=0):
    rng = np.random.default_rng(seed)
    masks = []
    for _ in range(count):
        mask = (rng.random(SPACE.mask_shape) < rng.choice([0.3, 0.6])).astype(np.uint8)
        mask |= SPACE.to_mask(SPACE.sample(rng))
        masks.append(mask)
    return masks


def indices(mask):
    """The numbers of all architectures in a mask."""
    found = np.zeros(1, int)
    for row in mask[0]:
        found = (found[:, None] * len(row) + np.flatnonzero(row)).ravel()
    return found


LIMITS = [
    dict(parameters=500_000),
    dict(multiply_adds=60e6),
    dict(parameters=LEAST[0]),
    dict(parameters=400_000, multiply_adds=52e6),
    dict(parameters=1e7, multiply_adds=1e9),
]


@pytest.mark.usefixtures("counted")
@pytest.mark.parametrize("limits", LIMITS)
def test_architectures_within_it_cost_no_more(limits, everything):
    budget, archs = Budget(SPACE, **limits), SPACE.sample(np.random.default_rng(0), 300)
    limit = [limits.get(name, np.inf) for name in ("parameters", "multiply_adds")]
    expected = [bool((everything[SPACE.index(arch)] <= limit).all()) for arch in archs]
    assert [budget.admits(SPACE.to_mask(arch)) for arch in archs] == expected
    budget.check()


@pytest.mark.usefixtures("counted")
@pytest.mark.parametrize("limits", LIMITS)
def test_supernets_within_it_hold_one_that_is(limits, everything):
    budget, masks = Budget(SPACE, **limits), random_masks(60)
    limit = [limits.get(name, np.inf) for name in ("parameters", "multiply_adds")]
    within = (everything <= limit).all(1)
    assert [budget.admits(mask) for mask in masks] == [within[indices(m)].any() for m in masks]


@pytest.mark.usefixtures("counted")
def test_nothing_that_small_is_told_with_the_smallest(everything):
    assert everything.min(0).tolist() == list(LEAST)
    for name, least in zip(("parameters", "multiply_adds"), LEAST, strict=True):
        Budget(SPACE, **{name: least}).check()
        words = f"budget: {name} is {least - 1}, but the least of nas_bench_201 is {least}, of "
        with pytest.raises(UserError) as error:
            Budget(SPACE, **{name: least - 1}).check()
        assert str(error.value) == words + NONE
    with pytest.raises(UserError, match="multiply_adds is 5, but"):
        Budget(SPACE, parameters=1e9, multiply_adds=5).check()


def test_limits_that_are_met_one_by_one_but_not_at_once(monkeypatch):
    """1 + 6 parameters and 9 + 0 multiply-adds, or 1 + 0 and 9 + 12, or mixtures of these."""
    few, many = np.zeros(SPACE.mask_shape), np.full(SPACE.mask_shape, 2.0)
    few[..., 1:], many[..., 1:] = 1.0, 0.0
    made_up = {"parameters": (1.0, few), "multiply_adds": (9.0, many)}
    monkeypatch.setattr(module, "cost_table", lambda space: made_up)
    Budget(SPACE, parameters=3, multiply_adds=17).check()
    for limits in (dict(parameters=3), dict(multiply_adds=16)):
        Budget(SPACE, **limits).check()
    with pytest.raises(UserError) as error:
        Budget(SPACE, parameters=3, multiply_adds=16).check()
    arch = "|none~0|+|none~0|none~1|+|none~0|skip_connect~1|skip_connect~2|"
    assert str(error.value) == (
        "budget: multiply_adds is 16, but the least of nas_bench_201 with at most 3 parameters is "
        f"17, of {arch}"
    )


@pytest.mark.usefixtures("counted")
def test_a_supernet_takes_the_time_of_its_leanest_and_an_architecture_its_own():
    clock = Clock()
    budget = Budget(SPACE, milliseconds=7.0, stopwatch=clock)
    assert budget.admits(SPACE.supernet())  # six times skip_connect, whose number is 1
    assert clock.asked == [[[1] * 6]]
    only = SPACE.supernet()
    only[..., 1] = 0  # the pools, of number 4, are next: 25 ms
    assert not budget.admits(only)
    slow = np.array([[0, 0, 0, 0, 3, 4]], np.int8)
    assert not budget.admits(SPACE.to_mask(slow))
    assert clock.asked[-1] == slow.tolist()
    budget.check()
    assert clock.asked[-1] == [[0] * 6]


@pytest.mark.usefixtures("counted")
def test_the_leanest_is_of_those_within_the_other_limits(monkeypatch):
    """The fewest multiply-adds have operation 1, which has too many parameters; then 2, then 3."""
    parts = {"parameters": [0, 9, 5, 1, 0], "multiply_adds": [9, 0, 1, 2, 9]}
    made_up = {n: (0.0, np.broadcast_to(np.array(p, float), (1, 6, 5))) for n, p in parts.items()}
    monkeypatch.setattr(module, "cost_table", lambda space: made_up)
    clock = Clock()
    budget = Budget(SPACE, parameters=34, milliseconds=99, stopwatch=clock)
    assert budget.admits(np.ones(SPACE.mask_shape, np.uint8))
    # Six 2s have 30 parameters and 6 multiply-adds. A 1 in place of a 2 saves one for 4 parameters,
    # of which there are 4; and a 1 and a 3 in place of two 2s cost nothing. So 5 is the least, and
    # of those that have it with all 34 parameters this is the first.
    assert clock.asked == [[[1, 1, 1, 2, 3, 3]]]


@pytest.mark.usefixtures("counted")
def test_a_time_that_nothing_takes():
    with pytest.raises(UserError) as error:
        Budget(SPACE, milliseconds=0.5, stopwatch=Clock()).check()
    assert str(error.value) == (
        f"budget: milliseconds is 0.5, but the least of nas_bench_201 is 1, of {NONE}"
    )


def test_an_architecture_is_not_counted_where_times_alone_are_limited(monkeypatch):
    monkeypatch.setattr(module, "cost_table", None)
    budget = Budget(DARTS, milliseconds=20, stopwatch=Clock())
    arch = DARTS.from_index(0)  # sixteen times skip_connect
    assert budget.admits(DARTS.to_mask(arch))
    assert not budget.admits(DARTS.to_mask(DARTS.from_index(DARTS.size - 1)))


@pytest.mark.usefixtures("counted")
def test_costs_of_an_architecture():
    arch = np.array([[3, 0, 1, 3, 4, 0]], np.int8)
    found = {
        name: least + 2 * more
        for name, least, more in zip(("parameters", "multiply_adds"), LEAST, CONV3, strict=True)
    }
    assert Budget(SPACE, parameters=1).costs(arch) == found
    timed = Budget(SPACE, milliseconds=1, stopwatch=Clock())
    assert timed.costs(arch) == {**found, "milliseconds": 12.0}


@pytest.mark.parametrize("name", ["parameters", "multiply_adds", "milliseconds"])
@pytest.mark.parametrize("value", [0, -1, np.nan, np.inf, "5", True, [1]])
def test_limits_that_are_none(name, value):
    with pytest.raises(UserError, match=f"{name} is .*; valid: finite numbers above 0"):
        Budget(SPACE, **{name: value})


def test_a_budget_without_limits():
    with pytest.raises(UserError, match="no limit; valid: parameters, multiply_adds, millisec"):
        Budget(SPACE)


def config(**budget):
    fields = dict.fromkeys(TASK) | {"tensorboard": False}
    unset = dict.fromkeys(("parameters", "multiply_adds", "milliseconds", "size")) | {"batch": 1}
    return {**fields, "budget": unset | budget}


def test_a_config_without_limits_is_that_from_before_there_were_budgets():
    before = {name: value for name, value in config().items() if name != "budget"}
    given = config()
    assert checked(given) == checked(before) == checked({**before, "budget": None}) == before
    assert "budget" in given and budget_of(before, SPACE, "nowhere") is None
    limited = checked(config(parameters=5e5))
    assert limited == config(parameters=5e5)
    assert checked({**before, "budget": {"parameters": 5e5}}) == limited


def test_configs_of_the_command_have_all_fields_of_a_budget():
    from configs import tenas_nas_bench_201

    fields = tenas_nas_bench_201.get_config().to_dict()
    assert fields["budget"] == config()["budget"]
    assert "budget" not in checked(fields)


@pytest.mark.parametrize(
    ("budget", "mistake"),
    [
        (dict(parameter=5), "unknown field of budget 'parameter' .did you mean 'parameters'"),
        (dict(batch=2), "budget.batch is 2, but budget.milliseconds sets no limit"),
        (dict(parameters=5.0, size="depth=1"), "budget.size is 'depth=1', but budget.milli"),
    ],
)
def test_budgets_of_a_config_that_are_none(budget, mistake):
    with pytest.raises(UserError, match=mistake):
        checked(config(**budget))


def test_the_budget_of_a_config(tmp_path):
    counted = budget_of(checked(config(parameters=5e5, multiply_adds=1e8)), SPACE, tmp_path)
    assert counted.limits == dict(parameters=5e5, multiply_adds=1e8) and not counted.measures
    counted.keep()
    text = SPACE.to_string(SPACE.from_index(5))
    (tmp_path / LATENCIES).write_text(json.dumps({"arch": text, "milliseconds": 3.5}) + "\n")
    timed = checked(config(milliseconds=4.0, batch=8, size="channels=2,depth=1"))
    budget = budget_of(timed, SPACE, tmp_path)
    assert budget.measures and budget.stopwatch.batch == 8
    assert budget.stopwatch.size == dict(channels=2, depth=1)
    assert budget.admits(SPACE.to_mask(SPACE.from_index(5)))
    with pytest.raises(UserError, match="size is 'depth'; valid"):
        budget_of(checked(config(milliseconds=4.0, size="depth")), SPACE, tmp_path)
