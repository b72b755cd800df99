"""A search repeated over seeds, beside random search at equal cost: what the accuracies come to.

For each accuracy column, over the seeds of a search:

    mean, deviation (n − 1), and the 95 % interval of the mean by Student's t
    relative improvement = (mean − average) / average

where average is the mean of all architectures of the table: what an architecture drawn at random
has. The oracle is the best of the table. The lead over random search is the difference of the means
with Welch's 95 % interval, which does not take the deviations for equal.
"""

import json
import warnings
from collections.abc import Mapping, Sequence

import numpy as np
from scipy.stats import t, ttest_ind

from tenas_jax.benchmarks import Table
from tenas_jax.errors import UserError
from tenas_jax.report.anytime_plot import anytime_picture
from tenas_jax.report.picture import Picture, save_png
from tenas_jax.report.tables import format_table
from tenas_jax.runs.files import atomic_write_text
from tenas_jax.runs.layout import RESULT
from tenas_jax.runs.workdir import Workdir

PICTURE = "repeat.png"
COMMAND = "repeat"
RANDOM = "random"  # the strategy that is the floor


def seed_row(seed: int, result: Mapping, table: Table, columns: Sequence[str]) -> dict:
    """Says what the search of one seed came to.

    Args:
        seed: of the search.
        result: what its `result.json` holds.
        table: published accuracies.
        columns: of the table.

    Returns:
        `anytime` has, by column, [networks scored, accuracy of the answer by then].

    Raises:
        UserError: the table lacks an architecture, or its accuracy.
    """
    return {
        "seed": seed,
        "arch": result["arch"],
        "accuracies": {name: _accuracy(table, result["arch"], name) for name in columns},
        "scored": result["architectures_scored"],
        "seconds": result["scoring_seconds"],
        "anytime": {
            name: [[scored, _accuracy(table, arch, name)] for scored, arch in result["incumbents"]]
            for name in columns
        },
    }


def write_repeats(
    searches: Mapping[str, Sequence[Mapping]], table: Table, config: Mapping, workdir: Workdir
) -> dict:
    """Prints how the searches did, and writes `result.json`.

    Args:
        searches: strategy -> what `seed_row` gives, a row a seed.
        table: published accuracies.
        config: of the searches: space, preset and so on.
        workdir: open, to be written to.

    Returns:
        What `result.json` holds.
    """
    columns = list(next(iter(searches.values()))[0]["accuracies"])
    average = {name: _average(table.column(name)) for name in columns}
    result = {
        "command": COMMAND,
        **{name: config[name] for name in ("space", "preset", "data")},
        "columns": columns,
        "searches": {name: list(rows) for name, rows in searches.items()},
        "oracle": {name: table.best(name)[1] for name in columns},
        "average": average,
        "summary": [
            summary_row(name, rows, column, average[column]["mean"], searches.get(RANDOM))
            for column in columns
            for name, rows in searches.items()
        ],
    }
    if workdir.is_writer:
        picture = repeats_picture(result, columns[0])
        save_png(picture.figure, workdir.path / PICTURE)
        atomic_write_text(workdir.path / RESULT, json.dumps(result, indent=2) + "\n")
    print(repeats_text(result))
    return result


def repeats_picture(result: Mapping, column: str) -> Picture:
    """Draws the accuracy of the answer so far by networks scored, of all searches.

    Args:
        result: what `result.json` holds.
        column: of accuracies.
    """
    words = column.replace("_", " ")
    return anytime_picture(
        {n: [r["anytime"][column] for r in rows] for n, rows in result["searches"].items()},
        y_name=f"{words}, %",
        x_name="networks scored",
        floor=result["average"][column]["mean"],
        oracle=result["oracle"][column],
        title=f"What the searches had found: {words}",
    )


def summary_row(
    name: str,
    rows: Sequence[Mapping],
    column: str,
    average: float,
    floor: Sequence[Mapping] | None = None,
) -> dict:
    """Computes the statistics of one search in one column; None where one seed is too few for them.

    Args:
        name: the strategy's.
        rows: of `seed_row`.
        column: of accuracies.
        average: the mean accuracy of architectures drawn at random.
        floor: rows of random search, to be compared with; None for none.
    """
    values = np.array([row["accuracies"][column] for row in rows])
    n, mean = len(values), float(values.mean())
    deviation = float(values.std(ddof=1)) if n > 1 else None
    half = float(t.ppf(0.975, n - 1)) * deviation / np.sqrt(n) if n > 1 else None
    row = {
        "search": name,
        "column": column,
        "n": n,
        "scored": float(np.mean([row["scored"] for row in rows])),
        "seconds": float(np.mean([row["seconds"] for row in rows])),
        "mean": mean,
        "deviation": deviation,
        "low": None if half is None else mean - half,
        "high": None if half is None else mean + half,
        "relative_improvement": (mean - average) / average,
    }
    lead = dict.fromkeys(("lead", "lead_low", "lead_high"))
    if name != RANDOM and floor:
        lead = _lead(values, np.array([row["accuracies"][column] for row in floor]))
    return {**row, **lead}


def repeats_text(result: Mapping) -> str:
    """Writes two tables: a row a seed, and a row a search and column beside the space's own."""
    columns = result["columns"]
    seeds = [
        (name, row["seed"], *(f"{row['accuracies'][c]:.2f}" for c in columns), row["scored"],
         f"{row['seconds']:.0f}", row["arch"])
        for name, rows in result["searches"].items()
        for row in rows
    ]  # fmt: skip
    header = ("search", "seed", *columns, "scored", "seconds", "architecture")
    summary = [
        (
            row["column"],
            row["search"],
            _with_deviation(row["mean"], row["deviation"]),
            _interval(row["low"], row["high"]),
            f"{100 * row['relative_improvement']:+.2f} %",
            "–" if row["lead"] is None else f"{row['lead']:+.2f}",
            _interval(row["lead_low"], row["lead_high"]),
        )
        for row in result["summary"]
    ]
    # What the searches stand beside: an architecture drawn at random, and the best.
    for column in columns:
        mean = _with_deviation(
            result["average"][column]["mean"], result["average"][column]["deviation"]
        )
        summary.append((column, "any architecture", mean, "–", "+0.00 %", "–", "–"))
        best, average = result["oracle"][column], result["average"][column]["mean"]
        gain = f"{100 * (best - average) / average:+.2f} %"
        summary.append((column, "oracle", f"{best:.2f}", "–", gain, "–", "–"))
    summary.sort(key=lambda row: columns.index(row[0]))
    second = ("accuracy", "search", "mean", "95 % of the mean", "over the average", "lead", "95 %")
    return f"{format_table(header, seeds)}\n\n{format_table(second, summary)}"


def _accuracy(table: Table, arch: str, column: str) -> float:
    """Looks up an accuracy; `UserError` where it is blank or not there."""
    value = table.row(arch)[column]
    if not np.isfinite(value):
        raise UserError(f"the table's {column} of {arch} is blank")
    return value


def _average(values: np.ndarray) -> dict:
    """Computes mean and deviation of the accuracies that are known, and counts them."""
    known = values[np.isfinite(values)]
    return {"mean": float(known.mean()), "deviation": float(known.std()), "n": len(known)}


def _lead(values: np.ndarray, floor: np.ndarray) -> dict:
    """Computes how far the mean lies above the floor's; an interval takes two seeds of both."""
    lead = {"lead": float(values.mean() - floor.mean()), "lead_low": None, "lead_high": None}
    if min(len(values), len(floor)) > 1:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore", RuntimeWarning)  # where all seeds found the same
            interval = ttest_ind(values, floor, equal_var=False).confidence_interval(0.95)
        if np.isfinite(interval.low):
            lead |= {"lead_low": float(interval.low), "lead_high": float(interval.high)}
    return lead


def _with_deviation(mean: float, deviation: float | None) -> str:
    """Writes a mean, with its deviation where there is one."""
    return f"{mean:.2f}" if deviation is None else f"{mean:.2f} ± {deviation:.2f}"


def _interval(low: float | None, high: float | None) -> str:
    """Writes an interval, or that there is none."""
    return "–" if low is None else f"[{low:.2f}, {high:.2f}]"
