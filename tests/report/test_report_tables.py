"""Plain-text tables: what is aligned where."""

import numpy as np
import pytest

from tenas_jax.report.tables import format_table


def test_aligns_numbers_right_and_texts_left():
    rows = [["random", 1, 93.5], ["te-nas", 1200, None], ["x", None, np.float32(7.25)]]
    assert format_table(["search", "n", "accuracy"], rows).splitlines() == [
        "search     n  accuracy",
        "------  ----  --------",
        "random     1      93.5",
        "te-nas  1200         –",
        "x          –      7.25",
    ]


def test_a_column_with_any_text_is_one_of_texts():
    table = format_table(["value", "ok"], [[1, True], ["twelve", False]])
    assert table.splitlines()[2:] == ["1       True", "twelve  False"]


def test_numbers_are_short_and_lines_stay_whole():
    table = format_table(["a", "b"], [[1 / 3, "two\nlines"], [float("nan"), ""]])
    assert table.splitlines()[2:] == ["0.33333  two lines", "    nan"]


def test_no_rows():
    assert format_table(["a", "long"], []) == "a  long\n-  ----"


def test_a_row_of_another_length_is_refused():
    with pytest.raises(ValueError, match="row 1 has 1 values, the header 2"):
        format_table(["a", "b"], [[1, 2], [3]])
