"""Spectra: what is drawn are parts of the largest eigenvalue, and anything can be drawn."""

import numpy as np
import pytest

from tenas_jax.errors import UserError
from tenas_jax.report.picture import to_svg
from tenas_jax.report.spectrum_plot import GROUPS, spectrum_picture


def spectrum(eigenvalues, group="best", accuracy=90.0, arch="arch"):
    return {"arch": arch, "accuracy": accuracy, "group": group, "eigenvalues": eigenvalues}


def legend(picture):
    return [text.get_text() for each in picture.figure.legends for text in each.get_texts()]


def test_lines_are_parts_of_the_largest_by_number():
    picture = spectrum_picture(
        [
            spectrum([4.0, 2.0, 1.0], accuracy=94.0, arch="a"),
            spectrum([5.0, 0.5], "worst", accuracy=10.0, arch="b"),
            spectrum([8.0], accuracy=93.5, arch="c"),
        ],
        title="T",
    )
    [axes] = picture.figure.axes
    first, second, third = axes.lines
    np.testing.assert_allclose(first.get_xydata(), [[1, 1], [2, 0.5], [3, 0.25]])
    np.testing.assert_allclose(second.get_xydata(), [[1, 1], [2, 0.1]])
    np.testing.assert_allclose(third.get_xydata(), [[1, 1]])
    assert axes.get_yscale() == "log"
    assert legend(picture) == ["the best 2, accuracy 93.5 to 94", "the worst 1, accuracy 10"]
    assert picture.hovers["spectrum0"][1] == "a\nbest, accuracy 94\neigenvalue 2: 0.5"
    assert to_svg(picture, "p").count("data-hover") == 3 + 2 + 1


def test_groups_differ_in_more_than_colour():
    for key in ("color", "linestyle", "marker"):
        assert GROUPS["best"][key] != GROUPS["worst"][key]
    picture = spectrum_picture([spectrum([2, 1]), spectrum([2, 1], "worst")], title="T")
    best, worst = picture.figure.axes[0].lines
    assert best._unscaled_dash_pattern != worst._unscaled_dash_pattern
    assert best.get_marker() != worst.get_marker()


def test_what_is_not_positive_is_a_gap_and_is_said():
    none = float("nan")
    spectra = [
        spectrum([4, 2, 0.0, -1e-9]),
        spectrum([none, none]),
        spectrum([-1, -2]),
        spectrum([]),
    ]
    picture = spectrum_picture(spectra, title="T")
    [axes] = picture.figure.axes
    [line] = axes.lines
    np.testing.assert_allclose(line.get_ydata(), [1, 0.5, np.nan, np.nan])
    remarks = axes.get_title(loc="left")
    assert "2 eigenvalues are not positive" in remarks and "left out: 3 kernels" in remarks
    assert len(picture.hovers["spectrum0"]) == 2


def test_many_eigenvalues_have_few_marks():
    picture = spectrum_picture([spectrum(np.geomspace(1, 1e-6, 500))] * 10, title="T")
    assert all(len(texts) <= 10 for texts in picture.hovers.values())
    assert len(to_svg(picture, "p")) < 250_000


@pytest.mark.parametrize(
    "eigenvalues",
    [[1.0], [1.0, 1.0], [3.0, 0.0], [0.0], [], [float("nan")], [1e30, 1e-30], [None, None], [2, 1]],
    ids=str,
)
def test_anything_can_be_drawn_and_no_texts_meet(eigenvalues, check_texts):
    spectra = [spectrum(eigenvalues, group, arch="<b>$x") for group in GROUPS]
    picture = spectrum_picture(spectra, title="A rather long title $ " * 5)
    check_texts(picture.figure)
    svg = to_svg(picture, "p")
    drawable = bool(eigenvalues) and (eigenvalues[0] or 0) > 0
    assert ("nothing to show" in svg) == (not drawable)
    assert "<b>" not in svg


def test_what_cannot_be_drawn():
    with pytest.raises(UserError, match="no spectra"):
        spectrum_picture([], title="T")
    with pytest.raises(UserError, match="unknown group 'bst' .did you mean 'best'"):
        spectrum_picture([spectrum([1.0], "bst")], title="T")
