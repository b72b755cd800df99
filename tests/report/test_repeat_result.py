"""A search over seeds beside random search: the statistics, by hand and by SciPy."""

import json

import numpy as np
import pandas as pd
import pytest
from scipy import stats

from tenas_jax import spaces
from tenas_jax.benchmarks import Table
from tenas_jax.errors import UserError
from tenas_jax.report.repeat_result import repeats_text, seed_row, summary_row, write_repeats
from tenas_jax.runs.workdir import Workdir

SPACE = spaces.get("nas_bench_201")
ARCHS = [SPACE.to_string(SPACE.from_index(i)) for i in range(0, 1000, 100)]
ACCURACY = np.array([10.0, 20, 30, 40, 50, 60, 70, 80, 90, np.nan])
CONFIG = {"space": "nas_bench_201", "preset": "reference", "data": "photos", "other": 1}


@pytest.fixture
def table():
    return Table(pd.DataFrame({"arch": ARCHS, "test": ACCURACY}), SPACE)


def result_of(at, *on_the_way):
    steps = [[scored, ARCHS[i]] for scored, i in on_the_way]
    return {
        "arch": ARCHS[at],
        "architectures_scored": 58,
        "scoring_seconds": 2.0,
        "incumbents": [*steps, [58, ARCHS[at]]],
    }


def rows_of(table, *ats):
    return [seed_row(i, result_of(at), table, ["test"]) for i, at in enumerate(ats)]


def test_a_seed(table):
    row = seed_row(3, result_of(6, (1, 0), (7, 4)), table, ["test"])
    assert row == {
        "seed": 3,
        "arch": ARCHS[6],
        "accuracies": {"test": 70.0},
        "scored": 58,
        "seconds": 2.0,
        "anytime": {"test": [[1, 10.0], [7, 50.0], [58, 70.0]]},
    }
    with pytest.raises(UserError, match="test of .* is blank"):
        seed_row(0, result_of(9), table, ["test"])
    absent = SPACE.to_string(SPACE.from_index(1))
    with pytest.raises(UserError, match="no architecture"):
        seed_row(0, {**result_of(0), "arch": absent}, table, ["test"])


def test_statistics_of_seeds(table):
    pruned, floor = rows_of(table, 6, 7, 8), rows_of(table, 2, 5, 8, 3)
    row = summary_row("pruning", pruned, "test", 50.0, floor)
    values, others = np.array([70.0, 80, 90]), np.array([30.0, 60, 90, 40])
    assert (row["n"], row["mean"], row["scored"]) == (3, 80.0, 58)
    assert row["deviation"] == pytest.approx(10.0)
    low, high = stats.t.interval(0.95, 2, loc=80, scale=10 / np.sqrt(3))
    assert (row["low"], row["high"]) == (pytest.approx(low), pytest.approx(high))
    assert row["relative_improvement"] == pytest.approx(0.6)
    assert row["lead"] == pytest.approx(80 - 55)
    welch = stats.ttest_ind(values, others, equal_var=False).confidence_interval()
    assert (row["lead_low"], row["lead_high"]) == pytest.approx((welch.low, welch.high))


def test_one_seed_has_no_deviation(table):
    row = summary_row("pruning", rows_of(table, 6), "test", 50.0, rows_of(table, 2))
    assert row["mean"] == 70 and row["lead"] == 40
    for name in ("deviation", "low", "high", "lead_low", "lead_high"):
        assert row[name] is None


def test_seeds_that_all_find_the_same(table):
    row = summary_row("pruning", rows_of(table, 6, 6), "test", 50.0, rows_of(table, 2, 2))
    assert (row["deviation"], row["low"], row["high"], row["lead"]) == (0, 70, 70, 40)
    assert row["lead_low"] is None or row["lead_low"] == pytest.approx(40)


def test_the_files_and_the_text(table, tmp_path, capsys):
    searches = {"pruning": rows_of(table, 6, 7), "random": rows_of(table, 2, 5)}
    with Workdir.open(tmp_path / "w", {}) as work:
        result = write_repeats(searches, table, CONFIG, work)
    assert json.loads((tmp_path / "w" / "result.json").read_text()) == result
    assert result["oracle"] == {"test": 90.0}
    # Of all that are known: the mean, and the deviation of the whole population.
    known = ACCURACY[:-1]
    average = {"mean": 50.0, "deviation": pytest.approx(known.std()), "n": 9}
    assert result["average"] == {"test": average}
    assert [row["search"] for row in result["summary"]] == ["pruning", "random"]
    assert result["summary"][1]["lead"] is None
    text = capsys.readouterr().out
    assert text.strip() == repeats_text(result).strip()
    assert "75.00 ± 7.07" in text and "+50.00 %" in text
    lines = [line.split() for line in text.splitlines()]
    assert ["test", "oracle", "90.00", "–", "+80.00", "%", "–", "–"] in lines
