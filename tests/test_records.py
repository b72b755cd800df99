"""The workdir: nothing written is lost, no half line is read, nothing foreign is touched."""

import json
import math
import os
import pathlib
import subprocess
import sys
import tracemalloc

import jax
import jax.numpy as jnp
import numpy as np
import pytest

from tenas_jax import files, json_lines, records
from tenas_jax.environment import git_state
from tenas_jax.errors import UserError
from tenas_jax.records import Workdir

CONFIG = {"space": "nas_bench_201", "seed": 0, "ntk": {"batch": 72, "engine": "auto"}}
ROOT = pathlib.Path(records.__file__).parents[1]


def open_run(path, config=CONFIG, **options):
    return Workdir.open(path, config, writer=True, **options)


def contents(path):
    return {p.name: p.read_bytes() for p in sorted(path.iterdir())}


@pytest.fixture
def run(tmp_path):
    with open_run(tmp_path / "a" / "run") as work:
        yield work


@pytest.fixture
def warnings_logged(monkeypatch):
    messages = []
    monkeypatch.setattr(json_lines.logging, "warning", lambda m, *a: messages.append(m % a))
    return messages


# Starting and resuming


def test_a_second_start_finds_everything(tmp_path):
    with open_run(tmp_path) as work:
        work.append({"arch": "x", "kappa": 1.5})
        work.save_checkpoint({"round": 3})
    with open_run(tmp_path) as work:
        work.append({"arch": "y"})
        assert work.records() == [{"arch": "x", "kappa": 1.5}, {"arch": "y"}]
        assert work.load_checkpoint() == {"round": 3}
        assert work.config == CONFIG
    assert json.loads((tmp_path / "config.json").read_text()) == CONFIG


def test_a_new_run_is_empty(run):
    assert run.records() == []
    assert run.load_checkpoint() is None
    assert run.is_writer


def test_another_config_names_each_field_and_changes_nothing(tmp_path):
    open_run(tmp_path).close()
    before = contents(tmp_path)
    other = {"space": "nas_bench_201", "seed": 1, "ntk": {"batch": 14}, "new": "a"}
    with pytest.raises(UserError) as caught:
        open_run(tmp_path, other)
    message = str(caught.value)
    assert "seed: 0 there, 1 now" in message
    assert "ntk.batch: 72 there, 14 now" in message
    assert 'ntk.engine: "auto" there, absent now' in message
    assert 'new: absent there, "a" now' in message
    assert "space" not in message and "\n" not in message
    assert contents(tmp_path) == before


@pytest.mark.parametrize("value", [True, "0", None, [0], {"x": 0}])
def test_values_of_other_types_differ(tmp_path, value):
    open_run(tmp_path).close()
    with pytest.raises(UserError, match="seed: 0 there"):
        open_run(tmp_path, {**CONFIG, "seed": value})


def test_ignored_fields_may_differ_and_the_stored_ones_stay(tmp_path):
    open_run(tmp_path, {**CONFIG, "workdir": "/a"}).close()
    other = {**CONFIG, "workdir": "/b", "ntk": {"batch": 1}}
    with open_run(tmp_path, other, ignore=("workdir", "ntk")) as work:
        assert work.config == {**CONFIG, "workdir": "/a"}
    with pytest.raises(UserError, match=r"ntk\.batch"):
        open_run(tmp_path, other, ignore=("workdir", "nt", "ntk.engine"))


def test_equal_configs_of_other_python_types_are_one(tmp_path):
    odd = {"shape": (3, 4), "lr": 1.0, "path": pathlib.Path("p"), "n": np.int64(2), "x": math.nan}
    open_run(tmp_path, odd).close()
    with open_run(tmp_path, {"shape": [3, 4], "lr": 1, "path": "p", "n": 2, "x": math.nan}):
        pass


def test_each_start_is_logged_with_its_environment(tmp_path):
    open_run(tmp_path).close()
    with open_run(tmp_path) as work:
        first, second = work.environment()
    assert first["started"] <= second["started"]
    assert second["jax"] == jax.__version__ and second["numpy"] == np.__version__
    assert second["device_count"] == jax.device_count() and second["device_kind"]
    assert second["python"] == ".".join(map(str, sys.version_info[:3]))
    assert {"jaxlib", "flax", "neural_tangents", "tenas_jax", "platform"} <= second.keys()


def test_git_commit_of_the_package_and_of_nothing_else(tmp_path, monkeypatch):
    def git(*arguments):
        options = ["-c", "user.name=a", "-c", "user.email=a@b"]
        return subprocess.check_output(["git", "-C", tmp_path, *options, *arguments], text=True)

    none = {"git_commit": None, "git_changed": None}
    package = tmp_path / "package"
    package.mkdir()
    (package / "__init__.py").write_text("")
    assert git_state(package) == none
    git("init", "-q")
    git("commit", "-qm", "a", "--allow-empty")
    assert git_state(package) == none  # In a checkout, but not a part of it.
    git("add", ".")
    git("commit", "-qm", "b")
    monkeypatch.setenv("GIT_DIR", "/nowhere")
    state = git_state(package)
    monkeypatch.delenv("GIT_DIR")
    assert state == {"git_commit": git("rev-parse", "HEAD").strip(), "git_changed": False}
    (package / "__init__.py").write_text("1")
    assert git_state(package)["git_changed"] is True
    monkeypatch.setenv("PATH", "")
    assert git_state(package) == none


# What cannot be opened


def test_a_file_as_the_workdir_or_above_it(tmp_path):
    (tmp_path / "file").write_text("mine")
    with pytest.raises(UserError, match="file is a file, not a folder"):
        open_run(tmp_path / "file")
    with pytest.raises(UserError, match="Not a directory"):
        open_run(tmp_path / "file" / "run")
    assert (tmp_path / "file").read_text() == "mine"


@pytest.mark.parametrize("path", ["", "gs://bucket/run"])
def test_paths_that_are_no_local_folder(path, tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    with pytest.raises(UserError, match="workdir"):
        open_run(path)
    assert not list(tmp_path.iterdir())


def test_a_folder_of_something_else_is_left_alone(tmp_path):
    (tmp_path / "thesis.tex").write_text("mine")
    with pytest.raises(UserError, match=r"is not empty and holds no run \(found thesis.tex\)"):
        open_run(tmp_path)
    assert contents(tmp_path) == {"thesis.tex": b"mine"}


def test_records_whose_config_was_lost_are_not_adopted(tmp_path):
    with open_run(tmp_path) as work:
        work.append({"a": 1})
    (tmp_path / "config.json").unlink()
    with pytest.raises(UserError, match="its config was lost"):
        open_run(tmp_path, {"other": 1})
    assert not (tmp_path / "config.json").exists()


def test_other_files_beside_a_run_are_fine(tmp_path):
    open_run(tmp_path).close()
    (tmp_path / "report.html").write_text("x")
    open_run(tmp_path).close()
    assert (tmp_path / "report.html").exists()


@pytest.mark.parametrize("text", [b"", b'{"seed": ', b"[1]", b'"\xff"'])
@pytest.mark.parametrize("name", ["config.json", "environment.json", "checkpoint.json"])
def test_damaged_files_are_named_and_kept(tmp_path, name, text):
    with open_run(tmp_path) as work:
        work.save_checkpoint({"round": 1})
    (tmp_path / name).write_bytes(text)
    with pytest.raises(UserError, match=f"cannot read .*{name}"), open_run(tmp_path) as work:
        work.load_checkpoint()
    assert (tmp_path / name).read_bytes() == text


def test_unreadable_config(tmp_path):
    (tmp_path / "config.json").mkdir()
    with pytest.raises(UserError, match=r"cannot read .*config.json: Is a directory"):
        open_run(tmp_path)


@pytest.mark.parametrize("call", ["mkdir", "open"])
def test_unwritable_folder(tmp_path, monkeypatch, call):
    def refuse(*arguments, **options):
        raise PermissionError(13, "Permission denied")

    monkeypatch.setattr(os, call, refuse)
    with pytest.raises(UserError, match=r"cannot (create|write) .*: Permission denied"):
        open_run(tmp_path / "new")


# Two processes


def test_two_writers_at_once_are_refused(tmp_path):
    first = open_run(tmp_path)
    before = contents(tmp_path)
    with pytest.raises(UserError, match="in use by another process"):
        open_run(tmp_path)
    assert contents(tmp_path) == before
    first.append({"a": 1})
    first.close()
    with open_run(tmp_path) as second:
        assert second.records() == [{"a": 1}]


def test_a_failed_start_frees_the_lock(tmp_path):
    open_run(tmp_path).close()
    (tmp_path / "records.jsonl").write_text('bad\n{"a": 1}\n')
    for _ in range(2):
        with pytest.raises(UserError, match="line 1"):
            open_run(tmp_path)


def test_a_killed_writer_leaves_the_lock_free_and_old_files_whole(tmp_path):
    script = f"""
import os
from tenas_jax import records
work = records.Workdir.open({str(tmp_path)!r}, {{"seed": 0}}, writer=True)
work.append({{"a": 1}})
work.save_checkpoint({{"round": 1}})
os.replace = lambda *names: os.kill(os.getpid(), 9)
work.save_checkpoint({{"round": 2}})
"""
    environment = {**os.environ, "PYTHONPATH": str(ROOT)}
    done = subprocess.run([sys.executable, "-c", script], env=environment, check=False)
    assert done.returncode == -9
    assert any(name.endswith(".tmp") for name in contents(tmp_path))
    with open_run(tmp_path, {"seed": 0}) as work:
        assert work.load_checkpoint() == {"round": 1}
        assert work.records() == [{"a": 1}]
    assert not any(name.endswith(".tmp") for name in contents(tmp_path))


def test_other_processes_write_nothing(tmp_path):
    path = tmp_path / "run"
    with Workdir.open(path, CONFIG, writer=False) as work:
        work.append({"a": 1})
        work.save_checkpoint({"a": 1})
        assert not work.is_writer
        assert work.records() == [] and work.load_checkpoint() is None
    assert not path.exists()
    with open_run(path) as first, Workdir.open(path, CONFIG, writer=False) as second:
        first.append({"a": 2})
        before = contents(path)
        second.append({"a": 3})
        second.save_checkpoint({"a": 3})
        assert second.records() == [{"a": 2}]
        assert contents(path) == before
    with pytest.raises(UserError, match="seed"):
        Workdir.open(path, {**CONFIG, "seed": 5}, writer=False)


@pytest.mark.parametrize("index", [0, 1])
def test_process_zero_is_the_writer(tmp_path, monkeypatch, index):
    monkeypatch.setattr(jax, "process_index", lambda: index)
    with Workdir.open(tmp_path / "run", CONFIG) as work:
        assert work.is_writer == (index == 0)


def test_reading_a_live_run(tmp_path, warnings_logged):
    with open_run(tmp_path) as work:
        work.append({"a": 1})
        with (tmp_path / "records.jsonl").open("ab") as file:
            file.write(b'{"a": ')
        before = contents(tmp_path)
        view = Workdir.read(tmp_path)
        assert view.config == CONFIG and not view.is_writer
        assert view.records() == [{"a": 1}]
        assert contents(tmp_path) == before
    with pytest.raises(UserError, match="holds no run"):
        Workdir.read(tmp_path / "none")


def test_a_closed_workdir_does_not_write(tmp_path):
    work = open_run(tmp_path)
    work.close()
    work.close()
    with pytest.raises(RuntimeError, match="closed"):
        work.append({"a": 1})
    with pytest.raises(RuntimeError, match="closed"):
        work.save_checkpoint({"a": 1})


# Records


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


# Checkpoints and atomic writes


def test_floats_come_back_to_the_bit(run):
    rng = np.random.default_rng(0)
    bits = rng.integers(0, 2**63, 500, dtype=np.uint64).view(np.float64)
    values = [0.1, -0.0, 5e-324, 1.7976931348623157e308, math.inf, -math.inf, *bits]
    run.save_checkpoint({"v": values, "f32": np.float32(0.1), "nan": math.nan, "n": 2**70})
    state = run.load_checkpoint()
    numbers = [v for v in values if not math.isnan(v)]
    back = [v for v in state["v"] if not math.isnan(v)]
    assert np.array(back).tobytes() == np.array(numbers).tobytes()
    assert len(state["v"]) == len(values) and math.isnan(state["nan"])
    assert np.float32(state["f32"]) == np.float32(0.1) and state["n"] == 2**70


@pytest.mark.parametrize("step", ["write_fn", "fsync", "replace"])
def test_a_crash_in_a_write_leaves_the_old_file(tmp_path, monkeypatch, step):
    path = tmp_path / "file"
    files.atomic_write_text(path, "old")

    def crash(*arguments):
        raise KeyboardInterrupt

    def write(file):
        file.write(b"half of the n")
        if step == "write_fn":
            crash()

    if step != "write_fn":
        monkeypatch.setattr(os, step, crash)
    with pytest.raises(KeyboardInterrupt):
        files.atomic_write_bytes(path, write)
    assert contents(tmp_path) == {"file": b"old"}


def test_atomic_writes_write(tmp_path):
    path = tmp_path / "file"
    files.atomic_write_text(path, "é")
    assert path.read_bytes() == "é".encode()
    files.atomic_write_bytes(str(path), lambda file: file.write(b"\0\xff"))
    assert contents(tmp_path) == {"file": b"\0\xff"}
    (tmp_path / "plain").write_text("")
    assert path.stat().st_mode == (tmp_path / "plain").stat().st_mode
    with pytest.raises(UserError, match=r"cannot write .*none/file: No such file"):
        files.atomic_write_text(tmp_path / "none" / "file", "x")


def test_a_failed_checkpoint_leaves_the_old_one(run, monkeypatch):
    run.save_checkpoint({"round": 1})

    def fail(*names):
        raise OSError(28, "No space left on device")

    monkeypatch.setattr(os, "replace", fail)
    with pytest.raises(UserError, match="cannot write .*checkpoint.json: No space left"):
        run.save_checkpoint({"round": 2})
    with pytest.raises(TypeError, match=r"state\.x"):
        run.save_checkpoint({"state": {"x": object()}})
    assert run.load_checkpoint() == {"round": 1}
