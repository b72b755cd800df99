"""Workdirs as the page reads them: names, what is cut short, what is no run."""

import json
import pathlib

import pytest

from tenas_jax.errors import UserError
from tenas_jax.report.page.kinds import KINDS, kind_of
from tenas_jax.report.page.run import read_run, read_runs, short_names


def test_names_are_as_long_as_it_takes():
    paths = [pathlib.Path(p) for p in ("/a/x/seed-0", "/a/y/seed-0", "/a/y/seed-1")]
    assert short_names(paths) == ["x/seed-0", "y/seed-0", "seed-1"]


def test_there_is_a_workdir_of_every_kind_in_these_tests(makers):
    assert makers.keys() == KINDS.keys()


@pytest.mark.parametrize("done", [True, False])
@pytest.mark.parametrize("kind", KINDS)
def test_each_kind_is_known_by_what_lies_there(kind, done, makers, tmp_path):
    run = read_run(makers[kind](tmp_path / "run", done=done), "run")
    assert kind_of(run) == kind
    assert [name for name, other in KINDS.items() if other.recognises(run)] == [kind]


def test_a_cut_last_line_is_left_out_and_said(makers, show, tmp_path):
    folder = makers["search"](tmp_path / "run", done=False)
    with (folder / "records.jsonl").open("a") as file:
        file.write('{"round": 1, "enc')
    before = (folder / "records.jsonl").read_bytes()
    text = show(folder).text
    assert "The last line of records.jsonl is cut short and was left out." in text
    assert "not finished: 3 records" in text
    assert (folder / "records.jsonl").read_bytes() == before, "the page only reads"


def test_what_an_earlier_start_left_aside_is_said(makers, show, tmp_path):
    folder = makers["train"](tmp_path / "run", done=False)
    assert "records.jsonl.truncated" not in show(folder).text
    (folder / "records.jsonl.truncated").write_text("{")
    assert "records.jsonl.truncated" in show(folder).text


def test_a_folder_without_a_run_is_refused(tmp_path):
    with pytest.raises(UserError, match=f"{tmp_path} holds no run"):
        read_run(tmp_path, "x")
    with pytest.raises(UserError, match="holds no run"):
        read_run(tmp_path / "missing", "x")


def test_a_run_of_the_first_format_is_refused_in_one_line(makers, tmp_path):
    folder = makers["search"](tmp_path / "run")
    (folder / "environment.json").write_text('{"starts": []}')
    with pytest.raises(UserError, match="is of format 1, which tenas_jax 0.1.0 reads; this"):
        read_run(folder, "x")


@pytest.mark.parametrize("done", [True, False])
def test_a_damaged_record_is_named(makers, show, tmp_path, done):
    folder = makers["search"](tmp_path / "run", done=done)
    lines = (folder / "records.jsonl").read_text().splitlines()
    lines[1] = lines[1].replace('"scores"', '"score"')
    (folder / "records.jsonl").write_text("\n".join(lines) + "\n")
    with pytest.raises(UserError, match=f"{folder}/records.jsonl, line 2: a record is not a whole"):
        show(folder)


def test_an_unknown_kind_is_refused_with_the_valid_ones(tmp_path):
    (tmp_path / "config.json").write_text('{"of": "something else"}')
    with pytest.raises(UserError, match=f"{tmp_path} holds a run .* valid: .*search.*correlate"):
        kind_of(read_run(tmp_path, "x"))


def test_workdirs_must_be_given_and_differ(makers, tmp_path):
    with pytest.raises(UserError, match="no workdir"):
        read_runs([])
    folder = makers["train"](tmp_path / "run")
    with pytest.raises(UserError, match="given twice"):
        read_runs([str(folder), f"{folder}/"])


@pytest.mark.parametrize("kind, field", [
    ("search", "arch"), ("correlate", "rows"), ("repeat", "searches"), ("train", "confusion"),
    ("compare", "top1"), ("grow", "family"),
])  # fmt: skip
def test_a_result_that_lacks_a_field_is_a_mistake_of_one_line(kind, field, makers, show, tmp_path):
    folder = makers[kind](tmp_path / "run")
    result = json.loads((folder / "result.json").read_text())
    del result[field]
    (folder / "result.json").write_text(json.dumps(result))
    with pytest.raises(UserError, match=f"result.json: there is no field '{field}'"):
        show(folder)
