"""Records: no half line is read, nothing written is lost."""

import json
import math
import os
import tracemalloc

import jax
import jax.numpy as jnp
import numpy as np
import pytest

from tenas_jax.errors import UserError
from tenas_jax.runs import json_lines
from tenas_jax.runs.workdir import Workdir

CONFIG = {"seed": 0}


def open_run(path, config=CONFIG, **options):
    return Workdir.open(path, config, writer=True, **options)


@pytest.mark.parametrize(
    "tail",
    [b"{", b'{"a": 3', b'{"a": "\xc3', b'{"a": 3\n', b"\n", b"12", b"\0\0\0\0", b'{"a": "\xc3\n'],
)
def test_a_truncated_last_line_is_put_aside(tmp_path, tail, warnings_logged):
    whole = b'{"a": 1}\n{"a": 2}\n'
    open_run(tmp_path).close()
    (tmp_path / "records.jsonl").write_bytes(whole + tail)
    with open_run(tmp_path) as work:
        assert (tmp_path / "records.jsonl").read_bytes() == whole
        work.append({"a": 4})
        assert work.records() == [{"a": 1}, {"a": 2}, {"a": 4}]
    aside = (tmp_path / "records.jsonl.truncated").read_bytes()
    assert aside == tail.removesuffix(b"\n") + b"\n"
    assert len(warnings_logged) == 1 and "records.jsonl" in warnings_logged[0]


def test_truncated_lines_collect(tmp_path, warnings_logged):
    for tail in (b'{"x', b'{"y'):
        with open_run(tmp_path) as work:
            work.append({"a": 1})
        with (tmp_path / "records.jsonl").open("ab") as file:
            file.write(tail)
    with open_run(tmp_path) as work:
        assert work.records() == [{"a": 1}, {"a": 1}]
    assert (tmp_path / "records.jsonl.truncated").read_bytes() == b'{"x\n{"y\n'


def test_every_cut_of_a_file_keeps_all_whole_lines(tmp_path, warnings_logged):
    text = b'{"a": "\xc3\xa9"}\n{"b": {"c": [1, 2]}}\n'
    open_run(tmp_path).close()
    path = tmp_path / "records.jsonl"
    for length in range(len(text) + 1):
        path.write_bytes(text[:length])
        with open_run(tmp_path) as work:
            count = len(work.records())
            work.append({"next": 1})
            assert work.records()[count:] == [{"next": 1}]
        # A line that lacks only its newline is whole.
        assert count == (text + b"\n")[: length + 1].count(b"}\n")


def test_a_last_line_without_its_newline_is_kept(tmp_path, warnings_logged):
    open_run(tmp_path).close()
    (tmp_path / "records.jsonl").write_bytes(b'{"a": 1}')
    with open_run(tmp_path) as work:
        work.append({"a": 2})
        assert work.records() == [{"a": 1}, {"a": 2}]
    assert not (tmp_path / "records.jsonl.truncated").exists()
    assert warnings_logged == []


@pytest.mark.parametrize("bad", [b"{", b"", b"7", b'"\xff"'])
@pytest.mark.parametrize("tail", [b"", b'{"a'])
def test_a_bad_line_elsewhere_is_an_error(tmp_path, bad, tail):
    open_run(tmp_path).close()
    text = b'{"a": 1}\n' + bad + b'\n{"a": 2}\n' + tail
    (tmp_path / "records.jsonl").write_bytes(text)
    with pytest.raises(UserError, match=r"records.jsonl, line 2: not a JSON object"):
        open_run(tmp_path)
    assert (tmp_path / "records.jsonl").read_bytes() == text


def test_records_are_read_one_at_a_time(run):
    assert list(run.iter_records()) == []
    run.append({"a": 1})
    run.append({"a": 2})
    found = run.iter_records()
    assert next(found) == {"a": 1}
    run.append({"a": 3})  # an open reader sees what is appended
    assert list(found) == [{"a": 2}, {"a": 3}] and list(run.iter_records()) == run.records()
    path = run.path / "records.jsonl"
    path.write_text('{"a": 1}\nbad\n{"a": 2}\n')
    found = run.iter_records()
    assert next(found) == {"a": 1}
    with pytest.raises(UserError, match="line 2: not a JSON object"):
        next(found)


def test_opening_a_long_run_does_not_hold_its_records(tmp_path):
    open_run(tmp_path).close()
    path = tmp_path / "records.jsonl"
    path.write_bytes(b'{"a": [1.5, 2.5, 3.5, 4.5]}\n' * 100_000)
    tracemalloc.start()
    open_run(tmp_path).close()
    peak = tracemalloc.get_traced_memory()[1]
    tracemalloc.stop()
    assert peak < path.stat().st_size / 2


def test_records_hold_plain_numbers(run):
    key = jax.random.key_data(jax.random.key(7))
    run.append(
        {
            "f32": np.float32(0.1),
            "bf16": jnp.bfloat16(1.5),
            "int": np.int64(3),
            "bool": np.bool_(True),
            "array": np.arange(4).reshape(2, 2),
            "jax": jnp.ones((2,), jnp.bfloat16),
            "key": key,
            "text": np.str_("é\n"),
            "tuple": (1, None),
        }
    )
    (record,) = run.records()
    assert record == {
        "f32": float(np.float32(0.1)),
        "bf16": 1.5,
        "int": 3,
        "bool": True,
        "array": [[0, 1], [2, 3]],
        "jax": [1.0, 1.0],
        "key": np.asarray(key).tolist(),
        "text": "é\n",
        "tuple": [1, None],
    }
    assert record["bool"] is True


def test_non_finite_numbers_are_null_in_records(run):
    values = np.array([np.nan, np.inf, 1.0])
    run.append({"kappa": math.nan, "flag": "singular", "all": values, "x": [{"y": -math.inf}]})
    text = (run.path / "records.jsonl").read_text()

    def refuse(name):
        raise AssertionError(name)

    assert json.loads(text, parse_constant=refuse) == {
        "kappa": None,
        "flag": "singular",
        "all": [None, None, 1.0],
        "x": [{"y": None}],
    }


@pytest.mark.parametrize(
    ("record", "message"),
    [
        ({"a": {"b": [0, object()]}}, r"a\.b\[1\]"),
        ({"a": {3: 1}}, "key 3 of a"),
        ({"a": {1, 2}}, "a set"),
        ({"a": 1j}, "a complex"),
        ({"a": np.complex64(1)}, "a complex64"),
    ],
)
def test_what_json_cannot_hold_is_refused_before_anything_is_written(run, record, message):
    with pytest.raises(TypeError, match=message):
        run.append(record)
    assert run.records() == []


def test_a_full_disk_leaves_no_half_line(run, monkeypatch):
    run.append({"a": 1})

    def fail(file, data):
        file.write(data[:5])
        raise OSError(28, "No space left on device")

    with monkeypatch.context() as patch:
        patch.setattr(json_lines, "_write_all", fail)
        with pytest.raises(UserError, match="cannot write .*records.jsonl: No space left"):
            run.append({"a": 2})
    run.append({"a": 3})
    assert run.records() == [{"a": 1}, {"a": 3}]


def test_an_append_is_on_the_disk_when_it_returns(run, monkeypatch):
    synced = []
    monkeypatch.setattr(os, "fsync", lambda fd: synced.append(os.fstat(fd).st_size))
    run.append({"a": 1})
    assert (run.path / "records.jsonl").stat().st_size in synced
