"""The course of a search in words, and what its picture is given."""

import types

import numpy as np
import pytest

from tenas_jax import spaces
from tenas_jax.report.courses import course_rows, pruning_course, trajectory_course
from tenas_jax.report.page import write_page
from tenas_jax.report.search_result import COURSES, TITLES, write_result
from tenas_jax.runs.workdir import Workdir
from tenas_jax.scoring.presets import protocol
from tenas_jax.scoring.recorder import recorded
from tenas_jax.scoring.scores import Score
from tenas_jax.search import Pruning, RandomSearch, search, strategy

SPACE = spaces.get("nas_bench_201")
K, R, E = METRICS = ("condition_number", "linear_regions", "kernel_regression")


@pytest.fixture
def drawn(monkeypatch) -> list:
    """What each picture was given: operations, edges, names of cells."""
    given = []
    monkeypatch.setattr(
        "tenas_jax.report.courses.pruning_figure",
        lambda operations, edges, *rest, title, cells: given.append((operations, edges, cells)),
    )
    monkeypatch.setattr("tenas_jax.report.courses.save_png", lambda figure, path: None)
    return given


def course(space, path, **options) -> list[list[str]]:
    """The table's rows of a search in which every removal changes as much."""
    plan = Pruning(space, (K, R), **options)
    while not plan.done:
        masks, flags = plan.ask(), {name: ["ok"] for name in (K, R)}
        values = (np.array([np.nan if plan.round else 4.5]), np.array([9.0 - plan.round]))
        plan.tell([Score(dict(zip((K, R), values, strict=True)), flags)] * len(masks))
    table = pruning_course(plan, space, (K, R), path, "t")
    return [line.split() for line in table.splitlines()[2:]]


def test_few_are_named(tmp_path, drawn):
    rows = course(SPACE, tmp_path / "a.png", per_round=1)
    assert rows[0][:6] == ["0", "24", "4.5", "9", "1<-0:", "skip_connect,"]
    assert rows[-1] == ["3", "6", "–", "6", "–"]
    edges = [(0, 1), (0, 2), (1, 2), (0, 3), (1, 3), (2, 3)]
    assert drawn == [(SPACE.operations, edges, [""])]


def test_many_are_counted_and_cells_are_named(tmp_path, drawn):
    rows = course(spaces.get("darts"), tmp_path / "a.png", per_round=3)
    assert " ".join(rows[0][4:]) == "84 operations on 28 edges, see the picture"
    assert " ".join(rows[3][4:]) == "normal 4<-0: max_pool_3x3, normal 4<-1: max_pool_3x3"
    assert rows[-2][4] == "reduce" and rows[-1][4] == "–"
    assert drawn[0][2] == ["normal", "reduce"]


def lines(text: str) -> list[list[str]]:
    return [line.split() for line in text.splitlines()]


def test_the_answers_so_far_are_a_table_beside_a_picture(learner, learned, tmp_path):
    found = learned(learner)
    state = {"own": {"front": found.front} if found.front else {}}
    strategy = types.SimpleNamespace(state=lambda: state, history=found.rounds)
    assert COURSES[learner] is trajectory_course
    where = tmp_path / "search.png"
    text = trajectory_course(strategy, SPACE, METRICS, where, "T", found.records)
    header, _, *rows = lines(text)
    words = "steps scored condition number linear regions kernel regression diversity"
    assert header == words.split()
    assert rows == [
        ["2", "2", "400", "10", "0.9", "3"],
        ["4", "3", "100", "30", "0.7", "2"],
        ["6", "4", "100", "30", "0.7", "1.5"],
    ]
    assert (tmp_path / "search.png").read_bytes().startswith(b"\x89PNG")


def test_rows_are_spread_over_the_search(learned):
    search = learned("evolution")
    search.rounds = [{**search.rounds[-1], "round": i, "steps": i} for i in range(91)]
    _, rows = course_rows(search.way())
    assert [row[0] for row in rows] == list(range(0, 91, 10))


def test_a_bad_answer_has_no_number(learned):
    search = learned("evolution", (K, R))
    search.rounds[0]["best"] = 1
    header, rows = course_rows(search.way((K, R)))
    assert header == ["steps", "scored", K, R, "diversity"]
    assert rows[0] == [2, 2, None, 20.0, 3.0]


def test_a_random_search_is_told_by_its_records(score_line, tmp_path):
    strategy = RandomSearch(SPACE, (R,), seed=0, count=3)
    archs = [SPACE.from_mask(mask) for mask in strategy.ask()]
    values = (5.0, 7.0, 6.0)
    strategy.tell([Score({R: np.array([value])}, {R: ["ok"]}) for value in values])
    made = [score_line(SPACE.index(a), {R: v}) for a, v in zip(archs, values, strict=True)]
    records = list(recorded(made, "run"))
    text = COURSES["random"](strategy, SPACE, (R,), tmp_path / "search.png", "T", records)
    header, _, *rows = lines(text)
    assert header == ["scored", "linear", "regions"]
    assert rows == [["1", "5"], ["2", "7"], ["3", "7"]]
    assert (tmp_path / "search.png").exists()


@pytest.mark.parametrize("name", COURSES)
def test_every_course_has_a_title(name):
    assert TITLES[name] and "_" not in TITLES[name]


def test_rows_are_plain_numbers(learned):
    _, rows = course_rows(learned("reinforce").way())
    assert not any(isinstance(value, np.generic) for row in rows for value in row)


class Arithmetic:
    """An evaluator whose scores are sums over the mask; some kernels are bad."""

    space, engine = SPACE, "none"
    compile_seconds = run_seconds = 1.0
    protocol = protocol("reference", metrics=(K, R))

    def key(self, mask) -> str:
        return SPACE.cache_key(mask)

    def score(self, masks, draw, known, *, metrics=None, gradients=False):
        for i, mask in enumerate(masks):
            total = float(np.flatnonzero(mask).sum())
            bad = total % 7 == 0
            values = {K: np.array([np.nan if bad else 100 - total]), R: np.array([total])}
            score = Score(values, {K: ["singular" if bad else "ok"], R: ["ok"]}, 0.5)
            new = self.key(mask) not in known
            yield i, self.key(mask), known.get(self.key(mask), score), new


@pytest.mark.parametrize("name", [n for n, how in COURSES.items() if how is trajectory_course])
def test_strategies_themselves_have_a_course_and_a_page(name, tmp_path, capsys):
    small = {"evolution": {"population": 8, "tournament": 3}, "nsga2": {"population": 8}}
    options = {"count": 9} if name == "random" else {"steps": 6, **small.get(name, {})}
    if name == "nsga2":
        pytest.importorskip("pymoo")
    evaluator = Arithmetic()
    plan = strategy(name, SPACE, evaluator.protocol, **options)
    config = {"space": SPACE.name, "strategy": name, "preset": "reference", "data": "x", "seed": 0}
    with Workdir.open(tmp_path / "run", config) as workdir:
        search(plan, evaluator, workdir)
        result = write_result(name, plan, evaluator, workdir, None, "reference")
    rows = lines(capsys.readouterr().out.split("\n\n")[0])[2:]
    last = rows[-1]
    steps = [] if name == "random" else [last.pop(0)]
    assert not steps or int(steps[0]) == plan.steps
    assert int(last[0]) == result["architectures_scored"]
    shown = [np.nan if value == "–" else float(value) for value in last[1:3]]
    expected = [np.nan if result[m] is None else result[m] for m in (K, R)]
    np.testing.assert_allclose(shown, expected, rtol=1e-4)
    assert (tmp_path / "run" / "search.png").exists()
    write_page([str(tmp_path / "run")], tmp_path / "page.html")
    page = (tmp_path / "page.html").read_text()
    assert "The answer so far" in page and ("The Pareto front" in page) == (name == "nsga2")
