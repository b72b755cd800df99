"""Searches by single architectures on the page."""

import json

import pytest

from tenas_jax import spaces
from tenas_jax.errors import UserError
from tenas_jax.report.page import page as page_text
from tenas_jax.report.page.run import read_runs
from tenas_jax.report.page.words import STRATEGIES, WORDS

SPACE = spaces.get("nas_bench_201")
K, R, E = METRICS = ("condition_number", "linear_regions", "kernel_regression")
WORDS_OF = {K: "condition number κ", R: "linear regions", E: "kernel regression"}
LAST = "|none~0|+|none~0|nor_conv_1x1~1|+|nor_conv_1x1~0|none~1|none~2|"


def lines(folder, name: str, values: list[dict]) -> None:
    """Writes a file of lines into a workdir."""
    (folder / name).write_text("".join(json.dumps(value) + "\n" for value in values))


@pytest.fixture
def write(makers, learned):
    """A function that writes the workdir of a learning search."""

    def write(folder, strategy: str, metrics=METRICS, done: bool = True, **changes):
        search = learned(strategy, metrics, costs=strategy == "nsga2", **changes)
        makers["search"](folder, done=done, **{name: 1.5 for name in metrics})
        config = json.loads((folder / "config.json").read_text()) | {"strategy": strategy}
        (folder / "config.json").write_text(json.dumps(config))
        state = {"own": {"front": search.front} if search.front else {}}
        (folder / "checkpoint.json").write_text(json.dumps({"state": state}))
        lines(folder, "records.jsonl", search.lines)
        lines(folder, "rounds.jsonl", search.rounds)
        return folder

    return write


@pytest.fixture
def small(monkeypatch):
    """Plotly's script left out of pages: it is long, and the same on each."""
    monkeypatch.setattr("tenas_jax.report.page.plotly_script", lambda: "/* plotly */")


def pictures(page) -> int:
    return len(page.all("svg"))


def plots(page) -> list[dict]:
    """The figures that can be turned, as the page's script reads them."""
    figures = page.all("figure", **{"class": "turnable"})
    return [json.loads(figure.all("script")[0].text) for figure in figures]


def test_a_learning_search(learner, write, show, tmp_path, small):
    page = show(write(tmp_path / "run", learner))
    rows = page.table("The answer so far")
    header = ["steps", "scored", *WORDS_OF.values(), "diversity of the population"]
    assert rows == [
        header,
        ["2", "2", "400", "10", "0.9", "3"],
        ["4", "3", "100", "30", "0.7", "2"],
        ["6", "4", "100", "30", "0.7", "1.5"],
    ]
    assert "4 architectures by their values" in page.text
    assert "1 with a bad value: left out of the panels that need it." in page.text
    # The cell and the way; of a Pareto front also the metrics against the costs.
    assert pictures(page) == 2 + (learner == "nsga2")
    assert page.table("Every network")[2][2:] == ["–", "20", "–", "singular", SPACE.to_string(
        SPACE.from_index(25))]  # fmt: skip
    assert STRATEGIES[learner] in page.text and WORDS[learner] in page.text


def test_marks_name_each_architecture_once(write, show, tmp_path, small):
    page = show(write(tmp_path / "run", "nsga2"))
    archs = json.loads(page.all("script", id="archs")[0].text)
    assert len(archs) == 4 and LAST in archs


def test_the_pareto_front_is_a_table(write, show, tmp_path, small):
    page = show(write(tmp_path / "run", "nsga2"))
    header, *rows = page.table("The Pareto front")
    names = ["scored as number", *WORDS_OF.values(), "parameters", "multiply-adds"]
    assert header == [*names, "architecture"]
    assert rows[0][:-1] == ["3", "100", "30", "0.7", "4,000,000", "8"]
    assert rows[1] == ["4", "50", "25", "0.8", "3,000,000", "7", LAST]


def test_only_a_search_for_a_front_has_one(write, show, tmp_path, small):
    assert "Pareto" not in show(write(tmp_path / "run", "evolution")).text


def test_a_search_that_goes_on_is_shown_as_far_as_it_is(learner, write, show, tmp_path, small):
    page = show(write(tmp_path / "run", learner, done=False))
    assert "This search is not finished" in page.text
    assert len(page.table("The answer so far")) == 4 and len(plots(page)) == 1


def test_a_search_that_has_not_ended_a_round(write, show, tmp_path, small):
    folder = write(tmp_path / "run", "evolution", done=False)
    (folder / "rounds.jsonl").unlink()
    (folder / "checkpoint.json").unlink()
    page = show(folder)
    assert pictures(page) == 0 and "The answer so far" not in page.text
    assert len(page.table("Every network")) == 5


def test_all_bad(learner, write, show, tmp_path, small):
    values = {name: [None] * 4 for name in METRICS}
    page = show(write(tmp_path / "run", learner, values=values))
    assert plots(page) == [] and "4 with a bad value" in page.text
    assert page.table("The answer so far")[1][2:5] == ["–"] * 3


def test_one_metric(learner, write, show, tmp_path):
    page = show(write(tmp_path / "run", learner, (K,)))
    assert pictures(page) == 2 + (learner == "nsga2") and plots(page) == []
    assert page.table("The answer so far")[0][2:3] == [WORDS_OF[K]]
    assert len(page.all("script")) == 2, "and no other script than without such a search"


def test_a_state_that_does_not_fit_is_a_mistake_of_one_line(write, show, tmp_path):
    folder = write(tmp_path / "run", "nsga2")
    (folder / "checkpoint.json").write_text('{"state": {"own": {"front": [9]}}}')
    with pytest.raises(UserError, match="no architecture 9 among 4"):
        show(folder)


def test_a_random_search_is_shown_by_its_records(write, show, tmp_path, small):
    folder = write(tmp_path / "run", "evolution")
    config = json.loads((folder / "config.json").read_text()) | {"strategy": "random"}
    (folder / "config.json").write_text(json.dumps(config))
    (folder / "checkpoint.json").write_text(json.dumps({"state": {"done": True}}))
    (folder / "rounds.jsonl").unlink()
    result = json.loads((folder / "result.json").read_text())
    first = SPACE.to_string(SPACE.from_index(0))
    result["incumbents"] = [[1, first], [4, LAST]]
    (folder / "result.json").write_text(json.dumps(result))
    page = show(folder)
    rows = page.table("The answer so far")
    assert rows[0] == ["scored", *WORDS_OF.values()]
    assert [row[:2] for row in rows[1:]] == [["1", "400"], ["2", "400"], ["3", "400"], ["4", "50"]]
    assert pictures(page) == 2 and len(plots(page)) == 1
    (folder / "checkpoint.json").unlink()
    (folder / "result.json").unlink()
    page = show(folder)
    assert pictures(page) == 1 and "The answer so far" not in page.text, "the dots alone"


def test_what_is_turned_is_what_was_scored(write, show, tmp_path, small):
    [plot] = plots(show(write(tmp_path / "run", "nsga2")))
    traces = {trace["name"]: trace for trace in plot["data"]}
    assert list(traces) == ["architecture", "Pareto front", "answers so far", "first answer",
                            "last answer"]  # fmt: skip
    dots, path = traces["architecture"], traces["answers so far"]
    assert [dots[axis] for axis in "xyz"] == [[400, 100, 50], [10, 30, 25], [0.9, 0.7, 0.8]]
    assert dots["marker"]["color"] == [1, 3, 4] and dots["marker"]["cmax"] == 4
    assert [path[axis] for axis in "xyz"] == [[400, 100], [10, 30], [0.9, 0.7]]
    assert (traces["first answer"]["x"], traces["last answer"]["x"]) == ([400], [100])
    assert traces["Pareto front"]["y"] == [30, 25]
    assert dots["text"][2].split("<br>")[2:] == [  # the string is in two lines
        "scored as number 4", "NTK condition number κ 50", "Linear regions 25",
        "kernel regression 0.8", "parameters 3,000,000", "multiply-adds 7",
    ]  # fmt: skip
    assert {trace["type"] for trace in traces.values()} == {"scatter3d"}
    scene = plot["layout"]["scene"]
    assert [scene[f"{a}axis"]["type"] for a in "xyz"] == ["log", "linear", "linear"]
    assert scene["zaxis"]["title"]["text"] == "kernel regression<br>(lower is better)"
    for axis, (low, high) in {"x": (50, 400), "y": (10, 30), "z": (0.7, 0.9)}.items():
        ticks = scene[f"{axis}axis"]["tickvals"]
        assert 2 <= len(ticks) <= 7 and low <= min(ticks) and max(ticks) <= high


def test_runs_beside_each_other_share_one_script(write, makers, parse, tmp_path):
    folders = [write(tmp_path / name, name) for name in ("evolution", "nsga2")]
    folders.append(write(tmp_path / "two", "reinforce", (K, R)))
    folders.append(makers["train"](tmp_path / "train"))
    text = page_text(read_runs([str(folder) for folder in folders]))
    page = parse(text)
    assert len(plots(page)) == 2
    assert text.count("plotly.js v") == 1
    assert len(page.all("script")) == 2 + 2 + 2, "data, the page's own, Plotly's and its use"
    assert not any("src" in script.attributes for script in page.all("script"))
    [policy] = [m for m in page.all("meta") if "http-equiv" in m.attributes]
    assert policy.attributes["content"].startswith("default-src 'none'; ")
    rows = page.table("Every run")
    assert [row[0] for row in rows[1:]] == ["evolution", "nsga2", "two", "train"]
    differ = page.table("Where the configs of these runs differ")
    assert [row[1] for row in differ[1:]] == ["evolution", "nsga2", "reinforce"]


def test_a_browser_that_cannot_turn_it_says_so(write, show, tmp_path, small):
    [figure] = show(write(tmp_path / "run", "evolution")).all("figure", **{"class": "turnable"})
    [note] = figure.all("p")
    assert "JavaScript and WebGL" in note.text and "hidden" not in note.attributes
    [stage] = [e for e in figure.all("div") if e.attributes["class"] == "stage"]
    assert "hidden" in stage.attributes
