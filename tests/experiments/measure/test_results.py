"""Rows that are kept as they come, tasks left out, outputs that cannot be, and the picture."""

import json
from types import SimpleNamespace

import pytest
from matplotlib.colors import to_hex
from PIL import Image

from experiments.measure.cases import tasks
from experiments.measure.results import check_output, measure_all, speed_figure
from experiments.measure.rows import FIELDS
from tenas_jax.errors import UserError
from tenas_jax.report import style
from tenas_jax.report.picture import Picture, save_png, to_svg

VALUES = ("linear_regions", "nas_bench_201", None, 3000, 1, 2.0, 1.0, 3.0, 4.0, None, "abacus")
ROW = dict(zip(FIELDS, VALUES, strict=True))
MEASURED = {"row": ROW, "environment": {"device_kind": "abacus", "jax": "1.0"}}


def test_what_fails_is_left_out_and_the_rest_is_kept(tmp_path, capsys):
    answers = iter([UserError("no engine"), MEASURED, ChildProcessError("killed"), MEASURED])
    output, kept = tmp_path / "speed.json", []

    def measure(_):
        kept.append(len(json.loads(output.read_text())["rows"]) if output.exists() else 0)
        answer = next(answers)
        if isinstance(answer, Exception):
            raise answer
        return answer

    planned = tasks(["condition_number"], [4, 8], side=8, repeats=1)
    assert measure_all(planned, measure, output) == 1
    assert kept == [0, 0, 1, 1]
    written = json.loads(output.read_text())
    assert written == {"environment": MEASURED["environment"], "rows": [ROW, ROW]}
    assert {p.name for p in tmp_path.iterdir()} == {"speed.json", "speed.png"}
    told = capsys.readouterr()
    assert "left out: condition_number, engine jacobian, n = 4: no engine\n" in told.err
    assert "left out: condition_number, engine neural_tangents, n = 4: killed\n" in told.err
    lines = told.out.splitlines()
    assert lines[0].split() == list(FIELDS)
    assert lines[2:] == [lines[2]] * 2
    assert "–" in lines[2]  # a peak that the device does not tell


def test_nothing_measured_is_a_mistake(tmp_path):
    def refuse(_):
        raise UserError("no")

    planned = tasks(["linear_regions"], [4], side=8, repeats=1)
    with pytest.raises(UserError, match="nothing could be measured"):
        measure_all(planned, refuse, tmp_path / "speed.json")
    assert list(tmp_path.iterdir()) == []


def test_a_missing_folder_is_made_and_nothing_is_written_yet(tmp_path):
    check_output(tmp_path / "new" / "folder" / "speed.json")
    assert list((tmp_path / "new" / "folder").iterdir()) == []


@pytest.mark.parametrize(
    ("name", "message"),
    [
        ("speed.txt", "must end in .json"),
        ("folder.json", "folder.json: Is a directory"),
        ("file/speed.json", "cannot write"),
        ("picture.json", "picture.png: Is a directory"),
    ],
)
def test_outputs_that_cannot_be_written(tmp_path, name, message):
    (tmp_path / "folder.json").mkdir()
    (tmp_path / "picture.png").mkdir()
    (tmp_path / "file").touch()
    with pytest.raises(UserError, match=message):
        check_output(tmp_path / name)


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
    save_png(speed_figure(rows(), CASES, title="t"), path)
    with Image.open(path) as image:
        assert image.format == "PNG"
        assert image.size == (1600, 900)
        assert len(image.convert("L").getcolors()) > 20  # it is not blank
    assert [p.name for p in tmp_path.iterdir()] == ["speed.png"]


def test_a_line_for_each_name_and_engine_beside_its_axis():
    figure = speed_figure(rows(), CASES, title="Seconds on abacus")
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
    by_n = speed_figure(rows(), CASES, title="t").axes[0]
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
    figure = speed_figure(some, CASES, title="$t_{")
    figure.canvas.draw()
    assert len(figure.axes) == 1


def test_every_text_lies_in_the_picture():
    many = {f"space_{i}_condition_number": CASES["kernel"] for i in range(12)}
    some = [row(name, n, engine="neural_tangents") for name in many for n in (16, 72)]
    figure = speed_figure(some, many, title="a long title " * 20)
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
        speed_figure([], CASES, title="t")


def test_it_can_stand_in_a_page():
    svg = to_svg(Picture(speed_figure(rows(), CASES, title="t"), {}), "p")
    assert svg.startswith("<svg ") and "level</text>" in svg
