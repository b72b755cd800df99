"""`correlate` as a user runs it: on architectures that it scores, and on a table of scores."""

import json
from pathlib import Path

import numpy as np
import pandas as pd
import pytest
from scipy.stats import kendalltau, rankdata

from tenas_jax import Evaluator, data, spaces
from tenas_jax.benchmarks import Table
from tenas_jax.presets import protocol

SPACE = spaces.get("nas_bench_201")


@pytest.fixture(scope="module")
def place(tmp_path_factory) -> Path:
    """A folder for the runs and tables."""
    return tmp_path_factory.mktemp("correlate")


def test_columns_are_looked_up_before_it_scores(commands, tiny, tmp_path, accuracy_table):
    workdir = tmp_path / "none"
    flags = [f"--table={accuracy_table}", f"--workdir={workdir}", "--columns=nope"]
    mistake = commands.run("correlate", *flags, f"--data={tiny}").mistake
    assert "unknown column 'nope'" in mistake and not workdir.exists()


def test_the_printed_taus_are_those_of_the_records(
    commands, tiny, place, accuracy_table, quick_compilation
):
    columns = ("cifar10_test", "cifar100_test")
    arguments = [
        f"--table={accuracy_table}",
        f"--workdir={place / 'taus'}",
        f"--data={tiny}",
        "--batch_size=4",
        "--repeats=1",
        "--count=12",
        "--seed=3",
        f"--columns={','.join(columns)}",
    ]
    result = commands.run("correlate", *arguments)
    assert result.returncode == 0, result.stderr
    lines = (place / "taus" / "records.jsonl").read_text().splitlines()
    records = [json.loads(line) for line in lines]
    archs = [record["arch"] for record in records]
    for record in records:  # each has weights of its own, even if another is equivalent
        mask = SPACE.to_mask(SPACE.parse(record["arch"])).ravel()
        assert record["key"] == "mask:" + "".join(map(str, mask))
    settings = protocol("reference", batch_size=4, repeats=1, metrics=("linear_regions",))
    evaluator = Evaluator(SPACE, data.load(str(tiny)), settings, seed=3)
    [(_, _, score, _)] = evaluator.score([SPACE.to_mask(SPACE.parse(archs[0]))], draw=0)
    assert records[0]["linear_regions"] == score.values["linear_regions"].tolist()
    kappas = [v if v is not None else np.inf for r in records for v in r["condition_number"]]
    regions = [-v for r in records for v in r["linear_regions"]]
    badness = {"condition_number": rankdata(kappas), "linear_regions": rankdata(regions)}
    badness["rank sum"] = sum(badness.values())
    table = Table.load(accuracy_table, SPACE)
    printed = [line.split()[:-2] for line in result.stdout.splitlines()]
    for column in columns:
        accuracy = table.column(column, archs)
        for name, ranks in badness.items():
            tau = kendalltau(-ranks, accuracy).statistic
            assert [column, *name.split(), f"{tau:.3f}"] in printed
    again = commands.run("correlate", *arguments)
    assert [line.split()[:-2] for line in again.stdout.splitlines()][:8] == printed[:8]
    assert (place / "taus" / "records.jsonl").read_text().splitlines() == lines
    assert "seed" in commands.run("correlate", *arguments, "--seed=1").mistake


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
def test_taus_of_a_table_of_scores(commands, tables, suffix):
    accuracies, stem, frame, accuracy = tables
    arguments = [f"--table={accuracies}", f"--scores={stem}.{suffix}", "--columns=test"]
    result = commands.run("correlate", *arguments)
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


def test_mistakes_in_a_table_of_scores_are_one_line(commands, place, tables):
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
        assert words in commands.run("correlate", *base, *arguments).mistake
