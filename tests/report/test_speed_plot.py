"""The picture of what things cost: one look a line, and that it can always be drawn."""

from types import SimpleNamespace

import pytest
from matplotlib.colors import to_hex
from PIL import Image

from tenas_jax.errors import UserError
from tenas_jax.report import speed_plot, style
from tenas_jax.report.picture import Picture, to_svg

CASES = {
    "kernel": SimpleNamespace(across="n", remark="a network"),
    "level": SimpleNamespace(across=None, remark=""),
    "many": SimpleNamespace(across="k", remark="K networks"),
}


def row(name, n=16, k=1, engine="jacobian", seconds=1.0):
    times = {"seconds_min": 0.9 * seconds, "seconds_median": seconds, "seconds_max": 1.2 * seconds}
    return {"name": name, "engine": engine, "n": n, "k": k, **times}


def rows():
    kernel = [row("kernel", n, engine=e, seconds=n**2) for e in ("a", "b") for n in (72, 16, 32)]
    return [*kernel, row("level", 3000, engine=None), *(row("many", k=k) for k in (1, 4, 64))]


def labels(axes):
    return axes.get_legend_handles_labels()[1]


def test_writes_a_png_of_the_stated_size(tmp_path):
    path = tmp_path / "speed.png"
    speed_plot.plot_speed(rows(), CASES, path, title="t")
    with Image.open(path) as image:
        assert image.format == "PNG"
        assert image.size == (1600, 900)
        assert len(image.convert("L").getcolors()) > 20  # it is not blank
    assert [p.name for p in tmp_path.iterdir()] == ["speed.png"]


def test_a_line_for_each_name_and_engine_beside_its_axis():
    figure = speed_plot.speed_figure(rows(), CASES, title="Seconds on abacus")
    assert "Seconds on abacus" in [text.get_text() for text in figure.texts]
    by_n, by_k = figure.axes
    assert set(labels(by_n)) == {"kernel, a (a network)", "kernel, b (a network)", "level"}
    assert labels(by_k) == ["many, jacobian (K networks)"]
    assert by_n.get_xlabel() == "images N of the kernel"
    assert by_k.get_xlabel() == "architectures K"
    for axes, ticks in ((by_n, ["16", "32", "72"]), (by_k, ["1", "4", "64"])):
        assert axes.get_ylabel() == "seconds"
        assert (axes.get_xscale(), axes.get_yscale()) == ("log", "log")
        figure.canvas.draw()
        assert [tick.get_text() for tick in axes.get_xticklabels()] == ticks


def test_lines_show_medians_in_order_and_a_level_from_end_to_end():
    by_n = speed_plot.speed_figure(rows(), CASES, title="t").axes[0]
    drawn = [tuple(map(float, line.get_xdata())) for line in by_n.lines]
    assert drawn.count((16.0, 32.0, 72.0)) >= 2
    level = next(line for line in by_n.lines if line.get_label() == "level")
    assert list(level.get_xdata()) == [16, 72]
    assert list(level.get_ydata()) == [1.0, 1.0]


@pytest.mark.parametrize(
    "some",
    [[row("level", engine=None)], [row("kernel")], [row("many", seconds=1e-4)]],
    ids=["level", "kernel", "many"],
)
def test_one_row_alone_can_be_drawn(some):
    figure = speed_plot.speed_figure(some, CASES, title="$t_{")
    figure.canvas.draw()
    assert len(figure.axes) == 1


def test_every_text_lies_in_the_picture():
    many = {f"space_{i}_condition_number": CASES["kernel"] for i in range(12)}
    some = [row(name, n, engine="neural_tangents") for name in many for n in (16, 72)]
    figure = speed_plot.speed_figure(some, many, title="a long title " * 20)
    figure.canvas.draw()
    width, height = figure.bbox.size
    texts = [*figure.texts, *figure.axes[0].get_legend().get_texts()]
    for text in texts:
        box = text.get_window_extent()
        assert box.x0 >= 0 and box.x1 <= width and box.y0 >= 0 and box.y1 <= height, text


def test_no_two_curves_look_alike_without_their_colour():
    looks = [style.curve(i) for i in range(28)]
    assert len({(look["marker"], look["linestyle"]) for look in looks}) == 28
    assert to_hex(looks[0]["color"]) != to_hex(looks[1]["color"])


def test_no_rows_are_refused():
    with pytest.raises(UserError, match="no rows"):
        speed_plot.speed_figure([], CASES, title="t")


def test_it_can_stand_in_a_page():
    svg = to_svg(Picture(speed_plot.speed_figure(rows(), CASES, title="t"), {}), "p")
    assert svg.startswith("<svg ") and "level</text>" in svg
