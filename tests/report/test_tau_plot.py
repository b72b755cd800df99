"""τ against what was varied: what is drawn is the rows, and anything can be drawn."""

import numpy as np
import pytest

from tenas_jax.errors import UserError
from tenas_jax.report.picture import to_svg
from tenas_jax.report.tau_plot import tau_picture


def row(score, n, tau, low=None, high=None, **more):
    return {"score": score, "n": n, "tau": tau, "tau_low": low, "tau_high": high, **more}


def picture_of(rows, **options):
    return tau_picture(rows, **{"x": "n", "x_name": "images N", "title": "T", **options})


def curves(picture):
    """name -> (line, bars) as drawn."""
    [axes] = picture.figure.axes
    [legend] = picture.figure.legends
    names = [text.get_text() for text in legend.get_texts()]
    return dict(zip(names, ((c[0], c[2]) for c in axes.containers), strict=True))


def test_points_and_bars_are_those_of_the_rows_by_x():
    rows = [row("a_b", 32, 0.6, 0.5, 0.65), row("a_b", 8, 0.4, 0.3, 0.5), row("a_b", 16, None)]
    picture = picture_of(rows)
    [(name, (line, [bars]))] = curves(picture).items()
    assert name == "a b"
    np.testing.assert_allclose(line.get_xdata(), [8, 16, 32])
    np.testing.assert_allclose(line.get_ydata(), [0.4, np.nan, 0.6])
    ends = [segment for segment in bars.get_segments() if len(segment)]
    np.testing.assert_allclose(ends, [[[8, 0.3], [8, 0.5]], [[32, 0.5], [32, 0.65]]])
    assert picture.hovers["tau0"] == [
        "a b\nimages N 8\nτ 0.400 [0.300, 0.500]",
        "a b\nimages N 32\nτ 0.600 [0.500, 0.650]",
    ]
    assert to_svg(picture, "p").count("data-hover") == 2
    [axes] = picture.figure.axes
    assert (axes.get_xlabel(), axes.get_ylabel()) == ("images N", "Kendall's τ")


def test_a_bound_outside_its_interval_or_missing():
    [(_, [bars])] = curves(picture_of([row("a", 8, 0.4, 0.45, 0.5)])).values()
    np.testing.assert_allclose(bars.get_segments(), [[[8, 0.4], [8, 0.5]]])
    picture = picture_of([row("a", 8, 0.4)])
    assert picture.hovers["tau0"] == ["a\nimages N 8\nτ 0.400"]


@pytest.mark.parametrize("log_x", [False, True])
def test_curves_at_one_x_stand_apart_in_order_and_near_it(log_x):
    rows = [row(score, n, 0.5, 0.4, 0.6) for score in "abc" for n in (10, 20, 100)]
    drawn = curves(picture_of(rows, log_x=log_x))
    across = np.array([line.get_xdata() for line, _ in drawn.values()])
    assert (np.diff(across, axis=0) > 0).all()
    np.testing.assert_allclose(across[1], [10, 20, 100])  # the middle one
    assert (across[-1][:-1] < across[0][1:]).all()
    assert (np.abs(across / across[1] - 1) < 0.2).all()


def test_curves_of_different_x_are_where_they_are():
    rows = [row("a", 0.01, 0.5), row("b", 0.02, 0.6), row("c", 3.0, 0.1)]
    drawn = curves(picture_of(rows, log_x=True))
    across = [float(line.get_xdata()[0]) for line, _ in drawn.values()]
    np.testing.assert_allclose(across, [0.01, 0.02, 3.0])


def test_a_label_tells_curves_of_a_score_apart():
    rows = [row("a", 8, 0.4, label="paper"), row("a", 8, 0.5, label="reference"), row("a", 8, 0.1)]
    drawn = curves(picture_of(rows))
    assert list(drawn) == ["a, paper", "a, reference", "a"]
    assert [line.get_ydata()[0] for line, _ in drawn.values()] == [0.4, 0.5, 0.1]
    looks = {(line.get_marker(), line.get_linestyle()) for line, _ in drawn.values()}
    assert len(looks) == 3


def test_few_whole_numbers_are_the_ticks():
    rows = [row("a", n, 0.5) for n in (8, 16, 32, 72)]
    [axes] = picture_of(rows, log_x=True).figure.axes
    assert [t.get_text() for t in axes.get_xticklabels()] == ["8", "16", "32", "72"]
    [axes] = picture_of([row("a", n, 0.5) for n in (0.01, 0.5, 7)], log_x=True).figure.axes
    assert axes.get_xscale() == "log" and 0.5 not in axes.get_xticks()


@pytest.mark.parametrize("x", [None, 0, -1.0, float("nan")])
def test_a_row_without_a_place_is_left_out(x):
    picture = picture_of([row("a", x, 0.5), row("b", 2, 0.5)], log_x=True)
    assert list(curves(picture)) == ["b"]


@pytest.mark.parametrize("log_x", [False, True])
@pytest.mark.parametrize(
    "rows",
    [
        [row("a", 3, 0.5, 0.4, 0.6)],
        [row("a", 3, None)],
        [row("a", None, 0.5)],
        [row("a", 3, 0.0, 0.0, 0.0), row("b", 3, 0.0, 0.0, 0.0)],
        [row("a", 0.001 * 10**i, -1 + 0.2 * i, -1, 1) for i in range(9)],
        [row("a", i, 0.1) for i in range(1, 30)],
        [row(f"a_rather_long_score_{i}", 3, i / 40, label="a label") for i in range(28)],
    ],
    ids=["one", "undefined", "nowhere", "zeros", "wide", "many x", "many scores"],
)
def test_anything_can_be_drawn_and_no_texts_meet(rows, log_x, check_texts):
    picture = picture_of(rows, log_x=log_x, title="A rather long title of a picture " * 3)
    check_texts(picture.figure)
    svg = to_svg(picture, "p")
    known = [r for r in rows if None not in (r["tau"], r["n"])]
    assert svg.count("data-hover") == len(known)
    assert ("nothing to show" in svg) == (not known)


def test_no_rows_are_refused():
    with pytest.raises(UserError, match="no rows"):
        picture_of([])
