"""A search on the page: its result, its course by rounds, and all networks that it scored."""

from collections.abc import Mapping

import numpy as np

from tenas_jax import spaces
from tenas_jax.report.page import trajectory
from tenas_jax.report.page.architecture import cell_graph, difference, places_words
from tenas_jax.report.page.blocks import (
    Block,
    Figure,
    KeyNumbers,
    Note,
    Section,
    Table,
    cell,
    code,
    table,
)
from tenas_jax.report.page.run import Facts, Run, unfinished
from tenas_jax.report.page.space_plot import supernet_space
from tenas_jax.report.page.words import STRATEGIES, duration, show, words
from tenas_jax.report.path_plot import path_picture
from tenas_jax.report.pruning_plot import pruning_picture
from tenas_jax.search.growth_task import STRATEGY as GROWTH
from tenas_jax.spaces import Space

MOST_ROWS = 2000  # scored networks that are listed
MANY = 8  # operations pruned in one round that are named


def is_search(run: Run) -> bool:
    """Whether a workdir is one of `experiments.search`."""
    return run.command is None and run.config.get("strategy", GROWTH) != GROWTH


def facts(run: Run) -> Facts:
    """The search in a line."""
    config, found = run.config, run.result
    what = f"{words(config['strategy'])}, {words(config['space'])}, preset {config['preset']}"
    what += f", {config['data']}, seed {config['seed']}"
    if found is None:
        return Facts(what, unfinished(run), {}, scoring_seconds(run))
    values = [f"{words(name)} {show(found.get(name))}" for name in metrics_of(run)]
    return Facts(what, ", ".join(values), found["published"] or {}, found["scoring_seconds"])


def sections(run: Run) -> list[Section]:
    """What the page shows of it."""
    space = spaces.get(run.config["space"])
    history = [entry for entry in run.rounds if "mask" in entry]
    shown = [Section("Result", _result(run))]
    if history:
        shown.append(Section("Course", _course(run, space, history)))
    elif found := trajectory.trajectory_of(run, space, metrics_of(run)):
        shown.append(Section("Course", trajectory.course(run, found)))
    if run.records:
        shown.append(Section("Scored networks", [_scored(run, space, history)]))
    return shown


def metrics_of(run: Run) -> list[str]:
    """The metrics that the records have values of; a record may have some of them alone."""
    found = {name: None for record in run.scores for name in record.score.values}
    asked = [name for name in run.config.get("metrics") or () if name in found]
    return list(dict.fromkeys([*asked, *found]))


def scoring_seconds(run: Run) -> float:
    """What scoring took so far."""
    return sum(record.score.seconds for record in run.scores)


def _result(run: Run) -> list[Block]:
    name, found = run.config["strategy"], run.result
    how = ("strategy", cell(STRATEGIES.get(name, words(name))))
    if found is None:
        bad = bad_networks(run)
        pairs = [how, ("networks scored", cell(len(run.records))), ("of them bad", cell(bad))]
        pairs.append(("scoring", cell(duration(scoring_seconds(run)))))
        return [Note(f"This search is {unfinished(run)}."), KeyNumbers(pairs)]
    pairs = [("architecture", code(found["arch"])), how]
    pairs += [(words(metric), cell(found.get(metric))) for metric in metrics_of(run)]
    published = found["published"] or {}
    pairs += [(f"{words(column)}, published", cell(v, 2, " %")) for column, v in published.items()]
    pairs += [
        ("networks scored", cell(found["architectures_scored"])),
        ("bad values", cell(found["bad_kernels"])),
        ("scoring", cell(duration(found["scoring_seconds"]))),
        ("compiling, last start", cell(duration(found["compile_seconds"]))),
        ("preset, engine", cell(f"{found['preset']}, {found['engine']}")),
    ]
    return [KeyNumbers(pairs), cell_graph(run.config["space"], found["arch"])]


def _course(run: Run, space: Space, history: list[Mapping]) -> list[Block]:
    """Rounds of a search that keeps a history of them."""
    metrics = [name for name in metrics_of(run) if name in history[0]]
    blocks: list[Block] = [_rounds(space, history, metrics)]
    names = [space.cell_name(i) for i in range(space.cells)] if space.cells > 1 else [""]
    edges = [(source, target) for target, source in space.edges]
    if run.result is not None and metrics:
        title = f"Pruning {space.name}, preset {run.config['preset']}"
        look = {"title": title, "cells": names}
        picture = pruning_picture(space.operations, edges, metrics, history, **look)
        caption = "When each operation was pruned, the supernet's scores by round, and the result."
        blocks.append(Figure(picture, caption))
    if len(metrics) > 1:
        title = f"The supernet over {' and '.join(map(words, metrics))}"
        caption = "The supernet's path by round, from all operations to the result."
        blocks.append(Figure(path_picture(history, *metrics, title=title), caption))
        turned = supernet_space(history, metrics, f"{caption} It can be turned.")
        blocks += [turned] if turned else []
    return blocks


def _rounds(space: Space, history: list[Mapping], metrics: list[str]) -> Table:
    rows = [
        (
            entry["round"],
            int(np.sum(entry["mask"])),
            *(entry[name] for name in metrics),
            _pruned(space, entry["pruned"]),
        )
        for entry in history
    ]
    header = ("round", "operations", *map(words, metrics), "pruned (edge: operation)")
    return table(header, rows, "The supernet in each round, and what was pruned then.")


def _pruned(space: Space, places: list) -> str | None:
    if len(places) > MANY:
        return f"{len(places)} operations on {len({tuple(p[:2]) for p in places})} edges"
    return places_words(space, places) or None


def _scored(run: Run, space: Space, history: list[Mapping]) -> Table:
    """All networks in the order in which they were scored."""
    metrics = metrics_of(run)
    wholes = dict(enumerate(entry["mask"] for entry in history))  # by the draw of each round
    rows = []
    for number, record in enumerate(run.scores[:MOST_ROWS], 1):
        score = record.score
        flags = dict.fromkeys(flag for flags in score.flags.values() for flag in flags)
        text = difference(space, record.encoding, wholes.get(record.draw))
        rows.append(
            (
                number,
                record.round,
                *(cell(score.mean(name) if name in score.values else None) for name in metrics),
                ", ".join(flag for flag in flags if flag != "ok") or None,
                code(text),
            )
        )
    note = "Means over the repeats. A bad value is a dash, and its flag says why."
    if len(run.records) > MOST_ROWS:
        note += f" The first {MOST_ROWS:,} of {len(run.records):,} are listed."
    header = ("number", "round", *map(words, metrics), "flag", "network")
    return table(header, rows, "Every network that was scored.", note)


def bad_networks(run: Run) -> int:
    """Counts the scored networks that have a flagged value."""
    return sum(record.score.bad > 0 for record in run.scores)
