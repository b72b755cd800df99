"""`correlate` as a user runs it: on architectures that it scores, and on a table of scores."""

import json
from pathlib import Path

import numpy as np
import pandas as pd
import pytest
from scipy.stats import kendalltau, rankdata

from tenas_jax import Evaluator, data, spaces
from tenas_jax.benchmarks import Table
from tenas_jax.scoring.presets import protocol

SPACE = spaces.get("nas_bench_201")
ABSENT = SPACE.to_string(SPACE.from_index(1))


@pytest.fixture(scope="module")
def place(tmp_path_factory) -> Path:
    """A folder for the runs and tables."""
    return tmp_path_factory.mktemp("correlate")


def run_of(folder: Path) -> tuple[dict, list[dict], list[str]]:
    """What a finished study's files hold: result, records, and the records' lines."""
    lines = (folder / "records.jsonl").read_text().splitlines()
    result = json.loads((folder / "result.json").read_text())
    return result, [json.loads(line) for line in lines], lines


def taus_of(result: dict, column: str) -> dict[str, float | None]:
    return {row["score"]: row["tau"] for row in result["rows"] if row["accuracy"] == column}


def test_columns_are_looked_up_before_it_scores(commands, tiny, tmp_path, accuracy_table):
    workdir = tmp_path / "none"
    flags = [f"--table={accuracy_table}", f"--workdir={workdir}", "--columns=nope"]
    mistake = commands.run("correlate", *flags, f"--data={tiny}").mistake
    assert "unknown column 'nope'" in mistake and not workdir.exists()


@pytest.fixture(scope="module")
def published(place) -> Path:
    """Made-up accuracies of the whole space."""
    rng = np.random.default_rng(7)
    archs = [SPACE.to_string(SPACE.from_index(i)) for i in range(SPACE.size)]
    frame = pd.DataFrame({"arch": archs, "one": rng.random(len(archs))})
    frame["two"] = frame["one"] + [arch.count("nor_conv_3x3") for arch in archs]
    frame.to_csv(place / "published.csv", index=False)
    return place / "published.csv"


def test_what_is_said_is_of_the_records(commands, tiny, place, published, quick_compilation):
    workdir = place / "taus"
    arguments = [
        f"--table={published}",
        f"--workdir={workdir}",
        f"--data={tiny}",
        "--batch_size=4",
        "--repeats=2",
        "--count=12",
        "--seed=3",
        "--resamples=20",
        "--tensorboard",
    ]
    killed = commands.run("correlate", *arguments, dies_after=5)
    assert killed.returncode == -9 and not (workdir / "result.json").exists()
    with (workdir / "records.jsonl").open("a") as file:
        file.write('{"arch": "|nor_')  # cut short
    done = commands.run("correlate", *arguments)
    assert done.returncode == 0, done.stderr
    result, records, lines = run_of(workdir)
    assert len(records) == 12 and (workdir / "records.jsonl.truncated").exists()
    assert len(list((workdir / "tensorboard").iterdir())) == 2
    archs = [record["arch"] for record in records]
    for record in records:  # each has weights of its own, even if another is equivalent
        mask = SPACE.to_mask(SPACE.parse(record["arch"])).tolist()
        assert record["key"] == "encoding:" + json.dumps(mask, separators=(",", ":"))
        assert record["encoding"] == mask
        assert record["engine"] == "jacobian"
    settings = protocol("reference", batch_size=4, repeats=2, metrics=("linear_regions",))
    evaluator = Evaluator(SPACE, data.load(str(tiny)), settings, seed=3)
    [(_, _, score, _)] = evaluator.score([SPACE.to_mask(SPACE.parse(archs[0]))], draw=0)
    found = {
        name: [record["scores"][name]["values"] for record in records]
        for name in ("condition_number", "linear_regions")
    }
    assert found["linear_regions"][0] == score.values["linear_regions"].tolist()
    table = Table.load(published, SPACE)
    means = np.mean(np.array(found["condition_number"], float), 1)
    badness = {
        "condition_number": rankdata(np.where(np.isnan(means), np.inf, means)),
        "linear_regions": rankdata(-np.mean(found["linear_regions"], 1)),
    }
    badness["average_rank_sum"] = sum(badness.values())
    for column in ("one", "two"):
        accuracy = table.column(column, archs)
        for name, ranks in badness.items():
            tau = kendalltau(-ranks, accuracy).statistic
            assert taus_of(result, column)[name] == pytest.approx(tau)
            shown = [line.split() for line in done.stdout.splitlines() if line.startswith(name)]
            assert f"{tau:.3f}" in shown[column == "two"]
    spectra = json.loads((workdir / "spectra.json").read_text())
    best = archs[int(np.argmax(table.column("one", archs)))]
    assert spectra["column"] == "one" and spectra["spectra"][0]["arch"] == best
    frame = pd.read_csv(workdir / "scores.csv")
    assert frame["arch"].tolist() == archs
    np.testing.assert_allclose(frame["two"], table.column("two", archs))
    for picture in ("correlate.png", "repeats.png"):
        assert (workdir / picture).read_bytes().startswith(b"\x89PNG")

    again = commands.run("correlate", *arguments)
    assert again.stdout == done.stdout and run_of(workdir)[2] == lines
    more = [argument.replace("count=12", "count=14") for argument in arguments]
    assert commands.run("correlate", *more).returncode == 0
    assert run_of(workdir)[2][:12] == lines and len(run_of(workdir)[1]) == 14
    assert "seed" in commands.run("correlate", *arguments, "--seed=1").mistake
    other = commands.run("correlate", *arguments, "--space=darts").mistake
    assert "published.csv, row 0: genotype" in other


def test_a_workdir_of_another_space(commands, tiny, place, tmp_path, published):
    config = {"space": "darts", "preset": "reference", "data": str(tiny), "batch_size": 4}
    (tmp_path / "config.json").write_text(json.dumps({**config, "repeats": 1, "seed": 0}))
    flags = [f"--table={published}", f"--workdir={tmp_path}", f"--data={tiny}", "--batch_size=4"]
    mistake = commands.run("correlate", *flags, "--repeats=1").mistake
    assert "another config" in mistake and "darts" in mistake and "nas_bench_201" in mistake


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
def test_taus_of_a_table_of_scores(commands, tables, suffix, tmp_path):
    accuracies, stem, frame, accuracy = tables
    arguments = [f"--table={accuracies}", f"--scores={stem}.{suffix}", "--resamples=20"]
    result = commands.run("correlate", *arguments, f"--workdir={tmp_path / 'w'}")
    assert result.returncode == 0, result.stderr
    badness = {
        "condition_number": rankdata(frame["condition_number"].fillna(np.inf)),
        "linear_regions": rankdata(-frame["linear_regions"]),
    }
    badness["average_rank_sum"] = sum(badness.values())
    found = json.loads((tmp_path / "w" / "result.json").read_text())
    for name, ranks in badness.items():
        tau = kendalltau(-ranks, accuracy).statistic
        assert taus_of(found, "test")[name] == pytest.approx(tau)
    [row] = [row for row in found["rows"] if row["score"] == "condition_number"]
    assert row["tau_low"] < row["tau"] < row["tau_high"] and row["bad"] == 6
    assert f"{len(frame)} architectures, {stem}.{suffix}" in result.stdout
    alone = commands.run("correlate", *arguments)  # without a workdir it only prints
    assert alone.stdout == result.stdout


def test_columns_that_are_no_metrics(commands, tables):
    accuracies, stem, frame, accuracy = tables
    arguments = [f"--table={accuracies}", f"--scores={stem}-other.csv", "--resamples=20"]
    arguments += ["--arch_column=net", "--score_columns=-mine,same", "--weights=mine=2,same=1"]
    renamed = frame.rename(columns={"arch": "net", "linear_regions": "mine"})
    renamed.assign(same=1.0).to_csv(f"{stem}-other.csv", index=False)
    done = commands.run("correlate", *arguments)
    assert done.returncode == 0, done.stderr
    tau = kendalltau(-frame["linear_regions"], accuracy).statistic
    [mine] = [line.split() for line in done.stdout.splitlines() if line.startswith("mine ")]
    assert f"{tau:.3f}" in mine
    [same] = [line.split() for line in done.stdout.splitlines() if line.startswith("same ")]
    assert same[2] == "–"  # and never 0
    assert any(
        line.startswith("same: ") and "constant" in line for line in done.stdout.splitlines()
    )
    assert any(line.startswith("weighted") for line in done.stdout.splitlines())


def test_mistakes_in_a_table_of_scores_are_one_line(commands, place, tables):
    accuracies, _, frame, _ = tables
    tables = {
        "bare": frame.drop(columns=["condition_number", "linear_regions"]),
        "anonymous": frame.rename(columns={"arch": "architecture"}),
        "more": pd.concat([frame, frame.iloc[:1].assign(arch=ABSENT)]),
        "twice": pd.concat([frame, frame.iloc[:1]]),
        "few": frame.iloc[:9],
        "none": frame.iloc[:0],
    }
    paths = {name: place / f"{name}.csv" for name in tables}
    for name, table in tables.items():
        table.to_csv(paths[name], index=False)
    good = f"--scores={place / 'scores.csv'}"
    for arguments, words in (
        ([], "either --workdir, to score, or --scores"),
        ([f"--scores={paths['bare']}"], "no column of a metric"),
        ([f"--scores={paths['anonymous']}"], "no column 'arch' (is it 'architecture'?)"),
        ([f"--scores={paths['more']}"], f"no architecture '{ABSENT}' in {accuracies}"),
        ([f"--scores={paths['twice']}"], "in rows 0 and 40"),
        ([f"--scores={paths['few']}"], "9"),
        ([f"--scores={paths['none']}"], "0"),
        ([good, "--score_columns=kappa"], "unknown column 'kappa'"),
        ([good, "--arch_column=net"], "no column 'net'"),
        ([good, "--combine=sum"], "unknown combination 'sum'"),
        ([good, "--weights=a=1"], "'a'"),
        ([good, "--weights=a"], "'a' is not NAME=NUMBER"),
    ):
        assert words in commands.run("correlate", f"--table={accuracies}", *arguments).mistake
