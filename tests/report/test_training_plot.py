"""The picture of a training: what it shows, and that it can always be drawn."""

import numpy as np
import pytest
from matplotlib.text import Text
from PIL import Image

from tenas_jax.errors import UserError
from tenas_jax.report.picture import Picture, save_png, to_svg
from tenas_jax.report.training_plot import training_figure


def records_of(epochs, evaluated=1):
    """Losses that fall; tests of every so many epochs."""
    fields = ("test_loss", "test_top1", "test_top5")
    records = []
    for epoch in range(1, epochs + 1):
        shown = epoch % evaluated == 0 or epoch == epochs
        test = {name: 1 / epoch if shown else None for name in fields}
        records.append({"epoch": epoch, "train_loss": 2 / epoch, "train_top1": 0.5, **test})
    return records


def confusion_of(classes):
    return np.random.default_rng(0).integers(0, 30, (classes, classes))


def figure_of(epochs=3, classes=4, evaluated=1, **texts):
    names = [f"class {i}" for i in range(classes)]
    records, confusion = records_of(epochs, evaluated), confusion_of(classes)
    return training_figure(records, confusion, names, **{"title": "T", **texts})


def words(artist):
    return [t.get_text() for t in artist.findobj(Text) if t.get_visible() and t.get_text()]


def test_curves_are_those_of_the_records():
    losses, accuracies, _ = figure_of(epochs=5, evaluated=2).axes
    lines = {line.get_label(): line for line in losses.lines}
    np.testing.assert_allclose(lines["training, as augmented"].get_xdata(), [1, 2, 3, 4, 5])
    np.testing.assert_allclose(lines["test"].get_xdata(), [2, 4, 5])
    np.testing.assert_allclose(lines["test"].get_ydata(), [1 / 2, 1 / 4, 1 / 5])
    shares = {line.get_label(): line.get_ydata() for line in accuracies.lines}
    np.testing.assert_allclose(shares["test top-5"], [50, 25, 20])
    np.testing.assert_allclose(shares["training, as augmented"], [50] * 5)


def test_the_matrix_shows_shares_of_rows_and_the_numbers():
    matrix = figure_of(classes=4).axes[2]
    confusion = confusion_of(4)
    [image] = matrix.images
    np.testing.assert_allclose(image.get_array(), confusion / confusion.sum(1, keepdims=True))
    shown = {tuple(map(int, text.get_position())): text.get_text() for text in matrix.texts}
    expected = {(c, r): str(n) for (r, c), n in np.ndenumerate(confusion) if n}
    assert shown == expected
    assert {"class 0", "class 3", "true class", "predicted class"} <= set(words(matrix))


def test_a_class_without_images_leaves_its_row_empty():
    confusion = np.array([[3, 1], [0, 0]])
    figure = training_figure(records_of(1), confusion, ["a", "b"], title="T")
    np.testing.assert_allclose(figure.axes[2].images[0].get_array()[1], [0, 0])


def test_many_classes_have_neither_names_nor_numbers():
    matrix = figure_of(classes=100).axes[2]
    assert not matrix.texts and "class 3" not in words(matrix)


@pytest.mark.parametrize(("epochs", "classes"), [(1, 2), (3, 10), (600, 20)])
def test_nothing_lies_outside_or_over_another(epochs, classes):
    """Texts beside the axes keep apart from one another and inside the picture."""
    long = "Genotype(" + ", ".join(["('sep_conv_3x3', 0)"] * 24) + ")"
    figure = figure_of(epochs, classes, title="A title " * 10, subtitle=long)
    figure.draw_without_rendering()
    width, height = figure.bbox.width, figure.bbox.height
    beside = list(figure.texts)
    for axes in figure.axes:
        beside += [axes.xaxis.label, axes.yaxis.label]
    matrix = figure.axes[2]
    beside += [*matrix.get_xticklabels(), *matrix.get_yticklabels()]
    boxes = [(t.get_text(), t.get_window_extent()) for t in beside if t.get_text()]
    for text, box in boxes:
        assert box.x0 >= 0 and box.y0 >= 0 and box.x1 <= width and box.y1 <= height, text
    for i, (text, box) in enumerate(boxes):
        for other, second in boxes[i + 1 :]:
            assert not box.overlaps(second), (text, other)


def test_the_file_is_a_png_of_the_size_it_says(tmp_path):
    path = tmp_path / "train.png"
    save_png(training_figure(records_of(2), confusion_of(3), ["a", "b", "c"], title="$T_x"), path)
    with Image.open(path) as image:
        assert image.format == "PNG" and image.size == (1600, 900)
        assert len(image.getcolors(1 << 24)) > 50


def test_what_cannot_be_drawn(tmp_path):
    with pytest.raises(UserError, match="no epochs"):
        training_figure([], confusion_of(2), ["a", "b"], title="T")
    with pytest.raises(UserError, match="cannot write"):
        save_png(figure_of(), tmp_path / "no" / "x.png")


def test_it_can_stand_in_a_page():
    svg = to_svg(Picture(figure_of(), {}), "p")
    assert svg.startswith("<svg ") and ">true class</text>" in svg
