"""Tables of scores: what stands in a row, in both formats, and what cannot be written."""

import sys

import numpy as np
import pandas as pd
import pytest

from tenas_jax import spaces
from tenas_jax.benchmarks import Table
from tenas_jax.benchmarks.rank_study import scores_of_table
from tenas_jax.benchmarks.score_table import check_output, columns, row, write_table
from tenas_jax.errors import UserError
from tenas_jax.scoring.scores import Score

METRICS = ("condition_number", "linear_regions")
SPACE = spaces.get("nas_bench_201")


def score(kappas, flags) -> Score:
    values = {METRICS[0]: np.array(kappas), METRICS[1]: np.full(len(kappas), 7.0)}
    return Score(values, {METRICS[0]: flags, METRICS[1]: ["ok"] * len(kappas)}, 0.1)


def rows(count: int):
    rng = np.random.default_rng(0)
    for i in range(count):
        bad = i % 3 == 1
        values = [np.nan, 2.0] if bad else rng.random(2)
        flags = ["singular", "ok"] if bad else ["ok", "ok"]
        yield row(SPACE.to_string(SPACE.from_index(i)), score(values, flags), METRICS, 5)


def test_a_row_holds_means_and_a_bad_score_is_none_with_its_words():
    assert row("a", score([1.0, 2.0], ["ok", "ok"]), METRICS, 3) == [
        "a", 1.5, 7.0, "ok", "ok", 3, 0.1]  # fmt: skip
    bad = score([1.0, np.nan, np.nan], ["ok", "singular", "not finite"])
    assert row("a", bad, METRICS, 3)[1:5] == [None, 7.0, "singular; not finite", "ok"]
    assert row("a", score([np.inf], ["ok"]), METRICS, 3)[1:4] == [None, 7.0, "not finite"]


@pytest.mark.parametrize("name", ["arch", "seed", "seconds", "b_flag"])
def test_a_metric_of_the_name_of_another_column_is_refused(name):
    assert list(columns(("b",))) == ["arch", "b", "b_flag", "seed", "seconds"]
    with pytest.raises(UserError, match=f"a table has a column {name} of its own"):
        columns(("b", name))


@pytest.mark.parametrize("count", [0, 5, 1030])  # one with more rows than a group of Parquet
def test_both_formats_hold_the_same(tmp_path, count):
    for name in ("s.csv", "s.parquet"):
        write_table(tmp_path / name, METRICS, rows(count))
    text, parquet = pd.read_csv(tmp_path / "s.csv"), pd.read_parquet(tmp_path / "s.parquet")
    flags = [f"{name}_flag" for name in METRICS]
    assert list(text) == list(parquet) == ["arch", *METRICS, *flags, "seed", "seconds"]
    assert len(text) == len(parquet) == count
    if count:
        pd.testing.assert_frame_equal(text, parquet, check_exact=True)
        wanted = pd.DataFrame(list(rows(count)), columns=list(text))
        pd.testing.assert_frame_equal(text, wanted, check_exact=True)
    assert sorted(path.name for path in tmp_path.iterdir()) == ["s.csv", "s.parquet"]


@pytest.mark.parametrize("name", ["s.csv", "s.PARQUET"])
def test_a_failure_leaves_the_old_table(tmp_path, name):
    def broken():
        yield from rows(3)
        raise UserError("a damaged record")

    write_table(tmp_path / name, METRICS, rows(2))
    before = (tmp_path / name).read_bytes()
    with pytest.raises(UserError, match="a damaged record"):
        write_table(tmp_path / name, METRICS, broken())
    assert (tmp_path / name).read_bytes() == before
    assert len(list(tmp_path.iterdir())) == 1


@pytest.mark.parametrize("name", ["s.json", "s", "csv", "file/s.csv", "folder.csv"])
def test_what_cannot_be_written_is_found_early(tmp_path, name):
    (tmp_path / "folder.csv").mkdir()
    (tmp_path / "file").write_text("")
    with pytest.raises(
        UserError, match="cannot write .*(must end in .csv or .parquet|directory|exists)"
    ):
        check_output(tmp_path / name)


def test_parquet_without_pyarrow_says_what_to_install(tmp_path, monkeypatch):
    write_table(tmp_path / "there.parquet", METRICS, rows(1))
    monkeypatch.setitem(sys.modules, "pyarrow.parquet", None)
    with pytest.raises(UserError, match=r"pip install 'tenas_jax\[parquet\]'"):
        check_output(tmp_path / "s.parquet")
    with pytest.raises(UserError, match="there.parquet: Parquet needs pyarrow"):
        Table.load(tmp_path / "there.parquet", SPACE)
    check_output(tmp_path / "s.csv")


def test_a_study_reads_its_metrics(tmp_path):
    write_table(tmp_path / "s.csv", METRICS, rows(4))
    means = scores_of_table(Table.load(tmp_path / "s.csv", SPACE)).means()
    assert list(means) == list(METRICS)
    assert np.isnan(means["condition_number"]).tolist() == [False, True, False, False]
