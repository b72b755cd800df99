"""What `verify` says of a number."""

import math

import pytest

from experiments.golden import Row
from experiments.verify import BEYOND, KINK, OK, mark


@pytest.mark.parametrize(
    ("value", "at_kink", "word"),
    [
        (1.0009, False, OK),
        (1.0011, False, BEYOND),
        (0.9989, False, BEYOND),
        (1.0009, True, OK),
        (1.0011, True, KINK),
        (math.nan, False, BEYOND),
        (math.nan, True, BEYOND),
    ],
)
def test_the_word_for_a_row(value, at_kink, word):
    assert mark(Row("case", "quantity", value, 1.0, 1.0, at_kink), 1e-3) == word
