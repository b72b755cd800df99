"""What the strategies that learn owe the loop, each of them, on both spaces."""

import importlib
import json

import numpy as np
import pytest

from tenas_jax.errors import UserError
from tenas_jax.search import STRATEGIES, Learner, options_of
from tenas_jax.search.learner import STALLED
from tenas_jax.search.strategy import request_of

from .toy import METRICS, SPACES, Memory, Toy, build, run

# strategy -> options of a small search
SMALL = {
    "reinforce": {"steps": 40},
    "evolution": {"steps": 30, "population": 10, "tournament": 4},
    "local_search": {"steps": 60},
    "nsga2": {"steps": 30, "population": 10},
}
by_name = pytest.mark.parametrize("name", SMALL)
by_space = pytest.mark.parametrize("space", SPACES)


def test_every_strategy_that_learns_is_tested():
    learners = {name for name in STRATEGIES if isinstance(build(name), Learner)}
    assert learners == set(SMALL)


@pytest.mark.parametrize("config", ["tegnas_nas_bench_201", "tegnas_darts_cifar10"])
@pytest.mark.parametrize("name", STRATEGIES)
def test_the_configs_take_every_strategy(config, name):
    config = importlib.import_module(f"configs.{config}").get_config().to_dict()
    plan = build(name, config["space"], **config["strategy_options"])
    assert plan.ask()[0].shape == SPACES[config["space"]].mask_shape


@by_name
@by_space
@pytest.mark.parametrize("batch", [1, 5])
def test_to_its_end(name, space, batch):
    plan, toy = build(name, space, batch=batch, **SMALL[name]), Toy(SPACES[space], bad=(2, 5))
    asked = 0
    while not plan.done:
        assert plan.result is None
        masks = plan.ask()
        np.testing.assert_array_equal(masks, plan.ask())
        assert 1 <= len(masks) <= batch and request_of(plan).draw == 0
        asked += len(masks)
        plan.tell(toy(masks))
    assert asked == plan.steps == SMALL[name]["steps"] + SMALL[name].get("population", 0)
    assert len(plan.scored) == toy.scored
    SPACES[space].check(plan.result)
    for i, arch in enumerate(plan.scored.archs):
        for metric, value in zip(METRICS, toy.values(arch), strict=True):
            found = plan.scored.values[metric][i]
            assert found == value or np.isnan(found)
    assert sum(np.isnan(plan.scored.values["condition_number"])) == 2


@by_name
@by_space
@pytest.mark.parametrize("batch", [1, 4])
def test_resumed_before_every_round_it_ends_the_same(name, space, batch):
    check_resuming(name, space, {"batch": batch, **SMALL[name]})


@pytest.mark.parametrize(
    ("name", "options"),
    [("reinforce", {"reward": "rank"}), ("nsga2", {"costs": ("parameters", "multiply_adds")})],
)
def test_resumed_with_what_grows_with_the_search(counted_once, name, options):
    check_resuming(name, "nas_bench_201", {"batch": 3, **SMALL[name], **options})


def check_resuming(name, space, options):
    whole = run(build(name, space, **options), Toy(SPACES[space], bad=(2, 5)))
    again = lambda: build(name, space, **options)  # noqa: E731
    resumed = run(again(), Toy(SPACES[space], bad=(2, 5)), again)
    assert json.dumps(resumed.state()) == json.dumps(whole.state())
    assert json.dumps(resumed.history) == json.dumps(whole.history)
    np.testing.assert_array_equal(resumed.result, whole.result)
    np.testing.assert_array_equal(resumed.scored.archs, whole.scored.archs)
    assert json.dumps(resumed.scored.values) == json.dumps(whole.scored.values)


@by_name
@pytest.mark.parametrize("options", [{}, {"reward": "rank"}, {"costs": ("parameters",)}])
def test_the_state_does_not_grow_with_the_rounds(name, options):
    """Of 200 rounds it is as long as of 50, but for the digits of numbers and a longer front."""
    if not set(options) <= set(options_of(name)):
        return
    small = {**SMALL[name], "steps": 190, **options}
    plan, toy, lengths = build(name, **small), Toy(SPACES["nas_bench_201"]), []
    while not plan.done:
        plan.tell(toy(plan.ask()))
        lengths.append(len(json.dumps(plan.state())))
    assert len(lengths) >= 190 and len(plan.scored) > 90
    # Recent proposals are kept up to 64, and of local search the neighbours still to look at.
    assert max(lengths) < 1.3 * max(lengths[64:120]) and max(lengths) < 8000
    assert len(json.dumps(plan.history)) > 2.5 * max(lengths)


@by_name
def test_the_seed_decides(name):
    space = SPACES["nas_bench_201"]
    archs = [
        np.array(run(build(name, seed=seed, **SMALL[name]), Toy(space)).scored.archs).tolist()
        for seed in (0, 0, 1)
    ]
    assert archs[0] == archs[1] != archs[2]


@by_name
@pytest.mark.parametrize("batch", [1, 4])
def test_it_ends_after_so_many_scored(name, batch):
    toy = Toy(SPACES["nas_bench_201"])
    options = {**SMALL[name], "steps": 10_000, "count": 21, "batch": batch}
    plan = run(build(name, **options), toy, most=20_000)
    assert toy.scored == len(plan.scored) == 21
    assert plan.incumbents[-1][0] <= 21
    np.testing.assert_array_equal(plan.incumbents[-1][1], plan.result)


@by_name
def test_what_a_round_s_entry_says(name):
    space = SPACES["nas_bench_201"]
    plan, toy = build(name, batch=3, **SMALL[name]), Toy(space)
    while not plan.done:
        masks = plan.ask()
        plan.tell(toy(masks))
        entry = plan.history[-1]
        assert entry["round"] == len(plan.history) - 1 and entry["steps"] == plan.steps
        assert entry["scored"] == toy.scored
        kappas = [score.mean("condition_number") for score in toy(masks)]
        assert entry["condition_number"] == pytest.approx(np.mean(kappas))
        assert 0 <= entry["best"] < toy.scored and 0 <= entry["diversity"] <= 6
        assert entry["proposals"] == [plan.scored.index(space.from_mask(m)) for m in masks]
    best = plan.scored.archs[plan.history[-1]["best"]]
    np.testing.assert_array_equal(best, plan.result)


@by_name
@pytest.mark.parametrize("seed", [0, 1])
def test_it_proposes_better_ones_than_chance(name, seed):
    """Of a sum over edges, which random ones have a mean of 8.4 ± 0.5 in, a hundred of them."""
    space = SPACES["nas_bench_201"]
    options = {"steps": 300, "population": 20, "tournament": 8}
    options = {option: options[option] for option in options if option in options_of(name)}
    plan, toy, proposed = build(name, seed=seed, **options), Toy(space), []
    while not plan.done:
        masks = plan.ask()
        proposed += [1 / toy.values(space.from_mask(mask))[2] - 2 for mask in masks]
        plan.tell(toy(masks))
    draws = space.sample(np.random.default_rng(seed), 2000)
    chance = np.mean([1 / toy.values(arch)[2] - 2 for arch in draws])
    assert chance == pytest.approx(8.4, abs=0.5)
    assert np.mean(proposed[-100:]) > 2 * chance


@by_name
def test_a_state_stays_as_it_was_given(name):
    toy = Toy(SPACES["nas_bench_201"])
    plan, memory = build(name, **SMALL[name]), Memory(toy.space)
    for _ in range(12):
        memory.tell(plan, toy(plan.ask()))
    state, past = plan.state(), memory.past(plan)
    written = json.dumps([state, past.rounds])
    again = build(name, **SMALL[name])
    again.restore(state, past)
    for search in (plan, again):
        for _ in range(5):
            search.tell(toy(search.ask()))
        assert json.dumps([state, past.rounds]) == written


class Few:
    """A budget that admits architectures with no operation of one number."""

    def __init__(self, forbidden):
        self.forbidden, self.checked = forbidden, 0

    def admits(self, mask):
        return not mask[..., self.forbidden].any()

    def check(self):
        self.checked += 1


@by_name
@by_space
def test_nothing_over_budget_is_asked(name, space):
    budget = Few(3)
    plan = build(name, space, budget=budget, **SMALL[name])
    assert budget.checked == 1
    toy = Toy(SPACES[space])
    while not plan.done:
        masks = plan.ask()
        assert all(budget.admits(mask) for mask in masks)
        plan.tell(toy(masks))
    assert budget.admits(SPACES[space].to_mask(plan.result))


def test_a_search_for_new_ones_ends_where_there_are_none(monkeypatch):
    """Only one architecture is admitted: what is proposed is known, and it ends."""
    space = SPACES["nas_bench_201"]
    one = space.from_index(0)
    plan = build("local_search", steps=10_000, count=5)
    monkeypatch.setattr(plan, "_propose", lambda rng, n: [one] * n)
    run(plan, Toy(space), most=STALLED + 10)
    assert len(plan.scored) == 1 and plan.steps == STALLED + 1
    assert plan.state()["stalled"] == STALLED
    np.testing.assert_array_equal(plan.result, one)


def test_a_budget_that_hardly_anything_meets_is_told():
    class Nothing(Few):
        def admits(self, mask):
            return False

    for name, options in SMALL.items():
        plan = build(name, budget=Nothing(0), **options)
        with pytest.raises(UserError, match="1000 proposals in a row were over budget"):
            plan.ask()


@by_name
@pytest.mark.parametrize("option", ["steps", "count", "batch"])
@pytest.mark.parametrize("value", [0, -1, 1.5, True, "3"])
def test_numbers_that_are_none(name, option, value):
    options = SMALL[name] | {option: value}
    with pytest.raises(UserError, match=f"{option} is .*valid: whole numbers from 1"):
        build(name, **options)


@by_name
def test_combinations_that_are_none(name):
    for word in ("rank_som", "weighted"):
        with pytest.raises(UserError, match=f"unknown combination '{word}'"):
            build(name, combination=word, **SMALL[name])
    with pytest.raises(UserError, match="unknown option of strategy .* 'step'"):
        build(name, step=3)


@by_name
def test_a_damaged_state_is_none(name):
    toy, plan = Toy(SPACES["nas_bench_201"]), build(name, **SMALL[name])
    memory = Memory(toy.space)
    while not plan.done:
        memory.tell(plan, toy(plan.ask()))
    memory.lines.popitem()
    with pytest.raises(ValueError, match="the records are not those of the rounds"):
        memory.resumed(plan, build(name, **SMALL[name]))
