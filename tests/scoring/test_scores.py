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
    record = score.to_record()
    assert record["condition_number"] == [1 / 3, None]
    back = Score.from_record(record)
    np.testing.assert_array_equal(back.values["condition_number"], [1 / 3, np.nan])
    assert back.flags == score.flags and back.seconds == 0.5


def test_a_record_gives_gradients_back():
    gradient = np.arange(12.0).reshape(2, 1, 2, 3)
    gradient[1] = np.nan
    score = Score({"a": np.array([1.0, np.nan])}, {"a": ["ok", "singular"]}, 0.5, {"a": gradient})
    record = json.loads(json.dumps(score.to_record(), allow_nan=False))
    np.testing.assert_array_equal(Score.from_record(record).gradients["a"], gradient)
    assert "gradients" not in Score({"a": np.array([1.0])}, {"a": ["ok"]}).to_record()


def test_the_mean_over_repeats_is_bad_if_one_is():
    score = Score({"a": np.array([1.0, 3.0]), "b": np.array([1.0, np.nan])}, {})
    assert score.mean("a") == 2.0 and np.isnan(score.mean("b"))


@pytest.mark.parametrize(
    "record",
    [
        {},
        {"flags": {}, "seconds": 1.0},
        {"flags": {"a": ["ok"]}, "seconds": 1.0},
        {"flags": {"a": ["ok"]}, "seconds": 1.0, "a": []},
        {"flags": {"a": ["ok"]}, "seconds": 1.0, "a": ["x"]},
        {"flags": {"a": ["ok"]}, "seconds": 1.0, "a": 3.0},
        {"flags": {"a": ["ok"]}, "a": [1.0]},
        {"flags": 3, "seconds": 1.0},
        {"flags": {"a": ["ok"]}, "seconds": 1.0, "a": [1.0], "gradients": {"a": [[1.0]]}},
        {"flags": {"a": ["ok"]}, "seconds": 1.0, "a": [1.0], "gradients": {"b": [[[[1.0]]]]}},
    ],
)
def test_what_is_no_score_is_refused(record):
    with pytest.raises(UserError, match="not a whole score"):
        Score.from_record(record)
