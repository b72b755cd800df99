"""What a search found, as text, JSON and a picture in the workdir."""

import json
from collections.abc import Callable

from tenas_jax.benchmarks import Table
from tenas_jax.evaluate import Evaluator, Score
from tenas_jax.files import atomic_write_text
from tenas_jax.records import Workdir
from tenas_jax.report.pruning_course import pruning_course
from tenas_jax.search import Strategy

ACCURACIES = ("cifar10_test", "cifar100_test", "imagenet16_120_test")

# strategy -> (strategy, space, metrics, path of the picture, title) -> text about its course.
# A strategy without an entry is reported by its result alone.
COURSES: dict[str, Callable[..., str]] = {"pruning": pruning_course}


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
    records = workdir.records()
    found = {
        "arch": space.to_string(strategy.result),
        "preset": preset,
        "engine": evaluator.engine,
        **_values(strategy, evaluator, records),
        "architectures_scored": len(records),
        "scoring_seconds": sum(record["seconds"] for record in records),
        "compile_seconds": evaluator.compile_seconds,
        "run_seconds": evaluator.run_seconds,
        "bad_kernels": _bad(records),
    }
    if table is not None:
        row = table.row(found["arch"])
        found["published"] = {n: row[n] for n in ACCURACIES if n in row}
    if workdir.is_writer:
        atomic_write_text(workdir.path / "result.json", json.dumps(found, indent=2) + "\n")
        if name in COURSES:
            title = f"{name.replace('_', ' ').capitalize()} {space.name}, preset {preset}"
            picture = workdir.path / "search.png"
            print(COURSES[name](strategy, space, metrics, picture, title), end="\n\n")
    print(_text(found, metrics))
    return found


def _values(strategy: Strategy, evaluator: Evaluator, records: list[dict]) -> dict:
    """The result's mean metrics as it was scored last; None for a bad one, or if it never was."""
    key = evaluator.key(evaluator.space.to_mask(strategy.result))
    own = [Score.from_record(record) for record in records if record["key"] == key]
    means = {name: own[-1].mean(name) if own else None for name in evaluator.protocol.metrics}
    return {name: value if value == value else None for name, value in means.items()}


def _text(found: dict, metrics: tuple[str, ...]) -> str:
    """The result in words."""
    lines = [f"{'architecture':22}{found['arch']}"]
    lines += [f"{name.replace('_', ' '):22}{_number(found[name])}" for name in metrics]
    lines += [
        f"{'scored':22}{found['architectures_scored']} networks in "
        f"{found['scoring_seconds']:.0f} s, preset {found['preset']}, engine {found['engine']}",
        f"{'this start':22}compile {found['compile_seconds']:.1f} s, "
        f"run {found['run_seconds']:.1f} s",
    ]
    if found["bad_kernels"]:
        lines.append(f"{'bad kernels':22}{found['bad_kernels']} (flags are in records.jsonl)")
    for name, value in found.get("published", {}).items():
        lines.append(f"{name:22}{value:.2f} % (published)")
    return "\n".join(lines)


def _number(value: float | None) -> str:
    return "none (bad kernel, or not scored)" if value is None else f"{value:.6g}"


def _bad(records: list[dict]) -> int:
    """How many values of all records are flagged."""
    return sum(word != "ok" for r in records for words in r["flags"].values() for word in words)
