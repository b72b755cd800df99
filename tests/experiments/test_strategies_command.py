"""Every strategy as a user runs it, by all three quantities: to its end, and killed and resumed."""

import json
import signal
from pathlib import Path

import pandas as pd
import pytest

from tenas_jax import spaces
from tenas_jax.networks.costs import costs
from tenas_jax.search import STRATEGIES, options_of

SPACE = spaces.get("nas_bench_201")
METRICS = ("condition_number", "linear_regions", "kernel_regression")
TINY = (
    "--config.batch_size=4",
    "--config.repeats=1",
    "--config.options.linear_regions.batch_size=40",
)
# strategy -> options, and at how many records it is killed
SMALL = {
    "pruning": ({"per_round": 3}, 12),
    "gradient_pruning": ({"per_round": 3}, 10),
    "random": ({"count": 8}, 5),
    "reinforce": ({"count": 8, "batch": 2}, 5),
    "evolution": ({"count": 8, "population": 4, "tournament": 2}, 6),
    "local_search": ({"count": 8, "batch": 3}, 5),
    "nsga2": ({"count": 8, "population": 4}, 6),
}
by_strategy = pytest.mark.parametrize("strategy", SMALL)


@pytest.fixture(scope="module")
def place(tmp_path_factory) -> Path:
    return tmp_path_factory.mktemp("strategies")


@pytest.fixture(scope="module")
def search(commands, tiny, place):
    """Runs a search: `search(strategy, workdir, *more)`."""

    def search(strategy, workdir, *more, **options):
        own = [f"--config.strategy_options.{k}={v}" for k, v in SMALL[strategy][0].items()]
        config = ["--config=configs/tegnas_nas_bench_201.py", f"--workdir={place / workdir}"]
        given = [f"--config.data={tiny}", f"--config.strategy={strategy}", *TINY, *own]
        return commands.run("search", *config, *given, *more, **options)

    return search


def outcome(folder: Path):
    """The checkpoint, the records of a run without its times, and the rounds to the byte."""
    records = [json.loads(line) for line in (folder / "records.jsonl").read_text().splitlines()]
    for record in records:
        record.pop("seconds")
    rounds = folder / "rounds.jsonl"
    checkpoint = json.loads((folder / "checkpoint.json").read_text())
    return checkpoint, records, rounds.read_bytes() if rounds.exists() else b""


def test_every_strategy_is_tested():
    assert set(SMALL) == set(STRATEGIES)
    for name, (options, _) in SMALL.items():
        assert set(options) <= set(options_of(name))


@by_strategy
def test_to_its_end_and_killed_and_resumed(search, place, strategy):
    whole = search(strategy, f"{strategy}_whole")
    assert whole.returncode == 0, whole.stderr
    folder = place / f"{strategy}_whole"
    found = json.loads((folder / "result.json").read_text())
    checkpoint, records, rounds = outcome(folder)
    assert checkpoint["done"] and found["arch"] in whole.stdout
    assert checkpoint["records"] == len(records) and checkpoint["rounds"] == rounds.count(b"\n")
    SPACE.parse(found["arch"])
    assert found["architectures_scored"] == len(records)
    assert all(found[name] is not None for name in METRICS)
    if strategy != "random":
        assert (folder / "search.png").read_bytes().startswith(b"\x89PNG")

    killed = search(strategy, f"{strategy}_killed", dies_after=SMALL[strategy][1])
    assert killed.returncode == -signal.SIGKILL, killed.stderr
    again = search(strategy, f"{strategy}_killed")
    assert again.returncode == 0, again.stderr
    assert outcome(place / f"{strategy}_killed") == (checkpoint, records, rounds)


@pytest.mark.parametrize(
    ("strategy", "option", "words"),
    [
        ("evolution", "strategy_options.tournament=9", "smaller than the tournament of 9"),
        ("reinforce", "strategy_options.learning_rate=-1.0", "learning_rate is -1.0"),
        ("nsga2", "strategy_options.costs=('flops',)", "unknown cost 'flops'"),
        ("pruning", "strategy_options.steps=5", "unknown option of strategy pruning 'steps'"),
        (
            "reinforce",
            "options.kernel_regression.ridge=-0.5",
            "ridge must be a finite number from 0, not -0.5",
        ),
        (
            "reinforce",
            "options.kernel_regression.regression_weights=cell",
            "unknown regression_weights 'cell'",
        ),
        ("reinforce", "batch_size=20", "32 examples, not the 40 of a batch and a held-out batch"),
    ],
)
def test_mistakes_are_told_before_anything_is_scored(search, place, strategy, option, words):
    refused = search(strategy, "refused", f"--config.{option}")
    assert words in refused.mistake
    assert not (place / "refused" / "records.jsonl").exists()


BUDGET = 4e5  # parameters; of all architectures about two fifths have no more


@pytest.mark.parametrize("strategy", ["pruning", "random", "evolution"])
def test_nothing_over_budget_is_scored(search, place, strategy):
    limit = f"--config.budget.parameters={BUDGET}"
    done = search(strategy, f"{strategy}_budget", "--config.metrics=linear_regions", limit)
    assert done.returncode == 0, done.stderr
    folder = place / f"{strategy}_budget"
    found = json.loads((folder / "result.json").read_text())["arch"]
    names = [found]
    for line in (folder / "records.jsonl").read_text().splitlines():
        mask = json.loads(line)["encoding"]
        if SPACE.is_single(mask):
            names.append(SPACE.to_string(SPACE.from_mask(mask)))
    assert max(costs(SPACE, names)["parameters"]) <= BUDGET
    assert json.loads((folder / "config.json").read_text())["budget"]["parameters"] == BUDGET


def test_a_budget_that_nothing_meets_is_told_before_anything_is_scored(search, place):
    refused = search("evolution", "poor", "--config.budget.parameters=1000")
    assert "parameters" in refused.mistake and "|none~0|" in refused.mistake
    assert not (place / "poor").exists()


def test_gradients_beside_the_removals_of_a_search(search, commands, place):
    if not (place / "pruning_whole").exists():
        assert search("pruning", "pruning_whole").returncode == 0
    done = commands.run("gradient_agreement", f"--workdir={place / 'pruning_whole'}")
    assert done.returncode == 0, done.stderr
    rows = json.loads((place / "pruning_whole" / "agreement.json").read_text())["rows"]
    assert [(row["round"], row["metric"]) for row in rows] == [
        (0, "condition_number"),
        (0, "kernel_regression"),
    ]  # three operations are pruned on an edge at once: one round
    for row in rows:
        assert row["removals"] == 24 and -1 <= row["tau"] <= 1 and 0 <= row["same"] <= 1
        assert row["exact_seconds"] > 0 and row["gradient_seconds"] > 0
    assert "exact_seconds" in done.stdout
    if not (place / "random_whole").exists():
        assert search("random", "random_whole").returncode == 0
    other = commands.run("gradient_agreement", f"--workdir={place / 'random_whole'}")
    assert "holds no search by pruning" in other.mistake


def test_strategies_side_by_side(commands, tiny, place):
    archs = [SPACE.to_string(SPACE.from_index(i)) for i in range(SPACE.size)]
    table = place / "published.csv"
    pd.DataFrame({"arch": archs, "test": range(len(archs))}).to_csv(table, index=False)
    done = commands.run(
        "repeat", "--config=configs/tegnas_nas_bench_201.py", f"--workdir={place / 'repeat'}",
        "--seeds=2", "--strategies=evolution,reinforce", f"--config.data={tiny}", *TINY,
        "--config.metrics=linear_regions", f"--config.benchmark_table={table}",
        "--config.strategy_options.count=7", "--config.strategy_options.population=3",
        "--config.strategy_options.tournament=2",
    )  # fmt: skip
    assert done.returncode == 0, done.stderr
    found = json.loads((place / "repeat" / "result.json").read_text())
    assert list(found["searches"]) == ["evolution", "reinforce", "random"]
    for name, rows in found["searches"].items():
        assert [row["scored"] for row in rows] == [7, 7]
        config = json.loads((place / "repeat" / f"{name}-1" / "config.json").read_text())
        assert set(config["strategy_options"]) <= set(options_of(name))
