"""Local search: it climbs to an optimum that is known, and starts again."""

import numpy as np

from tenas_jax.scoring.scores import Score

from .toy import SPACES, build

SPACE = SPACES["nas_bench_201"]
REGIONS = ("linear_regions",)


def score(value):
    return Score({"linear_regions": np.array([float(value)])}, {"linear_regions": ["ok"]})


def value(arch):
    """How many 3x3 convolutions the form computes, a number that equal forms share."""
    return SPACE.canonical(arch).count("nor_conv_3x3")


def test_it_looks_at_all_neighbours_and_moves_to_the_best():
    plan = build("local_search", metrics=REGIONS, steps=400)
    current, asked, optima = None, [], []
    while not plan.done:
        [mask] = plan.ask()
        arch = SPACE.from_mask(mask)
        plan.tell([score(value(arch))])
        if current is None:
            current = np.array(plan.scored.archs[plan._current])  # of its form the first seen
            continue
        asked.append(arch)
        wanted = {a.tobytes() for a in SPACE.neighbours(current)}
        assert arch.tobytes() in wanted
        if len(asked) == len(wanted):
            assert {a.tobytes() for a in asked} == wanted
            best = max(map(value, asked))
            if best > value(current):
                current = np.array(plan.scored.archs[plan._current])
                assert value(current) == best
            else:
                optima.append(current)
                current = None
            asked = []
    assert len(optima) == plan.history[-1]["restarts"] >= 2
    for optimum in optima:
        assert value(optimum) >= max(map(value, SPACE.neighbours(optimum)))
    assert value(plan.result) == max(map(value, plan.scored.archs))


def test_an_equal_neighbour_is_no_reason_to_move():
    plan = build("local_search", metrics=REGIONS, steps=60)
    while not plan.done:
        plan.tell([score(7) for _ in plan.ask()])
    # A start and its 24 neighbours, twice, and the third start.
    assert plan.history[-1]["restarts"] == 2 and plan.steps == 60


def test_the_order_of_neighbours_is_drawn():
    orders = []
    for seed in (0, 1):
        plan = build("local_search", metrics=REGIONS, seed=seed, batch=30)
        plan.tell([score(1) for _ in plan.ask()])
        orders.append([mask.tobytes() for mask in plan.ask()])
        assert len(orders[-1]) == 24
    start = SPACE.neighbours(SPACE.from_index(0))
    assert len(start) == 24 and orders[0] != sorted(orders[0])


def test_alone_within_budget_it_starts_again():
    class Only:
        """Admits what has operation numbers of a sum divisible by five: no neighbour has."""

        def admits(self, mask):
            return mask[0].argmax(-1).sum() % 5 == 0

        def check(self):
            pass

    plan = build("local_search", metrics=REGIONS, steps=3, budget=Only(), seed=0)
    seen = []
    while not plan.done:
        seen += (masks := plan.ask())
        plan.tell([score(1) for _ in masks])
    assert len(seen) == 3 and all(Only().admits(mask) for mask in seen)
