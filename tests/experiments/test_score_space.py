"""Scoring a space as a user does it: killed and resumed, in shares, mistaken, and correlated."""

import json
import os
import signal
import subprocess
import sys
from pathlib import Path

import numpy as np
import pandas as pd
import pytest
from scipy.stats import kendalltau, rankdata

from tenas_jax import Evaluator, data, spaces
from tenas_jax.presets import protocol

ROOT = Path(__file__).parents[2]
COUNT = 6
SPACE = spaces.get("nas_bench_201")
# Dies like a killed process, right after the third record, with half a line of the fourth.
KILLED = """
import os, sys
from absl import app
from experiments import score_space
from tenas_jax import records

append, written = records.Workdir.append, []

def append_and_die(self, record):
    append(self, record)
    written.append(record)
    if len(written) == 3:
        with open(self.path / "records.jsonl", "ab") as file:
            file.write(b'{"arch": "|nor')
        os.kill(os.getpid(), 9)

records.Workdir.append = append_and_die
app.run(score_space.main, argv=["score_space", *sys.argv[1:]])
"""


@pytest.fixture(scope="module")
def place(tmp_path_factory) -> Path:
    """A folder for the runs, with a compilation cache that they share."""
    return tmp_path_factory.mktemp("score_space")


def execute(place: Path, *command: str) -> subprocess.CompletedProcess:
    environment = {
        **os.environ,
        "PYTHONPATH": str(ROOT),
        "XLA_FLAGS": "--xla_backend_optimization_level=0",  # compiles in half the time
        "JAX_COMPILATION_CACHE_DIR": str(place / "cache"),
        "JAX_PERSISTENT_CACHE_MIN_COMPILE_TIME_SECS": "0",
    }
    return subprocess.run(
        [sys.executable, *command],
        cwd=ROOT,
        env=environment,
        capture_output=True,
        text=True,
        timeout=400,
    )


def flags(place: Path, name: str, *more: str, suffix: str = "csv") -> list[str]:
    return [
        f"--output={place / name}.{suffix}",
        f"--workdir={place / name}",
        "--data=photos",
        "--batch_size=4",
        "--repeats=1",
        f"--count={COUNT}",
        *more,
    ]


def run(place: Path, *arguments: str) -> subprocess.CompletedProcess:
    return execute(place, "-m", "experiments.score_space", *arguments)


def scores(path: Path) -> pd.DataFrame:
    """A table without the times, which differ."""
    read = pd.read_csv if path.suffix == ".csv" else pd.read_parquet
    return read(path).drop(columns="seconds")


def same(one: Path, other: Path) -> None:
    pd.testing.assert_frame_equal(scores(one), scores(other), check_exact=True)


@pytest.fixture(scope="module")
def whole(place) -> Path:
    """The table of an uninterrupted run in one process."""
    result = run(place, *flags(place, "whole"))
    assert result.returncode == 0, result.stderr
    assert f"{COUNT} architectures are in" in result.stdout
    return place / "whole.csv"


def test_the_table_holds_what_the_evaluator_says(place, whole):
    table = pd.read_csv(whole)
    metrics = ["condition_number", "linear_regions"]
    flag_names = [f"{name}_flag" for name in metrics]
    assert list(table) == ["arch", *metrics, *flag_names, "seed", "seconds"]
    numbers = np.random.default_rng(0).choice(SPACE.size, size=COUNT, replace=False)
    archs = [SPACE.from_index(int(i)) for i in numbers]
    assert table["arch"].tolist() == [SPACE.to_string(arch) for arch in archs]
    assert set(table["seed"]) == {0} and (table["seconds"] > 0).all()
    bad = table["condition_number"].isna()
    assert ((table["condition_number_flag"] == "ok") == ~bad).all()
    settings = protocol("reference", batch_size=4, repeats=1, metrics=("linear_regions",))
    evaluator = Evaluator(SPACE, data.load("photos"), settings, seed=0, share_equal=False)
    found = evaluator.score([SPACE.to_mask(arch) for arch in archs], draw=0)
    regions = {i: score.mean("linear_regions") for i, _, score, _ in found}
    assert table["linear_regions"].tolist() == [regions[i] for i in range(COUNT)]


def test_killed_and_started_again_it_ends_the_same(place, whole):
    arguments = flags(place, "killed")
    killed = execute(place, "-c", KILLED, *arguments)
    assert killed.returncode == -signal.SIGKILL, killed.stderr
    records = place / "killed" / "process-0-of-1" / "records.jsonl"
    assert records.read_bytes().count(b"\n") == 3 and not (place / "killed.csv").exists()
    before = records.read_bytes().splitlines()[:3]
    again = run(place, *arguments)
    assert again.returncode == 0, again.stderr
    assert records.read_bytes().splitlines()[:3] == before
    same(place / "killed.csv", whole)


def test_shares_and_a_list_make_the_same_table_in_parquet(place, whole):
    listed = place / "archs.txt"
    archs = pd.read_csv(whole)["arch"]
    listed.write_text("# the sample\n\n" + "".join(f"{arch}\n" for arch in archs))
    arguments = [word for word in flags(place, "shares", suffix="parquet") if "count" not in word]
    arguments += [f"--archs={listed}", "--processes=2"]
    first = run(place, *arguments, "--process=1")
    assert first.returncode == 0, first.stderr
    assert f"{COUNT // 2} architectures of others are missing" in first.stdout
    assert not (place / "shares.parquet").exists()
    second = run(place, *arguments, "--process=0")
    assert second.returncode == 0, second.stderr
    same(place / "shares.parquet", whole)
    environment = json.loads((place / "shares/process-0-of-2/environment.json").read_text())
    assert len(environment["starts"]) == 1


def one_line(result: subprocess.CompletedProcess) -> bool:
    """Whether it was refused with one error line, and no traceback."""
    lines = [line for line in result.stderr.splitlines() if line.strip()]
    return result.returncode == 2 and len(lines) == 1 and lines[0].startswith("error: ")


@pytest.mark.parametrize(
    ("changes", "words"),
    [
        (["--output=scores.json"], ["scores.json", ".csv or .parquet"]),
        (["--archs=README.md", "--count=3"], ["not both"]),
        (["--metrics=kappa"], ["unknown metric 'kappa'"]),
        (["--process=0"], ["--processes"]),
        (["--workdir=README.md"], ["README.md"]),
    ],
)
def test_a_mistake_is_one_line_and_writes_nothing(place, changes, words):
    result = run(place, *flags(place, "mistakes"), *changes)
    assert one_line(result), result.stderr
    for word in words:
        assert word in result.stderr
    assert not (place / "mistakes").exists() and not (place / "mistakes.csv").exists()


def test_a_wrong_line_of_a_list_is_named(place):
    listed = place / "wrong.txt"
    listed.write_text("|nor_conv_9x9~0|\n")
    arguments = [word for word in flags(place, "mistakes") if "count" not in word]
    result = run(place, *arguments, f"--archs={listed}")
    assert one_line(result) and "wrong.txt, line 1" in result.stderr


def test_another_config_is_refused(place, whole):
    result = run(place, *flags(place, "whole", "--seed=1"))
    assert result.returncode == 2
    assert "seed: 0 there, 1 now" in result.stderr and "archs" in result.stderr


def correlate(place: Path, *arguments: str) -> subprocess.CompletedProcess:
    return execute(place, "-m", "experiments.correlate", *arguments)


@pytest.fixture(scope="module")
def tables(place) -> tuple[Path, Path, pd.DataFrame, np.ndarray]:
    """Files of made-up scores and accuracies, and what they hold."""
    rng = np.random.default_rng(0)
    archs = [SPACE.to_string(SPACE.from_index(i)) for i in range(0, 4000, 100)]
    kappas = np.round(rng.random(len(archs)), 1)
    kappas[3:9] = np.nan
    frame = pd.DataFrame(
        {
            "arch": archs,
            "condition_number": kappas,
            "linear_regions": rng.integers(0, 20, len(archs)).astype(float),
            "condition_number_flag": np.where(np.isnan(kappas), "singular", "ok"),
            "linear_regions_flag": "ok",
            "seed": 0,
            "seconds": 0.5,
        }
    )
    accuracy = rng.random(len(archs))
    order = rng.permutation(len(archs))
    published = pd.DataFrame({"arch": np.array(archs)[order], "test": accuracy[order]})
    published.to_csv(place / "accuracy.csv", index=False)
    frame.to_csv(place / "scores.csv", index=False)
    frame.to_parquet(place / "scores.parquet")
    return place / "accuracy.csv", place / "scores", frame, accuracy


@pytest.mark.parametrize("suffix", ["csv", "parquet"])
def test_taus_of_a_table_of_scores(place, tables, suffix):
    accuracies, stem, frame, accuracy = tables
    arguments = [f"--table={accuracies}", f"--scores={stem}.{suffix}", "--columns=test"]
    result = correlate(place, *arguments)
    assert result.returncode == 0, result.stderr
    badness = {
        "condition_number": rankdata(frame["condition_number"].fillna(np.inf)),
        "linear_regions": rankdata(-frame["linear_regions"]),
    }
    badness["rank sum"] = sum(badness.values())
    rows = [line.split() for line in result.stdout.splitlines()]
    for name, ranks in badness.items():
        words = ["test", *name.split(), f"{kendalltau(-ranks, accuracy).statistic:.3f}"]
        [row] = [row for row in rows if row[: len(words)] == words]
        low, high = map(float, row[-2:])
        assert low < float(words[-1]) < high
    assert f"{len(frame)} architectures, {stem}.{suffix}" in result.stdout


def test_mistakes_in_a_table_of_scores_are_one_line(place, tables):
    accuracies, _, frame, _ = tables
    bare, more = place / "bare.csv", place / "more.csv"
    frame.drop(columns=["condition_number", "linear_regions"]).to_csv(bare, index=False)
    absent = SPACE.to_string(SPACE.from_index(1))
    pd.concat([frame, frame.iloc[:1].assign(arch=absent)]).to_csv(more, index=False)
    anonymous = place / "anonymous.csv"
    frame.rename(columns={"arch": "architecture"}).to_csv(anonymous, index=False)
    base = [f"--table={accuracies}", "--columns=test"]
    for arguments, words in (
        ([], "either --workdir, to score, or --scores"),
        ([f"--scores={bare}"], "no column of a metric"),
        ([f"--scores={anonymous}"], "no column 'arch' (is it 'architecture'?)"),
        ([f"--scores={more}"], f"no architecture '{absent}' in {accuracies}"),
    ):
        result = correlate(place, *base, *arguments)
        assert one_line(result) and words in result.stderr, result.stderr
