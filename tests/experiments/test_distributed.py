"""A search by two processes of this machine: the result of one, a lost process, and resuming."""

import json
import os
import signal
import socket
import subprocess
import sys
import time
from pathlib import Path

import numpy as np
import pytest

ROOT = Path(__file__).parents[2]


@pytest.fixture(scope="module")
def place(tmp_path_factory) -> Path:
    """A folder with a tiny data set, and a compilation cache that the runs share."""
    folder = tmp_path_factory.mktemp("distributed")
    rng = np.random.default_rng(0)
    images = rng.integers(0, 256, (32, 8, 8, 3), dtype=np.uint8)
    np.savez(folder / "tiny.npz", images=images, labels=np.arange(32) % 4)
    return folder


def start(place: Path, workdir: str, *more: str) -> subprocess.Popen:
    environment = {
        **os.environ,
        "XLA_FLAGS": "--xla_backend_optimization_level=0",  # compiles in half the time
        "JAX_COMPILATION_CACHE_DIR": str(place / "cache"),
        "JAX_PERSISTENT_CACHE_MIN_COMPILE_TIME_SECS": "0",
    }
    arguments = [
        "--config=configs/tenas_nas_bench_201.py",
        f"--workdir={place / workdir}",
        f"--config.data={place / 'tiny.npz'}",
        "--config.batch_size=4",
        "--config.repeats=1",
        "--config.patches=40",
        "--config.cpu_devices=1",
        *more,
    ]
    return subprocess.Popen(
        [sys.executable, "-m", "experiments.search", *arguments],
        cwd=ROOT,
        env=environment,
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
    )


def start_both(place: Path, workdir: str, *of_second: str) -> list[subprocess.Popen]:
    with socket.socket() as free:
        free.bind(("localhost", 0))
        port = free.getsockname()[1]
    shared = ("--distributed", f"--coordinator=localhost:{port}", "--processes=2")
    return [
        start(place, workdir, *shared, f"--process={i}", *(of_second if i else ())) for i in (0, 1)
    ]


def finish(process: subprocess.Popen, timeout: float = 300) -> tuple[int, str, str]:
    out, err = process.communicate(timeout=timeout)
    return process.returncode, out, err


def records(folder: Path) -> dict:
    path = folder / "records.jsonl"
    lines = path.read_text().splitlines() if path.exists() else []
    found = {(r["round"], r["key"]): r for r in map(json.loads, lines)}
    assert len(found) == len(lines), "a candidate was scored twice"
    return found


@pytest.fixture(scope="module")
def alone(place) -> Path:
    """The workdir of an uninterrupted run of one process."""
    status, _, err = finish(start(place, "alone"))
    assert status == 0, err
    return place / "alone"


def kill_one(place: Path, workdir: str, victim: int) -> None:
    """Starts both, kills one in the middle of the first round, and looks at how the other ends."""
    processes = start_both(place, workdir)
    while len(records(place / workdir)) < 6:
        assert processes[0].poll() is None, processes[0].communicate()
        time.sleep(0.05)
    processes[victim].send_signal(signal.SIGKILL)
    status, _, err = finish(processes[1 - victim], timeout=60)
    finish(processes[victim])
    assert status == 1
    assert err.splitlines()[-1].startswith("error: another process of this run has stopped; start")
    assert len(records(place / workdir)) < 58


def test_two_processes_killed_and_resumed_give_the_result_of_one(place, alone):
    kill_one(place, "both", victim=1)
    before = records(place / "both")
    first, second = (finish(process) for process in start_both(place, "both"))
    assert first[0] == second[0] == 0, first[2] + second[2]
    assert "architecture" in first[1] and "architecture" not in second[1]
    # The first process alone shows progress and result.
    assert "round 3" in first[2] and "round 3" not in second[2]
    after, wanted = records(place / "both"), records(alone)
    assert after.keys() == wanted.keys() and len(after) == 58
    assert all(after[key] == before[key] for key in before)
    for key, record in wanted.items():
        for name in ("condition_number", "linear_regions"):
            np.testing.assert_allclose(after[key][name], record[name], rtol=1e-5)
    texts = [(folder / "checkpoint.json").read_text() for folder in (place / "both", alone)]
    assert json.loads(texts[0])["mask"] == json.loads(texts[1])["mask"]


def test_without_its_first_process_a_run_stops_too(place):
    kill_one(place, "headless", victim=0)


def test_processes_that_were_started_for_different_things_say_so(place):
    with np.load(place / "tiny.npz") as tiny:
        np.savez(place / "other.npz", images=tiny["images"][::-1], labels=tiny["labels"])
    other = ("--config.seed=1", f"--config.data={place / 'other.npz'}")
    first, second = start_both(place, "apart", *other)
    status, _, err = finish(second, timeout=100)
    assert status == 2
    line = err.splitlines()[-1]
    assert line.startswith("error: process 0 was started for something else: ")
    assert all(words in line for words in ("seed", "data", "images", "checksum"))
    assert finish(first, timeout=60)[0] == 1  # it has lost the other
    assert not records(place / "apart")
