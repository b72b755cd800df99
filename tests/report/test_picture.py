"""Pictures in a page: one clean element, and every mark with its own text."""

import html
import re
import xml.etree.ElementTree as ElementTree

import matplotlib
import numpy as np
import pytest
from PIL import Image

from tenas_jax.errors import UserError
from tenas_jax.report import style
from tenas_jax.report.picture import MOST_TITLED, Picture, new_figure, save_png, styled, to_svg

NASTY = "<script>alert(1)</script>&\"'"
ARCH = "|nor_conv_3x3~0|+|nor_conv_3x3~0|skip_connect~1|+|skip_connect~0|none~1|nor_conv_1x1~2|"


@styled
def scatter(count=3, texts=None, title="T"):
    figure = new_figure(4, 3)
    axes = figure.add_subplot()
    values = np.random.default_rng(0).random(count)
    axes.scatter(values, values[::-1], gid="points", alpha=0.5)
    axes.set_title(title, parse_math=False)
    return Picture(figure, {"points": texts or [f"mark {i}" for i in range(count)]})


def parsed(svg):
    """The element, without its namespace."""
    return ElementTree.fromstring(svg.replace(' xmlns="http://www.w3.org/2000/svg"', "", 1))


def hovers(svg):
    """(data-hover, title or None) of each mark."""
    marks = [e for e in parsed(svg).iter() if e.get("data-hover") is not None]
    return [(e.get("data-hover"), e.findtext("title")) for e in marks]


def test_an_element_that_can_stand_in_a_page():
    svg = to_svg(scatter(), "p1")
    root = parsed(svg)
    assert svg.startswith("<svg ") and svg.endswith("</svg>")
    for absent in ("<?xml", "DOCTYPE", "metadata", "<style", "xlink", "ns0:", "rdf"):
        assert absent not in svg
    assert root.get("viewBox") == "0 0 288 216"  # 4 × 3 inches of 72 points
    assert root.get("width") is None and root.get("height") is None
    assert root.get("stroke-linejoin") == "round"
    assert "T" in [text.text for text in root.iter("text")]
    fonts = re.findall(r"font(?:-family)?: [^;\"]*", svg)
    assert fonts and all(font.endswith("sans-serif") for font in fonts)


def test_ids_have_the_prefix_and_references_lead_to_them():
    svg = to_svg(scatter(), "one")
    ids = re.findall(r'\bid="([^"]*)"', svg)
    assert ids and all(name.startswith("one-") for name in ids) and len(ids) == len(set(ids))
    used = re.findall(r'href="#([^"]*)"|url\(#([^)]*)\)', svg)
    assert used and {a or b for a, b in used} <= set(ids)
    assert set(ids).isdisjoint(re.findall(r'\bid="([^"]*)"', to_svg(scatter(), "two")))


def test_the_same_picture_gives_the_same_text():
    picture = scatter()
    assert to_svg(picture, "a") == to_svg(scatter(), "a") == to_svg(picture, "a")


def test_a_users_settings_change_nothing():
    expected = to_svg(scatter(), "a")
    with matplotlib.rc_context({"svg.fonttype": "path", "font.size": 30, "svg.hashsalt": "x"}):
        assert to_svg(scatter(), "a") == expected


def test_each_point_of_a_scatter_has_its_text():
    assert hovers(to_svg(scatter(3), "p")) == [(f"mark {i}", f"mark {i}") for i in range(3)]
    assert hovers(to_svg(scatter(1), "p")) == [("mark 0", "mark 0")]


@pytest.mark.parametrize("marker", ["o", "s", "X"])
def test_each_marker_of_a_line_has_its_text_and_a_line_without_one(marker):
    figure = new_figure(4, 3)
    axes = figure.add_subplot()
    axes.plot([1, 2, 3], [3, 1, 2], marker=marker, gid="marked")
    axes.plot([1, 2, 3], [1, 2, 3], gid="plain")
    picture = Picture(figure, {"marked": ["a", "b", "c"], "plain": ["d"]})
    assert [text for text, _ in hovers(to_svg(picture, "p"))] == ["a", "b", "c", "d"]


def test_patches_have_their_texts():
    figure = new_figure(4, 3)
    for i, bar in enumerate(figure.add_subplot().bar([1, 2], [3, 4])):
        bar.set_gid(f"bar{i}")
    svg = to_svg(Picture(figure, {"bar0": ["x"], "bar1": ["y"]}), "p")
    assert hovers(svg) == [("x", "x"), ("y", "y")]


def test_only_what_has_a_text_takes_the_pointer():
    root = parsed(to_svg(scatter(), "p"))
    taking = {e.get("id"): e.get("pointer-events") for e in root.iter() if e.get("pointer-events")}
    assert taking == {None: "none", "p-points": "visiblePainted"}


def test_texts_are_escaped():
    svg = to_svg(scatter(1, [NASTY], title=NASTY), "p")
    assert "<script" not in svg
    assert hovers(svg) == [(NASTY, NASTY)]
    assert html.escape(NASTY, quote=False).split("&amp;")[0] in svg
    assert NASTY in [text.text for text in parsed(svg).iter("text")]


def test_a_reference_in_a_text_is_left_alone():
    assert hovers(to_svg(scatter(1, ["url(#a)"]), "p")) == [("url(#a)", "url(#a)")]


def test_control_characters_do_not_spoil_the_page():
    [(text, _)] = hovers(to_svg(scatter(1, ["a\x00b"]), "p"))
    assert text == "a\ufffdb"


@pytest.mark.parametrize("texts", [["a"], ["a"] * 4])
def test_as_many_texts_as_marks(texts):
    with pytest.raises(ValueError, match=f"'points' has 3 marks and {len(texts)} texts"):
        to_svg(scatter(3, texts), "p")


def test_an_artist_that_is_not_there():
    with pytest.raises(ValueError, match="no artist has the gid 'other'"):
        to_svg(scatter()._replace(hovers={"other": ["a"]}), "p")


@pytest.mark.parametrize("prefix", ["", "1a", "a b", 'a"', "-a"])
def test_a_prefix_that_is_none(prefix):
    with pytest.raises(ValueError, match="an id cannot begin"):
        to_svg(scatter(), prefix)


def test_a_thousand_points_stay_small():
    svg = to_svg(scatter(1000, [f"{ARCH}\nκ {i}.123, accuracy 93.25" for i in range(1000)]), "p")
    assert len(svg.encode()) < 250_000
    assert len(hovers(svg)) == 1000 > MOST_TITLED


def test_a_png_of_the_figures_size(tmp_path):
    save_png(scatter().figure, tmp_path / "a.png")
    with Image.open(tmp_path / "a.png") as image:
        assert image.format == "PNG" and image.size == (4 * style.DPI, 3 * style.DPI)
    assert [path.name for path in tmp_path.iterdir()] == ["a.png"]
    with pytest.raises(UserError, match="cannot write"):
        save_png(scatter().figure, tmp_path / "no" / "a.png")
