"""The page of runs as a user asks for it."""

import json
from pathlib import Path

import pytest

ARCH = "|nor_conv_3x3~0|+|nor_conv_3x3~0|skip_connect~1|+|skip_connect~0|none~1|nor_conv_1x1~2|"


@pytest.fixture
def run(tmp_path) -> Path:
    """The workdir of a training that has not finished its first epoch."""
    return made(tmp_path / "run")


def made(folder: Path) -> Path:
    folder.mkdir()
    config = {"space": "nas_bench_201", "arch": ARCH, "epochs": 2, "seed": 0, "data": "photos"}
    (folder / "config.json").write_text(json.dumps(config))
    return folder


def test_the_page_lies_in_the_first_workdir(commands, run):
    done = commands.run("report", f"--workdir={run}")
    assert done.returncode == 0, done.stderr
    assert done.stdout.startswith(f"{run}/report.html: 0.0")
    text = (run / "report.html").read_text()
    assert text.startswith("<!DOCTYPE html>") and ARCH in text.replace("<wbr>", "")


def test_several_workdirs_with_commas_or_one_flag_each(commands, run, tmp_path):
    other, third = made(tmp_path / "other"), made(tmp_path / "a,b")
    output = tmp_path / "pages" / "all.html"
    arguments = (f"--workdir={run},{other}", f"--workdir={third}", f"--output={output}")
    done = commands.run("report", *arguments)
    assert done.returncode == 0, done.stderr
    text = output.read_text()
    assert all(f">{name}</a>" in text for name in ("run", "other", "a,b", "Side by side"))
    assert not (run / "report.html").exists()


def test_a_folder_without_a_run_is_a_mistake(commands, tmp_path):
    folder = tmp_path / "none"
    done = commands.run("report", f"--workdir={folder}")
    assert f"{folder} holds no run" in done.mistake
    assert not folder.exists()


def test_a_workdir_must_be_named(commands):
    done = commands.run("report")
    assert "--workdir" in done.mistake


def test_an_output_that_is_a_folder_is_a_mistake(commands, run, tmp_path):
    done = commands.run("report", f"--workdir={run}", f"--output={tmp_path}")
    assert f"cannot write {tmp_path}" in done.mistake
