"""Pairs of commands."""

import numpy as np
import pytest

from experiments.pair import interval, measured
from tenas_jax.errors import UserError


def test_the_number_is_what_the_output_says_or_the_seconds():
    assert measured("echo took 2.5 s; echo 1e-3 >&2", [r"took ([0-9.]+)", r"(1e-\d)"]) == [
        2.5,
        1e-3,
    ]
    [seconds] = measured("sleep 0.1", None)
    assert 0.1 < seconds < 30


@pytest.mark.parametrize(
    ("command", "words"),
    [("exit 3", "status 3 of 'exit 3': no word"), ("echo two", "has nothing like 'took'")],
)
def test_a_command_that_says_no_number(command, words):
    with pytest.raises(UserError, match=words):
        measured(command, ["took"])


def test_the_interval_holds_the_median_and_narrows():
    ratios = np.linspace(0.8, 1.2, 41)
    low, high = interval(ratios)
    assert 0.8 < low < 1.0 < high < 1.2
    assert np.diff(interval(np.tile(ratios, 10))) < high - low
    assert interval(np.ones(5)) == (1.0, 1.0)
