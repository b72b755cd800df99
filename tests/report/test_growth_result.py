"""What a finished growth leaves behind."""

import json
from types import SimpleNamespace

import numpy as np
import pandas as pd
import pytest

from tenas_jax.report.growth_result import family_csv, family_of, write_result
from tenas_jax.runs.workdir import Workdir
from tenas_jax.scoring.presets import protocol
from tenas_jax.scoring.scores import Score
from tenas_jax.search import search
from tenas_jax.search.growth import Growth
from tenas_jax.spaces.as_vit.grown import AsVitSizes

K, D = METRICS = ("condition_number", "length_distortion")
TOPOLOGY = "8,2,3|4,1,2|4,1,4|4,1,6|32"
SPACE = AsVitSizes(TOPOLOGY)
FIRST = "8,2,3,2|4,1,2,1|4,1,4,1|4,1,6,1|32,32"
LAST = "8,2,3,2|4,1,2,1|4,1,4,1|4,1,6,2|32,32"
# For an image of 32 x 32 and ten classes, stage by stage: kernels, then blocks.
KERNELS = 64 * 192 * 32 + 16 * 512 * 64 + 4 * 1024 * 128 + 1 * 2048 * 256
BLOCKS = [
    64 * (32**2 * (4 + 2 * 3) + 2 * 16 * 32),  # 64 tokens, windows of 16
    16 * (64**2 * (4 + 2 * 2) + 2 * 16 * 64),
    4 * (128**2 * (4 + 2 * 4) + 2 * 4 * 128),
    1 * (256**2 * (4 + 2 * 6) + 2 * 1 * 256),
]
ONE_EACH = KERNELS + sum(BLOCKS) + 256 * (256 + 10)
COSTS = [ONE_EACH + BLOCKS[0], ONE_EACH + BLOCKS[0] + BLOCKS[3]]


@pytest.fixture
def family(grown):
    return family_of(grown, SPACE.topology, METRICS, (32, 32), 10)


def test_the_family_in_full(family):
    assert family == [
        {"string": FIRST, "sizes": [2, 1, 1, 1, 32], "parameters": 1_500_000,
         "multiply_adds": COSTS[0], K: 40.0, D: 3.0, "rank_sum": 2},
        {"string": LAST, "sizes": [2, 1, 1, 2, 32], "parameters": 3_000_000,
         "multiply_adds": COSTS[1], K: None, D: 4.0, "rank_sum": 3},
    ]  # fmt: skip
    assert COSTS == [5_872_640, 6_921_728]


def test_the_family_as_csv(family):
    assert family_csv(family).splitlines() == [
        "step,string,depth_1,depth_2,depth_3,depth_4,hidden,parameters,multiply_adds,"
        "condition_number,length_distortion,rank_sum",
        f'1,"{FIRST}",2,1,1,1,32,1500000,5872640,40.0,3.0,2',
        f'2,"{LAST}",2,1,1,2,32,3000000,6921728,,4.0,3',
    ]


def shown(folder, grown, score_line, run_seconds: float) -> dict:
    """What is written of a growth that took the steps, after a start of so many seconds."""
    strategy = SimpleNamespace(history=grown, metrics=METRICS, space=SPACE, classes=10)
    times = {"compile_seconds": run_seconds / 2, "run_seconds": run_seconds}
    evaluator = SimpleNamespace(engine="jacobian", **times)
    with Workdir.open(folder, {"classes": 10}) as workdir:
        if not workdir.records():
            for kappa in (80.0, 40.0, None, None, 60.0):
                workdir.append(score_line(0, {K: kappa, D: 1.0}, seconds=0.25))
        result = write_result(strategy, evaluator, workdir, "as_vit", (32, 32))
    assert json.loads((folder / "result.json").read_text()) == result
    return result


def test_the_result_and_what_is_printed(tmp_path, grown, score_line, capsys, family):
    result = shown(tmp_path / "w", grown, score_line, 2.0)
    assert result == {
        "arch": LAST, "parameters": 3_000_000, "multiply_adds": COSTS[1], K: None, D: 4.0,
        "family": family, "preset": "as_vit", "engine": "jacobian", "architectures_scored": 5,
        "scoring_seconds": 1.25, "compile_seconds": 1.0, "run_seconds": 2.0, "bad_kernels": 2,
        "incumbents": [],
    }  # fmt: skip
    header, _, first, last, _, *words = capsys.readouterr().out.splitlines()
    assert header.split()[:4] == ["step", "network", "in", "full"]
    assert header.split("  ")[-1] == "candidates"
    assert first.split() == ["1", FIRST, "1500000", "5872640", "40", "3", "3"]
    assert last.split() == ["2", LAST, "3000000", "6921728", "none", "4", "2"]
    assert [" ".join(line.split()) for line in words] == [
        f"architecture {LAST}", "parameters 3,000,000",
        "multiply-adds 6,921,728 for an image of 32 x 32", "condition number none (bad)",
        "length distortion 4",
        "accuracy unknown. None of these networks is trained: their accuracies are unknown.",
        "scored 5 networks in 1 s, preset as_vit, engine jacobian",
        "this start compile 1.0 s, run 2.0 s", "bad values 2 (flags are in records.jsonl)",
    ]  # fmt: skip
    assert (tmp_path / "w" / "growth.png").read_bytes().startswith(b"\x89PNG")
    assert (tmp_path / "w" / "growth.csv").read_text() == family_csv(family)


def test_a_second_look_keeps_the_times(tmp_path, grown, score_line):
    first = shown(tmp_path / "w", grown, score_line, 2.0)
    assert shown(tmp_path / "w", grown, score_line, 0.0) == first
    again = shown(tmp_path / "w", grown, score_line, 4.0)
    assert (again["compile_seconds"], again["run_seconds"]) == (2.0, 4.0)


class Arithmetic:
    """An evaluator whose scores are the sums of sizes, in two repeats."""

    space, engine = SPACE, "none"
    compile_seconds, run_seconds = 1.5, 2.5

    key = staticmethod(SPACE.cache_key)

    def __init__(self):
        self.protocol = protocol("reference", metrics=METRICS)

    def score(self, masks, draw, known, *, metrics, gradients):
        for at, mask in enumerate(masks):
            total = float(mask.sum())
            values = {K: np.array([total, total + 2]), D: np.array([1 / total, np.nan])}
            flags = {K: ["ok", "ok"], D: ["ok", "singular"]}
            yield at, SPACE.cache_key(mask), Score(values, flags, 0.5), True


def test_a_growth_from_its_start_to_its_result(tmp_path):
    growth = Growth(SPACE, METRICS, hidden=32, scale=1, classes=10, least=None, most=4_000_000)
    with Workdir.open(tmp_path / "w", {"classes": 10}) as workdir:
        search(growth, Arithmetic(), workdir)
        result = write_result(growth, Arithmetic(), workdir, "reference", (32, 32))
    first, *_, last = result["family"]
    # κ of the least sizes is the least: 1 + 2 + 1 + 1 + 34 (5 % of 32 more), and its mean 1 more.
    assert first[K] == 40.0 and first[D] is None and first["sizes"][-1] == 34
    assert result["arch"] == last["string"] == SPACE.describe(SPACE.to_mask(growth.result))
    assert result["parameters"] == last["parameters"] <= 4_000_000
    table = pd.read_csv(tmp_path / "w" / "growth.csv")
    assert table["parameters"].tolist() == [m["parameters"] for m in result["family"]]
    assert table[D].isna().all() and len(table) == growth.round
    assert result["architectures_scored"] == sum(len(e["candidates"]) for e in growth.history)
