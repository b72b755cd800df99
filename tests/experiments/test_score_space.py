"""Scoring a space as a user does it: killed and resumed, in shares."""

import importlib.util
import json
import signal
import struct
from pathlib import Path

import numpy as np
import pandas as pd
import pytest

from tenas_jax import Evaluator, data, spaces
from tenas_jax.scoring.presets import protocol

COUNT = 6
# That they are written changes nothing else, so the other tests of a run may have them too.
EVENTS = f"--tensorboard={importlib.util.find_spec('tensorboardX') is not None}"
SPACE = spaces.get("nas_bench_201")


@pytest.fixture(scope="module")
def place(tmp_path_factory) -> Path:
    """A folder for the runs."""
    return tmp_path_factory.mktemp("score_space")


@pytest.fixture(scope="module")
def run(commands, tiny, place):
    """Scores a few: `run(name, *more)`, into the file and the workdir of that name."""

    def run(name: str, *more: str, sample=f"--count={COUNT}", suffix="csv", **options):
        return commands.run(
            "score_space",
            f"--output={place / name}.{suffix}",
            f"--workdir={place / name}",
            f"--data={tiny}",
            "--batch_size=4",
            "--repeats=1",
            sample,
            *more,
            **options,
        )

    return run


def scores(path: Path) -> pd.DataFrame:
    """A table without the times, which differ."""
    read = pd.read_csv if path.suffix == ".csv" else pd.read_parquet
    return read(path).drop(columns="seconds")


def same(one: Path, other: Path) -> None:
    pd.testing.assert_frame_equal(scores(one), scores(other), check_exact=True)


@pytest.fixture(scope="module")
def whole(run, place) -> Path:
    """The table of an uninterrupted run in one process."""
    result = run("whole")
    assert result.returncode == 0, result.stderr
    assert "scoring: 100%" in result.stderr and "round" not in result.stderr
    assert f"{COUNT} architectures are in" in result.stdout
    return place / "whole.csv"


def test_the_table_holds_what_the_evaluator_says(whole, tiny, quick_compilation):
    table = pd.read_csv(whole)
    metrics = ["condition_number", "linear_regions"]
    flag_names = [f"{name}_flag" for name in metrics]
    assert list(table) == ["arch", *metrics, *flag_names, "seed", "seconds"]
    rng = np.random.default_rng(0)
    archs = [SPACE.from_index(int(rng.integers(SPACE.size))) for _ in range(COUNT)]
    assert table["arch"].tolist() == [SPACE.to_string(arch) for arch in archs]
    assert set(table["seed"]) == {0} and (table["seconds"] > 0).all()
    bad = table["condition_number"].isna()
    assert ((table["condition_number_flag"] == "ok") == ~bad).all()
    settings = protocol("reference", batch_size=4, repeats=1, metrics=("linear_regions",))
    evaluator = Evaluator(SPACE, data.load(str(tiny)), settings, seed=0, share_equal=False)
    found = evaluator.score([SPACE.to_mask(arch) for arch in archs], draw=0)
    regions = {i: score.mean("linear_regions") for i, _, score, _ in found}
    assert table["linear_regions"].tolist() == [regions[i] for i in range(COUNT)]


@pytest.fixture(scope="module")
def resumed(run, place) -> Path:
    """The workdir of a run that was killed, started again, and once more when it was complete."""
    killed = run("killed", EVENTS, dies_after=3)
    assert killed.returncode == -signal.SIGKILL, killed.stderr
    records = place / "killed" / "process-0-of-1" / "records.jsonl"
    assert records.read_bytes().count(b"\n") == 3 and not (place / "killed.csv").exists()
    before = records.read_bytes().splitlines()
    with records.open("ab") as file:  # as if it had died while writing
        file.write(b'{"arch": "|nor')
    for _ in range(2):
        again = run("killed", EVENTS)
        assert again.returncode == 0, again.stderr
    assert records.read_bytes().splitlines()[:3] == before
    return place / "killed"


def test_killed_and_started_again_it_ends_the_same(resumed, whole):
    same(resumed.with_suffix(".csv"), whole)


def events(path: Path) -> list[tuple[int, dict[str, float]]]:
    """(step, {tag: value}) of each event in a file but its first, which holds none."""
    from tensorboardX.proto.event_pb2 import Event

    data, found = path.read_bytes(), []
    while data:  # each event is behind its length and a checksum, and followed by a checksum
        (length,) = struct.unpack("<Q", data[:8])
        event = Event.FromString(data[12 : 12 + length])
        found.append((event.step, {value.tag: value.simple_value for value in event.summary.value}))
        data = data[16 + length :]
    return found[1:]


def test_the_events_of_a_part_go_on(resumed, place, whole):
    pytest.importorskip("tensorboardX")
    part = resumed / "process-0-of-1"
    starts = [events(path) for path in sorted((part / "tensorboard").iterdir())]
    assert [[step for step, _ in start] for start in starts] == [[0, 1, 2], [3, 4, 5]]
    records = map(json.loads, (part / "records.jsonl").read_text().splitlines())
    for (_, tags), record in zip(starts[0] + starts[1], records, strict=True):
        values = {"score/seconds": record["seconds"]}
        for name, score in record["scores"].items():
            if score["values"] != [None]:  # there is one repeat
                values[f"score/{name}"] = score["values"][0]
        assert tags == pytest.approx(values, rel=1e-6)
    assert not (place / "whole" / "process-0-of-1" / "tensorboard").exists()


def test_events_need_their_package(python, tiny, tmp_path):
    without = (
        "import runpy, sys\n"
        "sys.modules['tensorboardX'] = None\n"
        "runpy.run_module('experiments.score_space', run_name='__main__', alter_sys=True)"
    )
    flags = (f"--output={tmp_path}/x.csv", f"--workdir={tmp_path}/x", f"--data={tiny}")
    refused = python("-c", without, *flags, "--tensorboard")
    assert refused.mistake.startswith("error: tensorboard needs tensorboardX: pip install")
    assert list(tmp_path.iterdir()) == []


def test_shares_and_a_list_make_the_same_table_in_parquet(run, place, whole):
    listed = place / "archs.txt"
    archs = pd.read_csv(whole)["arch"]
    listed.write_text("# the sample\n\n" + "".join(f"{arch}\n" for arch in archs))
    options = {"sample": f"--archs={listed}", "suffix": "parquet"}
    first = run("shares", "--processes=2", "--process=1", **options)
    assert first.returncode == 0, first.stderr
    assert f"{COUNT // 2} architectures of others are missing" in first.stdout
    assert not (place / "shares.parquet").exists()
    second = run("shares", "--processes=2", "--process=0", **options)
    assert second.returncode == 0, second.stderr
    same(place / "shares.parquet", whole)
    environment = json.loads((place / "shares/process-0-of-2/environment.json").read_text())
    assert len(environment["starts"]) == 1


def test_another_config_is_refused(run, whole):
    mistake = run("whole", "--seed=1").mistake
    assert "seed: 0 there, 1 now" in mistake and "archs" in mistake
