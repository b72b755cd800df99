"""What the flags of a rank study say."""

import pytest

from experiments.scoring_flags import parse_weights
from tenas_jax.errors import UserError


def test_weights_as_they_are_written():
    assert parse_weights(None) is None and parse_weights([]) is None
    assert parse_weights(["a=1", "b=-2.5"]) == {"a": 1.0, "b": -2.5}
    for words in (["a"], ["a=b"], ["=1x"]):
        with pytest.raises(UserError, match="is not NAME=NUMBER"):
            parse_weights(words)
    with pytest.raises(UserError, match="'a' is given two weights"):
        parse_weights(["a=1", "a=1"])
