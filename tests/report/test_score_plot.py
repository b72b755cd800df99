"""Scores against accuracies: what is drawn is the data, and anything can be drawn."""

import numpy as np
import pytest

from tenas_jax.errors import UserError
from tenas_jax.report.picture import to_svg
from tenas_jax.report.score_plot import MOST_POINTS, score_picture

ACCURACY = np.array([90.0, 80.0, 70.0, 60.0])


def picture_of(scores, accuracy=ACCURACY, **options):
    archs = [f"arch {i}" for i in range(len(accuracy))]
    return score_picture(scores, accuracy, archs, accuracy_name="c10_test", title="T", **options)


def points(axes):
    [collection] = axes.collections
    return np.array(collection.get_offsets())


def test_a_point_an_architecture():
    picture = picture_of({"linear_regions": np.array([4.0, 3.0, 2.0, 1.5])})
    [axes] = picture.figure.axes
    np.testing.assert_array_equal(points(axes), [[4, 90], [3, 80], [2, 70], [1.5, 60]])
    assert axes.get_xlabel() == "linear regions" and axes.get_ylabel() == "c10 test"
    assert axes.get_title(loc="left") == "4 architectures"
    assert picture.hovers["score0"][3] == "arch 3\nlinear regions 1.5\nc10 test 60"
    assert picture.figure.get_suptitle() == "T"


def test_bad_scores_and_blank_accuracies_are_left_out_and_counted():
    scores = np.array([np.nan, 1.0, 2.0, np.inf])
    picture = picture_of({"a": scores}, np.array([90.0, 80.0, np.nan, 60.0]))
    [axes] = picture.figure.axes
    np.testing.assert_array_equal(points(axes), [[1, 80]])
    assert axes.get_title(loc="left") == "1 architecture · 2 bad · 1 without accuracy"
    assert [text.split("\n")[0] for text in picture.hovers["score0"]] == ["arch 1"]


@pytest.mark.parametrize(
    ("values", "scale"),
    [
        ([1, 10, 50, 101], "log"),
        ([1, 10, 50, 99], "linear"),
        ([-1, 10, 50, 1000], "linear"),
        ([0, 10, 50, 1000], "linear"),
    ],
)
def test_a_logarithmic_axis_over_more_than_two_decades(values, scale):
    assert picture_of({"a": np.array(values, float)}).figure.axes[0].get_xscale() == scale


def test_what_is_said_of_a_score():
    scores = {name: ACCURACY for name in ("a", "b", "c")}
    figure = picture_of(scores, lower_is_better=["a"], taus={"a": 0.5512, "b": None}).figure
    a, b, c, empty = figure.axes
    assert a.get_xlabel() == "a (lower is better)" and b.get_xlabel() == "b"
    assert a.get_title(loc="left") == "τ = 0.551 · 4 architectures"
    assert b.get_title(loc="left") == "τ undefined · 4 architectures"
    assert c.get_title(loc="left") == "4 architectures"
    assert not empty.axison


def test_many_show_their_density():
    count = MOST_POINTS + 1
    values = np.random.default_rng(0).random(count)
    picture = picture_of({"a": values}, 100 * values)
    panel, bar = picture.figure.axes
    [hexagons] = panel.collections
    counts = hexagons.get_array()
    assert counts.sum() == count and counts.min() >= 1
    assert picture.hovers["score0"][0].startswith(f"{int(counts[0])} architecture")
    assert bar.get_ylabel() == "architectures"
    assert to_svg(picture, "p").count("data-hover") == len(counts)


@pytest.mark.parametrize("count", [0, 1, MOST_POINTS + 1])
@pytest.mark.parametrize("accuracy", ["constant", "different", "blank"])
@pytest.mark.parametrize("value", [np.nan, 0.0, 1e30])
def test_a_constant_score_can_be_drawn(count, accuracy, value):
    accuracies = {
        "constant": np.full(count, 93.0),
        "different": np.arange(count, dtype=float),
        "blank": np.full(count, np.nan),
    }
    picture = picture_of({"a": np.full(count, value)}, accuracies[accuracy])
    shown = 0 if np.isnan(value) or accuracy == "blank" else count
    svg = to_svg(picture, "p")
    assert svg.count("data-hover") == (
        shown if shown <= MOST_POINTS else len(picture.hovers["score0"])
    )
    assert ("nothing to show" in svg) == (shown == 0)


@pytest.mark.parametrize("panels", [1, 2, 5])
def test_no_texts_meet(panels, check_texts):
    wide = 10.0 ** np.array([-5, 0, 3, 9])
    scores = {
        f"a_rather_long_name_of_a_score_{i}": wide if i % 2 else ACCURACY for i in range(panels)
    }
    figure = picture_of(
        scores, lower_is_better=list(scores), taus=dict.fromkeys(scores, 0.5)
    ).figure
    check_texts(figure)


def test_markup_in_a_name_is_text():
    svg = to_svg(picture_of({"<b>$x": ACCURACY}), "p")
    assert "<b>" not in svg and "&lt;b&gt;$x" in svg


def test_what_cannot_be_drawn():
    with pytest.raises(UserError, match="no scores to plot"):
        picture_of({})
    with pytest.raises(UserError, match="a has 3 values for 4 architectures"):
        picture_of({"a": np.arange(3)})
