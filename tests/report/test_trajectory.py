"""The way of a search as its state and its records tell it."""

import numpy as np
import pytest

from tenas_jax import spaces
from tenas_jax.errors import UserError
from tenas_jax.report.trajectory import has_trajectory, of_records, of_state

SPACE = spaces.get("nas_bench_201")
K, R, E = METRICS = ("condition_number", "linear_regions", "kernel_regression")
FIRST = "|none~0|+|none~0|none~1|+|none~0|none~1|none~2|"
SECOND = "|none~0|+|none~0|none~1|+|none~0|skip_connect~1|nor_conv_1x1~2|"
NUMBERS = {
    "reinforce": {"entropy": [1.5, 1, 0.5], "reward": [np.nan, 0.25, -0.5]},
    "evolution": {},
    "local_search": {"restarts": [0, 0, 1]},
    "nsga2": {},
}


def record(index: int, kappa, regions=1.0, **more) -> dict:
    flags = {K: ["singular" if kappa is None else "ok"], R: ["ok"]}
    mask = SPACE.to_mask(SPACE.from_index(index)).tolist()
    return {"mask": mask, K: [kappa], R: [regions], "flags": flags, "seconds": 0.5, **more}


def test_a_state_is_what_was_scored_and_the_answers(learner, learned):
    trajectory = of_state(learned(learner), SPACE, METRICS)
    assert trajectory.archs[:2] == [FIRST, SECOND] and len(trajectory.archs) == 4
    np.testing.assert_array_equal(trajectory.values[K], [400, np.nan, 100, 50])
    np.testing.assert_array_equal(trajectory.values[R], [10, 20, 30, 25])
    assert trajectory.bad == 1
    # The answer is the first one once two are scored, and the third once three are.
    assert (trajectory.path.tolist(), trajectory.since.tolist()) == ([0, 2], [2, 3])
    assert [trajectory.answer(n) for n in (1, 2, 3, 4, 99)] == [None, 0, 2, 2, 2]
    assert list(trajectory.front) == ([2, 3] if learner == "nsga2" else [])


def test_the_numbers_of_the_rounds_are_its_own(learner, learned):
    series = of_state(learned(learner), SPACE, METRICS).series()
    numbers = {"diversity": [3, 2, 1.5], **NUMBERS[learner]}
    assert list(series) == list(numbers)
    for name, expected in numbers.items():
        np.testing.assert_array_equal(series[name], expected)


def test_an_answer_that_comes_back_is_a_step_of_its_own(learned):
    state = learned("evolution")
    for entry, best in zip(state["history"], (3, 0, 3), strict=True):
        entry["best"] = best
    trajectory = of_state(state, SPACE, METRICS)
    assert (trajectory.path.tolist(), trajectory.since.tolist()) == ([3, 0, 3], [2, 3, 4])


def test_costs_are_objectives_that_are_no_metrics(learned):
    trajectory = of_state(learned("nsga2", costs=True), SPACE, METRICS)
    assert trajectory.costs == ("parameters", "multiply_adds")
    np.testing.assert_array_equal(trajectory.values["parameters"], [1e6, 2e6, 4e6, 3e6])


@pytest.mark.parametrize("history", [None, []])
def test_a_state_without_rounds_has_no_answers(learned, history):
    state = learned("evolution", history=history)
    trajectory = of_state(state, SPACE, METRICS)
    assert len(trajectory.archs) == 4 and not len(trajectory.path) and trajectory.series() == {}
    del state["history"], state["own"]
    assert of_state(state, SPACE, METRICS).answer(4) is None


def test_which_states_have_one(learned):
    assert has_trajectory(learned("evolution"))
    assert not any(map(has_trajectory, (None, {}, {"done": True, "best": [0]}, {"mask": []})))


@pytest.mark.parametrize(
    "changes, message",
    [
        ({"values": {K: [1.0], R: [1.0] * 4, E: [1.0] * 4}}, f"{K} has 1 values for 4"),
        ({"values": {K: [1.0] * 4}}, f"no values of {R}; it has {K}"),
        ({"own": {"front": [4]}}, "no architecture 4 among 4"),
        ({"history": [{"round": 0, "steps": 1, "scored": 1, "best": -1}]}, "no architecture -1"),
        ({"history": [{"round": 0, "scored": 1, "best": 1}]}, "has no steps"),
        ({"own": {"objectives": {"parameters": [1]}}}, "parameters has 1 values"),
    ],
)
def test_a_state_that_does_not_fit_itself(learned, changes, message):
    with pytest.raises(UserError, match=message):
        of_state(learned("nsga2", **changes), SPACE, METRICS)


def test_records_are_what_was_scored_too():
    supernet = record(0, 1.0) | {"mask": SPACE.supernet().tolist()}
    records = [record(0, 4.0), supernet, record(7, None), record(77, 2.0), record(0, 3.0)]
    incumbents = [(1, FIRST), (2, SECOND), (2, "not scored"), (3, FIRST)]
    trajectory = of_records(records, SPACE, METRICS, incumbents)
    assert trajectory.archs[:2] == [FIRST, SECOND] and len(trajectory.archs) == 3
    np.testing.assert_array_equal(trajectory.values[K], [3, np.nan, 2])  # as it was scored last
    assert np.isnan(trajectory.values[E]).all(), "no record has it"
    assert (trajectory.path.tolist(), trajectory.since.tolist()) == ([0, 1, 0], [1, 2, 3])
    assert of_records(records, SPACE, (K,)).path.size == 0


def test_a_record_that_is_no_score():
    with pytest.raises(UserError, match="no whole|not a whole"):
        of_records([record(0, 1.0) | {"flags": {}}], SPACE, METRICS)
