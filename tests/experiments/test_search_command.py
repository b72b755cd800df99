"""The search as a user runs it: killed and resumed, refused, mistaken."""

import json
import os
import signal
import subprocess
import sys
import time
from pathlib import Path

import numpy as np
import pytest
from scipy.stats import kendalltau, rankdata

from tenas_jax import Evaluator, data, spaces
from tenas_jax.benchmarks import Table
from tenas_jax.presets import protocol

ROOT = Path(__file__).parents[2]
ARCH = "|nor_conv_3x3~0|+|none~0|nor_conv_1x1~1|+|skip_connect~0|none~1|nor_conv_3x3~2|"
TINY = ("--config.batch_size=4", "--config.repeats=1", "--config.patches=40")


@pytest.fixture(scope="module")
def place(tmp_path_factory) -> Path:
    """A folder with a tiny data set, and a compilation cache that the runs share."""
    folder = tmp_path_factory.mktemp("search")
    rng = np.random.default_rng(0)
    images = rng.integers(0, 256, (32, 8, 8, 3), dtype=np.uint8)
    np.savez(folder / "tiny.npz", images=images, labels=np.arange(32) % 4)
    return folder


def command(place: Path, *arguments: str, program: str = "search") -> list[str]:
    return [sys.executable, "-m", f"experiments.{program}", *arguments]


def environment(place: Path) -> dict:
    return {
        **os.environ,
        "PYTHONPATH": str(ROOT),
        "XLA_FLAGS": "--xla_backend_optimization_level=0",  # compiles in half the time
        "JAX_COMPILATION_CACHE_DIR": str(place / "cache"),
        "JAX_PERSISTENT_CACHE_MIN_COMPILE_TIME_SECS": "0",
    }


def run(place: Path, *arguments: str, program: str = "search") -> subprocess.CompletedProcess:
    return subprocess.run(
        command(place, *arguments, program=program),
        cwd=ROOT,
        env=environment(place),
        capture_output=True,
        text=True,
        timeout=400,
    )


def flags(place: Path, workdir: str, *more: str) -> list[str]:
    return [
        "--config=configs/tenas_nas_bench_201.py",
        f"--workdir={place / workdir}",
        f"--config.data={place / 'tiny.npz'}",
        *TINY,
        *more,
    ]


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
def whole(place) -> subprocess.CompletedProcess:
    """An uninterrupted run."""
    return run(place, *flags(place, "whole"))


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


def test_killed_in_mid_round_and_started_again_it_ends_the_same(place, whole):
    arguments = flags(place, "killed")
    records = place / "killed" / "records.jsonl"
    process = subprocess.Popen(
        command(place, *arguments), cwd=ROOT, env=environment(place), stderr=subprocess.DEVNULL
    )
    deadline = time.monotonic() + 300
    while not (records.exists() and len(records.read_bytes().splitlines()) >= 30):
        assert process.poll() is None and time.monotonic() < deadline
        time.sleep(0.02)
    process.send_signal(signal.SIGKILL)
    process.wait()
    scored = len(records.read_bytes().splitlines())
    assert 30 <= scored < 44, "it was to be killed within the second round"
    with records.open("ab") as file:  # as if it had died while writing
        file.write(b'{"round": 1, "key": "mask:')
    again = run(place, *arguments)
    assert again.returncode == 0, again.stderr
    assert outcome(place / "killed") == outcome(place / "whole")


def test_a_finished_search_says_so_and_computes_nothing(place, whole):
    before = outcome(place / "whole")
    again = run(place, *flags(place, "whole"))
    assert again.returncode == 0
    assert "is finished" in again.stderr
    assert "compile 0.0 s, run 0.0 s" in again.stdout
    assert outcome(place / "whole") == before


def test_a_workdir_of_another_config_is_refused(place, whole):
    other = run(place, *flags(place, "whole", "--config.seed=1", "--config.preset=paper"))
    assert other.returncode == 2
    assert "seed" in other.stderr and "preset" in other.stderr
    assert one_line(other.stderr)


def test_published_accuracies_are_shown(place, whole):
    arch = json.loads((place / "whole" / "result.json").read_text())["arch"]
    table = place / "table.csv"
    table.write_text(f"arch,cifar10_test,params_m\n{arch},93.25,1.5\n")
    shown = run(place, *flags(place, "whole", f"--config.benchmark_table={table}"))
    assert "cifar10_test          93.25 (published)" in shown.stdout


def one_line(stderr: str) -> bool:
    """Whether the last thing printed is one error line, and there is no traceback."""
    lines = [line for line in stderr.splitlines() if line.strip()]
    errors = [line for line in lines if line.startswith("error: ")]
    return "Traceback" not in stderr and len(errors) == 1 and lines[-1] == errors[0]


@pytest.mark.parametrize(
    ("changes", "words"),
    [
        (["--config.space=nas_bench_2001"], ["nas_bench_2001", "did you mean 'nas_bench_201'"]),
        (["--config.strategy=prunning"], ["prunning", "pruning"]),
        (["--config.preset=papers"], ["papers", "'paper'"]),
        (["--config.data=cifar11"], ["cifar11", "cifar10"]),
        (["--config.data=nothing.npz"], ["nothing.npz"]),
        (["--config.engine=jacobain"], ["jacobain", "'jacobian'"]),
        (["--config.batch_size=1"], ["at least 2"]),
        (["--config.batch_size=many"], ["many"]),
        (["--config.batchsize=3"], ["batchsize", "did you mean 'batch_size'"]),
        (["--config.benchmark_table=no.csv"], ["no.csv"]),
        (["--workdir=README.md"], ["README.md"]),
        (["stray"], ["stray"]),
        (["--config.seed=-1"], ["seed", "-1"]),
        (["--config.cpu_devices=0"], ["cpu_devices"]),
        (["--config.metrics=()"], ["at least one metric"]),
        (["--config.metrics=linear_regions,kappa"], ["unknown metric 'kappa'"]),
        (["--config.initialiser=kaiming_normal"], ["'kaiming_normal_fan_in'"]),
        (["--config.batch_size=33"], ["32 images", "33"]),
    ],
)
def test_a_mistake_is_one_line(place, changes, words):
    result = run(place, *flags(place, "mistakes"), *changes)
    assert result.returncode == 2, result.stderr
    assert one_line(result.stderr), result.stderr
    for word in words:
        assert word in result.stderr
    assert not (place / "mistakes").exists(), "a mended command would be refused there"


def test_a_missing_config_is_one_line(place):
    broken, lacking = place / "broken.py", place / "lacking.py"
    broken.write_text("def get_config(:\n")
    lacking.write_text("import ml_collections\nget_config = ml_collections.ConfigDict\n")
    for arguments, word in (
        (["--workdir=x"], "config"),
        (["--workdir=x", "--config=configs/nothing.py"], "no config file 'configs/nothing.py'"),
        (["--workdir=x", f"--config={broken}"], "SyntaxError"),
        (["--workdir=x", f"--config={lacking}"], "no field 'space'"),
    ):
        result = run(place, *arguments)
        assert result.returncode == 2
        assert one_line(result.stderr) and word in result.stderr, result.stderr


@pytest.mark.parametrize(
    ("program", "arguments", "word"),
    [
        ("verify", [], "golden"),
        ("verify", ["--nope"], "nope"),
        ("verify", ["--golden=tests/golden", "--dtype="], "--dtype names nothing"),
        ("score", [f"--arch={ARCH}", "--metrics="], "at least one metric"),
    ],
)
def test_mistakes_of_other_commands_are_one_line(place, program, arguments, word):
    result = run(place, *arguments, program=program)
    assert result.returncode == 2
    assert one_line(result.stderr) and word in result.stderr, result.stderr


def test_correlate_looks_columns_up_before_it_scores(place, accuracy_table):
    flags = [f"--table={accuracy_table}", f"--workdir={place / 'none'}", "--columns=nope"]
    result = run(place, *flags, f"--data={place / 'tiny.npz'}", program="correlate")
    assert result.returncode == 2 and one_line(result.stderr)
    assert "unknown column 'nope'" in result.stderr
    assert not (place / "none").exists()


def test_scoring_one_architecture(place):
    options = [f"--data={place / 'tiny.npz'}", "--batch_size=4", "--repeats=2"]
    result = run(place, f"--arch={ARCH}", *options, program="score")
    assert result.returncode == 0, result.stderr
    assert ARCH in result.stdout
    assert "condition_number" in result.stdout and "linear_regions" in result.stdout
    wrong = run(place, "--arch=|nor_conv_9x9~0|", *options, program="score")
    assert wrong.returncode == 2 and one_line(wrong.stderr)


@pytest.mark.parametrize("change", ["seed=1", "limit=8", "size=12"])
def test_seed_and_data_options_change_the_scores(place, whole, change):
    name = change.partition("=")[0]
    other = run(place, *flags(place, name, "--config.metrics=('linear_regions',)"),
                f"--config.{change}")  # fmt: skip
    assert other.returncode == 0, other.stderr
    whole_run, changed = (
        {key: score["linear_regions"] for (round_, key), score in scores.items() if round_ == 0}
        for _, scores in (outcome(place / "whole"), outcome(place / name))
    )
    assert len(whole_run) == 25 and whole_run.keys() == changed.keys()
    assert whole_run != changed


def test_the_result_names_its_preset(place):
    options = ("--config.preset=paper", "--config.metrics=('linear_regions',)")
    result = run(place, *flags(place, "paper", *options))
    assert result.returncode == 0, result.stderr
    assert json.loads((place / "paper" / "result.json").read_text())["preset"] == "paper"
    assert "preset paper" in result.stdout


def test_where_things_lie_does_not_make_another_run(place, whole):
    again = run(place, *flags(place, "whole", "--config.cpu_devices=1", "--config.data_dir=x"))
    assert again.returncode == 0, again.stderr
    for change in ("--config.batch_size=5", "--config.patches=41", "--config.data=photos"):
        other = run(place, *flags(place, "whole", change))
        assert other.returncode == 2 and one_line(other.stderr)


def test_the_printed_taus_are_those_of_the_records(place, accuracy_table):
    columns = ("cifar10_test", "cifar100_test")
    arguments = [
        f"--table={accuracy_table}",
        f"--workdir={place / 'taus'}",
        f"--data={place / 'tiny.npz'}",
        "--batch_size=4",
        "--repeats=1",
        "--count=12",
        "--seed=3",
        f"--columns={','.join(columns)}",
    ]
    result = run(place, *arguments, program="correlate")
    assert result.returncode == 0, result.stderr
    lines = (place / "taus" / "records.jsonl").read_text().splitlines()
    records = [json.loads(line) for line in lines]
    archs = [record["arch"] for record in records]
    space = spaces.get("nas_bench_201")
    for record in records:  # each has weights of its own, even if another is equivalent
        mask = space.to_mask(space.parse(record["arch"])).ravel()
        assert record["key"] == "mask:" + "".join(map(str, mask))
    settings = protocol("reference", batch_size=4, repeats=1, metrics=("linear_regions",))
    evaluator = Evaluator(space, data.load(str(place / "tiny.npz")), settings, seed=3)
    [(_, _, score, _)] = evaluator.score([space.to_mask(space.parse(archs[0]))], draw=0)
    assert records[0]["linear_regions"] == score.values["linear_regions"].tolist()
    kappas = [v if v is not None else np.inf for r in records for v in r["condition_number"]]
    regions = [-v for r in records for v in r["linear_regions"]]
    badness = {"condition_number": rankdata(kappas), "linear_regions": rankdata(regions)}
    badness["rank sum"] = sum(badness.values())
    table = Table.load(accuracy_table, space)
    printed = [line.split()[:-2] for line in result.stdout.splitlines()]
    for column in columns:
        accuracy = table.column(column, archs)
        for name, ranks in badness.items():
            tau = kendalltau(-ranks, accuracy).statistic
            assert [column, *name.split(), f"{tau:.3f}"] in printed
    again = run(place, *arguments, program="correlate")
    assert [line.split()[:-2] for line in again.stdout.splitlines()][:8] == printed[:8]
    assert (place / "taus" / "records.jsonl").read_text().splitlines() == lines
    other = run(place, *arguments, "--seed=1", program="correlate")
    assert other.returncode == 2 and "seed" in other.stderr and one_line(other.stderr)


def test_a_printed_score_is_that_of_the_evaluator(place):
    text = "|nor_conv_3x3~0|+|none~0|nor_conv_1x1~1|+|skip_connect~0|none~1|nor_conv_3x3~2|"
    options = ["--batch_size=4", "--repeats=2", "--metrics=linear_regions", "--seed=3"]
    for preset in ("reference", "paper"):
        result = run(place, f"--arch={text}", f"--data={place / 'tiny.npz'}", *options,
                     f"--preset={preset}", program="score")  # fmt: skip
        space = spaces.get("nas_bench_201")
        settings = protocol(preset, batch_size=4, repeats=2, metrics=("linear_regions",))
        evaluator = Evaluator(space, data.load(str(place / "tiny.npz")), settings, seed=3)
        [(_, _, score, _)] = evaluator.score([space.to_mask(space.parse(text))], draw=0)
        numbers = [score.mean("linear_regions"), *score.values["linear_regions"]]
        [line] = [s for s in result.stdout.splitlines() if s.startswith("linear_regions")]
        assert line.split() == ["linear_regions", *(f"{n:g}" for n in numbers), "ok"]
