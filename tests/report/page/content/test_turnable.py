"""Figures that can be turned: what they are made of, and prunings that have one."""

import json

import pytest

from tenas_jax import spaces
from tenas_jax.report.page import space_plot
from tenas_jax.report.page.space_plot import plotly_script, supernet_space, trajectory_space
from tenas_jax.report.page.words import STRATEGIES

SPACE = spaces.get("nas_bench_201")
K, R, E = METRICS = ("condition_number", "linear_regions", "kernel_regression")


def test_texts_of_marks_are_no_markup_and_lines_are_short(learned):
    trajectory = learned("evolution").way()
    trajectory.archs[0] = "<b>&" + "x" * 130
    text = trajectory_space(trajectory, "C").traces[0]["text"][0]
    assert text.startswith("&lt;b&gt;&amp;" + "x" * 56 + "<br>" + "x" * 60 + "<br>")


def history_of(*values) -> list[dict]:
    """Rounds of a pruning, from the values of three metrics in each."""
    last = len(values) - 1
    return [
        {
            "round": 2 * i,
            "mask": [[[1] * (1 + last - i)]],
            **dict(zip(METRICS, own, strict=True)),
            "pruned": [[0, 0, 0]] * (i < last),
        }
        for i, own in enumerate(values)
    ]


def test_the_path_of_a_supernet_is_turned_too():
    history = history_of((900.0, 10.0, 0.9), (None, 20.0, 0.8), (30.0, 30.0, 0.7))
    figure = supernet_space(history, METRICS, "C")
    assert [(t["name"], t["x"], t["z"]) for t in figure.traces] == [
        ("rounds", [900, 30], [0.9, 0.7]), ("first round", [900], [0.9]), ("result", [30], [0.7]),
    ]  # fmt: skip
    expected = "round 4<br>condition number κ 30<br>linear regions 30<br>kernel regression 0.7"
    assert figure.traces[-1]["text"] == [f"{expected}<br>operations left 1"]
    going_on = supernet_space(history[:1], METRICS, "C")
    assert [trace["name"] for trace in going_on.traces] == ["rounds", "latest round"]
    assert supernet_space(history, METRICS[:2], "C") is None
    assert supernet_space(history_of((None, 1.0, 1.0)), METRICS, "C") is None
    assert supernet_space(history_of((5.0, 5.0, 5.0)), METRICS, "C").traces[-1]["x"] == [5]


def spread_over_rounds(folder, strategy: str) -> None:
    """Makes a pruning one by `strategy`: three metrics, of which a record has some alone."""
    rounds = [json.loads(line) for line in (folder / "rounds.jsonl").read_text().splitlines()]
    for i, entry in enumerate(rounds):
        entry |= {"round": 2 * i + 1, E: 0.9 - i / 10}
    (folder / "rounds.jsonl").write_text("".join(json.dumps(r) + "\n" for r in rounds))
    config = json.loads((folder / "config.json").read_text()) | {"strategy": strategy}
    (folder / "config.json").write_text(json.dumps(config))
    records = [json.loads(line) for line in (folder / "records.jsonl").read_text().splitlines()]
    spread = []
    for record in records:
        draw, scores = record["round"], record["scores"]
        estimated = {K: scores[K], E: {"values": [0.5], "flags": ["ok"]}}
        spread.append({**record, "scores": estimated, "round": 2 * draw})
        spread.append({**record, "scores": {R: scores[R]}, "round": 2 * draw + 1})
    (folder / "records.jsonl").write_text("".join(json.dumps(r) + "\n" for r in spread))


def test_pruning_by_gradients_has_the_course_of_pruning(makers, show, tmp_path):
    folder = makers["search"](tmp_path / "run", **{E: 0.5})
    spread_over_rounds(folder, "gradient_pruning")
    page = show(folder)
    rounds = page.table("The supernet in each round")
    assert rounds[0][2:5] == ["condition number κ", "kernel regression", "linear regions"]
    assert rounds[1][:5] == ["1", "25", "300", "0.9", "40.5"]
    networks = page.table("Every network")
    assert networks[1] == ["1", "0", "300", "0.5", "–", "–", "the supernet"]
    assert networks[2] == ["2", "1", "–", "–", "40.5", "–", "the supernet"]
    assert networks[3][-1] == "without 1<-0: skip_connect"
    assert STRATEGIES["gradient_pruning"] in page.text
    assert len(page.all("svg")) == 3 and len(page.all("figure", **{"class": "turnable"})) == 1


def test_the_script_cannot_end_its_element(monkeypatch):
    import plotly.offline

    assert len(plotly_script()) > 1e6
    monkeypatch.setattr(plotly.offline, "get_plotlyjs", lambda: "a='</script>';b='<!--<script'")
    assert plotly_script() == "a='<\\/script>';b='<\\!--<script'"


@pytest.mark.parametrize(
    "low, high, log, expected",
    [
        (0.0, 1.0, False, [0, 0.2, 0.4, 0.6, 0.8, 1]),
        (5.0, 5.0, False, [5]),
        (9.0, 1100.0, True, [10, 30, 100, 300, 1000]),
        (1.0, 1e6, True, [1, 10, 100, 1e3, 1e4, 1e5, 1e6]),
    ],
)
def test_ticks_are_few_and_round(low, high, log, expected):
    assert space_plot._ticks(low, high, log) == pytest.approx(expected)
