"""Several runs side by side: what each came to, how their configs differ, and τ over studies."""

from collections.abc import Callable, Mapping, Sequence
from typing import NamedTuple

from tenas_jax.report.page.blocks import Block, Cell, Figure, Fold, Section, cell, code, table
from tenas_jax.report.page.kinds import KINDS
from tenas_jax.report.page.provenance import commit
from tenas_jax.report.page.run import Run
from tenas_jax.report.page.words import flat, plural, words
from tenas_jax.report.tables import MISSING
from tenas_jax.report.tau_plot import tau_picture
from tenas_jax.search import task as search_task
from tenas_jax.train import task as train_task

NO_MATTER = {*search_task.IGNORED, *train_task.IGNORED}  # fields that change no result
SHOWN = ("rank_sum",)  # scores that are drawn over studies beside those that were computed


class Entry(NamedTuple):
    """Holds a run, the name of its kind, and the id of its section."""

    run: Run
    kind: str
    id: str


class Axis(NamedTuple):
    """Says what τ is drawn against: the key of its rows, its words, what tells curves apart."""

    key: str
    name: str
    log: bool
    rows: Callable[[Mapping], list[dict]]
    label: Callable[[Mapping], str]


def overview(entries: Sequence[Entry]) -> Section:
    """Makes a row for each run, and shows how they differ."""
    facts = [KINDS[entry.kind].facts(entry.run) for entry in entries]
    columns = list(dict.fromkeys(name for fact in facts for name in fact.accuracies))
    rows = []
    for entry, fact in zip(entries, facts, strict=True):
        start = entry.run.starts[-1] if entry.run.starts else {}
        rows.append(
            (
                Cell(entry.run.name, link=entry.id),
                KINDS[entry.kind].words,
                fact.what,
                fact.result,
                *(cell(fact.accuracies.get(name), 2) for name in columns),
                cell(fact.seconds, 0),
                start.get("device_kind"),
                start.get("jax"),
                code(commit(start)),
            )
        )
    header = ("run", "kind", "what", "result", *map(words, columns), "seconds", "device", "JAX",
              "commit")  # fmt: skip
    note = "Accuracies in percent. " * bool(columns)
    note += "Device, version and commit are those of the last start."
    every = table(header, rows, "Every run.", note)
    alike = [table for kind in KINDS for table in _differences(entries, kind)]
    return Section("", [every, *alike, *_studies(entries)])


def _differences(entries: Sequence[Entry], kind: str) -> list[Block]:
    """Lists the fields in which the configs of one kind of run differ, a row a run."""
    chosen = [entry for entry in entries if entry.kind == kind]
    configs = [flat(entry.run.config) for entry in chosen]
    names = [
        name
        for name in dict.fromkeys(name for config in configs for name in config)
        if name not in NO_MATTER and len({cell(config.get(name)).text for config in configs}) > 1
    ]
    if len(chosen) < 2 or not names:
        return []
    rows = [
        (Cell(entry.run.name, link=entry.id), *(cell(config.get(name)) for name in names))
        for entry, config in zip(chosen, configs, strict=True)
    ]
    caption = f"Where the configs of these runs differ: {KINDS[kind].words}."
    note = f"{MISSING}: the preset's value, or none. Left out: where data lies, how many devices."
    return [table(("run", *names), rows, caption, note)]


def _from_rows(result: Mapping) -> list[dict]:
    """Returns the rows of a study's scores that were computed, and of those in `SHOWN`."""
    kept = set(result.get("seconds") or ()) or {row["score"] for row in result["by_repeats"]}
    kept = kept - {"average_rank_sum", "log_rank_sum", "weighted"} | set(SHOWN)
    return [row for row in result["rows"] if row["score"] in kept]


def _from_repeats(result: Mapping) -> list[dict]:
    """Returns the same scores' rows by repeats."""
    kept = {row["score"] for row in _from_rows(result)}
    return [row for row in result["by_repeats"] if row["score"] in kept]


AXES = (
    Axis(
        "batch_size", "images N of the kernel", True, _from_rows,
        lambda f: f"{f['preset']}, {plural(f['repeats'], 'repeat')}, {f['archs']:,} networks",
    ),
    Axis(
        "repeats", "repeats averaged", False, _from_repeats,
        lambda f: f"{f['preset']}, N = {f['batch_size']}",
    ),
    Axis(
        "seconds", "seconds an architecture", True, _from_rows,
        lambda f: f"{f['preset']}, {plural(f['repeats'], 'repeat')}",
    ),
)  # fmt: skip


def _studies(entries: Sequence[Entry]) -> list[Block]:
    """Draws τ against what the rank studies differ in, where there are several."""
    results = [entry.run.result for entry in entries if entry.kind == "correlate"]
    results = [result for result in results if result is not None and result.get("preset")]
    if len(results) < 2:
        return []
    blocks: list[Block] = []
    for axis in AXES:
        figures = _tau_figures(axis, results)
        blocks += [figure for _, figure in figures[:1]]
        blocks += [Fold(f"{words(c)}, against {axis.name}", [f]) for c, f in figures[1:]]
    return blocks


def _tau_figures(axis: Axis, results: Sequence[Mapping]) -> list[tuple[str, Figure]]:
    """Draws (column, picture) for each column of accuracies, where the axis has two values."""
    rows = []
    for result in results:
        # A row's own value where it has one: its seconds, its number of repeats.
        own = {"batch_size": result["batch_size"], "label": axis.label(result)}
        rows += [row | own | {"score": words(row["score"])} for row in axis.rows(result)]
    if len({row[axis.key] for row in rows} - {None}) < 2:
        return []
    figures = []
    for column in dict.fromkeys(row["accuracy"] for row in rows):
        title = f"Kendall's τ with {words(column)} accuracy against {axis.name}"
        chosen = [row for row in rows if row["accuracy"] == column]
        what = {"x": axis.key, "x_name": axis.name, "title": title, "log_x": axis.log}
        caption = f"τ with {words(column)} accuracy, with 95 % intervals."
        figures.append((column, Figure(tau_picture(chosen, **what), caption)))
    return figures
