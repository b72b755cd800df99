"""Every case, done at its smallest; and which rows are measured. No test looks at a time."""

import dataclasses

import jax
import pytest

from experiments.measure.cases import CASES, tasks
from experiments.measure.rows import FIELDS, measure
from experiments.measure.work import PER_DEVICE
from tenas_jax.errors import UserError
from tenas_jax.scoring.presets import PRESETS

pytestmark = pytest.mark.usefixtures("quick_compilation")

# Architectures that a run scores, with k = 3 and eight devices.
SCORED = {
    "linear_regions": 1,
    "darts_linear_regions": 1,
    "side_by_side": 8 * PER_DEVICE,
    "evaluator": 3,
    "pruning_round": 25,
    "search": 58,
}


def reference(monkeypatch, **changes):
    """Changes the preset that everything is measured by."""
    changed = dataclasses.replace(PRESETS["reference"], **changes)
    monkeypatch.setitem(PRESETS, "reference", changed)


@pytest.fixture
def regions_alone(monkeypatch):
    """Scores without the kernel, whose programs take long to compile."""
    options = {"linear_regions": {"batch_size": 20}}
    reference(monkeypatch, metrics=("linear_regions",), options=options)


def smallest(name):
    [task, *_] = tasks([name], [4], side=8, repeats=2)
    return dataclasses.replace(task, k=3, n=20 if CASES[name].across is None else task.n)


def test_every_case_is_tested():
    kernels = {"condition_number", "darts_condition_number"}
    assert set(CASES) == {*SCORED, *kernels}
    # The second compiles for long; it is the first, but for the space and its searches' sizes.
    darts = CASES["darts_condition_number"]
    assert (darts.space, darts.sizes) == ("darts", (14, 24))
    same = dataclasses.replace(darts, space="nas_bench_201", sizes=None)
    assert same == CASES["condition_number"]


@pytest.mark.parametrize("name", SCORED)
def test_a_case_makes_a_row(name, regions_alone):
    task = smallest(name)
    row = measure(task)
    assert tuple(row) == FIELDS
    assert (row["name"], row["space"], row["n"]) == (name, CASES[name].space, task.n)
    assert row["k"] == SCORED[name]
    regions = name.endswith("linear_regions")
    assert row["engine"] == (None if regions else "jacobian")
    assert 0 < row["seconds_min"] <= row["seconds_median"] <= row["seconds_max"]
    assert row["compile_seconds"] > 0
    assert row["peak_mib"] > 0
    assert row["device"] == ("cpu" if regions else "8 x cpu")
    assert len(jax.devices()) == 8


def test_a_kernel_makes_a_row_with_each_engine(monkeypatch):
    reference(monkeypatch, network="testing")
    rows = [measure(task) for task in tasks(["condition_number"], [4], side=8, repeats=1)]
    assert [row["engine"] for row in rows] == ["jacobian", "neural_tangents"]
    for row in rows:
        assert tuple(row) == FIELDS
        assert (row["name"], row["n"], row["k"], row["device"]) == ("condition_number", 4, 1, "cpu")
        assert row["seconds_min"] == row["seconds_median"] == row["seconds_max"] > 0
        assert row["compile_seconds"] > 0 and row["peak_mib"] > 0


def test_seconds_of_each_are_a_share_of_the_runs(monkeypatch):
    """By the same clock, the same run costs each of five architectures a fifth."""
    from experiments.measure import rows, work
    from experiments.measure.timing import Timing

    def prepare(task):
        return work.Work(lambda _: 5, lambda: 7.0, "jacobian", jax.devices()[:1])

    monkeypatch.setattr(rows, "timed", lambda run, *_, **__: Timing((1.0, 2.0, 6.0), run(0)))
    for each, share in ((False, 1), (True, 5)):
        case = dataclasses.replace(CASES["evaluator"], prepare=prepare, each=each)
        monkeypatch.setitem(CASES, "evaluator", case)
        row = measure(smallest("evaluator"))
        seconds = [row[f"seconds_{which}"] for which in ("min", "median", "max")]
        assert seconds == [1.0 / share, 2.0 / share, 6.0 / share]
        assert (row["k"], row["compile_seconds"]) == (5, 7.0)


def test_rows_by_name_engine_and_size():
    planned = tasks(["search", "condition_number", "linear_regions"], [8, 4], side=8, repeats=3)
    assert [(t.case, t.engine, t.n, t.repeats) for t in planned] == [
        ("search", "auto", 4, 1),
        ("search", "auto", 8, 1),
        ("condition_number", "jacobian", 4, 3),
        ("condition_number", "jacobian", 8, 3),
        ("condition_number", "neural_tangents", 4, 3),
        ("condition_number", "neural_tangents", 8, 3),
        ("linear_regions", "auto", 3000, 3),
    ]


def test_counts_are_measured_at_the_smallest_size():
    planned = tasks(["evaluator"], [72, 16, 32, 16], side=32, repeats=5)
    assert [(t.n, t.k) for t in planned] == [(16, 1), (16, 4), (16, 16), (16, 64)]


@pytest.mark.parametrize(
    ("changes", "message"),
    [
        ({"names": []}, "no cases are named"),
        ({"sizes": []}, "no sizes are named"),
        ({"names": ["serch"]}, "unknown case 'serch' .did you mean 'search'.*condition_number"),
        ({"sizes": [16, 1]}, "sizes must be at least 2, not 1"),
        ({"sizes": [16, 5000]}, "4096 photos, not the 5000"),
        ({"side": 30}, "multiple of 4, not 30"),
        ({"side": 4000}, "patches of at most"),
    ],
)
def test_mistakes(changes, message):
    options = {"names": ["search"], "sizes": [16], "side": 32, "repeats": 1, **changes}
    with pytest.raises(UserError, match=message):
        tasks(options.pop("names"), options.pop("sizes"), **options)
