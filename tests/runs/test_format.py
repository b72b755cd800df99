"""The format of a workdir's files: its number, the lines of rounds, and a search's result."""

import json
import math

import pytest

from tenas_jax.errors import UserError
from tenas_jax.runs import workdir
from tenas_jax.runs.layout import FORMAT
from tenas_jax.runs.workdir import Workdir, searched_arch

CONFIG = {"space": "nas_bench_201", "seed": 0}


def open_run(path, config=CONFIG, **options):
    return Workdir.open(path, config, writer=True, **options)


def contents(path):
    return {p.name: p.read_bytes() for p in sorted(path.iterdir())}


@pytest.mark.parametrize("name", ["rounds.jsonl", "checkpoint.json", "rounds.jsonl.truncated"])
def test_nothing_of_a_run_is_adopted_without_its_config(tmp_path, name):
    (tmp_path / name).write_text("{}")
    with pytest.raises(UserError, match=f"holds {name} but no config.json"):
        open_run(tmp_path)


def test_a_start_that_ended_before_its_config_is_begun_again(tmp_path, monkeypatch):
    write = workdir.atomic_write_text

    def die(path, text):
        if path.name == "config.json":
            raise KeyboardInterrupt
        write(path, text)

    monkeypatch.setattr(workdir, "atomic_write_text", die)
    with pytest.raises(KeyboardInterrupt):
        open_run(tmp_path)
    monkeypatch.undo()
    with open_run(tmp_path) as work:
        assert len(work.environment()) == 2
    assert Workdir.read(tmp_path).config == CONFIG


@pytest.mark.parametrize(
    ("number", "words"),
    [
        (None, "format 1, which tenas_jax 0.1.0 reads"),
        (1, "format 1, which tenas_jax 0.1.0 reads"),
        (3, "format 3, which another version of tenas_jax reads"),
        ("x", "format x, which another version of tenas_jax reads"),
        ([2], r"format \[2\], which another"),
    ],
)
def test_a_run_of_another_format_is_refused_and_left_alone(tmp_path, number, words):
    with open_run(tmp_path) as work:
        work.append({"a": 1})
    stored = json.loads((tmp_path / "environment.json").read_text())
    assert stored.pop("format") == FORMAT == 2
    if number is not None:
        stored["format"] = number
    (tmp_path / "environment.json").write_text(json.dumps(stored))
    before = contents(tmp_path)
    for start in (
        lambda: open_run(tmp_path),
        lambda: Workdir.open(tmp_path, {**CONFIG, "seed": 1}, writer=False),
        lambda: Workdir.read(tmp_path),
        lambda: searched_arch(tmp_path, "nas_bench_201"),
    ):
        with pytest.raises(UserError, match=f"{words}.*this version reads format 2") as caught:
            start()
        assert "\n" not in str(caught.value)
    assert contents(tmp_path) == before


@pytest.mark.parametrize("name", ["records.jsonl", "checkpoint.json"])
def test_without_a_number_it_is_the_first_format_once_anything_is_recorded(tmp_path, name):
    (tmp_path / "config.json").write_text(json.dumps(CONFIG))
    assert Workdir.read(tmp_path).config == CONFIG
    (tmp_path / name).write_text("")
    with pytest.raises(UserError, match="format 1"):
        Workdir.read(tmp_path)
    (tmp_path / name).unlink()
    with open_run(tmp_path) as work:
        work.append({"a": 1})
    assert Workdir.read(tmp_path).records() == [{"a": 1}]


def test_rounds_are_lines_of_their_own_that_can_be_cut(tmp_path):
    with open_run(tmp_path) as work:
        work.cut_rounds(0)  # where there are none
        for number in range(3):
            work.append_round({"round": number, "value": math.nan})
        work.append({"a": 1})
        assert work.rounds() == [{"round": n, "value": None} for n in range(3)]
        before = (tmp_path / "rounds.jsonl").read_bytes()
        work.cut_rounds(3)
        assert (tmp_path / "rounds.jsonl").read_bytes() == before
        work.cut_rounds(1)
        work.append_round({"round": 1, "value": 0.1})
        assert work.rounds() == [{"round": 0, "value": None}, {"round": 1, "value": 0.1}]
        assert work.records() == [{"a": 1}]
    with (tmp_path / "rounds.jsonl").open("ab") as file:
        file.write(b'{"round": 2')
    with open_run(tmp_path) as work:
        work.append_round({"round": 2})
        assert [entry["round"] for entry in work.rounds()] == [0, 1, 2]
    with Workdir.open(tmp_path, CONFIG, writer=False) as other:
        other.cut_rounds(0)
        other.append_round({"round": 3})
        assert len(other.rounds()) == 3


def searched(path, result=None, **config):
    open_run(path, config).close()
    if result is not None:
        (path / "result.json").write_text(json.dumps(result))
    return path


def test_what_a_search_came_to(tmp_path):
    config = {"strategy": "pruning", "space": "nas_bench_201"}
    done = searched(tmp_path / "done", {"arch": "a"}, **config)
    assert searched_arch(done, "nas_bench_201") == "a"
    for folder, words in (
        (done, "is of nas_bench_201, the config's space is darts"),
        (searched(tmp_path / "begun", **config), "is of nas_bench_201"),
        (searched(tmp_path / "none", {"arch": "a"}), "is no search"),
        (tmp_path / "missing", "holds no run"),
    ):
        with pytest.raises(UserError, match=words):
            searched_arch(folder, "darts")
    for result in (None, {"arch": 3}):
        with pytest.raises(UserError, match="is not finished; start it again"):
            searched_arch(searched(tmp_path / str(result), result, **config), "nas_bench_201")
