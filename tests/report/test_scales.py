"""Scales and their numbers."""

import numpy as np
import pytest
from matplotlib.figure import Figure

from tenas_jax.report.scales import finite, is_wide, plain_number, set_scale, set_ticks


@pytest.mark.parametrize(
    ("value", "text"),
    [
        (0, "0"),
        (1.0, "1"),
        (-2.5, "−2.5"),
        (0.0001, "0.0001"),
        (1234.5, "1,234.5"),
        (9_999_999, "9,999,999"),
        (1e7, "10⁷"),
        (2.5e-9, "2.5·10⁻⁹"),
        (-1e12, "−1·10¹²"),
        (-3e12, "−3·10¹²"),
        (1e-300, "10⁻³⁰⁰"),
        (float("inf"), "inf"),
        (float("nan"), "nan"),
    ],
)
def test_numbers_in_plain_text(value, text):
    assert plain_number(value) == text


def test_what_is_unknown_is_nan():
    values = finite([1, None, float("inf"), float("nan"), np.float32(0.5)])
    np.testing.assert_array_equal(values, [1, np.nan, np.nan, np.nan, 0.5])


@pytest.mark.parametrize(
    ("values", "wide"),
    [
        ([1, 100], False),
        ([1, 101, np.nan], True),
        ([0, 1000], False),
        ([-1, 1000], False),
        ([np.nan], False),
        ([], False),
        ([5], False),
    ],
)
def test_wide_is_positive_over_two_decades(values, wide):
    assert is_wide(np.array(values, float)) is wide


@pytest.mark.parametrize("log", [False, True])
@pytest.mark.parametrize("high", [1.001, 4, 20, 300, 1e20])
def test_an_axis_has_a_handful_of_different_numbers(log, high):
    figure = Figure()
    axes = figure.add_subplot()
    axes.plot([1, high], [1, high])
    set_scale(axes, "y", log=log)
    figure.draw_without_rendering()
    low, top = axes.get_ylim()
    ticks = [at for at in axes.get_yticks() if low <= at <= top]
    labels = [axes.yaxis.get_major_formatter()(at, 0) for at in ticks]
    assert axes.get_yscale() == ("log" if log else "linear")
    assert 2 <= len(labels) <= 10 and len(set(labels)) == len(labels)


def test_numbers_where_they_are_asked_for():
    axes = Figure().add_subplot()
    axes.set_xlim(0, 100)
    set_ticks(axes.xaxis, [8, 72])
    assert [text.get_text() for text in axes.get_xticklabels()] == ["8", "72"]
    assert not len(axes.get_xticks(minor=True))
