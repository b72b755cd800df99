"""`repeat` as a user runs it: two seeds, killed and resumed, and a third one later."""

import json
from pathlib import Path

import numpy as np
import pandas as pd
import pytest

from tenas_jax import spaces

SPACE = spaces.get("nas_bench_201")


@pytest.fixture(scope="module")
def published(tmp_path_factory) -> Path:
    """Made-up accuracies of the whole space."""
    archs = [SPACE.to_string(SPACE.from_index(i)) for i in range(SPACE.size)]
    path = tmp_path_factory.mktemp("repeat") / "published.csv"
    accuracy = np.random.default_rng(0).random(len(archs))
    pd.DataFrame({"arch": archs, "test": accuracy}).to_csv(path, index=False)
    return path


def arguments_of(workdir, tiny, published, seeds) -> list[str]:
    return [
        "--config=configs/tenas_nas_bench_201.py",
        f"--workdir={workdir}",
        f"--seeds={seeds}",
        f"--config.data={tiny}",
        "--config.batch_size=4",
        "--config.options.linear_regions.batch_size=8",
        "--config.repeats=1",
        "--config.strategy_options.per_round=3",
        f"--config.benchmark_table={published}",
    ]


def test_seeds_killed_resumed_and_added(commands, tiny, published, tmp_path):
    workdir = tmp_path / "w"
    killed = commands.run("repeat", *arguments_of(workdir, tiny, published, 2), dies_after=30)
    assert killed.returncode == -9
    first = (workdir / "pruning-0" / "records.jsonl").read_text()
    done = commands.run("repeat", *arguments_of(workdir, tiny, published, 2))
    assert done.returncode == 0, done.stderr
    assert (workdir / "pruning-0" / "records.jsonl").read_text().startswith(first)
    found = json.loads((workdir / "result.json").read_text())
    table = pd.read_csv(published, index_col="arch")["test"]
    assert found["command"] == "repeat" and list(found["searches"]) == ["pruning", "random"]
    for name, rows in found["searches"].items():
        assert [row["seed"] for row in rows] == [0, 1]
        for row in rows:
            own = json.loads((workdir / f"{name}-{row['seed']}" / "result.json").read_text())
            assert row["arch"] == own["arch"]
            assert row["accuracies"]["test"] == pytest.approx(table[own["arch"]])
            records = (workdir / f"{name}-{row['seed']}" / "records.jsonl").read_text()
            assert row["scored"] == records.count("\n") == 26  # supernet, 24 removals, result
    assert found["oracle"]["test"] == pytest.approx(table.max())
    mean = np.mean([row["accuracies"]["test"] for row in found["searches"]["random"]])
    [row] = [row for row in found["summary"] if row["search"] == "random"]
    assert row["mean"] == pytest.approx(mean)
    assert "oracle" in done.stdout and "95 % of the mean" in done.stdout

    more = commands.run("repeat", *arguments_of(workdir, tiny, published, 3))
    assert more.returncode == 0, more.stderr
    longer = json.loads((workdir / "result.json").read_text())
    assert longer["searches"]["pruning"][:2] == found["searches"]["pruning"]
    assert len(longer["searches"]["pruning"]) == 3


def test_without_accuracies(commands, tiny, published, tmp_path):
    arguments = arguments_of(tmp_path / "w", tiny, published, 2)[:-1]
    assert "benchmark_table" in commands.run("repeat", *arguments).mistake
    assert not (tmp_path / "w").exists()


def test_random_search_alone(commands, tiny, published, tmp_path):
    arguments = arguments_of(tmp_path / "w", tiny, published, 1)[1:]
    arguments = [a.replace("per_round=3", "count=4") for a in arguments]
    arguments.insert(0, "--config=configs/random_nas_bench_201.py")
    done = commands.run("repeat", *arguments)
    assert done.returncode == 0, done.stderr
    found = json.loads((tmp_path / "w" / "result.json").read_text())
    assert list(found["searches"]) == ["random"]
    assert found["searches"]["random"][0]["scored"] == 4
