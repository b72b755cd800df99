"""Who watches a workdir: called once a record is on the disk, with its number in the file."""

import pytest

from tenas_jax.errors import UserError
from tenas_jax.runs import json_lines
from tenas_jax.runs.workdir import Workdir


def open_run(path, **options):
    return Workdir.open(path, {"seed": 0}, **{"writer": True, **options})


def test_each_record_is_on_the_disk_when_it_is_told(run):
    told = []
    run.append({"a": 0})

    def watcher(number, record):
        told.append((number, record))
        assert run.records()[-1] == record

    end = run.watch(watcher)
    run.append({"a": 1})
    run.append({"a": 2})
    end()
    run.append({"a": 3})
    assert told == [(1, {"a": 1}), (2, {"a": 2})]


def test_several_may_watch(run):
    told, other = [], []
    end = run.watch(lambda number, record: told.append(number))
    run.watch(lambda number, record: other.append(number))
    run.append({})
    end()
    run.append({})
    assert told == [0] and other == [0, 1]


def test_numbers_go_on_in_a_run_that_was_killed(tmp_path, warnings_logged):
    for start in range(3):
        told = []
        with open_run(tmp_path) as work:
            work.watch(lambda number, record, told=told: told.append(number))
            work.append({"a": 1})
            work.append({"a": 2})
        assert told == [2 * start, 2 * start + 1]
        with (tmp_path / "records.jsonl").open("ab") as file:
            file.write(b'{"a": ')  # half a line is no record


def test_a_line_that_lacks_only_its_newline_counts(tmp_path):
    open_run(tmp_path).close()
    (tmp_path / "records.jsonl").write_bytes(b'{"a": 1}\n{"a": 2}')
    told = []
    with open_run(tmp_path) as work:
        work.watch(lambda number, record: told.append(number))
        work.append({"a": 3})
        assert len(work.records()) == 3
    assert told == [2]


def test_of_a_record_that_could_not_be_written_nobody_hears(run, monkeypatch):
    def fail(file, data):
        raise OSError(28, "No space left on device")

    told = []
    run.watch(lambda number, record: told.append((number, record)))
    with monkeypatch.context() as patch:
        patch.setattr(json_lines, "_write_all", fail)
        with pytest.raises(UserError, match="No space left"):
            run.append({"a": 1})
    with pytest.raises(TypeError):
        run.append({"a": object()})
    assert told == []
    run.append({"a": 2})
    assert told == [(0, {"a": 2})]


def test_where_a_watcher_fails_the_record_is_there(run):
    def fail(number, record):
        raise UserError(f"cannot show {number}")

    end = run.watch(fail)
    for number in range(2):
        with pytest.raises(UserError, match=f"cannot show {number}"):
            run.append({"a": number})
    end()
    run.append({"a": 2})
    assert run.records() == [{"a": 0}, {"a": 1}, {"a": 2}]


def test_a_process_that_does_not_write_tells_nothing(tmp_path):
    told = []
    with open_run(tmp_path, writer=False) as work:
        work.watch(lambda number, record: told.append(number))
        work.append({"a": 1})
    assert told == []
