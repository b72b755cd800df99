"""What a search found, as text, JSON and a picture in the workdir."""

import json
from collections.abc import Callable

import numpy as np

from tenas_jax.benchmarks import Table
from tenas_jax.report.courses import pruning_course, trajectory_course
from tenas_jax.runs.files import atomic_write_text
from tenas_jax.runs.json_values import read_object
from tenas_jax.runs.layout import RESULT
from tenas_jax.runs.workdir import Workdir
from tenas_jax.scoring.evaluator import Evaluator
from tenas_jax.scoring.recorder import Recorded, recorded
from tenas_jax.search import Strategy
from tenas_jax.spaces import Space

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
    result = {
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
    published = None if table is None else _published(table, result["arch"])
    result["published"] = published
    previous = read_object(workdir.path / RESULT)
    if previous is not None and evaluator.run_seconds == 0:  # shown again: nothing was computed
        result |= {name: previous.get(name, result[name]) for name in KEPT}
        result["published"] = published or previous.get("published")
    if workdir.is_writer:
        atomic_write_text(workdir.path / RESULT, json.dumps(result, indent=2) + "\n")
        if name in COURSES:
            title = f"{TITLES.get(name, name)}: {space.name}, preset {preset}"
            picture = workdir.path / "search.png"
            course = COURSES[name](strategy, space, metrics, picture, title, records)
            print(course, end="\n\n")
    print(_text(result, metrics, evaluator))
    if table is not None and published is None:
        print(f"{'published':22}no accuracy: the table does not hold this architecture")
    return result


def _published(table: Table, arch: str) -> dict[str, float | None] | None:
    """Looks up the accuracies of an architecture, None for blank ones; None if it is not there."""
    if arch not in table:
        return None
    row = table.row(arch)
    return {name: row[name] if np.isfinite(row[name]) else None for name in table.accuracies}


def _values(strategy: Strategy, evaluator: Evaluator, records: list[Recorded]) -> dict:
    """Returns the result's mean metrics as it was scored last; None where bad, or never scored."""
    key = evaluator.key(evaluator.space.to_mask(strategy.result))
    own = [record.score for record in records if record.key == key]
    # A strategy may ask for some of the metrics at a time.
    last = {name: score for score in own for name in score.values}
    means = {n: last[n].mean(n) if n in last else None for n in evaluator.protocol.metrics}
    return {
        name: None if value is None or np.isnan(value) else value for name, value in means.items()
    }


def _incumbents(strategy: Strategy, space: Space, scored: int) -> list[list]:
    """Lists [networks scored, architecture] of the answers on the way, as far as they are known."""
    steps = getattr(strategy, "incumbents", None) or [(scored, strategy.result)]
    return [[int(count), space.to_string(arch)] for count, arch in steps]


def _text(result: dict, metrics: tuple[str, ...], evaluator: Evaluator) -> str:
    """Puts the result into words."""
    lines = [f"{'architecture':22}{result['arch']}"]
    lines += [f"{name.replace('_', ' '):22}{_number(result[name])}" for name in metrics]
    lines += [
        f"{'scored':22}{result['architectures_scored']} networks in "
        f"{result['scoring_seconds']:.0f} s, preset {result['preset']}, engine {result['engine']}",
        f"{'this start':22}compile {evaluator.compile_seconds:.1f} s, "
        f"run {evaluator.run_seconds:.1f} s",
    ]
    if result["bad_kernels"]:
        lines.append(f"{'bad kernels':22}{result['bad_kernels']} (flags are in records.jsonl)")
    for name, value in (result["published"] or {}).items():
        shown = "blank in the table" if value is None else f"{value:.2f} (published)"
        lines.append(f"{name:22}{shown}")
    return "\n".join(lines)


def _number(value: float | None) -> str:
    """Writes a metric's value, or that there is none."""
    return "none (bad kernel, or not scored)" if value is None else f"{value:.6g}"
