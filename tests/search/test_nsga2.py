"""NSGA-II: fronts by brute force, who survives, and what it refuses."""

import importlib.util

import numpy as np
import pytest

from tenas_jax.errors import UserError
from tenas_jax.networks.costs import costs

from .toy import SPACES, Toy, build, run

SPACE = SPACES["nas_bench_201"]


def nsga2(**options):
    return build("nsga2", **{"population": 8, "steps": 40, **options})


def undominated(rows):
    """Indices of rows, smaller is better, that no other row dominates."""
    rows = np.asarray(rows, float)
    return [
        i
        for i, row in enumerate(rows)
        if not any((other <= row).all() and (other < row).any() for other in rows)
    ]


def objectives_of(plan):
    """[K, objectives], smaller is better, a bad one infinite."""
    values = plan.scored.values
    signs = {"condition_number": 1, "kernel_regression": 1, "linear_regions": -1}
    columns = [signs[name] * np.array(column) for name, column in values.items()]
    columns += [np.array(column) for column in plan._costs.values()]
    return np.where(np.isfinite(np.stack(columns, 1)), np.stack(columns, 1), np.inf)


@pytest.mark.parametrize("batch", [1, 8])
@pytest.mark.parametrize("costs_of", [(), ("parameters",)])
def test_the_front_is_that_of_all_that_was_scored(batch, costs_of):
    plan, toy = nsga2(batch=batch, costs=costs_of), Toy(SPACE, bad=(3, 4, 11))
    while not plan.done:
        plan.tell(toy(plan.ask()))
        assert plan.state()["own"]["front"] == undominated(objectives_of(plan))
        assert plan.history[-1]["front"] == len(plan.state()["own"]["front"])
    assert plan.scored.index(plan.result) in plan.state()["own"]["front"]
    assert all(list(entry.get("costs", ())) == list(costs_of) for entry in plan.history)
    if costs_of:
        names = [SPACE.to_string(arch) for arch in plan.scored.archs]
        told = [number for entry in plan.history for number in entry["costs"]["parameters"]]
        np.testing.assert_array_equal(told, costs(SPACE, names)["parameters"])


def test_the_best_by_front_and_crowding_survive():
    plan = nsga2(population=3, steps=3)
    kappas, regions = [1.0, 2.0, 2.1, 4.0], [1.0, 5.0, 5.05, 9.0]  # one front, the middle crowded
    plan.scored.values["condition_number"] = kappas
    plan.scored.values["linear_regions"] = regions
    plan.scored.values["kernel_regression"] = [1.0] * 4
    plan.scored.archs = [SPACE.from_index(i) for i in range(4)]
    ranks = plan._ranks([0, 1, 2, 3])
    assert set(np.flatnonzero(ranks < 2)) == {0, 3}  # the ends come first
    plan.scored.values["condition_number"] = [1.0, 2.0, 9.0, 4.0]
    plan.scored.values["linear_regions"] = [9.0, 5.0, 1.0, 5.0]  # each dominated by the one before
    assert list(plan._ranks([0, 1, 2, 3])) == [0, 1, 3, 2]
    assert plan._ranks([2, 3]).tolist() == [1, 0]


@pytest.mark.parametrize("space", SPACES)
def test_children_are_of_two_parents_but_for_one_change(space):
    own = SPACES[space]
    plan, toy = build("nsga2", space, population=6, steps=60), Toy(own)
    while not plan.done:
        masks = plan.ask()
        if plan.steps >= 6:
            child = own.from_mask(masks[0])
            own.check(child)
            parents = plan._population()
            best = min(
                sum(
                    not any((child[group] == parent[group]).all() for parent in pair)
                    for group in plan._groups()
                )
                for pair in ((a, b) for a in parents for b in parents)
            )
            assert best <= 1
        plan.tell(toy(masks))


def test_a_child_has_edges_of_both_parents():
    plan, rng = nsga2(), np.random.default_rng(0)
    plan.scored.archs = [np.full((1, 6), 1, np.int8), np.full((1, 6), 3, np.int8)]
    plan._living = [0, 1]
    children = [plan._child(np.array([0, 1]), rng) for _ in range(200)]
    shares = [((child == 1).sum(), (child == 3).sum()) for child in children]
    assert any(ones >= 2 and threes >= 2 for ones, threes in shares)
    assert all(ones + threes >= 5 for ones, threes in shares)  # but for one change


def test_a_bad_value_is_behind_the_largest_one():
    """Also where it is so large that 1 more would be the same number."""
    plan = nsga2(metrics=("condition_number", "linear_regions"))
    plan.scored.values["condition_number"] = [1e17, np.nan]
    plan.scored.values["linear_regions"] = [3.0, 3.0]
    assert plan._fronts([0, 1]) == [[0], [1]]


def test_it_spreads_further_than_one_number_does():
    """By two metrics that disagree, the front it finds dominates that of random ones."""
    metrics = ("condition_number", "linear_regions")
    plan = run(build("nsga2", metrics=metrics, population=20, steps=300), Toy(SPACE))
    random = build("random", metrics=metrics, count=len(plan.scored))
    toy = Toy(SPACE)
    rows = [toy.values(SPACE.from_mask(mask))[:2] for mask in random.ask()]
    rows = [(kappa, -regions) for kappa, regions in rows]
    found = objectives_of(plan)[plan.state()["own"]["front"]]
    theirs = np.array(rows)[undominated(rows)]
    beaten = [any((f <= row).all() and (f < row).any() for f in found) for row in theirs]
    back = [any((row <= f).all() and (row < f).any() for row in theirs) for f in found]
    assert np.mean(beaten) > np.mean(back)


@pytest.mark.parametrize(
    ("options", "words"),
    [
        ({"population": 1}, "population is 1; valid: whole numbers from 2"),
        ({"count": 8}, "count is 8, and the first population takes 8 of it"),
        ({"costs": ("flops",)}, "unknown cost 'flops'.*parameters, multiply_adds"),
        ({"metrics": ("condition_number",)}, "needs two objectives; condition_number is one"),
    ],
)
def test_options_that_are_none(options, words):
    with pytest.raises(UserError, match=words):
        nsga2(**options)


def test_without_pymoo_it_says_what_to_install(monkeypatch):
    find = importlib.util.find_spec
    monkeypatch.setattr(
        importlib.util, "find_spec", lambda name, *rest: None if name == "pymoo" else find(name)
    )
    with pytest.raises(UserError, match=r"nsga2 needs pymoo: pip install 'tenas_jax\[pareto\]'"):
        nsga2()


def test_one_metric_and_a_cost_are_two_objectives():
    plan = run(nsga2(metrics=("condition_number",), costs="multiply_adds", steps=5), Toy(SPACE))
    assert objectives_of(plan).shape == (len(plan.scored), 2)
    assert list(plan.history[0]["costs"]) == ["multiply_adds"]
