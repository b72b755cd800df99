"""The way of a search as its rounds and its records tell it."""

import numpy as np
import pytest

from tenas_jax import spaces
from tenas_jax.errors import UserError
from tenas_jax.report.trajectory import has_trajectory, of_records
from tenas_jax.scoring.recorder import recorded

SPACE = spaces.get("nas_bench_201")
K, R, E = METRICS = ("condition_number", "linear_regions", "kernel_regression")
FIRST = "|none~0|+|none~0|none~1|+|none~0|none~1|none~2|"
SECOND = "|none~0|+|none~0|none~1|+|skip_connect~0|none~1|none~2|"
NUMBERS = {
    "reinforce": {"entropy": [1.5, 1, 0.5], "reward": [np.nan, 0.25, -0.5]},
    "evolution": {},
    "local_search": {"restarts": [0, 0, 1]},
    "nsga2": {},
}


def test_the_way_is_what_was_scored_and_the_answers(learner, learned):
    trajectory = learned(learner).way()
    assert trajectory.archs[:2] == [FIRST, SECOND] and len(trajectory.archs) == 4
    np.testing.assert_array_equal(trajectory.values[K], [400, np.nan, 100, 50])
    np.testing.assert_array_equal(trajectory.values[R], [10, 20, 30, 25])
    assert trajectory.bad == 1
    # The answer is the first one once two are scored, and the third once three are.
    assert (trajectory.path.tolist(), trajectory.since.tolist()) == ([0, 2], [2, 3])
    assert [trajectory.answer(n) for n in (1, 2, 3, 4, 99)] == [None, 0, 2, 2, 2]
    assert list(trajectory.front) == ([2, 3] if learner == "nsga2" else [])


def test_the_numbers_of_the_rounds_are_its_own(learner, learned):
    series = learned(learner).way().series()
    numbers = {"diversity": [3, 2, 1.5], **NUMBERS[learner]}
    assert list(series) == list(numbers)
    for name, expected in numbers.items():
        np.testing.assert_array_equal(series[name], expected)


def test_an_answer_that_comes_back_is_a_step_of_its_own(learned):
    search = learned("evolution")
    for entry, best in zip(search.rounds, (3, 0, 3), strict=True):
        entry["scored"], entry["best"] = 4, best
    trajectory = search.way()
    assert (trajectory.path.tolist(), trajectory.since.tolist()) == ([3, 0, 3], [4, 4, 4])


def test_costs_are_objectives_that_are_no_metrics(learned):
    trajectory = learned("nsga2", costs=True).way()
    assert trajectory.costs == ("parameters", "multiply_adds")
    np.testing.assert_array_equal(trajectory.values["parameters"], [1e6, 2e6, 4e6, 3e6])


def test_records_beyond_the_last_round_are_left_out(learned):
    search = learned("nsga2", costs=True)
    search.rounds.pop()
    search.front = [2]
    trajectory = search.way()
    assert (
        len(trajectory.archs) == 3
        and len(trajectory.values[K]) == len(trajectory.values["parameters"]) == 3
    )
    assert trajectory.answer(3) == 2 and list(trajectory.front) == [2]


def test_which_rounds_have_one(learned):
    assert has_trajectory(learned("evolution").rounds)
    assert not any(map(has_trajectory, ([], (), [{"round": 0, "mask": []}])))


@pytest.mark.parametrize(
    ("change", "message"),
    [
        (lambda s: s.lines.pop(), "has scored 4 architectures, but records 3"),
        (lambda s: s.lines[0]["scores"].pop(R), f"a record of the search has no values of '{R}'"),
        (lambda s: s.front.append(4), "no architecture 4 among 4"),
        (lambda s: s.rounds[-1].update(best=-1), "no architecture -1"),
        (lambda s: s.rounds[-1].pop("steps"), "has no steps"),
        (lambda s: s.rounds[-1].pop("costs"), "parameters has 3 values for 4"),
    ],
)
def test_what_does_not_fit_itself(learned, change, message):
    search = learned("nsga2", costs=True)
    change(search)
    with pytest.raises(UserError, match=message):
        search.way()


def test_records_are_what_was_scored_too(score_line):
    one = {K: 4.0, R: 1.0}
    supernet = score_line(0, one) | {"encoding": SPACE.supernet().tolist()}
    lines = [
        score_line(0, one), supernet, score_line(25, {K: None, R: 1.0}),
        score_line(77, {K: 2.0, R: 1.0}), score_line(0, {K: 3.0, R: 1.0}),
    ]  # fmt: skip
    records = list(recorded(lines, "run"))
    incumbents = [(1, FIRST), (2, SECOND), (2, "not scored"), (3, FIRST)]
    trajectory = of_records(records, SPACE, METRICS, incumbents)
    assert trajectory.archs[:2] == [FIRST, SECOND] and len(trajectory.archs) == 3
    np.testing.assert_array_equal(trajectory.values[K], [3, np.nan, 2])  # as it was scored last
    assert np.isnan(trajectory.values[E]).all(), "no record has it"
    assert (trajectory.path.tolist(), trajectory.since.tolist()) == ([0, 1, 0], [1, 2, 3])
    assert of_records(records, SPACE, (K,)).path.size == 0
