"""The picture of a growth: every step and every candidate where it belongs, and no accuracy."""

import numpy as np
import pytest

from tenas_jax.errors import UserError
from tenas_jax.report.growth_plot import APART, growth_picture
from tenas_jax.report.picture import to_svg
from tenas_jax.search.growth import Growth
from tenas_jax.spaces.as_vit.grown import AsVitSizes

METRICS = ("condition_number", "length_distortion")
MANY = (*METRICS, "linear_regions", "kernel_regression", "gauss_length")


def artist(picture, gid: str):
    [match] = picture.figure.findobj(lambda artist: artist.get_gid() == gid)
    return match


def points(picture, gid: str) -> list[list[float]]:
    drawn = artist(picture, gid)
    pairs = drawn.get_offsets() if hasattr(drawn, "get_offsets") else drawn.get_xydata()
    return np.asarray(pairs).tolist()


def test_sizes_of_the_steps_by_their_parameters(grown):
    picture = growth_picture(grown, METRICS, "T")
    for stage, blocks in enumerate([(2, 2), (1, 1), (1, 1), (1, 2)]):
        marks = np.array(points(picture, f"stage-{stage + 1}"))
        assert marks[:, 0].tolist() == [1.5, 3.0], "millions of parameters"
        np.testing.assert_allclose(marks[:, 1], np.add(blocks, APART * (stage - 1.5)))
        assert marks[:, 1].round().tolist() == list(blocks), "what is moved is still read right"
    assert points(picture, "width") == [[1.5, 32], [3.0, 32]]
    assert "stage 4: 2 blocks" in picture.hovers["stage-4"][1]


def test_metrics_of_the_steps_and_of_all_candidates(grown):
    picture = growth_picture(grown, METRICS, "T")
    assert points(picture, "chosen-condition_number") == [[1.5, 40]], "the second one is bad"
    assert points(picture, "chosen-length_distortion") == [[1.5, 3], [3, 4]]
    dots = [[1.25, 1.5], [1.5, 3], [2, 2], [3, 4], [4, 2.5]]
    assert points(picture, "candidates-length_distortion") == dots
    assert points(picture, "candidates-condition_number") == [[1.25, 80], [1.5, 40], [4, 60]]
    labels = [axes.get_xlabel() for axes in picture.figure.axes]
    assert labels == [f"parameters, millions{end}" for end in ("", "", " · 2 bad, left out", "")]
    assert all(axes.get_xscale() == "log" for axes in picture.figure.axes)
    texts = picture.hovers["candidates-condition_number"]
    assert texts[2] == "\n".join(
        ["8,2,3,2|4,1,2,2|4,1,4,1|4,1,6,1|32,36", "step 2", "parameters 4,000,000",
         "sum of ranks 3", "condition number 60"]
    )  # fmt: skip
    assert picture.hovers["width"][1].endswith("condition number bad\nlength distortion 4")


def test_a_metric_that_is_bad_in_every_candidate(grown):
    for entry in grown:
        for one in (entry, *entry["candidates"]):
            one["condition_number"] = None
    picture = growth_picture(grown, METRICS, "T")
    panel = picture.figure.axes[2]
    assert [text.get_text() for text in panel.texts] == ["nothing to show"]
    assert panel.get_xlabel().endswith("5 bad, left out")
    assert "candidates-condition_number" not in picture.hovers


def test_a_metric_that_is_bad_in_every_step_alone(grown):
    grown[0]["condition_number"] = None
    picture = growth_picture(grown, METRICS, "T")
    assert "chosen-condition_number" not in picture.hovers
    assert len(picture.hovers["candidates-condition_number"]) == 3


def test_that_accuracies_are_unknown_is_said_and_none_is_shown(grown):
    svg = to_svg(growth_picture(grown, METRICS, "T"), "p")
    assert svg.count("accurac") == 1
    assert "None of these networks is trained: their accuracies are unknown." in svg


class Drawn:
    """Random values of some metrics, of which each is now and then bad."""

    def __init__(self, rng):
        self.rng = rng

    def mean(self, name: str) -> float:
        return np.nan if self.rng.random() < 0.1 else float(10 ** self.rng.normal(3, 2))


@pytest.mark.parametrize("count", range(1, 6))
@pytest.mark.parametrize("steps", [1, 10])
def test_no_texts_meet(count, steps, check_texts):
    rng, metrics = np.random.default_rng(count), MANY[:count]
    space = AsVitSizes("8,2,3|4,1,2|4,1,4|4,1,6|32")
    growth = Growth(space, metrics)
    for _ in range(steps):
        growth.tell([Drawn(rng) for _ in growth.ask()])
    title = "Growth of 8,2,3|4,1,2|4,1,4|4,1,6|32, preset as_vit"
    picture = growth_picture(growth.history, metrics, title)
    check_texts(picture.figure)
    assert picture.figure.bbox.size.tolist() == [1600, 900]
    assert len(picture.figure.axes) == 2 + count
    to_svg(picture, "p")  # which fails where marks and texts differ


@pytest.mark.parametrize("metrics", [METRICS, ()])
def test_nothing_to_plot(grown, metrics):
    with pytest.raises(UserError, match="there are no steps of a growth with metrics to plot"):
        growth_picture([] if metrics else grown, metrics, "T")
