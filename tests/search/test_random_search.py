"""Random search: what it asks, and that it takes the best of that."""

import numpy as np
import pytest

from tenas_jax import spaces
from tenas_jax.errors import UserError
from tenas_jax.scoring.presets import protocol
from tenas_jax.scoring.scores import Score
from tenas_jax.search import Budget, strategy
from tenas_jax.search.strategy import Past

from .toy import Memory

SPACE = spaces.get("nas_bench_201")
METRICS = ("condition_number", "linear_regions")


def search_of(count=6, seed=0, **options):
    return strategy("random", SPACE, protocol("reference"), seed=seed, count=count, **options)


def scores_of(kappas, regions):
    ok = {name: ["ok"] for name in METRICS}
    return [
        Score({"condition_number": np.array([k]), "linear_regions": np.array([r])}, ok)
        for k, r in zip(kappas, regions, strict=True)
    ]


def test_it_asks_different_forms_that_only_the_seed_decides():
    masks = search_of(200).ask()
    forms = [SPACE.canonical(SPACE.from_mask(mask)) for mask in masks]
    assert len(set(forms)) == len(forms) == 200
    np.testing.assert_array_equal(masks, search_of(200).ask())
    np.testing.assert_array_equal(masks[:6], search_of(6).ask())
    assert (np.array(search_of(6, seed=1).ask()) != np.array(masks[:6])).any()


def test_the_smallest_rank_sum_wins_and_the_first_of_equals():
    plan = search_of(4)
    archs = [SPACE.from_mask(mask) for mask in plan.ask()]
    # Ranks of κ 2 1 3 4, of regions 3 2 1 4: sums 5 3 4 8.
    plan.tell(scores_of([5.0, 2.0, 6.0, np.nan], [10, 20, 30, 5]))
    assert plan.done and plan.round == 1
    np.testing.assert_array_equal(plan.result, archs[1])
    equal = search_of(3)
    equal.tell(scores_of([1.0, 2.0, 3.0], [1, 2, 3]))  # sums 4 4 4
    np.testing.assert_array_equal(equal.result, archs[0])


def test_incumbents_are_the_best_of_the_first_ones():
    plan = search_of(5)
    assert plan.incumbents == [] and plan.result is None and not plan.done
    archs = [SPACE.from_mask(mask) for mask in plan.ask()]
    plan.tell(scores_of([9.0, 5.0, 7.0, 1.0, 3.0], [1, 5, 3, 9, 7]))
    assert [scored for scored, _ in plan.incumbents] == [1, 2, 4]
    for (_, arch), at in zip(plan.incumbents, (0, 1, 3), strict=True):
        np.testing.assert_array_equal(arch, archs[at])


def test_another_combination():
    """Σ log(rank / m) of the worst-first ranks (5, 1), (3, 3.5), ...: it shuns a bad rank."""
    kappas, regions = [1.0, 3.0, 2.0, 4.0, 5.0], [1, 3, 2, 4, 5]
    by_sum, by_logs = search_of(5), search_of(5, combination="log_rank_sum")
    for plan in (by_sum, by_logs):
        plan.tell(scores_of(kappas, regions))
    archs = [SPACE.from_mask(mask) for mask in by_sum.ask()]
    np.testing.assert_array_equal(by_sum.result, archs[0])  # all sums are equal
    # Ranks of goodness: κ 5 3 4 2 1, regions 1 3 2 4 5: products 5 9 8 8 5.
    np.testing.assert_array_equal(by_logs.result, archs[1])


def test_it_resumes_from_its_state():
    plan, again, memory = search_of(5), search_of(5), Memory(SPACE)
    assert again.state() == {"done": False}
    again.restore(plan.state(), Past())
    assert not again.done
    memory.tell(plan, scores_of([9.0, 5.0, np.nan, 1.0, 3.0], [1, 5, 3, 9, 7]))
    again = memory.resumed(plan, search_of(5))
    np.testing.assert_array_equal(again.result, plan.result)
    assert again.state() == plan.state() == {"done": True}
    for (n, arch), (m, other) in zip(again.incumbents, plan.incumbents, strict=True):
        assert n == m
        np.testing.assert_array_equal(arch, other)
    memory.lines.popitem()
    with pytest.raises(KeyError):
        memory.resumed(plan, search_of(5))


@pytest.mark.parametrize("count", [0, -1, 1.5, True, "3"])
def test_counts_that_are_none(count):
    with pytest.raises(UserError, match="count is .*whole numbers from 1"):
        search_of(count)


def test_more_than_there_are():
    with pytest.raises(UserError, match="hardly more than 5[0-9]{3} forms, not 15625"):
        search_of(15625)


def test_an_unknown_combination_is_told_at_once():
    with pytest.raises(UserError, match="unknown combination 'rank_som'.*'rank_sum'"):
        search_of(combination="rank_som")
    with pytest.raises(UserError, match="unknown combination 'weighted'"):
        search_of(combination="weighted")


class Counted:
    """A budget that admits architectures with at most so many 3x3 convolutions."""

    def __init__(self, most, measures=False):
        self.most, self.measures, self.checked, self.asked = most, measures, 0, 0

    def check(self):
        self.checked += 1

    def admits(self, mask):
        self.asked += 1
        return int((SPACE.from_mask(mask) == 3).sum()) <= self.most


def test_within_a_budget_it_asks_the_same_draws_without_those_over_it():
    budget = Counted(0)
    found = [SPACE.from_mask(mask).tolist() for mask in search_of(30, budget=budget).ask()]
    wanted, forms, rng = [], set(), np.random.default_rng(0)
    while len(wanted) < 30:
        arch = SPACE.sample(rng)
        if not (arch == 3).any() and SPACE.canonical(arch) not in forms:
            wanted.append(arch.tolist())
            forms.add(SPACE.canonical(arch))
    assert found == wanted and budget.checked == 1


def test_what_is_counted():
    """73,306 parameters without convolutions, and 243,040 for each 3x3, 28,000 for each 1x1."""
    budget = Budget(SPACE, parameters=73306 + 243040)
    archs = [SPACE.from_mask(mask) for mask in search_of(40, budget=budget).ask()]
    assert max((arch == 3).sum() * 243040 + (arch == 2).sum() * 28000 for arch in archs) == 243040
    with pytest.raises(UserError, match="parameters is 9, but the least of nas_bench_201 is 73306"):
        search_of(budget=Budget(SPACE, parameters=9))


def test_fewer_within_the_budget_than_asked_for():
    with pytest.raises(UserError, match=r"hardly more than \d+ forms within the budget, or they"):
        search_of(3000, budget=Counted(0))
    with pytest.raises(UserError, match=r"than 0 forms .*rare \(1000 draws in vain\), not 1"):
        search_of(1, budget=Counted(-1))


def test_what_is_measured_is_drawn_when_it_is_asked():
    budget = Counted(1, measures=True)
    plan = search_of(5, budget=budget)
    assert budget.asked == 0 and budget.checked == 1
    masks = plan.ask()
    asked = budget.asked
    np.testing.assert_array_equal(masks, search_of(5, budget=Counted(1)).ask())
    memory = Memory(SPACE)
    memory.tell(plan, scores_of([9.0, 5.0, 7.0, 1.0, 3.0], [1, 5, 3, 9, 7]))
    assert plan.result is not None and budget.asked == asked
    again = memory.resumed(plan, search_of(5, budget=Counted(1, measures=True)))
    np.testing.assert_array_equal(again.result, plan.result)
