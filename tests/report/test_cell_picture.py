"""Cells of an architecture: every operation has its name, on the edge it belongs to."""

import re

import numpy as np
import pytest
from matplotlib.text import Text

from tenas_jax import spaces
from tenas_jax.errors import UserError
from tenas_jax.report.cell_picture import cell_picture
from tenas_jax.report.picture import to_svg

NAMES = ("nas_bench_201", "darts")


def words(axes):
    return [t.get_text() for t in axes.findobj(Text) if t.get_visible() and t.get_text()]


def test_every_edge_has_its_operation_at_its_place():
    space = spaces.get("nas_bench_201")
    text = "|nor_conv_3x3~0|+|none~0|skip_connect~1|+|nor_conv_1x1~0|avg_pool_3x3~1|none~2|"
    [axes] = cell_picture(space.to_mask(space.parse(text)), space).figure.axes
    centre = {t.get_text(): t.get_position()[0] for t in axes.texts if t.get_text().isdigit()}
    labels = sorted((t.get_text(), t.get_position()[0]) for t in axes.texts if "_" in t.get_text())
    ends = {"nor_conv_3x3": "01", "skip_connect": "12", "nor_conv_1x1": "03", "avg_pool_3x3": "13"}
    expected = sorted((name, (centre[a] + centre[b]) / 2) for name, (a, b) in ends.items())
    assert [name for name, _ in labels] == [name for name, _ in expected]
    np.testing.assert_allclose([at for _, at in labels], [at for _, at in expected])


@pytest.mark.parametrize("name", NAMES)
@pytest.mark.parametrize("seed", range(2))
def test_any_architecture_and_the_supernet_in_a_page(name, seed):
    space = spaces.get(name)
    arch = space.sample(np.random.default_rng(seed))
    picture = cell_picture(space.to_mask(arch), space)
    assert len(picture.figure.axes) == space.cells
    for cell, axes in zip(arch, picture.figure.axes, strict=True):
        chosen = [space.operations[o] for o in cell if space.operations[o] != "none"]
        assert sorted(w for w in words(axes) if w in chosen) == sorted(chosen)
    shown = re.findall(r"<text[^>]*>([^<]*)</text>", to_svg(picture, "p"))
    assert {space.operations[o] for o in arch.ravel()} - {"none"} <= set(shown)
    assert "operations" in to_svg(cell_picture(space.supernet(), space), "p")


@pytest.mark.parametrize("name", NAMES)
def test_names_can_be_read(name):
    """No operation's name is smaller than ten points at a width of seven inches on its edge."""
    space = spaces.get(name)
    figure = cell_picture(space.to_mask(space.sample(np.random.default_rng(1))), space).figure
    sizes = [t.get_fontsize() for t in figure.findobj(Text) if t.get_text() in space.operations]
    assert min(sizes) >= 10


def test_several_cells_have_their_names():
    space = spaces.get("darts")
    normal, reduce = cell_picture(space.supernet(), space).figure.axes
    assert "normal" in words(normal) and "reduce" in words(reduce)


def drawn_rows(figure) -> list[list[str]]:
    """The texts of a drawn table, row by row and from left to right."""
    texts = {
        (-t.get_position()[1], t.get_position()[0]): t.get_text() for t in figure.axes[0].texts
    }
    rows = sorted({y for y, _ in texts}, reverse=True)
    return [[text for (y, _), text in sorted(texts.items()) if y == row] for row in rows]


def test_a_topology_is_drawn_as_a_table():
    space = spaces.get("as_vit")
    arch, sizes = space.parse_sized("8,2,3,5|4,1,2,2|4,1,4,5|4,1,6,2|32,180")
    figure = cell_picture(space.to_mask(arch), space, **sizes).figure
    assert drawn_rows(figure) == [
        ["stage", "kernel K", "split S", "expansion E", "heads", "blocks", "width"],
        ["1", "8", "2", "3", "4", "5", "180"],
        ["2", "4", "1", "2", "8", "2", "360"],
        ["3", "4", "1", "4", "16", "5", "720"],
        ["4", "4", "1", "6", "32", "2", "1024"],
    ]


def test_several_choices_are_listed():
    space = spaces.get("as_vit")
    figure = cell_picture(space.supernet(), space).figure
    assert drawn_rows(figure)[1] == ["1", "4, 5, 6, 7, 8", "2, 4, 8", "2, 3, 4, 5, 6", "2, 4, 8"]
    assert drawn_rows(figure)[4] == ["4", "2, 3, 4", "1", "2, 3, 4, 5, 6", "16, 32, 64"]


def test_names_in_a_table_do_not_meet():
    space = spaces.get("as_vit")
    figure = cell_picture(space.supernet(), space, depths=[1, 1, 1, 1], hidden=8).figure
    boxes = [t.get_window_extent() for t in figure.axes[0].texts]
    width, height = figure.bbox.size
    for i, box in enumerate(boxes):
        assert 0 <= box.x0 and box.x1 <= width and 0 <= box.y0 and box.y1 <= height
        assert not any(box.overlaps(other) for other in boxes[i + 1 :])


@pytest.mark.parametrize("name", spaces.SPACES)
def test_every_space_has_a_picture(name):
    """Of a graph or of a table: a space says which by what its `table` gives."""
    space = spaces.get(name)
    mask = space.to_mask(space.sample(np.random.default_rng(0)))
    texts = {text for axes in cell_picture(mask, space).figure.axes for text in words(axes)}
    made = space.table(mask)
    assert texts if made is None else {str(c) for row in made[1] for c in row} <= texts
    assert (made is None) == (name in NAMES)


def test_what_is_no_mask():
    space = spaces.get("nas_bench_201")
    with pytest.raises(UserError, match="a mask of nas_bench_201 has shape"):
        cell_picture(np.ones((1, 2, 3)), space)
