"""What a search found, as text, JSON and a picture in the workdir."""

import json
from collections.abc import Callable

import numpy as np

from tenas_jax.benchmarks import Table
from tenas_jax.report.pruning_course import pruning_course
from tenas_jax.report.trajectory_course import trajectory_course
from tenas_jax.runs.files import atomic_write_text
from tenas_jax.runs.json_values import read_object
from tenas_jax.runs.layout import RESULT
from tenas_jax.runs.workdir import Workdir
from tenas_jax.scoring.evaluator import Evaluator
from tenas_jax.scoring.recorder import Recorded, recorded
from tenas_jax.search import Strategy
from tenas_jax.spaces import Space

ACCURACIES = ("cifar10_test", "cifar100_test", "imagenet16_120_test")

KEPT = ("compile_seconds", "run_seconds")  # what a look at a finished search does not change

# strategy -> (strategy, space, metrics, path of the picture, title, records) -> text about its
# course. A strategy without an entry is reported by its result alone.
COURSES: dict[str, Callable[..., str]] = {
    "pruning": pruning_course,
    "gradient_pruning": pruning_course,
    "random": trajectory_course,
    "reinforce": trajectory_course,
    "evolution": trajectory_course,
    "local_search": trajectory_course,
    "nsga2": trajectory_course,
}
TITLES = {
    "pruning": "Pruning",
    "gradient_pruning": "Pruning by gradients",
    "random": "Random search",
    "reinforce": "REINFORCE",
    "evolution": "Evolution",
    "local_search": "Local search",
    "nsga2": "NSGA-II",
}


def write_result(
    name: str,
    strategy: Strategy,
    evaluator: Evaluator,
    workdir: Workdir,
    table: Table | None,
    preset: str,
) -> dict:
    """Prints a finished search's result and writes `result.json`, and `search.png` if it has one.

    Args:
        name: the strategy's, in `tenas_jax.search.STRATEGIES`.
        strategy: done.
        evaluator: what scored it; it knows the times of this start.
        workdir: open, to be written to.
        table: published accuracies, or None.
        preset: its name, which every result states.

    Returns:
        What `result.json` holds.
    """
    space, metrics = evaluator.space, evaluator.protocol.metrics
    records = list(recorded(workdir.iter_records(), workdir.path))
    found = {
        "arch": space.to_string(strategy.result),
        "preset": preset,
        "engine": evaluator.engine,
        **_values(strategy, evaluator, records),
        "incumbents": _incumbents(strategy, space, len(records)),
        "architectures_scored": len(records),
        "scoring_seconds": sum(record.score.seconds for record in records),
        "compile_seconds": evaluator.compile_seconds,
        "run_seconds": evaluator.run_seconds,
        "bad_kernels": sum(record.score.bad for record in records),
    }
    published = None if table is None else _published(table, found["arch"])
    found["published"] = published
    previous = read_object(workdir.path / RESULT)
    if previous is not None and evaluator.run_seconds == 0:  # shown again: nothing was computed
        found |= {name: previous.get(name, found[name]) for name in KEPT}
        found["published"] = published or previous.get("published")
    if workdir.is_writer:
        atomic_write_text(workdir.path / RESULT, json.dumps(found, indent=2) + "\n")
        if name in COURSES:
            title = f"{TITLES.get(name, name)}: {space.name}, preset {preset}"
            picture = workdir.path / "search.png"
            course = COURSES[name](strategy, space, metrics, picture, title, records)
            print(course, end="\n\n")
    print(_text(found, metrics, evaluator))
    if table is not None and published is None:
        print(f"{'published':22}no accuracy: the table does not hold this architecture")
    return found


def _published(table: Table, arch: str) -> dict[str, float | None] | None:
    """The table's accuracies of an architecture, None for a blank one; None if it is not there.

    They are the benchmark's three test accuracies, or all columns of a table that has none of them.
    """
    if arch not in table:
        return None
    row, names = table.row(arch), accuracy_columns(table)
    return {name: row[name] if np.isfinite(row[name]) else None for name in names}


def accuracy_columns(table: Table) -> tuple[str, ...]:
    """The benchmark's three test accuracies, or all columns of a table that has none of them."""
    return tuple(name for name in ACCURACIES if name in table.columns) or table.columns


def _values(strategy: Strategy, evaluator: Evaluator, records: list[Recorded]) -> dict:
    """The result's mean metrics as it was scored last; None for a bad one, or if it never was."""
    key = evaluator.key(evaluator.space.to_mask(strategy.result))
    own = [record.score for record in records if record.key == key]
    # A strategy may ask for some of the metrics at a time.
    last = {name: score for score in own for name in score.values}
    means = {n: last[n].mean(n) if n in last else None for n in evaluator.protocol.metrics}
    return {
        name: None if value is None or np.isnan(value) else value for name, value in means.items()
    }


def _incumbents(strategy: Strategy, space: Space, scored: int) -> list[list]:
    """[networks scored, architecture] of the answers on the way; the last one if none are known."""
    steps = getattr(strategy, "incumbents", None) or [(scored, strategy.result)]
    return [[int(count), space.to_string(arch)] for count, arch in steps]


def _text(found: dict, metrics: tuple[str, ...], evaluator: Evaluator) -> str:
    """The result in words."""
    lines = [f"{'architecture':22}{found['arch']}"]
    lines += [f"{name.replace('_', ' '):22}{_number(found[name])}" for name in metrics]
    lines += [
        f"{'scored':22}{found['architectures_scored']} networks in "
        f"{found['scoring_seconds']:.0f} s, preset {found['preset']}, engine {found['engine']}",
        f"{'this start':22}compile {evaluator.compile_seconds:.1f} s, "
        f"run {evaluator.run_seconds:.1f} s",
    ]
    if found["bad_kernels"]:
        lines.append(f"{'bad kernels':22}{found['bad_kernels']} (flags are in records.jsonl)")
    for name, value in (found["published"] or {}).items():
        shown = "blank in the table" if value is None else f"{value:.2f} (published)"
        lines.append(f"{name:22}{shown}")
    return "\n".join(lines)


def _number(value: float | None) -> str:
    return "none (bad kernel, or not scored)" if value is None else f"{value:.6g}"
