"""What a finished search leaves behind, whatever its strategy and metrics."""

import json

import numpy as np
import pandas as pd
import pytest

from tenas_jax import spaces
from tenas_jax.benchmarks import Table
from tenas_jax.report.search_result import COURSES, write_result
from tenas_jax.runs.workdir import Workdir
from tenas_jax.scoring.presets import protocol
from tenas_jax.scoring.scores import Score
from tenas_jax.search import STRATEGIES, Pruning, search

SPACE = spaces.get("nas_bench_201")


class Arithmetic:
    """An evaluator whose scores are sums over the mask, in two repeats."""

    space, engine = SPACE, "none"
    compile_seconds, run_seconds = 1.5, 2.5

    def __init__(self, metrics, bad=()):
        self.protocol = protocol("reference", metrics=tuple(metrics))
        self.bad = bad  # metrics that are flagged in the second repeat

    def key(self, mask) -> str:
        return str(np.flatnonzero(mask).tolist())

    def score(self, masks, draw, known, *, metrics, gradients):
        for i, mask in enumerate(masks):
            values, flags = {}, {}
            for m, name in enumerate(self.protocol.metrics):
                value = float(np.flatnonzero(mask).sum() + m)
                values[name] = np.array([value, np.nan if name in self.bad else value + 2])
                flags[name] = ["ok", "singular" if name in self.bad else "ok"]
            yield i, self.key(mask), Score(values, flags, 0.5), True


class First:
    """A strategy that this library knows nothing of: it keeps the first of three."""

    def __init__(self):
        self.round, self.done, self.result = 0, False, None

    def ask(self):
        return [SPACE.to_mask(SPACE.from_index(i)) for i in (7, 8, 9)]

    def tell(self, scores):
        self.round, self.done, self.result = 1, True, SPACE.from_index(7)

    def state(self):
        return {"done": self.done}

    def restore(self, state, past):
        self.done = state["done"]


def finish(folder, name, strategy, evaluator, table=None) -> dict:
    with Workdir.open(folder, {}) as workdir:
        search(strategy, evaluator, workdir)
        result = write_result(name, strategy, evaluator, workdir, table, "reference")
    assert json.loads((folder / "result.json").read_text()) == result
    return result


@pytest.mark.parametrize(
    "metrics",
    [
        ("condition_number",),
        ("linear_regions",),
        ("condition_number", "linear_regions"),
    ],
)
def test_pruning_by_any_metrics_gives_table_and_picture(tmp_path, capsys, metrics):
    evaluator = Arithmetic(metrics)
    result = finish(tmp_path / "w", "pruning", Pruning(SPACE, metrics), evaluator)
    out = capsys.readouterr().out
    assert result["arch"] in out and "pruned (edge: operation)" in out
    assert (tmp_path / "w" / "search.png").read_bytes().startswith(b"\x89PNG")
    mask = SPACE.to_mask(SPACE.parse(result["arch"]))
    for m, name in enumerate(metrics):
        assert result[name] == np.flatnonzero(mask).sum() + m + 1  # the mean of both repeats
        assert name.replace("_", " ") in out.splitlines()[0]
    assert result["architectures_scored"] == 25 + 19 + 13 + 1
    assert result["scoring_seconds"] == 29.0


def test_a_strategy_without_a_course_is_told_by_its_result(tmp_path, capsys):
    result = finish(tmp_path / "w", "first", First(), Arithmetic(("condition_number",)))
    out = capsys.readouterr().out
    assert result["arch"] == SPACE.to_string(SPACE.from_index(7))
    assert result["condition_number"] == np.flatnonzero(First().ask()[0]).sum() + 1
    assert out.startswith("architecture")
    assert not (tmp_path / "w" / "search.png").exists()


def test_a_bad_kernel_is_said_not_given_a_number(tmp_path, capsys):
    metrics = ("condition_number", "linear_regions")
    evaluator = Arithmetic(metrics, bad=("condition_number",))
    result = finish(tmp_path / "w", "pruning", Pruning(SPACE, metrics), evaluator)
    out = capsys.readouterr().out
    assert result["condition_number"] is None
    assert result["bad_kernels"] == 58
    assert "none (bad kernel" in out and "58 (flags" in out


def test_published_accuracies_stand_beside(tmp_path, capsys):
    arch = SPACE.to_string(SPACE.from_index(7))
    table = Table(pd.DataFrame({"arch": [arch], "cifar10_test": [93.25], "x": [1.0]}), SPACE)
    result = finish(tmp_path / "w", "first", First(), Arithmetic(("linear_regions",)), table)
    assert result["published"] == {"cifar10_test": 93.25}
    assert "93.25 (published)" in capsys.readouterr().out


def table(**columns) -> Table:
    """A table whose one row is what `First` finds."""
    return Table(pd.DataFrame({"arch": [SPACE.to_string(SPACE.from_index(7))], **columns}), SPACE)


def test_a_table_without_the_architecture_takes_nothing_away(tmp_path, capsys):
    other = Table(pd.DataFrame({"arch": [SPACE.to_string(SPACE.from_index(1))], "x": [1.0]}), SPACE)
    result = finish(tmp_path / "w", "first", First(), Arithmetic(("linear_regions",)), other)
    assert result["published"] is None and result["linear_regions"] > 0
    assert "the table does not hold this architecture" in capsys.readouterr().out


def test_columns_of_another_name_are_shown_and_blanks_are_said(tmp_path, capsys):
    other = table(acc=[1.5], blank=[np.nan])
    result = finish(tmp_path / "w", "first", First(), Arithmetic(("linear_regions",)), other)
    assert result["published"] == {"acc": 1.5, "blank": None}
    out = capsys.readouterr().out
    assert "1.50 (published)" in out and "blank in the table" in out


def test_a_second_look_keeps_times_and_accuracies(tmp_path, capsys):
    evaluator = Arithmetic(("linear_regions",))
    first = finish(tmp_path / "w", "first", First(), evaluator, table(cifar10_test=[93.25]))
    idle = Arithmetic(("linear_regions",))
    idle.compile_seconds = idle.run_seconds = 0.0
    with Workdir.open(tmp_path / "w", {}) as workdir:
        strategy = First()
        strategy.tell([])
        again = write_result("first", strategy, idle, workdir, None, "reference")
    assert again == first
    assert "compile 0.0 s" in capsys.readouterr().out


def test_every_course_belongs_to_a_strategy():
    assert set(COURSES) <= set(STRATEGIES)


def test_the_result_says_how_it_was_come_by(tmp_path, capsys):
    evaluator, strategy = Arithmetic(("linear_regions",)), First()
    with Workdir.open(tmp_path / "w", {}) as workdir:
        search(strategy, evaluator, workdir)
        result = write_result("first", strategy, evaluator, workdir, None, "paper")
    assert (result["preset"], result["engine"]) == ("paper", "none")
    assert (result["compile_seconds"], result["run_seconds"]) == (1.5, 2.5)
    out = capsys.readouterr().out
    assert "preset paper, engine none" in out and "compile 1.5 s, run 2.5 s" in out


def test_values_are_those_of_the_last_time_it_was_scored(tmp_path):
    class Drifting(Arithmetic):
        def score(self, masks, draw, known, *, metrics, gradients):
            for i, key, score, new in super().score(
                masks, draw, known, metrics=metrics, gradients=gradients
            ):
                yield i, key, Score({"linear_regions": np.full(2, draw)}, score.flags, 0.5), new

    class Twice(First):
        def tell(self, scores):
            self.round, self.result = self.round + 1, SPACE.from_index(7)
            self.done = self.round == 2

    result = finish(tmp_path / "w", "twice", Twice(), Drifting(("linear_regions",)))
    assert result["linear_regions"] == 1


def test_every_bad_value_is_counted(tmp_path):
    metrics = ("condition_number", "linear_regions")
    result = finish(tmp_path / "w", "first", First(), Arithmetic(metrics, bad=metrics))
    assert result["bad_kernels"] == 6


def test_all_published_test_accuracies_of_the_found_one_are_shown(tmp_path, capsys):
    archs = [SPACE.to_string(SPACE.from_index(i)) for i in (8, 7)]
    names = ("cifar10_test", "cifar100_test", "imagenet16_120_test")
    columns = {name: [10.0 + i, 20.0 + i] for i, name in enumerate(names)}
    table = Table(pd.DataFrame({"arch": archs, **columns}), SPACE)
    result = finish(tmp_path / "w", "first", First(), Arithmetic(("linear_regions",)), table)
    assert result["published"] == dict(zip(names, (20.0, 21.0, 22.0), strict=True))


def test_zero_is_a_value(tmp_path, capsys):
    class Zero(Arithmetic):
        def score(self, masks, draw, known, *, metrics, gradients):
            for i, key, score, new in super().score(
                masks, draw, known, metrics=metrics, gradients=gradients
            ):
                yield i, key, Score({"linear_regions": np.zeros(2)}, score.flags, 0.5), new

    finish(tmp_path / "w", "first", First(), Zero(("linear_regions",)))
    assert capsys.readouterr().out.splitlines()[1].split() == ["linear", "regions", "0"]


def test_a_process_that_does_not_write_only_prints(tmp_path, capsys):
    evaluator, plan = Arithmetic(("linear_regions",)), Pruning(SPACE, ("linear_regions",))
    with Workdir.open(tmp_path / "w", {}) as workdir:
        search(plan, evaluator, workdir)
    reader = Workdir.read(tmp_path / "w")
    result = write_result("pruning", plan, evaluator, reader, None, "reference")
    assert result["arch"] in capsys.readouterr().out
    assert not {"result.json", "search.png"} & {path.name for path in (tmp_path / "w").iterdir()}
