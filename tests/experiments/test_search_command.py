"""The search as a user runs it: to its end, killed and resumed, and with other options."""

import json
import signal
from pathlib import Path

import pytest

TINY = ("--config.batch_size=4", "--config.repeats=1", "--config.patches=40")
REGIONS = "--config.metrics=('linear_regions',)"


@pytest.fixture(scope="module")
def place(tmp_path_factory) -> Path:
    """A folder for the runs."""
    return tmp_path_factory.mktemp("search")


@pytest.fixture(scope="module")
def arguments(tiny, place):
    """Of a small search: `arguments(workdir, *more)`."""

    def arguments(workdir: str, *more: str) -> list[str]:
        config = "--config=configs/tenas_nas_bench_201.py"
        return [config, f"--workdir={place / workdir}", f"--config.data={tiny}", *TINY, *more]

    return arguments


@pytest.fixture(scope="module")
def search(commands, arguments):
    """Runs a search to its end: `search(workdir, *more)`."""

    def search(workdir: str, *more: str, **options):
        return commands.run("search", *arguments(workdir, *more), **options)

    return search


def outcome(folder: Path) -> tuple[dict, dict]:
    """The checkpoint and the scores of a run, without its times."""
    lines = (folder / "records.jsonl").read_text().splitlines()
    scores = {}
    for record in map(json.loads, lines):
        record.pop("seconds")
        scores[record["round"], record["key"]] = record
    assert len(scores) == len(lines), "a candidate was scored twice"
    return json.loads((folder / "checkpoint.json").read_text()), scores


@pytest.fixture(scope="module")
def whole(search):
    """An uninterrupted run."""
    return search("whole")


def test_a_search_ends_with_result_table_and_picture(place, whole):
    assert whole.returncode == 0, whole.stderr
    result = json.loads((place / "whole" / "result.json").read_text())
    assert result["arch"] in whole.stdout
    assert "pruned (edge: operation)" in whole.stdout
    assert "compile" in whole.stdout and "preset reference" in whole.stdout
    assert (place / "whole" / "search.png").read_bytes().startswith(b"\x89PNG")
    checkpoint, scores = outcome(place / "whole")
    assert len(scores) == 25 + 19 + 13 + 1
    assert all(record["engine"] == "jacobian" for record in scores.values())
    assert checkpoint["done"]
    config = json.loads((place / "whole" / "config.json").read_text())
    assert config["batch_size"] == 4


def test_by_the_very_command(python, arguments, place):
    """Nothing is imported before it starts."""
    done = python("-m", "experiments.search", *arguments("very", REGIONS))
    assert done.returncode == 0, done.stderr
    assert json.loads((place / "very" / "result.json").read_text())["arch"] in done.stdout
    checkpoint, scores = outcome(place / "very")
    assert len(scores) == 25 + 19 + 13 + 1 and checkpoint["done"]


def test_killed_in_mid_round_and_started_again_it_ends_the_same(search, place, whole):
    killed = search("killed", dies_after=30)
    assert killed.returncode == -signal.SIGKILL, killed.stderr
    records = place / "killed" / "records.jsonl"
    assert len(records.read_bytes().splitlines()) == 30  # within the second round
    with records.open("ab") as file:  # as if it had died while writing
        file.write(b'{"round": 1, "key": "mask:')
    again = search("killed")
    assert again.returncode == 0, again.stderr
    assert outcome(place / "killed") == outcome(place / "whole")


def test_a_finished_search_says_so_and_computes_nothing(search, place, whole):
    before = outcome(place / "whole")
    again = search("whole")
    assert again.returncode == 0
    assert "is finished" in again.stderr
    assert "compile 0.0 s, run 0.0 s" in again.stdout
    assert outcome(place / "whole") == before


def test_a_workdir_of_another_config_is_refused(search, whole):
    mistake = search("whole", "--config.seed=1", "--config.preset=paper").mistake
    assert "seed" in mistake and "preset" in mistake


def test_published_accuracies_are_shown(search, place, whole):
    arch = json.loads((place / "whole" / "result.json").read_text())["arch"]
    table = place / "table.csv"
    table.write_text(f"arch,cifar10_test,params_m\n{arch},93.25,1.5\n")
    shown = search("whole", f"--config.benchmark_table={table}")
    assert "cifar10_test          93.25 (published)" in shown.stdout


@pytest.mark.parametrize("change", ["seed=1", "limit=8", "size=12"])
def test_seed_and_data_options_change_the_scores(search, place, whole, change):
    """In the first round, in whose middle the run is killed: the rest would show no more."""
    name = change.partition("=")[0]
    other = search(name, REGIONS, f"--config.{change}", dies_after=25)
    assert other.returncode == -signal.SIGKILL, other.stderr
    lines = (place / name / "records.jsonl").read_text().splitlines()
    changed = {record["key"]: record["linear_regions"] for record in map(json.loads, lines)}
    _, scores = outcome(place / "whole")
    same = {key: s["linear_regions"] for (round_, key), s in scores.items() if round_ == 0}
    assert len(same) == 25 and same.keys() == changed.keys()
    assert same != changed


def test_the_result_names_its_preset(search, place):
    result = search("paper", "--config.preset=paper", REGIONS)
    assert result.returncode == 0, result.stderr
    assert json.loads((place / "paper" / "result.json").read_text())["preset"] == "paper"
    assert "preset paper" in result.stdout


def test_where_things_lie_does_not_make_another_run(search, whole):
    again = search("whole", "--config.cpu_devices=1", "--config.data_dir=x")
    assert again.returncode == 0, again.stderr
    for change in ("--config.batch_size=5", "--config.patches=41", "--config.data=photos"):
        assert change.partition("=")[0].removeprefix("--config.") in search("whole", change).mistake
