"""Regularised evolution: who lives, who is a parent, and whose answer it is."""

import numpy as np
import pytest

from tenas_jax.errors import UserError
from tenas_jax.scoring.combining import combine
from tenas_jax.scoring.scores import Score

from .toy import SPACES, Toy, build, run

SPACE = SPACES["nas_bench_201"]


def evolution(**options):
    return build("evolution", **{"population": 6, "tournament": 6, "steps": 20, **options})


def test_the_oldest_dies_and_the_best_of_the_tournament_has_a_child():
    plan, toy = evolution(), Toy(SPACE)
    lives: list[bytes] = []
    for step in range(26):
        masks = plan.ask()
        arch = SPACE.from_mask(masks[0])
        if step >= 6:
            # A tournament of all: the parent is one of the best that live, the child its neighbour.
            sums = combine("rank_sum", plan.scored.goodness(plan._living))
            best = [plan.scored.archs[plan._living[i]] for i in np.flatnonzero(sums == sums.max())]
            assert 1 in [(parent != arch).sum() for parent in best]
        plan.tell(toy(masks))
        lives.append(plan.scored.archs[plan.scored.index(arch)].tobytes())
        living = [a.tobytes() for a in plan._population()]
        assert living == lives[-6:]
        assert plan.scored.archs[plan.history[-1]["best"]].tobytes() in living
    assert plan.done


def test_the_answer_is_of_the_population_at_the_end():
    """The best of all dies of age, and is not the answer."""
    plan = evolution(metrics=("condition_number",))
    masks, worst = [], 1.0
    while not plan.done:
        masks += plan.ask()
        worst += 1
        plan.tell([Score({"condition_number": np.array([worst])}, {"condition_number": ["ok"]})])
    first = SPACE.from_mask(masks[0])
    assert not np.array_equal(plan.result, first)
    best_of_all = plan.scored.archs[plan.scored.best("rank_sum")]
    np.testing.assert_array_equal(best_of_all, first)
    assert plan.scored.index(plan.result) in plan._living


def test_a_small_tournament_is_drawn_from_the_population():
    parents = set()
    for seed in range(40):
        plan = evolution(tournament=1, seed=seed, steps=1)
        toy = Toy(SPACE)
        while plan.steps < 6:
            plan.tell(toy(plan.ask()))
        child = SPACE.from_mask(plan.ask()[0])
        near = [i for i, a in enumerate(plan._population()) if (a != child).sum() == 1]
        parents.update(near)
    assert parents == set(range(6))  # anyone may be a parent


def test_defaults_are_the_published_ones():
    plan = build("evolution")
    assert (plan._size, plan._tournament, plan.steps_limit, plan.batch) == (256, 64, 1000, 1)


def test_diversity_falls_as_it_converges():
    plan = run(build("evolution", population=30, tournament=15, steps=400), Toy(SPACE))
    assert plan.history[-1]["diversity"] < 0.7 * plan.history[29]["diversity"]


@pytest.mark.parametrize(
    ("options", "words"),
    [
        ({"population": 5}, "the population of 5 is smaller than the tournament of 6"),
        ({"tournament": 0}, "tournament is 0; valid: whole numbers from 1"),
        ({"population": 2.5}, "population is 2.5; valid: whole numbers from 1"),
        ({"count": 6}, "count is 6, and the first population takes 6 of it"),
    ],
)
def test_options_that_are_none(options, words):
    with pytest.raises(UserError, match=words):
        evolution(**options)
