"""The picture of a search's way: dots, path and rounds are where the numbers say."""

import numpy as np
import pytest
from matplotlib.collections import PathCollection

from tenas_jax import spaces
from tenas_jax.errors import UserError
from tenas_jax.report.picture import to_svg
from tenas_jax.report.trajectory import Trajectory, of_records
from tenas_jax.report.trajectory_plot import costs_picture, trajectory_picture
from tenas_jax.scoring.recorder import recorded

SPACE = spaces.get("nas_bench_201")
K, R, E = METRICS = ("condition_number", "linear_regions", "kernel_regression")
LABELS = {
    K: "NTK condition number κ (lower is better)",
    R: "Linear regions (higher is better)",
    E: "kernel regression (lower is better)",
}


def picture_of(search, metrics=METRICS):
    return trajectory_picture(search.way(metrics), title="T")


def panels(picture):
    """The axes of pairs of metrics by the words of both."""
    return {
        (axes.get_xlabel(), axes.get_ylabel()): axes
        for axes in picture.figure.axes
        if axes.get_xlabel() in {*LABELS.values(), "architectures scored"}
    }


def dots(axes) -> np.ndarray:
    """The points of the first scatter, [n, 2]."""
    return [c for c in axes.collections if isinstance(c, PathCollection)][0].get_offsets()


def legend(picture):
    return [text.get_text() for each in picture.figure.legends for text in each.get_texts()]


def test_each_pair_of_metrics_has_a_panel(learner, learned):
    picture = picture_of(learned(learner))
    by_pair = panels(picture)
    assert list(by_pair) == [(LABELS[K], LABELS[R]), (LABELS[K], LABELS[E]), (LABELS[R], LABELS[E])]
    first, _, last = by_pair.values()
    np.testing.assert_array_equal(dots(first), [[400, 10], [100, 30], [50, 25]])
    np.testing.assert_array_equal(dots(last), [[10, 0.9], [30, 0.7], [25, 0.8]])
    scatter = first.collections[0]
    np.testing.assert_array_equal(scatter.get_array(), [1, 3, 4])
    assert first.get_title(loc="left") == "3 shown · 1 bad, left out"
    np.testing.assert_array_equal(first.lines[0].get_xydata(), [[400, 10], [100, 30]])
    assert (first.get_xscale(), first.get_yscale(), last.get_xscale()) == ("log",) + ("linear",) * 2
    expected = ["architecture", "first answer", "last answer"]
    expected[1:1] = ["Pareto front"] * (learner == "nsga2")
    assert legend(picture) == expected


def test_the_front_is_ringed(learned):
    axes = next(iter(panels(picture_of(learned("nsga2"))).values()))
    _, rings = axes.collections
    np.testing.assert_array_equal(rings.get_offsets(), [[100, 30], [50, 25]])
    assert rings.get_facecolor().size == 0


def test_the_rounds_have_a_panel_a_number(learner, learned):
    figure = picture_of(learned(learner)).figure
    lines = {a.get_title(loc="left"): a.lines for a in figure.axes if a.get_xlabel() == "steps"}
    entropy = {"policy entropy (nats an edge)": [1.5, 1, 0.5]}
    expected = {
        "reinforce": {**entropy, "reward": [np.nan, 0.25, -0.5]},
        "local_search": {"restarts": [0, 0, 1]},
    }.get(learner, {})
    expected = {"population diversity (edges)": [3, 2, 1.5], **expected}
    assert list(lines) == list(expected)
    for name, values in expected.items():
        np.testing.assert_array_equal(lines[name][0].get_xydata(), np.c_[[2, 4, 6], values])
        known = np.isfinite(values)
        np.testing.assert_array_equal(lines[name][1].get_ydata(), np.array(values)[known])


def test_marks_say_what_they_are(learned):
    picture = picture_of(learned("reinforce"))
    values = "NTK condition number κ 400\nLinear regions 10\nkernel regression 0.9"
    arch = "|none~0|+|none~0|none~1|+|none~0|none~1|none~2|"
    assert picture.hovers["dots0"][0] == f"{arch}\nscored as number 1\n{values}"
    assert picture.hovers["path0-0"] == [f"{arch}\nthe answer from 2 scored on\n{values}"]
    assert picture.hovers["series-reward"] == [
        "reward 0.25\nafter 4 steps", "reward -0.5\nafter 6 steps",
    ]  # fmt: skip
    assert to_svg(picture, "p").count("data-hover") == 3 * (3 + 2) + 3 + 3 + 2


def test_two_metrics_have_one_panel(learned):
    picture = picture_of(learned("evolution", (K, E)), (K, E))
    assert list(panels(picture)) == [(LABELS[K], LABELS[E])]


def test_one_metric_is_drawn_by_the_order_of_scoring(learner, learned):
    picture = picture_of(learned(learner, (R,)), (R,))
    [axes] = panels(picture).values()
    np.testing.assert_array_equal(dots(axes), [[1, 10], [2, 20], [3, 30], [4, 25]])
    # From two scored on it is the first, from three on the third, to the end.
    np.testing.assert_array_equal(axes.lines[0].get_xydata(), [[2, 10], [3, 30], [4, 30]])
    assert axes.lines[0].get_drawstyle() == "steps-post"
    assert axes.get_title(loc="left") == "4 shown"


def test_all_bad(learner, learned, check_texts):
    values = {K: [None] * 4, R: [1.0, 2.0, 3.0, None], E: [None] * 4}
    picture = picture_of(learned(learner, values=values))
    svg = to_svg(picture, "p")
    assert svg.count("nothing to show") == 3 and svg.count("0 shown · 4 bad, left out") == 3
    check_texts(picture.figure)


def test_an_answer_that_is_bad_is_a_gap(learned):
    search = learned("evolution")
    for entry, best in zip(search.rounds, (0, 1, 3), strict=True):
        entry["best"] = best
    axes = next(iter(panels(picture_of(search)).values()))
    expected = [[400, 10], [np.nan, np.nan], [50, 25]]
    np.testing.assert_array_equal(axes.lines[0].get_xydata(), expected)


@pytest.mark.parametrize("metrics", [METRICS, (K, R), (K,)], ids=len)
def test_no_texts_meet(learner, learned, metrics, check_texts):
    check_texts(picture_of(learned(learner, metrics), metrics).figure)


def test_many_are_one_image(learned, monkeypatch):
    monkeypatch.setattr("tenas_jax.report.trajectory_panel.MOST_HOVERED", 2)
    picture = picture_of(learned("evolution"))
    assert not any(name.startswith("dots") for name in picture.hovers)
    assert to_svg(picture, "p").count("<image") == 3 + 1, "one a panel, and the bar of shades"


def test_costs_are_drawn_below_the_metrics(learned, check_texts):
    picture = costs_picture(learned("nsga2", costs=True).way(), title="T")
    axes = picture.figure.axes[:6]
    assert [a.get_xlabel() for a in axes] == ["parameters"] * 3 + ["multiply-adds"] * 3
    np.testing.assert_array_equal(dots(axes[1]), [[1e6, 10], [2e6, 20], [4e6, 30], [3e6, 25]])
    np.testing.assert_array_equal(axes[1].collections[1].get_offsets(), [[4e6, 30], [3e6, 25]])
    check_texts(picture.figure)


def test_records_without_answers(score_line, check_texts):
    records = recorded([score_line(7, {K: 2.0, R: 3.0})], "run")
    picture = trajectory_picture(of_records(records, SPACE, (K, R)), title="T")
    assert legend(picture) == ["architecture"]
    assert len(to_svg(picture, "p")) > 1000
    check_texts(picture.figure)


def test_what_cannot_be_drawn(learned):
    nothing = np.zeros(0, int)
    for trajectory in (
        Trajectory(METRICS, [], dict.fromkeys(METRICS, np.zeros(0)), nothing, nothing),
        Trajectory((), ["a"], {}, nothing, nothing),
    ):
        with pytest.raises(UserError, match="no architectures with values"):
            trajectory_picture(trajectory, title="T")
    with pytest.raises(UserError, match="no architectures with values"):
        costs_picture(learned("nsga2").way(), title="T")
