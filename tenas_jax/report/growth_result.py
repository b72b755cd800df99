"""What a growth came to: its family of networks as text, JSON, CSV and a picture in the workdir."""

import json
from collections.abc import Mapping, Sequence

import pandas as pd

from tenas_jax.networks.as_vit.shapes import multiply_adds
from tenas_jax.report.growth_plot import UNTRAINED, growth_picture
from tenas_jax.report.picture import save_png
from tenas_jax.report.search_result import KEPT
from tenas_jax.report.tables import format_table
from tenas_jax.runs.files import atomic_write_text
from tenas_jax.runs.json_values import read_object
from tenas_jax.runs.layout import RESULT
from tenas_jax.runs.workdir import Workdir
from tenas_jax.scoring.recorder import recorded
from tenas_jax.search.growth import Growth
from tenas_jax.search.growth_evaluator import SizesEvaluator
from tenas_jax.spaces.as_vit.sizes import Sizes, split
from tenas_jax.spaces.as_vit.space import Topology

FAMILY = "growth.csv"
PICTURE = "growth.png"


def write_result(
    strategy: Growth,
    evaluator: SizesEvaluator,
    workdir: Workdir,
    preset: str,
    sides: tuple[int, int],
) -> dict:
    """Prints a finished growth's family and writes `result.json`, `growth.csv`, `growth.png`.

    Args:
        strategy: done.
        evaluator: what scored it; it knows the times of this start.
        workdir: open, to be written to.
        preset: its name, which every result states.
        sides: height and width of the image whose multiply-adds are counted.

    Returns:
        What `result.json` holds.
    """
    metrics = strategy.metrics
    records = list(recorded(workdir.iter_records(), workdir.path))
    family = family_of(strategy.history, strategy.space.topology, metrics, sides, strategy.classes)
    last = family[-1]
    result = {
        "arch": last["string"],
        **{name: last[name] for name in ("parameters", "multiply_adds", *metrics)},
        "family": family,
        "preset": preset,
        "engine": evaluator.engine,
        "architectures_scored": len(records),
        "scoring_seconds": sum(record.score.seconds for record in records),
        "compile_seconds": evaluator.compile_seconds,
        "run_seconds": evaluator.run_seconds,
        "bad_kernels": sum(record.score.bad for record in records),
        "incumbents": [],
    }
    previous = read_object(workdir.path / RESULT)
    if previous is not None and evaluator.run_seconds == 0:  # shown again: nothing was computed
        result |= {name: previous.get(name, result[name]) for name in KEPT}
    if workdir.is_writer:
        topology, _ = split(last["string"])
        title = f"Growth of {topology}, preset {preset}"
        picture = growth_picture(strategy.history, metrics, title)
        save_png(picture.figure, workdir.path / PICTURE)
        atomic_write_text(workdir.path / FAMILY, family_csv(family))
        atomic_write_text(workdir.path / RESULT, json.dumps(result, indent=2) + "\n")
    candidates = [len(entry["candidates"]) for entry in strategy.history]
    print(_table(family, metrics, candidates), end="\n\n")
    print(_text(result, metrics, sides, evaluator))
    return result


def family_of(
    history: Sequence[Mapping],
    topology: Topology,
    metrics: Sequence[str],
    sides: tuple[int, int],
    classes: int,
) -> list[dict]:
    """Lists the networks that a growth's steps took, in full: a dict a step.

    Args:
        history: of `Growth`.
        topology: of all of them.
        metrics: names of those that ranked candidates.
        sides: height and width of the image whose multiply-adds are counted.
        classes: of the networks.

    Returns:
        Dicts of `string`, `sizes` (the depths and the width), `parameters`, `multiply_adds`, each
        metric's mean or None, and `rank_sum`.
    """
    family = []
    for entry in history:
        *depths, hidden = entry["sizes"]
        costs = multiply_adds(topology, Sizes(tuple(depths), hidden), sides, classes=classes)
        own = {name: entry[name] for name in ("string", "sizes", "parameters")}
        means = {name: entry[name] for name in metrics}
        family.append({**own, "multiply_adds": costs, **means, "rank_sum": entry["rank_sum"]})
    return family


def family_csv(family: Sequence[Mapping]) -> str:
    """Writes the family as CSV: a row a step, numbered from 1; a value that is bad is blank.

    The sizes are columns `depth_1`, …, `hidden`.
    """
    rows = []
    for step, member in enumerate(family, 1):
        *depths, hidden = member["sizes"]
        sizes = {f"depth_{stage}": depth for stage, depth in enumerate(depths, 1)}
        others = {name: value for name, value in member.items() if name not in ("string", "sizes")}
        rows.append({"step": step, "string": member["string"], **sizes, "hidden": hidden, **others})
    return pd.DataFrame(rows).to_csv(index=False, lineterminator="\n")


def _table(family: Sequence[Mapping], metrics: Sequence[str], candidates: Sequence[int]) -> str:
    """Makes a line for each step."""
    rows = [
        [
            step,
            m["string"],
            m["parameters"],
            m["multiply_adds"],
            *map(_mean, map(m.get, metrics)),
            n,
        ]
        for step, (m, n) in enumerate(zip(family, candidates, strict=True), 1)
    ]
    words = [name.replace("_", " ") for name in metrics]
    header = ["step", "network in full", "parameters", "multiply-adds", *words, "candidates"]
    return format_table(header, rows)


def _mean(value: float | None) -> float | str:
    """Returns a mean as the table has it."""
    return "none" if value is None else value


def _text(
    result: Mapping, metrics: Sequence[str], sides: tuple[int, int], evaluator: SizesEvaluator
) -> str:
    """Puts the last network into words."""
    lines = [
        ("architecture", result["arch"]),
        ("parameters", f"{result['parameters']:,}"),
        ("multiply-adds", f"{result['multiply_adds']:,} for an image of {sides[0]} x {sides[1]}"),
        *((name.replace("_", " "), _number(result[name])) for name in metrics),
        ("accuracy", f"unknown. {UNTRAINED}"),
        (
            "scored",
            f"{result['architectures_scored']} networks in {result['scoring_seconds']:.0f} s, "
            f"preset {result['preset']}, engine {result['engine']}",
        ),
        (
            "this start",
            f"compile {evaluator.compile_seconds:.1f} s, run {evaluator.run_seconds:.1f} s",
        ),
    ]
    if result["bad_kernels"]:
        lines.append(("bad values", f"{result['bad_kernels']} (flags are in records.jsonl)"))
    return "\n".join(f"{name:22}{text}" for name, text in lines)


def _number(value: float | None) -> str:
    """Writes a metric's value, or that it is bad."""
    return "none (bad)" if value is None else f"{value:.6g}"
