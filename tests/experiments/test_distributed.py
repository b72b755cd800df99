"""A search by two processes of this machine: the result of one, a lost process, and resuming."""

import json
import signal
import socket
from pathlib import Path

import numpy as np
import pytest

REGIONS = "--config.metrics=('linear_regions',)"  # compiles sooner than the kernel


@pytest.fixture(scope="module")
def place(tmp_path_factory) -> Path:
    return tmp_path_factory.mktemp("distributed")


@pytest.fixture(scope="module")
def start(commands, tiny, place):
    """Starts a process of a search: `start(workdir, *flags)`."""

    def start(workdir: str, *more: str, dies_after: int | None = None):
        return commands.start(
            "search",
            "--config=configs/tenas_nas_bench_201.py",
            f"--workdir={place / workdir}",
            f"--config.data={tiny}",
            "--config.batch_size=4",
            "--config.repeats=1",
            "--config.options.linear_regions.batch_size=40",
            "--config.cpu_devices=1",
            *more,
            dies_after=dies_after,
        )

    return start


@pytest.fixture(scope="module")
def start_both(start):
    """Starts both processes: `start_both(workdir, *flags_of_both, second=flags_of_that)`."""

    def start_both(workdir: str, *more: str, second: tuple = (), victim: int | None = None):
        with socket.socket() as free:
            free.bind(("localhost", 0))
            port = free.getsockname()[1]
        shared = ("--distributed", f"--coordinator=localhost:{port}", "--processes=2", *more)
        return [
            start(
                workdir,
                *shared,
                f"--process={i}",
                *(second if i else ()),
                dies_after=6 if i == victim else None,
            )
            for i in (0, 1)
        ]

    return start_both


def records(folder: Path) -> dict:
    path = folder / "records.jsonl"
    lines = path.read_text().splitlines() if path.exists() else []
    found = {(r["round"], r["key"]): r for r in map(json.loads, lines)}
    assert len(found) == len(lines), "a candidate was scored twice"
    return found


@pytest.fixture(scope="module")
def alone(start, place) -> Path:
    """The workdir of an uninterrupted run of one process."""
    done = start("alone").finish()
    assert done.returncode == 0, done.stderr
    return place / "alone"


def lose_one(start_both, workdir: Path, victim: int, *more: str) -> None:
    """Has one killed in the middle of the first round, and looks at how the other ends."""
    processes = start_both(workdir.name, *more, victim=victim)
    assert processes[victim].finish().returncode == -signal.SIGKILL
    other = processes[1 - victim].finish(timeout=60)
    assert other.returncode == 1
    # Threads of JAX's own log until the end, and now and then in the middle of it.
    assert "error: another process of this run has stopped; start" in other.stderr
    assert 0 < len(records(workdir)) < 25


def test_two_processes_killed_and_resumed_give_the_result_of_one(start_both, place, alone):
    lose_one(start_both, place / "both", 1)
    before = records(place / "both")
    first, second = (process.finish() for process in start_both("both"))
    assert first.returncode == second.returncode == 0, first.stderr + second.stderr
    assert "architecture" in first.stdout and "architecture" not in second.stdout
    # The first process alone shows progress and result.
    assert "round 3" in first.stderr and "round 3" not in second.stderr
    after, wanted = records(place / "both"), records(alone)
    assert after.keys() == wanted.keys() and len(after) == 58
    assert all(after[key] == before[key] for key in before)
    for key, record in wanted.items():
        for name, score in record["scores"].items():
            values = np.array(after[key]["scores"][name]["values"], float)
            np.testing.assert_allclose(values, np.array(score["values"], float), rtol=1e-5)
    texts = [(folder / "checkpoint.json").read_text() for folder in (place / "both", alone)]
    assert json.loads(texts[0])["state"] == json.loads(texts[1])["state"]
    lines = [(folder / "rounds.jsonl").read_text() for folder in (place / "both", alone)]
    assert lines[0].count("\n") == lines[1].count("\n") == 4


def test_without_its_first_process_a_run_stops_too(start_both, place):
    lose_one(start_both, place / "headless", 0, REGIONS)


def test_processes_that_were_started_for_different_things_say_so(start_both, place, tiny):
    with np.load(tiny) as data:
        np.savez(place / "other.npz", images=data["images"][::-1], labels=data["labels"])
    other = ("--config.seed=1", f"--config.data={place / 'other.npz'}")
    first, second = start_both("apart", second=other)
    refused = second.finish(timeout=100)
    assert refused.returncode == 2
    mistake = refused.stderr.splitlines()[-1]
    assert mistake.startswith("error: process 0 was started for something else: ")
    assert all(words in mistake for words in ("seed", "data", "images", "checksum"))
    assert first.finish(timeout=60).returncode == 1  # it has lost the other
    assert not records(place / "apart")
