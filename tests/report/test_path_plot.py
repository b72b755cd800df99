"""The supernet's path: what is drawn is the history, and anything can be drawn."""

import numpy as np
import pytest

from tenas_jax.errors import UserError
from tenas_jax.report.path_plot import path_picture
from tenas_jax.report.picture import to_svg

K, R = "condition_number", "linear_regions"


def history_of(kappas, regions, pruned=()):
    """Rounds with one operation fewer in each, on one edge."""
    count = len(kappas)
    return [
        {"round": i, "mask": [[[1] * (count - i) + [0] * i]], K: k, R: r, "pruned": list(pruned)}
        for i, (k, r) in enumerate(zip(kappas, regions, strict=True))
    ]


def picture_of(history, **options):
    return path_picture(history, K, R, **{"title": "T", **options})


def numbers(picture):
    """Round -> the point its number stands at."""
    texts = picture.figure.axes[0].texts
    return {int(t.get_text()): tuple(t.xy) for t in texts if t.get_text().isdigit()}


def legend(picture):
    return [text.get_text() for each in picture.figure.legends for text in each.get_texts()]


def test_the_path_is_the_history_with_its_ends_marked():
    picture = picture_of(history_of([400.0, 300.0, 250.0, 200.0], [10, 30, 20, 40]))
    [axes] = picture.figure.axes
    path, first, between, last = axes.lines
    expected = [[400, 10], [300, 30], [250, 20], [200, 40]]
    np.testing.assert_array_equal(path.get_xydata(), expected)
    np.testing.assert_array_equal(first.get_xydata(), expected[:1])
    np.testing.assert_array_equal(between.get_xydata(), expected[1:3])
    np.testing.assert_array_equal(last.get_xydata(), expected[3:])
    assert len({line.get_marker() for line in (first, between, last)}) == 3
    assert legend(picture) == ["first round", "rounds between", "result"]
    assert numbers(picture) == {i: tuple(at) for i, at in enumerate(expected)}
    assert axes.get_xlabel() == "NTK condition number κ (lower is better)"
    assert axes.get_ylabel() == "Linear regions (higher is better)"


def test_a_mark_tells_its_round():
    picture = picture_of(history_of([400.0, 300.0, 250.5], [10, 30, 20]))
    assert picture.hovers["last"] == [
        "round 2\nNTK condition number κ 250.5\nLinear regions 20\noperations left 1"
    ]
    assert picture.hovers["first"][0].endswith("operations left 3")
    assert to_svg(picture, "p").count("data-hover") == 3


def test_what_is_not_known_is_a_gap():
    values = [None, 300.0, float("nan"), 250.0, 200.0]
    picture = picture_of(history_of(values, [1, 2, 3, None, 5]))
    path = picture.figure.axes[0].lines[0]
    np.testing.assert_array_equal(path.get_xdata(), [np.nan, 300, np.nan, np.nan, 200])
    assert legend(picture) == ["rounds between", "result"]
    assert set(numbers(picture)) == {1, 4}


def test_logarithmic_axes_where_they_fit():
    [axes] = picture_of(history_of([1.0, 1000.0], [800, 900])).figure.axes
    assert (axes.get_xscale(), axes.get_yscale()) == ("log", "linear")


def test_a_search_that_is_not_finished_has_no_result():
    picture = picture_of(history_of([2.0, 1.0], [1, 2], pruned=[[0, 0, 0]]))
    assert legend(picture) == ["first round", "latest round"]


def test_numbers_never_meet_and_those_without_room_are_left_out():
    picture = picture_of(history_of([5.0] * 40, [7] * 40))
    figure = picture.figure
    figure.canvas.draw()
    boxes = [text.get_window_extent() for text in figure.axes[0].texts]
    assert 3 < len(boxes) < 40
    for i, box in enumerate(boxes):
        assert not any(box.overlaps(other) for other in boxes[i + 1 :])


@pytest.mark.parametrize(
    ("kappas", "regions"),
    [
        ([5.0], [7]),
        ([None], [7]),
        ([None] * 3, [None] * 3),
        ([1.0, 1.0], [0, 0]),
        ([1e-9, 1e12, -3.0], [1, 10**6, 5]),
        (list(np.geomspace(1, 1e5, 30)), list(range(30))),
    ],
    ids=["one", "one unknown", "unknown", "same", "wide", "many"],
)
def test_anything_can_be_drawn_and_no_texts_meet(kappas, regions, check_texts):
    picture = picture_of(history_of(kappas, regions), title="A rather long title $ " * 5)
    check_texts(picture.figure)
    svg = to_svg(picture, "p")
    known = sum(None not in pair for pair in zip(kappas, regions, strict=True))
    assert svg.count("data-hover") == known
    assert ("nothing to show" in svg) == (not known)


def test_other_metrics_go_by_their_names():
    history = [{"round": 0, "mask": [[[1]]], "my_metric": 1.0, K: 2.0, "pruned": []}]
    picture = path_picture(history, "my_metric", K, title="T")
    assert picture.figure.axes[0].get_xlabel() == "my metric"


def test_what_cannot_be_drawn():
    with pytest.raises(UserError, match="no rounds"):
        picture_of([])
    with pytest.raises(UserError, match="round 0 has no other"):
        path_picture(history_of([1.0], [1]), K, "other", title="T")


def test_three_metrics_have_a_panel_a_pair(check_texts):
    history = [
        {**entry, "third": 0.5 - i / 10}
        for i, entry in enumerate(history_of([400.0, None, 200.0], [10, 30, 20]))
    ]
    picture = path_picture(history, K, R, "third", title="T")
    first, second, last = picture.figure.axes
    np.testing.assert_array_equal(first.lines[0].get_xydata()[[0, 2]], [[400, 10], [200, 20]])
    np.testing.assert_array_equal(second.lines[0].get_xydata()[[0, 2]], [[400, 0.5], [200, 0.3]])
    np.testing.assert_array_equal(last.lines[0].get_xydata(), [[10, 0.5], [30, 0.4], [20, 0.3]])
    assert [a.get_ylabel() for a in (second, last)] == ["third"] * 2
    assert legend(picture) == ["first round", "result", "rounds between"]
    # κ is not known in the second round, which the last panel alone can show.
    assert list(picture.hovers) == ["first", "last", "first-1", "last-1",
                                    "first-2", "between-2", "last-2"]  # fmt: skip
    assert to_svg(picture, "p").count("data-hover") == 2 + 2 + 3
    check_texts(picture.figure)


def test_one_metric_has_no_path():
    with pytest.raises(UserError, match=f"two metrics or more, not {K}"):
        path_picture(history_of([1.0], [1]), K, title="T")
