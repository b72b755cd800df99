"""A pruning search in words, and what its picture is given."""

import numpy as np
import pytest

from tenas_jax.report.pruning_course import pruning_course
from tenas_jax.scoring.scores import Score
from tenas_jax.search import Pruning
from tenas_jax.spaces import SPACES

METRICS = ("condition_number", "linear_regions")


@pytest.fixture
def drawn(monkeypatch) -> list:
    """What the picture was given: operations, edges, names of cells."""
    found = []
    monkeypatch.setattr(
        "tenas_jax.report.pruning_course.plot_pruning",
        lambda operations, edges, *rest, title, cells: found.append((operations, edges, cells)),
    )
    return found


def course(space, path, **options) -> list[list[str]]:
    """The table's rows of a search in which every removal changes as much."""
    plan = Pruning(space, METRICS, **options)
    while not plan.done:
        masks, flags = plan.ask(), {name: ["ok"] for name in METRICS}
        values = (np.array([np.nan if plan.round else 4.5]), np.array([9.0 - plan.round]))
        plan.tell([Score(dict(zip(METRICS, values, strict=True)), flags)] * len(masks))
    table = pruning_course(plan, space, METRICS, path, "t")
    return [line.split() for line in table.splitlines()[2:]]


def test_few_are_named(tmp_path, drawn):
    space = SPACES["nas_bench_201"]
    rows = course(space, tmp_path / "a.png", per_round=1)
    assert rows[0][:6] == ["0", "24", "4.5", "9", "1<-0:", "skip_connect,"]
    assert rows[-1] == ["3", "6", "–", "6", "–"]
    edges = [(0, 1), (0, 2), (1, 2), (0, 3), (1, 3), (2, 3)]
    assert drawn == [(space.operations, edges, [""])]


def test_many_are_counted_and_cells_are_named(tmp_path, drawn):
    rows = course(SPACES["darts"], tmp_path / "a.png", per_round=3)
    assert " ".join(rows[0][4:]) == "84 operations on 28 edges, see the picture"
    assert " ".join(rows[3][4:]) == "normal 4<-0: max_pool_3x3, normal 4<-1: max_pool_3x3"
    assert rows[-2][4] == "reduce" and rows[-1][4] == "–"
    assert drawn[0][2] == ["normal", "reduce"]
