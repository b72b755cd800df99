"""A workdir between processes: one writes, others do not, some are killed."""

import os
import pathlib
import subprocess
import sys

import jax
import pytest

from tenas_jax.errors import UserError
from tenas_jax.runs import workdir
from tenas_jax.runs.workdir import Workdir

CONFIG = {"space": "nas_bench_201", "seed": 0, "ntk": {"batch": 72, "engine": "auto"}}
ROOT = pathlib.Path(workdir.__file__).parents[2]


def open_run(path, config=CONFIG, **options):
    return Workdir.open(path, config, writer=True, **options)


def contents(path):
    return {p.name: p.read_bytes() for p in sorted(path.iterdir())}


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
from tenas_jax.runs import workdir
work = workdir.Workdir.open({str(tmp_path)!r}, {{"seed": 0}}, writer=True)
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
