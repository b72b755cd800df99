"""A space in parts: resumed, put together, refused, and in constant memory."""

import os
import tracemalloc
from types import SimpleNamespace

import numpy as np
import pandas as pd
import pytest

from tenas_jax import spaces
from tenas_jax.benchmarks import score_space as module
from tenas_jax.benchmarks.score_space import score_space
from tenas_jax.errors import UserError
from tenas_jax.runs.listeners import Listener
from tenas_jax.runs.workdir import Workdir
from tenas_jax.scoring.scores import Score

SPACE = spaces.get("nas_bench_201")
METRICS = ("condition_number", "linear_regions")
CONFIG = {"seed": 5}
NUMBERS = np.random.default_rng(1).permutation(100)[:20].tolist()


class Scorer:
    """What an evaluator offers, with scores made up from the mask, in an order of its own."""

    space, seed, engine = SPACE, 5, "made up"
    protocol = SimpleNamespace(metrics=METRICS)

    def __init__(self, dies_after: int | None = None):
        self.scored, self.dies_after = [], dies_after

    def score(self, masks, draw, known, *, metrics, gradients):
        assert draw == 0 and not known and not gradients and len(masks) <= module.BLOCK
        assert metrics == METRICS
        for i in sorted(range(len(masks)), key=lambda i: i ^ 1):  # 1, 0, 3, 2, …
            if i >= len(masks) or len(self.scored) == self.dies_after:
                raise KeyboardInterrupt
            number = SPACE.index(SPACE.from_mask(masks[i]))
            self.scored.append(number)
            bad = number % 7 == 0
            values = np.array([np.nan if bad else number / 3, 1.0])
            yield i, "key", Score(
                {METRICS[0]: values, METRICS[1]: np.array([number, 0.0])},
                {METRICS[0]: ["singular" if bad else "ok", "ok"], METRICS[1]: ["ok", "ok"]},
                0.25,
            ), True  # fmt: skip


class Seen(Listener):
    """Keeps what it hears."""

    def __init__(self):
        self.progress, self.scores = [], []

    def on_progress(self, *heard):
        self.progress.append(heard)

    def on_score(self, number, record):
        self.scores.append(number)


@pytest.fixture(autouse=True)
def quick(monkeypatch):
    monkeypatch.setattr(os, "fsync", lambda descriptor: None)
    monkeypatch.setattr(module, "BLOCK", 8)


def table(path) -> pd.DataFrame:
    return pd.read_csv(path)


@pytest.fixture
def whole(tmp_path) -> bytes:
    """The table of twenty architectures, in an order of their own, in one go."""
    output = tmp_path / "whole.csv"
    assert score_space(Scorer(), NUMBERS, tmp_path / "whole", CONFIG, output) == 0
    return output.read_bytes()


def test_a_table_has_a_row_an_architecture_in_the_order_given(tmp_path, whole):
    found = table(tmp_path / "whole.csv")
    assert found["arch"].tolist() == [SPACE.to_string(SPACE.from_index(i)) for i in NUMBERS]
    assert found["linear_regions"].tolist() == [i / 2 for i in NUMBERS]
    bad = np.array(NUMBERS) % 7 == 0
    assert bad.any() and found["condition_number"].isna().tolist() == bad.tolist()
    assert (found["condition_number_flag"] == np.where(bad, "singular", "ok")).all()
    assert set(found["seed"]) == {5} and set(found["seconds"]) == {0.25}


@pytest.mark.parametrize("dies_after", [0, 1, 2, 8, 13, 19])
def test_a_run_that_died_goes_on_to_the_same_table(tmp_path, whole, dies_after):
    where = tmp_path / "again", CONFIG, tmp_path / "again.csv"
    with pytest.raises(KeyboardInterrupt):
        score_space(Scorer(dies_after), NUMBERS, *where)
    assert not where[-1].exists()
    records = tmp_path / "again" / "process-0-of-1" / "records.jsonl"
    recorded = len(records.read_bytes().splitlines()) if dies_after > 1 else 0
    assert recorded in (dies_after, dies_after - 1)
    if recorded:
        with records.open("ab") as file:  # as if it had died while writing
            file.write(b'{"arch": "|no')
    scorer, seen = Scorer(), Seen()
    score_space(scorer, NUMBERS, *where, listener=seen)
    assert where[-1].read_bytes() == whole
    assert sorted(scorer.scored) == sorted(NUMBERS[recorded:])
    assert seen.progress == [("scoring", done, 20) for done in range(recorded, 21)]
    assert seen.scores == list(range(recorded, 20))
    finished = Scorer()
    score_space(finished, NUMBERS, tmp_path / "again", CONFIG, tmp_path / "again.parquet")
    assert finished.scored == []
    pd.testing.assert_frame_equal(pd.read_parquet(tmp_path / "again.parquet"), table(where[-1]))


@pytest.mark.parametrize("order", [(0, 1, 2), (2, 0, 1)])
def test_parts_make_the_table_of_one_process(tmp_path, whole, order):
    where = tmp_path / "parts", CONFIG, tmp_path / "parts.csv"
    left = [score_space(Scorer(), NUMBERS, *where, process=i, processes=3) for i in order]
    sizes = [len(NUMBERS[i::3]) for i in order]
    assert left == [20 - sizes[0], sizes[2], 0]
    assert where[-1].read_bytes() == whole


def test_a_part_of_another_config_is_found_before_anything_is_scored(tmp_path):
    where = tmp_path / "parts", CONFIG, tmp_path / "parts.csv"
    score_space(Scorer(), NUMBERS, *where, process=0, processes=2)
    scorer = Scorer()
    with pytest.raises(UserError, match="process-0-of-2 has another config: seed"):
        score_space(
            scorer, NUMBERS, where[0], {**CONFIG, "seed": 6}, where[2], process=1, processes=2
        )
    assert scorer.scored == [] and not (tmp_path / "parts" / "process-1-of-2").exists()


def test_a_workdir_is_named(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    with pytest.raises(UserError, match="the workdir is empty"):
        score_space(Scorer(), NUMBERS, "", CONFIG, tmp_path / "parts.csv")
    assert not list(tmp_path.iterdir())


def test_more_processes_than_architectures(tmp_path):
    where = [7, 3], tmp_path / "parts", CONFIG, tmp_path / "parts.csv"
    assert [score_space(Scorer(), *where, process=i, processes=3) for i in (2, 1, 0)] == [2, 1, 0]
    assert len(table(where[-1])) == 2


def test_parts_from_several_disks_are_collected_by_a_single_process(tmp_path, whole):
    output = tmp_path / "parts.csv"
    for i in (0, 1):
        disk = tmp_path / f"disk{i}"
        assert score_space(Scorer(), NUMBERS, disk, CONFIG, output, process=i, processes=2) == 10
    first = tmp_path / "disk0"
    with pytest.raises(UserError, match=r"parts of a run of 2 process\(es\), not of 1: go on"):
        score_space(Scorer(), NUMBERS, first, CONFIG, output)
    (tmp_path / "disk1" / "process-1-of-2").rename(first / "process-1-of-2")
    idle = Scorer()
    assert score_space(idle, NUMBERS, first, CONFIG, output) == 0 and not idle.scored
    assert output.read_bytes() == whole


def test_another_run_is_refused_and_left_alone(tmp_path, whole):
    folder = tmp_path / "whole" / "process-0-of-1"
    before = {path.name: path.read_bytes() for path in folder.iterdir()}
    output = tmp_path / "other.csv"
    for numbers, config, options, words in (
        (NUMBERS[::-1], CONFIG, {}, "archs: .*20 architectures, sha256"),
        (NUMBERS[:5], CONFIG, {}, "archs: .20 .* there, .5 architectures"),
        (NUMBERS, {"seed": 6}, {}, "seed: 5 there, 6 now"),
        (NUMBERS, CONFIG, {"processes": 2}, r"of 1 process\(es\), not of 2"),
        (NUMBERS, CONFIG, {"process": 1}, "process must be from 0 to 0, not 1"),
        (NUMBERS, CONFIG, {"process": -1, "processes": 3}, "from 0 to 2, not -1"),
    ):
        with pytest.raises(UserError, match=words):
            score_space(Scorer(0), numbers, tmp_path / "whole", config, output, **options)
    with pytest.raises(UserError, match="must end in"):
        score_space(Scorer(0), NUMBERS, tmp_path / "new", CONFIG, tmp_path / "scores.txt")
    with pytest.raises(UserError, match="another kind"):
        score_space(Scorer(0), NUMBERS, folder, CONFIG, output)
    assert {path.name: path.read_bytes() for path in folder.iterdir()} == before
    assert not (tmp_path / "new").exists() and not output.exists()


def test_a_part_in_use_and_one_of_another_run_among_the_parts(tmp_path):
    where = NUMBERS, tmp_path / "parts"
    output = tmp_path / "parts.csv"
    score_space(Scorer(), *where, {"seed": 6}, output, process=1, processes=2)
    with pytest.raises(UserError, match="process-1-of-2 has another config: seed: 6 there"):
        score_space(Scorer(), *where, CONFIG, output, process=0, processes=2)
    folder = tmp_path / "parts" / "process-1-of-2"
    with (
        Workdir.open(folder, {"seed": 6}, ignore=("metrics", "archs"), writer=True),
        pytest.raises(UserError, match="in use by another process"),
    ):
        score_space(Scorer(), *where, {"seed": 6}, output, process=1, processes=2)


@pytest.mark.parametrize(
    ("damage", "words"),
    [
        (lambda lines: lines[1:], "records.jsonl, line 1: is not of .* which is next"),
        (lambda lines: [*lines, lines[0]], "line 21: more records than the 20"),
        (lambda lines: [lines[0].replace(b'"seconds"', b'"s"'), *lines[1:]], "line 1: a record"),
        (
            lambda lines: [lines[0].replace(b"linear_", b"l_"), *lines[1:]],
            "line 1: has no linear_r",
        ),
    ],
)
def test_damaged_records_are_named(tmp_path, whole, damage, words):
    records = tmp_path / "whole" / "process-0-of-1" / "records.jsonl"
    lines = damage(records.read_bytes().splitlines())
    records.write_bytes(b"\n".join(lines) + b"\n")
    with pytest.raises(UserError, match=words):
        score_space(Scorer(0), NUMBERS, tmp_path / "whole", CONFIG, tmp_path / "x.csv")
    assert not (tmp_path / "x.csv").exists()


def test_memory_does_not_grow_with_the_number_of_architectures(tmp_path, monkeypatch):
    monkeypatch.setattr(module, "BLOCK", 480)
    monkeypatch.setattr(module.score_table, "ROW_GROUP", 256)
    monkeypatch.setattr(Scorer, "score", _counted(Scorer.score))
    peaks = []
    for count in (100, 500, 5000):  # the first fills caches
        where = range(count), tmp_path / str(count), CONFIG
        tracemalloc.start()
        score_space(Scorer(), *where, tmp_path / "s.csv")
        score_space(Scorer(0), *where, tmp_path / "s.parquet")  # read again, nothing is scored
        peaks.append(tracemalloc.get_traced_memory()[1])
        tracemalloc.stop()
    assert peaks[2] < 1.5 * peaks[1]
    assert len(table(tmp_path / "s.csv")) == len(pd.read_parquet(tmp_path / "s.parquet")) == 5000


def _counted(score):
    """`Scorer.score` without the list of what was scored, which grows."""

    def counted(self, *asked, **options):
        for given in score(self, *asked, **options):
            self.scored.clear()
            yield given

    return counted
