"""What a search found, as text, JSON and a picture in the workdir."""

import json

import numpy as np

from tenas_jax.benchmarks import Table
from tenas_jax.evaluate import Evaluator
from tenas_jax.files import atomic_write_text
from tenas_jax.records import Workdir
from tenas_jax.report.pruning_plot import plot_pruning
from tenas_jax.report.tables import format_table
from tenas_jax.search.pruning import Pruning

ACCURACIES = ("cifar10_test", "cifar100_test", "imagenet16_120_test")


def write_summary(
    strategy: Pruning, evaluator: Evaluator, workdir: Workdir, table: Table | None, preset: str
) -> dict:
    """Prints a finished search's result and writes `result.json` and `search.png`.

    Args:
        strategy: done.
        evaluator: what scored it; it knows the times of this start.
        workdir: open, to be written to.
        table: published accuracies, or None.
        preset: its name, which every result states.

    Returns:
        What `result.json` holds.
    """
    space, history = strategy.space, strategy.history
    arch = space.to_string(strategy.result)
    records = workdir.records()
    summary = {
        "arch": arch,
        "preset": preset,
        "engine": evaluator.engine,
        **{name: history[-1][name] for name in strategy.metrics},
        "architectures_scored": len(records),
        "scoring_seconds": sum(record["seconds"] for record in records),
        "compile_seconds": evaluator.compile_seconds,
        "run_seconds": evaluator.run_seconds,
        "bad_kernels": _bad(records),
    }
    if table is not None:
        row = table.row(arch)
        summary["published"] = {n: row[n] for n in ACCURACIES if n in row}
    print(_text(strategy, summary))
    if workdir.is_writer:
        atomic_write_text(workdir.path / "result.json", json.dumps(summary, indent=2) + "\n")
        plot_pruning(
            space.operations,
            [(source, target) for target, source in space.edges],
            history,
            workdir.path / "search.png",
            title=f"Pruning {space.name}, preset {preset}",
        )
    return summary


def _text(strategy: Pruning, summary: dict) -> str:
    """The rounds as a table, then the result."""
    rows = [
        (
            entry["round"],
            int(np.sum(entry["mask"])),
            *(entry[name] for name in strategy.metrics),
            ", ".join(_operation(strategy, place) for place in entry["pruned"]) or "–",
        )
        for entry in strategy.history
    ]
    header = ("round", "operations", *(name.replace("_", " ") for name in strategy.metrics))
    lines = [
        format_table((*header, "pruned (edge: operation)"), rows),
        "",
        f"{'architecture':22}{summary['arch']}",
    ]
    lines += [f"{name.replace('_', ' '):22}{_number(summary[name])}" for name in strategy.metrics]
    lines += [
        f"{'scored':22}{summary['architectures_scored']} networks in "
        f"{summary['scoring_seconds']:.0f} s, preset {summary['preset']}, "
        f"engine {summary['engine']}",
        f"{'this start':22}compile {summary['compile_seconds']:.1f} s, "
        f"run {summary['run_seconds']:.1f} s",
    ]
    if summary["bad_kernels"]:
        lines.append(f"{'bad kernels':22}{summary['bad_kernels']} (flags are in records.jsonl)")
    for name, value in summary.get("published", {}).items():
        lines.append(f"{name:22}{value:.2f} % (published)")
    return "\n".join(lines)


def _operation(strategy: Pruning, place: list[int]) -> str:
    """An edge and operation in words: `2<-1: nor_conv_1x1`."""
    cell, edge, operation = place
    target, source = strategy.space.edges[edge]
    where = f"cell {cell} " if strategy.space.cells > 1 else ""
    return f"{where}{target}<-{source}: {strategy.space.operations[operation]}"


def _number(value: float | None) -> str:
    return "none (bad kernel)" if value is None else f"{value:.6g}"


def _bad(records: list[dict]) -> int:
    """How many values of all records are flagged."""
    return sum(word != "ok" for r in records for words in r["flags"].values() for word in words)
