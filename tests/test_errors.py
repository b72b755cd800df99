"""What a user sees who mistypes a name."""

import pytest

from tenas_jax.errors import UserError, lookup, unknown

TABLE = {"jacobian": 1, "neural_tangents": 2}


def test_a_known_name_is_looked_up():
    assert lookup("engine", TABLE, "neural_tangents") == 2


def test_a_near_miss_is_answered_with_the_nearest_name():
    with pytest.raises(UserError) as caught:
        lookup("engine", TABLE, "jacobain")
    assert str(caught.value) == (
        "unknown engine 'jacobain' (did you mean 'jacobian'?); valid: jacobian, neural_tangents"
    )


def test_without_a_near_miss_only_the_valid_names_are_listed():
    with pytest.raises(UserError) as caught:
        lookup("engine", TABLE, "xyz")
    assert str(caught.value) == "unknown engine 'xyz'; valid: jacobian, neural_tangents"


def test_names_need_not_be_strings():
    assert str(unknown("seed", 3, [1, 2])) == "unknown seed 3; valid: 1, 2"
    with pytest.raises(UserError, match="unknown engine None"):
        lookup("engine", TABLE, None)


def test_a_user_error_is_a_value_error():
    assert issubclass(UserError, ValueError)
