"""What a search has scored: forms once each, the best of them, and their diversity."""

import itertools
import json

import numpy as np
import pytest

from tenas_jax import spaces
from tenas_jax.scoring.evaluator import Score
from tenas_jax.search.history import History, diversity

SPACE = spaces.get("nas_bench_201")
METRICS = ("condition_number", "linear_regions")


def score(kappa, regions):
    values = {"condition_number": np.array([kappa]), "linear_regions": np.array([regions])}
    return Score(values, {name: ["ok"] for name in METRICS})


def filled(rows):
    history = History(SPACE, METRICS)
    archs = [SPACE.from_index(2604 * (i + 1) + 7 * i) for i in range(len(rows))]
    places = [history.add(arch, score(*row)) for arch, row in zip(archs, rows, strict=True)]
    assert places == list(range(len(rows)))
    return history


def test_equal_forms_count_once():
    history = History(SPACE, METRICS)
    twins = [
        SPACE.parse("|nor_conv_3x3~0|+|skip_connect~0|none~1|+|none~0|nor_conv_3x3~1|none~2|"),
        SPACE.parse("|nor_conv_3x3~0|+|nor_conv_1x1~0|none~1|+|none~0|nor_conv_3x3~1|none~2|"),
    ]
    assert history.place(twins[0]) is None
    assert [history.add(twin, score(2.0, 3)) for twin in twins] == [0, 0]
    assert len(history) == 1 and history.place(twins[1]) == 0
    np.testing.assert_array_equal(history.archs[0], twins[0])


def test_the_best_of_all_and_of_some():
    # Dense ranks of κ 2 1 0 and regions 1 0 2: sums 3 1 2.
    history = filled([(9.0, 5), (4.0, 7), (2.0, 1)])
    assert history.best("rank_sum") == 1
    assert history.best("rank_sum", [0, 2]) == 0  # sums 1 and 1: the first of equals
    assert history.best("rank_sum", [2, 0]) == 2
    bad = filled([(np.nan, 9), (3.0, 1), (2.0, 2)])
    np.testing.assert_array_equal(bad.goodness()["condition_number"], [np.nan, -3, -2])
    assert bad.best("rank_sum") == 2


def test_incumbents_are_the_best_of_the_first_ones():
    rows = [(9.0, 1), (5.0, 5), (7.0, 3), (1.0, 9), (3.0, 7)]
    history = filled(rows)
    found = history.incumbents("rank_sum")
    assert [scored for scored, _ in found] == [1, 2, 4]
    for scored, arch in found:
        best = filled(rows[:scored])
        np.testing.assert_array_equal(arch, best.archs[best.best("rank_sum")])


def test_it_comes_back_from_its_state():
    history = filled([(9.0, 5), (np.nan, 7), (2.0, 1)])
    again = History(SPACE, METRICS)
    again.restore(json.loads(json.dumps(history.state(), allow_nan=False)))
    assert again.state() == history.state()
    assert [again.place(arch) for arch in history.archs] == [0, 1, 2]
    np.testing.assert_array_equal(again.values["condition_number"], [9.0, np.nan, 2.0])


@pytest.mark.parametrize("space", ["nas_bench_201", "darts"])
def test_diversity_is_the_mean_distance_of_pairs(space):
    archs = spaces.get(space).sample(np.random.default_rng(0), 9)
    pairs = [(a != b).sum() for a, b in itertools.combinations(archs, 2)]
    assert diversity(list(archs)) == pytest.approx(np.mean(pairs))
    assert diversity([archs[0]] * 4) == 0.0 == diversity(archs[:1]) == diversity([])
