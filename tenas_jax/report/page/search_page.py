"""A search on the page: its result, its course, and all networks that it scored."""

from collections.abc import Mapping, Sequence

import numpy as np

from tenas_jax import spaces
from tenas_jax.report.courses import course_rows, removals_text
from tenas_jax.report.page.architecture import cell_graph, difference
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
from tenas_jax.report.page.space_plot import supernet_space, trajectory_space
from tenas_jax.report.page.words import STRATEGIES, duration, plural, show, words
from tenas_jax.report.path_plot import path_picture
from tenas_jax.report.pruning_plot import pruning_picture
from tenas_jax.report.trajectory import Trajectory, has_trajectory, of_records, of_rounds
from tenas_jax.report.trajectory_plot import costs_picture, trajectory_picture
from tenas_jax.search.growth_task import STRATEGY as GROWTH
from tenas_jax.spaces import Space

MOST_ROWS = 2000  # scored networks that are listed
BY_RECORDS = ("random",)  # strategies of which the records are all that is known


def is_search(run: Run) -> bool:
    """Says whether a workdir is one of `experiments.search`."""
    return run.command is None and run.config.get("strategy", GROWTH) != GROWTH


def facts(run: Run) -> Facts:
    """Puts a search into a line."""
    config, result = run.config, run.result
    what = f"{words(config['strategy'])}, {words(config['space'])}, preset {config['preset']}"
    what += f", {config['data']}, seed {config['seed']}"
    if result is None:
        return Facts(what, unfinished(run), {}, scoring_seconds(run))
    values = [f"{words(name)} {show(result.get(name))}" for name in metrics_of(run)]
    return Facts(what, ", ".join(values), result["published"] or {}, result["scoring_seconds"])


def sections(run: Run) -> list[Section]:
    """Makes what the page shows of a search."""
    space = spaces.get(run.config["space"])
    history = [entry for entry in run.rounds if "mask" in entry]
    shown = [Section("Result", _result(run))]
    if history:
        shown.append(Section("Course", _rounds_course(run, space, history)))
    elif trajectory := trajectory_of(run, space, metrics_of(run)):
        shown.append(Section("Course", _answers_course(run, trajectory)))
    if run.records:
        shown.append(Section("Scored networks", [_scored(run, space, history)]))
    return shown


def metrics_of(run: Run) -> list[str]:
    """Lists the metrics that the records have values of; a record may have only some of them."""
    known = {name: None for record in run.scores for name in record.score.values}
    asked = [name for name in run.config.get("metrics") or () if name in known]
    return list(dict.fromkeys([*asked, *known]))


def scoring_seconds(run: Run) -> float:
    """Sums what scoring took so far."""
    return sum(record.score.seconds for record in run.scores)


def bad_networks(run: Run) -> int:
    """Counts the scored networks that have a flagged value."""
    return sum(record.score.bad > 0 for record in run.scores)


def _result(run: Run) -> list[Block]:
    """Lists what a search came to, or how far it is."""
    name, result = run.config["strategy"], run.result
    how = ("strategy", cell(STRATEGIES.get(name, words(name))))
    if result is None:
        bad = bad_networks(run)
        pairs = [how, ("networks scored", cell(len(run.records))), ("of them bad", cell(bad))]
        pairs.append(("scoring", cell(duration(scoring_seconds(run)))))
        return [Note(f"This search is {unfinished(run)}."), KeyNumbers(pairs)]
    pairs = [("architecture", code(result["arch"])), how]
    pairs += [(words(metric), cell(result.get(metric))) for metric in metrics_of(run)]
    published = result["published"] or {}
    pairs += [(f"{words(column)}, published", cell(v, 2, " %")) for column, v in published.items()]
    pairs += [
        ("networks scored", cell(result["architectures_scored"])),
        ("bad values", cell(result["bad_kernels"])),
        ("scoring", cell(duration(result["scoring_seconds"]))),
        ("compiling, last start", cell(duration(result["compile_seconds"]))),
        ("preset, engine", cell(f"{result['preset']}, {result['engine']}")),
    ]
    return [KeyNumbers(pairs), cell_graph(run.config["space"], result["arch"])]


def _rounds_course(run: Run, space: Space, history: list[Mapping]) -> list[Block]:
    """Shows the rounds of a search that prunes a supernet."""
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
    """Makes a row for each round."""
    rows = [
        (
            entry["round"],
            int(np.sum(entry["mask"])),
            *(entry[name] for name in metrics),
            removals_text(space, entry["pruned"]) or None,
        )
        for entry in history
    ]
    header = ("round", "operations", *map(words, metrics), "pruned (edge: operation)")
    return table(header, rows, "The supernet in each round, and what was pruned then.")


def trajectory_of(run: Run, space: Space, metrics: Sequence[str]) -> Trajectory | None:
    """Reads what a run has seen; None where it scores no single architectures, or under two.

    Raises:
        UserError: what is recorded does not fit itself.
    """
    if has_trajectory(run.rounds):
        own = (run.checkpoint or {}).get("state", {}).get("own", {})
        trajectory = of_rounds(run.scores, run.rounds, space, metrics, own.get("front", ()))
    elif run.config["strategy"] in BY_RECORDS:
        incumbents = (run.result or {}).get("incumbents") or ()
        trajectory = of_records(run.scores, space, metrics, incumbents)
    else:
        return None
    return trajectory if len(trajectory.archs) > 1 and trajectory.metrics else None


def _answers_course(run: Run, trajectory: Trajectory) -> list[Block]:
    """Shows the answers so far as a table, all that was scored as pictures, and the front."""
    header, rows = course_rows(trajectory)
    names = [words(name) for name in header]
    blocks: list[Block] = []
    if trajectory.entries or len(trajectory.path):
        blocks.append(table(names, rows, "The answer so far, at steps spread over the search."))
    # All that was scored, flat and to be turned.
    what = f"{words(run.config['strategy'])}, preset {run.config['preset']}"
    archs = list(trajectory.archs)
    caption = f"{plural(len(archs), 'architecture')} by their values, darker the later they "
    caption += "were scored, and the path of the answer so far."
    bad = f" {trajectory.bad:,} with a bad value: left out of the panels that need it."
    picture = trajectory_picture(trajectory, title=f"What was scored on the way: {what}")
    blocks.append(Figure(picture, caption + bad * (trajectory.bad > 0), archs))
    turned = trajectory_space(trajectory, f"{caption} It can be turned.")
    blocks += [turned] if turned else []
    # The Pareto front, of a search that has one.
    if trajectory.front:
        blocks.append(front_table(trajectory))
    if trajectory.front and trajectory.costs:
        about = "The Pareto front, ringed, and all that was scored, by metrics and costs."
        picture = costs_picture(trajectory, title=f"Metrics against costs: {what}")
        blocks.append(Figure(picture, about, archs))
    return blocks


def front_table(trajectory: Trajectory) -> Table:
    """Makes a row with its objectives for each architecture of the Pareto front."""
    names = (*trajectory.metrics, *trajectory.costs)
    rows = [
        (
            number + 1,
            *(float(trajectory.values[name][number]) for name in names),
            code(trajectory.archs[number]),
        )
        for number in trajectory.front
    ]
    header = ("scored as number", *map(words, names), "architecture")
    note = "None of all that was scored is better in one of them and as good in the others."
    return table(header, rows, "The Pareto front.", note)


def _scored(run: Run, space: Space, history: list[Mapping]) -> Table:
    """Makes a row for each network, in the order in which they were scored."""
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
