"""A score and its record."""

import json

import numpy as np
import pytest

from tenas_jax.errors import UserError
from tenas_jax.scoring.scores import Score


def test_a_record_gives_the_score_back():
    score = Score(
        {"condition_number": np.array([1 / 3, np.nan])},
        {"condition_number": ["ok", "singular"]},
        0.5,
    )
    record = json.loads(json.dumps(score.to_record(), allow_nan=False))
    own = {"values": [1 / 3, None], "flags": ["ok", "singular"]}
    assert record == {"scores": {"condition_number": own}, "seconds": 0.5}
    back = Score.from_record(record | {"arch": "beside"})
    np.testing.assert_array_equal(back.values["condition_number"], [1 / 3, np.nan])
    assert back.flags == score.flags and back.seconds == 0.5
    assert score.bad == back.bad == 1


@pytest.mark.parametrize("name", ["seconds", "flags", "scores", "values", "arch", "gradients", ""])
def test_a_metric_may_have_any_name(name):
    gradient = np.arange(6.0).reshape(1, 1, 2, 3)
    score = Score({name: np.array([2.5]), "b": np.array([1.0])}, {name: ["ok"], "b": ["ok"]}, 0.5,
                  {name: gradient})  # fmt: skip
    back = Score.from_record(json.loads(json.dumps(score.to_record())))
    assert back.values == score.values and back.flags == score.flags and back.seconds == 0.5
    assert list(back.gradients) == [name] and (back.gradients[name] == gradient).all()


def test_a_record_gives_gradients_back():
    gradient = np.arange(12.0).reshape(2, 1, 2, 3)
    gradient[1] = np.nan
    score = Score({"a": np.array([1.0, np.nan])}, {"a": ["ok", "singular"]}, 0.5, {"a": gradient})
    record = json.loads(json.dumps(score.to_record(), allow_nan=False))
    np.testing.assert_array_equal(Score.from_record(record).gradients["a"], gradient)
    without = Score({"a": np.array([1.0])}, {"a": ["ok"]}).to_record()
    assert "gradients" not in without["scores"]["a"]


def test_the_mean_over_repeats_is_bad_if_one_is():
    score = Score({"a": np.array([1.0, 3.0]), "b": np.array([1.0, np.nan])}, {})
    assert score.mean("a") == 2.0 and np.isnan(score.mean("b"))


def test_metrics_may_have_repeats_of_their_own():
    values = {"a": np.array([1.0]), "b": np.array([1.0, np.nan, 4.0])}
    score = Score(values, {"a": ["ok"], "b": ["ok", "singular", "ok"]}, 0.5)
    back = Score.from_record(json.loads(json.dumps(score.to_record())))
    assert {name: len(own) for name, own in back.values.items()} == {"a": 1, "b": 3}
    assert back.mean("a") == 1 and np.isnan(back.mean("b")) and back.bad == 1


def of(**score) -> dict:
    return {"scores": {"a": score}, "seconds": 1.0}


@pytest.mark.parametrize(
    "record",
    [
        {},
        {"scores": {}, "seconds": 1.0},
        {"scores": {"a": {"values": [1.0], "flags": ["ok"]}}},
        {"scores": 3, "seconds": 1.0},
        {"scores": {"a": [1.0]}, "seconds": 1.0},
        {"flags": {"a": ["ok"]}, "seconds": 1.0, "a": [1.0]},  # of the first format
        of(flags=["ok"]),
        of(values=[1.0]),
        of(values=[], flags=[]),
        of(values=[], flags=["ok"]),
        of(values=["x"], flags=["ok"]),
        of(values=3.0, flags=["ok"]),
        of(values=[[1.0]], flags=["ok"]),
        of(values=[1.0], flags=["ok"], gradients=[[1.0]]),
        of(values=[1.0], flags=["ok"], gradients=[[[[1.0]]], [[[1.0]]]]),
    ],
)
def test_what_is_no_score_is_refused(record):
    with pytest.raises(UserError, match="not a whole score"):
        Score.from_record(record)
