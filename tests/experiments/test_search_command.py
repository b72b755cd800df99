"""The search as a user runs it: to its end, killed and resumed, and with other options."""

import importlib.util
import json
import shutil
import signal
import struct
from pathlib import Path

import pytest

TINY = (
    "--config.batch_size=4",
    "--config.repeats=1",
    "--config.options.linear_regions.batch_size=40",
)
REGIONS = "--config.metrics=('linear_regions',)"
# That they are written changes nothing else, so the other tests of a run may have them too.
EVENTS = f"--config.tensorboard={importlib.util.find_spec('tensorboardX') is not None}"


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


def outcome(folder: Path) -> tuple[dict, dict, bytes]:
    """The checkpoint, the scores of a run without its times, and the rounds to the byte."""
    lines = (folder / "records.jsonl").read_text().splitlines()
    scores = {}
    for record in map(json.loads, lines):
        record.pop("seconds")
        scores[record["round"], record["key"]] = record
    assert len(scores) == len(lines), "a candidate was scored twice"
    checkpoint = json.loads((folder / "checkpoint.json").read_text())
    return checkpoint, scores, (folder / "rounds.jsonl").read_bytes()


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
    for picture in ("search.png", "path.png"):
        assert (place / "whole" / picture).read_bytes().startswith(b"\x89PNG")
    checkpoint, scores, rounds = outcome(place / "whole")
    assert len(scores) == 25 + 19 + 13 + 1 and rounds.count(b"\n") == 4
    assert all(record["engine"] == "jacobian" for record in scores.values())
    assert checkpoint["done"] and len(json.dumps(checkpoint)) < 500
    config = json.loads((place / "whole" / "config.json").read_text())
    assert config["batch_size"] == 4


def test_by_the_very_command(python, arguments, place):
    """Nothing is imported before it starts."""
    done = python("-m", "experiments.search", *arguments("very", REGIONS))
    assert done.returncode == 0, done.stderr
    assert json.loads((place / "very" / "result.json").read_text())["arch"] in done.stdout
    checkpoint, scores, _ = outcome(place / "very")
    assert len(scores) == 25 + 19 + 13 + 1 and checkpoint["done"]


@pytest.fixture(scope="module")
def resumed(search, place) -> Path:
    """The workdir of a run that was killed and started again."""
    killed = search("killed", EVENTS, dies_after=30)
    assert killed.returncode == -signal.SIGKILL, killed.stderr
    records = place / "killed" / "records.jsonl"
    assert len(records.read_bytes().splitlines()) == 30  # within the second round
    with records.open("ab") as file:  # as if it had died while writing
        file.write(b'{"round": 1, "key": "mask:')
    again = search("killed", EVENTS)
    assert again.returncode == 0, again.stderr
    return place / "killed"


def test_killed_in_mid_round_and_started_again_it_ends_the_same(resumed, place, whole):
    assert outcome(resumed) == outcome(place / "whole")


def scalars(path: Path, group: str) -> list[tuple[int, dict[str, float]]]:
    """(step, {name: value}) of the events that hold tags `group/name`, in an event file."""
    from tensorboardX.proto.event_pb2 import Event

    data, found = path.read_bytes(), []
    while data:  # each event is behind its length and a checksum, and followed by a checksum
        (length,) = struct.unpack("<Q", data[:8])
        event = Event.FromString(data[12 : 12 + length])
        tags = {value.tag: value.simple_value for value in event.summary.value}
        found += [(event.step, tags)] if any(tag.startswith(group) for tag in tags) else []
        data = data[16 + length :]
    return [(step, {tag.removeprefix(group): v for tag, v in tags.items()}) for step, tags in found]


def test_its_events_are_the_records_and_the_rounds_and_go_on(resumed):
    pytest.importorskip("tensorboardX")
    starts = sorted((resumed / "tensorboard").iterdir())
    lines = (resumed / "records.jsonl").read_text().splitlines()
    expected = [
        {
            "round": record["round"],
            "seconds": record["seconds"],
            **{
                name: score["values"][0]  # there is one repeat
                for name, score in record["scores"].items()
                if score["values"] != [None]
            },
        }
        for record in map(json.loads, lines)
    ]
    shown = [scalars(path, "score/") for path in starts]
    assert [[step for step, _ in events] for events in shown] == [
        list(range(30)),
        list(range(30, 58)),
    ]
    for (_, values), record in zip(shown[0] + shown[1], expected, strict=True):
        assert values == pytest.approx(record, rel=1e-6)
    rounds = [scalars(path, "round/") for path in starts]
    assert [[step for step, _ in events] for events in rounds] == [[0], [1, 2, 3]]
    told = map(json.loads, (resumed / "rounds.jsonl").read_text().splitlines())
    for (_, values), entry in zip(rounds[0] + rounds[1], told, strict=True):
        names = ("condition_number", "linear_regions")
        supernet = {name: entry[name] for name in names if entry[name] is not None}
        assert values == pytest.approx(supernet, rel=1e-6)


def test_events_are_written_only_where_they_are_wanted(place, whole):
    assert not (place / "whole" / "tensorboard").exists()


def test_a_run_and_a_config_file_from_before_there_were_events(commands, arguments, place, whole):
    shutil.copytree(place / "whole", place / "older")
    stored = place / "older" / "config.json"
    config = json.loads(stored.read_text())
    assert config.pop("tensorboard") is False
    stored.write_text(json.dumps(config))
    older = place / "older.py"
    older.write_text(
        "from configs import tenas_nas_bench_201\n\n\ndef get_config():\n"
        "    config = tenas_nas_bench_201.get_config().unlock()\n"
        "    del config.tensorboard\n    return config.lock()\n"
    )
    given = arguments("older")
    for flags in ([*given, EVENTS], [f"--config={older}", *given[1:]]):
        again = commands.run("search", *flags)
        assert again.returncode == 0 and "is finished" in again.stderr, again.stderr
    assert json.loads(stored.read_text()) == config
    assert not (place / "older" / "tensorboard").exists()  # nothing was scored


def test_events_need_their_package(python, arguments, place):
    without = (
        "import runpy, sys\n"
        "sys.modules['tensorboardX'] = None\n"
        "runpy.run_module('experiments.search', run_name='__main__', alter_sys=True)"
    )
    refused = python("-c", without, *arguments("without", "--config.tensorboard=True"))
    assert refused.mistake.startswith("error: tensorboard needs tensorboardX: pip install")
    assert not (place / "without").exists()


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


def test_a_workdir_of_the_first_format_is_refused_by_every_command(
    commands, search, arguments, place, whole
):
    shutil.copytree(place / "whole", place / "old")
    stored = place / "old" / "environment.json"
    environment = json.loads(stored.read_text())
    assert environment.pop("format") == 2
    stored.write_text(json.dumps(environment))
    old = place / "old"
    train = ["--config=configs/train_photos.py", f"--workdir={place / 'new'}"]
    grow = ["--config=configs/grow_asvit_cifar10.py", f"--workdir={place / 'new'}"]
    for command, flags in (
        ("search", arguments("old")),
        ("report", [f"--workdir={old}"]),
        ("gradient_agreement", [f"--workdir={old}"]),
        ("train", [*train, f"--from_search={old}"]),
        ("grow", [*grow, f"--from_search={old}"]),
        ("predict", [f"--workdir={old}", "--image=x.png"]),
    ):
        mistake = commands.run(command, *flags).mistake
        assert "old is of format 1, which tenas_jax 0.1.0 reads" in mistake, command
    assert not (place / "new").exists() and not (old / "report.html").exists()


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
    changed = {r["key"]: r["scores"]["linear_regions"] for r in map(json.loads, lines)}
    _, scores, _ = outcome(place / "whole")
    same = {k: r["scores"]["linear_regions"] for (n, k), r in scores.items() if n == 0}
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
    for change in (
        "--config.batch_size=5",
        "--config.options.linear_regions.batch_size=41",
        "--config.data=photos",
    ):
        assert change.partition("=")[0].removeprefix("--config.") in search("whole", change).mistake
