"""Values as text and as what a table is sorted by."""

import math

import numpy as np
import pytest

from tenas_jax.report.page.blocks import Cell, cell, code, percent, table, with_interval
from tenas_jax.report.page.words import duration, flat, plural, show, words


@pytest.mark.parametrize(
    "value, text",
    [
        (None, "–"), (math.nan, "–"), (math.inf, "–"), (np.float32("nan"), "–"), ("", "–"),
        (True, "yes"), (False, "no"), (0, "0"), (-3, "−3"), (1234567, "1,234,567"),
        (0.0, "0"), (1.5, "1.5"), (783.8882446, "783.89"), (12345.678, "12,346"),
        (0.00123456, "0.0012346"), (-0.5, "−0.5"), (1e-7, "1e−07"), (2.5e6, "2,500,000"),
        (3e12, "3e+12"), (np.int64(4), "4"), ("<b>", "<b>"), ([1, "é"], '[1, "é"]'), ({}, "{}"),
    ],
)  # fmt: skip
def test_a_value_as_text(value, text):
    assert show(value) == text


def test_a_number_of_places():
    assert show(0.5, 3) == "0.500"
    assert show(1234.56, 1) == "1,234.6"
    assert show(None, 2) == show(math.nan, 2) == "–"


@pytest.mark.parametrize(
    "seconds, text",
    [(0.84, "0.8 s"), (45.4, "45 s"), (125, "2 min 5 s"), (7200, "2 h"), (12345, "3.4 h"),
     (None, "–"), (math.nan, "–")],
)  # fmt: skip
def test_seconds_in_words(seconds, text):
    assert duration(seconds) == text


def test_names_in_words():
    assert words("condition_number") == "condition number κ"
    assert words("a_new_metric") == "a new metric"
    assert plural(1, "seed") == "1 seed" and plural(1200, "seed") == "1,200 seeds"


def test_a_config_is_flattened_to_dotted_names():
    config = {"a": 1, "b": {"c": None, "d": {"e": [2]}}, "f": {}}
    assert flat(config) == {"a": 1, "b.c": None, "b.d.e": [2], "f": {}}


def test_cells_know_what_they_are_sorted_by():
    assert cell(2) == Cell("2", 2.0)
    assert cell(None) == cell(math.nan) == Cell("–", None)
    assert cell(True) == Cell("yes", None)
    assert cell("7") == Cell("7", None)
    assert cell(1.25, 1, " s") == Cell("1.2 s", 1.25)
    assert percent(0.125) == Cell("12.50 %", 12.5)
    assert percent(None) == Cell("–", None)
    assert code("|a|") == Cell("|a|", code=True)
    assert code(None) == Cell("–", None)


def test_an_interval_is_sorted_by_its_value():
    assert with_interval(0.5, 0.25, 0.75) == Cell("0.500 [0.250, 0.750]", 0.5)
    assert with_interval(0.5, None, 0.75).text == "0.500"
    assert with_interval(None, 0.25, 0.75) == Cell("–", None)


def test_a_column_is_of_numbers_if_all_but_the_missing_are():
    made = table(("a", "b", "c"), [(1, "x", None), (None, 2, None)], "")
    assert made.numeric == [True, False, False]
    assert table(("a",), [], "").numeric == [False]


def test_a_row_of_another_length_is_refused():
    with pytest.raises(ValueError, match="row 1 has 1 values, the header 2"):
        table(("a", "b"), [(1, 2), (1,)], "")
