"""A workdir opened and opened again, and what cannot be opened."""

import json
import math
import os
import pathlib
import subprocess
import sys

import jax
import numpy as np
import pytest

from tenas_jax.errors import UserError
from tenas_jax.runs.environment import git_state
from tenas_jax.runs.workdir import Workdir

CONFIG = {"space": "nas_bench_201", "seed": 0, "ntk": {"batch": 72, "engine": "auto"}}


def open_run(path, config=CONFIG, **options):
    return Workdir.open(path, config, writer=True, **options)


def contents(path):
    return {p.name: p.read_bytes() for p in sorted(path.iterdir())}


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


def test_an_ignored_field_may_be_new_or_gone(tmp_path):
    newer = {**CONFIG, "tensorboard": False}
    open_run(tmp_path / "older").close()
    with open_run(tmp_path / "older", newer, ignore=("tensorboard",)) as work:
        assert work.config == CONFIG
    open_run(tmp_path / "newer", newer).close()
    with open_run(tmp_path / "newer", ignore=("tensorboard",)) as work:
        assert work.config == newer
    with pytest.raises(UserError, match="tensorboard: absent there, false now"):
        open_run(tmp_path / "older", newer)


def test_a_field_that_is_null_may_be_new_or_gone(tmp_path):
    newer = {**CONFIG, "ntk": {**CONFIG["ntk"], "chunk": None}}
    open_run(tmp_path / "older").close()
    open_run(tmp_path / "older", newer).close()
    open_run(tmp_path / "newer", newer).close()
    open_run(tmp_path / "newer").close()
    with pytest.raises(UserError, match=r"ntk\.chunk: absent there, 3 now"):
        open_run(tmp_path / "older", {**CONFIG, "ntk": {**CONFIG["ntk"], "chunk": 3}})


def test_fields_that_were_added_stand_for_what_was_done_before(tmp_path):
    open_run(tmp_path).close()
    with open_run(tmp_path, {**CONFIG, "mix": 0.0}, added={"mix": 0.0}) as work:
        assert work.config == CONFIG
    with pytest.raises(UserError, match=r"mix: 0\.0 there, 0\.5 now"):
        open_run(tmp_path, {**CONFIG, "mix": 0.5}, added={"mix": 0.0})
    with pytest.raises(UserError, match=r"seed: 0 there, 1 now"):  # what is stored stays
        open_run(tmp_path, {**CONFIG, "seed": 1}, added={"seed": 1})


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
