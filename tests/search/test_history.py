"""What a search has scored: forms once each, the best of them, and their diversity."""

import itertools
import json

import numpy as np
import pytest

from tenas_jax import spaces
from tenas_jax.scoring.recorder import recorded
from tenas_jax.scoring.scores import Score
from tenas_jax.search.learner import History, diversity

SPACE = spaces.get("nas_bench_201")
METRICS = ("condition_number", "linear_regions")


def score(kappa, regions):
    values = {"condition_number": np.array([kappa]), "linear_regions": np.array([regions])}
    return Score(values, {name: ["ok"] for name in METRICS})


def filled(rows):
    history = History(SPACE, METRICS)
    archs = [SPACE.from_index(2604 * (i + 1) + 7 * i) for i in range(len(rows))]
    indices = [history.add(arch, score(*row)) for arch, row in zip(archs, rows, strict=True)]
    assert indices == list(range(len(rows)))
    return history


def test_equal_forms_count_once():
    history = History(SPACE, METRICS)
    twins = [
        SPACE.parse("|nor_conv_3x3~0|+|skip_connect~0|none~1|+|none~0|nor_conv_3x3~1|none~2|"),
        SPACE.parse("|nor_conv_3x3~0|+|nor_conv_1x1~0|none~1|+|none~0|nor_conv_3x3~1|none~2|"),
    ]
    assert history.index(twins[0]) is None
    assert [history.add(twin, score(2.0, 3)) for twin in twins] == [0, 0]
    assert len(history) == 1 and history.index(twins[1]) == 0
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


def test_it_comes_back_from_records():
    rows = [(9.0, 5), (np.nan, 7), (2.0, 1)]
    history, again = filled(rows), History(SPACE, METRICS)
    lines = [
        {"arch": "", "encoding": SPACE.to_mask(arch).tolist(), "draw": 0, "key": str(i),
         **score(*row).to_record()}
        for i, (arch, row) in enumerate(zip(history.archs, rows, strict=True))
    ]  # fmt: skip
    lines.append({**lines[0], "key": "of its own", **score(1.0, 1).to_record()})  # an equal form
    again.add_records(recorded(json.loads(json.dumps(lines, allow_nan=False)), "memory"))
    np.testing.assert_array_equal(again.archs, history.archs)
    assert json.dumps(again.values) == json.dumps(history.values)
    assert [again.index(arch) for arch in history.archs] == [0, 1, 2]


@pytest.mark.parametrize("space", ["nas_bench_201", "darts"])
def test_diversity_is_the_mean_distance_of_pairs(space):
    archs = spaces.get(space).sample(np.random.default_rng(0), 9)
    pairs = [(a != b).sum() for a, b in itertools.combinations(archs, 2)]
    assert diversity(list(archs)) == pytest.approx(np.mean(pairs))
    assert diversity([archs[0]] * 4) == 0.0 == diversity(archs[:1]) == diversity([])
