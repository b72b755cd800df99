"""Answers by cost: means and bands of step functions, and anything can be drawn."""

import numpy as np
import pytest

from tenas_jax.errors import UserError
from tenas_jax.report.anytime_plot import anytime_picture
from tenas_jax.report.picture import to_svg

# Two runs; the second begins at 2. Their values at 2, 3, 5, 8 are (60, 70), (60, 70), (80, 70),
# (80, 90): at 3 nothing changes.
TWO = [[(1, 60.0), (3, 60.0), (5, 80.0)], [(2, 70.0), (8, 90.0)]]


def picture_of(curves, **options):
    texts = {"y_name": "accuracy", "x_name": "cost", "title": "T"}
    return anytime_picture(curves, **{**texts, **options})


def legend(picture):
    return [text.get_text() for each in picture.figure.legends for text in each.get_texts()]


def test_the_mean_begins_where_all_runs_have_and_steps_with_each():
    picture = picture_of({"a": TWO})
    [axes] = picture.figure.axes
    [line] = axes.lines
    np.testing.assert_array_equal(line.get_xdata(), [2, 5, 8])
    np.testing.assert_array_equal(line.get_ydata(), [65, 75, 85])
    assert line.get_drawstyle() == "steps-post"
    assert legend(picture) == ["a, 2 runs"]
    assert picture.hovers["search0"] == [
        "a, 2 runs\ncost 2\naccuracy 65 [60, 70]",
        "a, 2 runs\ncost 5\naccuracy 75 [70, 80]",
        "a, 2 runs\ncost 8\naccuracy 85 [80, 90]",
    ]
    assert "band: least to greatest" in axes.get_title(loc="left")


def test_the_band_lies_from_the_least_to_the_greatest():
    [axes] = picture_of({"a": TWO}).figure.axes
    [band] = axes.collections
    corners = {tuple(map(float, corner)) for corner in band.get_paths()[0].vertices}
    assert {(2, 60), (2, 70), (5, 60), (5, 80), (8, 80), (8, 90)} <= corners


def test_a_search_of_single_answers_is_marks():
    picture = picture_of({"a": [[(10, 90.0)], [(12, 91.0)]], "b": TWO})
    marks, line = picture.figure.axes[0].lines
    assert marks.get_linestyle() == "None" and marks.get_marker() != "None"
    np.testing.assert_array_equal(marks.get_xydata(), [[10, 90], [12, 91]])
    assert picture.hovers["search0"][1] == "a, 2 runs\ncost 12\naccuracy 91"
    assert marks.get_marker() != line.get_marker()
    assert "mark: a run of one answer" in picture.figure.axes[0].get_title(loc="left")
    assert to_svg(picture, "p").count("data-hover") == 2 + 3


def test_levels_are_lines_with_their_names():
    picture = picture_of({"a": TWO}, floor=50.5, oracle=94.37)
    levels = picture.figure.axes[0].lines[1:]
    assert [line.get_ydata() for line in levels] == [[94.37, 94.37], [50.5, 50.5]]
    assert legend(picture)[1:] == ["the best of all, 94.37", "mean of random ones, 50.5"]
    assert levels[0]._unscaled_dash_pattern != levels[1]._unscaled_dash_pattern
    low, high = picture.figure.axes[0].get_ylim()
    assert low < 50.5 and high > 94.37


def test_a_run_without_an_answer_and_points_that_are_none():
    runs = [[], [(1, None)], [(None, 3.0)], [(1, float("nan")), (2, 5.0), (3, 6.0)]]
    picture = picture_of({"a": runs}, floor=None, oracle=float("nan"))
    assert legend(picture) == ["a, 1 run"]
    np.testing.assert_array_equal(picture.figure.axes[0].lines[0].get_xydata(), [[2, 5], [3, 6]])
    assert not picture.figure.axes[0].collections  # one run has no band


def test_the_same_search_by_run_of_one_and_of_several_points():
    [line] = picture_of({"a": [[(3, 5.0)], [(1, 1.0), (4, 3.0)]]}).figure.axes[0].lines
    np.testing.assert_array_equal(line.get_xydata(), [[3, 3], [4, 4]])


def test_a_long_course_has_few_marks():
    run = [(i, float(i)) for i in range(1, 1001)]
    picture = picture_of({"a": [run]})
    assert picture.figure.axes[0].get_xscale() == "log"
    assert len(picture.hovers["search0"]) == 13
    svg = to_svg(picture, "p")
    assert svg.count("data-hover") == 13 and len(svg) < 100_000


@pytest.mark.parametrize(
    "curves",
    [
        {"a": [[(1, 90.0)]]},
        {"a": [[(0, 0.0), (1, 0.0)]]},
        {"a": []},
        {"a": [[]], "b": [[(1, None)]]},
        {"a": TWO, "b": []},
        {f"a rather long name of a search {i}": TWO for i in range(9)},
        {"$a_b$ <b>": [[(1e-6, 1e-9), (1e9, 2e-9)]]},
    ],
    ids=["one", "zeros", "no runs", "no answers", "some", "many", "wide"],
)
def test_anything_can_be_drawn_and_no_texts_meet(curves, check_texts):
    picture = picture_of(curves, floor=10.0, oracle=94.0, title="A long title " * 8)
    check_texts(picture.figure)
    svg = to_svg(picture, "p")
    assert svg.count("data-hover") == sum(map(len, picture.hovers.values()))
    assert ("nothing to show" in svg) == (not picture.hovers)
    assert "<b>" not in svg


def test_no_searches_are_refused():
    with pytest.raises(UserError, match="no searches"):
        picture_of({})
