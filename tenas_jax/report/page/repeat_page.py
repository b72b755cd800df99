"""A search over several seeds on the page, beside random search: accuracies of what was found."""

import numpy as np

from tenas_jax.report.anytime_plot import anytime_picture
from tenas_jax.report.page.architecture import cell_graph
from tenas_jax.report.page.blocks import (
    Block,
    Figure,
    Fold,
    Gallery,
    KeyNumbers,
    Note,
    Section,
    Table,
    cell,
    code,
    percent,
    table,
    with_interval,
)
from tenas_jax.report.page.run import Facts, Run
from tenas_jax.report.page.words import duration, plural, words
from tenas_jax.report.repeat_result import COMMAND

MOST_CELLS = 24  # that are drawn


def is_repeat(run: Run) -> bool:
    """Says whether a workdir is one of `experiments.repeat`."""
    return run.command == COMMAND


def facts(run: Run) -> Facts:
    """Puts the searches into a line."""
    known = {**run.config, **(run.result or {})}
    what = f"{words(known['space'])}, preset {known['preset']}, {known['data']}"
    if run.result is None:
        return Facts(f"{words(run.config['strategy'])}, {what}", "not finished", {}, None)
    searches = known["searches"]
    names = ", ".join(f"{words(n)} ({plural(len(r), 'seed')})" for n, r in searches.items())
    first = next(iter(searches))
    own = [row for row in known["summary"] if row["search"] == first]
    accuracies = {row["column"]: row["mean"] for row in own}
    seconds = sum(row["seconds"] for rows in searches.values() for row in rows)
    return Facts(f"{names}, {what}", f"means of {words(first)}", accuracies, seconds)


def sections(run: Run) -> list[Section]:
    """Makes what the page shows of the searches."""
    if run.result is None:
        note = f"The searches are not all finished; each has a folder of its own in {run.name}."
        return [Section("Result", [Note(note)])]
    result = run.outcome
    curves = [_anytime(run, column) for column in result["columns"]]
    folds = [Fold(words(c), [f]) for c, f in zip(result["columns"][1:], curves[1:], strict=True)]
    return [
        Section("Result", [KeyNumbers(_pairs(run)), _summary(run)]),
        Section("Accuracy by cost", [*curves[:1], *folds]),
        Section("Seeds", [_seeds(run), *_cells(run)]),
    ]


def _pairs(run: Run) -> list:
    """Lists what the searches stand beside, and what they took."""
    result = run.outcome
    pairs = []
    for column in result["columns"]:
        average = result["average"][column]
        text = (
            f"mean {average['mean']:.2f} of {average['n']:,}, best {result['oracle'][column]:.2f}"
        )
        pairs.append((f"all architectures, {words(column)}", cell(text)))
    seconds = sum(row["seconds"] for rows in result["searches"].values() for row in rows)
    return [*pairs, ("scoring, all searches", cell(duration(seconds)))]


def _summary(run: Run) -> Table:
    """Makes a row for each search and column, with the average and the best of the space."""
    summary, columns = run.outcome["summary"], run.outcome["columns"]
    rows = []
    for row in sorted(summary, key=lambda row: columns.index(row["column"])):
        rows.append(
            (
                words(row["column"]),
                words(row["search"]),
                row["n"],
                with_interval(row["mean"], row["low"], row["high"], 2),
                cell(row["deviation"], 2),
                percent(row["relative_improvement"]),
                with_interval(row.get("lead"), row.get("lead_low"), row.get("lead_high"), 2),
                cell(row.get("scored")),
                cell(row.get("seconds"), 0),
            )
        )
    header = ("accuracy", "search", "seeds", "mean, % [95 %]", "deviation", "over the average",
              "lead over random [95 %]", "networks scored", "seconds")  # fmt: skip
    note = (
        "Over the average: of the mean accuracy, relative to that of all architectures. Lead: "
        "difference of the means, in points, with Welch's interval."
    )
    return table(header, rows, "What the searches came to, over their seeds.", note)


def _seeds(run: Run) -> Table:
    """Makes a row for each seed of each search."""
    columns = run.outcome["columns"]
    rows = [
        (
            words(name),
            row["seed"],
            *(cell(row["accuracies"][column], 2) for column in columns),
            row["scored"],
            cell(row["seconds"], 0),
            code(row["arch"]),
        )
        for name, rows in run.outcome["searches"].items()
        for row in rows
    ]
    header = ("search", "seed", *map(words, columns), "networks scored", "seconds", "architecture")
    return table(header, rows, "What each seed found, with its accuracies in percent.")


def _anytime(run: Run, column: str) -> Figure:
    """Draws the accuracy of the answers so far by networks scored."""
    result = run.outcome
    curves = {
        words(name): [row["anytime"][column] for row in rows]
        for name, rows in result["searches"].items()
    }
    picture = anytime_picture(
        curves,
        y_name=f"{words(column)} accuracy, %",
        x_name="networks scored",
        floor=result["average"][column]["mean"],
        oracle=result["oracle"][column],
        title=f"{words(column)} accuracy of the answer by networks scored",
    )
    return Figure(picture, "The accuracy of what each search would answer, had it stopped there.")


def _cells(run: Run) -> list[Block]:
    """Draws the cells of the seeds' results, first those of the first search."""
    space, column = run.outcome["space"], run.outcome["columns"][0]
    shown, notes = [], []
    for name, rows in run.outcome["searches"].items():
        for row in sorted(rows, key=lambda row: -np.nan_to_num(row["accuracies"][column])):
            accuracy = cell(row["accuracies"][column], 2, " %").text
            caption = f"{words(name)}, seed {row['seed']}: {words(column)} {accuracy}"
            block = cell_graph(space, row["arch"], caption)
            (notes if isinstance(block, Note) else shown).append(block)
    figures = [block for block in shown[:MOST_CELLS] if isinstance(block, Figure)]
    tables = [block for block in shown[:MOST_CELLS] if isinstance(block, Table)]
    blocks: list[Block] = [*[Gallery(figures)] * bool(figures), *tables, *notes[:1]]
    if len(shown) > MOST_CELLS:
        blocks.append(Note(f"{MOST_CELLS} of {len(shown)} cells are drawn."))
    return [Fold("Cells found", blocks)]
