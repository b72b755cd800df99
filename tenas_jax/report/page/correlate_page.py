"""A rank study on the page: how well scores rank accuracies, and the scores themselves."""

import csv
import io
import math
from collections.abc import Callable, Mapping, Sequence

import numpy as np

from tenas_jax.benchmarks.study_run import SPECTRA
from tenas_jax.report.correlation_result import COMMAND, TABLE
from tenas_jax.report.page.blocks import (
    Block,
    Cell,
    Figure,
    Fold,
    KeyNumbers,
    Note,
    Section,
    Table,
    cell,
    table,
    with_interval,
)
from tenas_jax.report.page.run import Facts, Run, unfinished
from tenas_jax.report.page.words import duration, plural, show, words
from tenas_jax.report.score_plot import score_picture
from tenas_jax.report.spectrum_plot import spectrum_picture
from tenas_jax.report.tau_plot import tau_picture
from tenas_jax.runs.files import read_bytes

BASELINES = ("parameters", "multiply_adds", "random")
MOST_HOVERS = 1000  # architectures beyond which the pictures after the first have no texts
HEADER = ("score", "τ [95 %]", "ρ [95 %]", "τ, best tenth", "top 10 in best 10",
          "top 100 in best 100", "best rank in top 10", "best rank in top 100",
          "rank of a pick of 10", "rank of a pick of 100", "partial ρ [95 %]", "bad",
          "seconds each", "remark")  # fmt: skip
NOTE = (
    "τ: Kendall's; ρ: Spearman's; both with 95 % bootstrap intervals over architectures. Best "
    "tenth: τ among the architectures of the highest accuracy. Top 10 in best 10: the share of the "
    "10 best by score that are among the 10 best by accuracy. Best rank: by accuracy, 1 the best. "
    "A pick: the best scored of so many drawn at random, its mean rank. Partial: with parameters "
    "and multiply-adds held fixed. Scores are signed so that larger is better."
)


def is_study(run: Run) -> bool:
    """Says whether a workdir is one of `experiments.correlate`, or holds scores that it ranks."""
    if run.result is None:
        scored = {"space", "preset", "data", "batch_size"} <= run.config.keys()
        return run.command is None and scored and "strategy" not in run.config
    return run.command == COMMAND


def facts(run: Run) -> Facts:
    """Puts a study into a line."""
    known = {**run.config, **(run.result or {})}
    what = f"{words(known['space'])}, {_how(known)}"
    if run.result is None:
        return Facts(what, unfinished(run), {}, _seconds(run))
    best = _best(known, _columns(known)[0]) if known["rows"] else None
    came_to = "τ undefined"
    if best is not None:
        came_to = f"best τ {best['tau']:.3f}: {words(best['score'])}, {words(best['accuracy'])}"
    what = f"{plural(known['archs'], 'architecture')} of {words(known['space'])}, {_how(known)}"
    return Facts(what, came_to, {}, _seconds(run))


def sections(run: Run) -> list[Section]:
    """Makes what the page shows of a study."""
    if run.result is None:
        pairs = [("architectures scored", cell(len(run.records)))]
        pairs.append(("scoring", cell(duration(_seconds(run)))))
        note = Note(f"These scores are not ranked yet; {unfinished(run)}.")
        return [Section("Result", [note, KeyNumbers(pairs)])]
    result, columns = run.outcome, _columns(run.outcome)
    shown = [Section("Result", [KeyNumbers(_pairs(run)), *_by_column(columns, result, _ranking)])]
    scores = read_scores(run, columns)
    if scores is not None:
        blocks = []
        for number, column in enumerate(columns):
            figure = _score_figure(result, column, scores, hovers=number == 0)
            blocks.append(figure if number == 0 else Fold(words(column), [figure]))
        shown.append(Section("Scores against accuracy", blocks))
    if len({row["repeats"] for row in result["by_repeats"]}) > 1:
        shown.append(Section("By repeats", _by_column(columns, result, _repeats)))
    spectra = run.file(SPECTRA)
    if spectra and spectra.get("spectra"):
        shown.append(Section("Spectra", _spectra(spectra)))
    return shown


def read_scores(run: Run, columns: Sequence[str]) -> dict[str, list] | None:
    """Reads the columns of `scores.csv`: `arch` strings, the others floats, NaN where blank.

    None where there is no such file, or it lacks one of `columns` or `arch`.
    """
    text = read_bytes(run.path / TABLE)
    if text is None:
        return None
    rows = list(csv.DictReader(io.StringIO(text.decode(errors="replace"))))
    if not rows or not {"arch", *columns} <= rows[0].keys():
        return None
    return {
        name: [row[name] if name == "arch" else _float(row[name]) for row in rows]
        for name in rows[0]
        if name is not None
    }


def _float(text: str | None) -> float:
    """Reads a number of `scores.csv`, NaN where it is blank or none."""
    try:
        return float(text or "nan")
    except ValueError:
        return math.nan


def _columns(result: Mapping) -> list[str]:
    """Lists the columns of accuracies, in their order."""
    return list(dict.fromkeys(row["accuracy"] for row in result["rows"]))


def _how(known: Mapping) -> str:
    """Says what the scores are of, as far as config or result tell."""
    if known.get("preset") is None:
        return f"of {known.get('scores') or 'a table'}"
    return (
        f"preset {known['preset']}, {known['data']}, N = {known['batch_size']}, "
        f"{plural(known['repeats'], 'repeat')}, seed {known['seed']}"
    )


def _seconds(run: Run) -> float | None:
    """Sums what scoring took; None where no records say it."""
    return sum(record.score.seconds for record in run.scores) if run.records else None


def _pairs(run: Run) -> list:
    """Lists the key numbers of a finished study."""
    result = run.outcome
    pairs = [("architectures", cell(result["archs"])), ("scores", cell(_how(result)))]
    if result.get("engine"):
        pairs.append(("engine", cell(result["engine"])))
    pairs.append(("scoring", cell(duration(_seconds(run)))))
    for column in _columns(result):
        best = _best(result, column)
        if best is not None:
            value = with_interval(best["tau"], best["tau_low"], best["tau_high"])
            text = f"{value.text}: {words(best['score'])}"
            for row in result["rows"]:
                if row["accuracy"] == column and row["score"] == "parameters":
                    text += f" (parameters alone {show(row['tau'], 3)})"
            pairs.append((f"best τ, {words(column)}", cell(text)))
    return pairs


def _best(result: Mapping, column: str) -> Mapping | None:
    """Finds the row of the score of the highest τ, None where each is undefined or a baseline."""
    known = [
        row
        for row in result["rows"]
        if row["accuracy"] == column and row["tau"] is not None and row["score"] not in BASELINES
    ]
    return max(known, key=lambda row: row["tau"], default=None)


def _by_column(
    columns: Sequence[str], result: Mapping, make: Callable[[Mapping, str], Block]
) -> list[Block]:
    """Makes a block for the first column of accuracies, and folded ones for the others."""
    first, *others = (make(result, column) for column in columns)
    folded = [Fold(words(c), [block]) for c, block in zip(columns[1:], others, strict=True)]
    return [first, *folded]


def _ranking(result: Mapping, column: str) -> Table:
    """Makes a row for each score, of how well it ranks a column of accuracies."""
    rows = [
        (
            words(row["score"]),
            *(_interval(row, name) for name in ("tau", "rho")),
            cell(row["tau_top"], 3),
            cell(row["precision_10"], 2),
            cell(row["precision_100"], 2),
            *(cell(row[name], 0) for name in ("best_rank_10", "best_rank_100")),
            *(cell(row[name], 0) for name in ("rank_in_10_draws", "rank_in_100_draws")),
            _interval(row, "partial"),
            row["bad"],
            row["seconds"],
            row["note"],
        )
        for row in result["rows"]
        if row["accuracy"] == column
    ]
    counts = {row["n"] for row in result["rows"] if row["accuracy"] == column}
    caption = f"How well each score ranks the {words(column)} accuracy of "
    caption += f"{plural(max(counts), 'architecture')}."
    return table(HEADER, rows, caption, NOTE)


def _interval(row: Mapping, name: str) -> Cell:
    """Makes the cell of a statistic with its interval."""
    return with_interval(row[name], row[f"{name}_low"], row[f"{name}_high"])


def _score_figure(result: Mapping, column: str, scores: Mapping, *, hovers: bool) -> Figure:
    """Draws scores against one column of accuracies, with texts at the marks if they are few."""
    names = [name for name in scores if name != "arch" and name not in _columns(result)]
    picture = score_picture(
        {words(name): np.array(scores[name]) for name in names},
        np.array(scores[column]),
        scores["arch"],
        accuracy_name=words(column),
        lower_is_better=set(map(words, result.get("lower_is_better", ()))),
        taus={words(r["score"]): r["tau"] for r in result["rows"] if r["accuracy"] == column},
        title=f"Scores at initialisation against {words(column)} accuracy",
    )
    if not hovers and len(scores["arch"]) > MOST_HOVERS:
        picture = picture._replace(hovers={})
    caption = f"Each score against {words(column)} accuracy, a point an architecture."
    return Figure(picture, caption, archs=scores["arch"])


def _repeats(result: Mapping, column: str) -> Figure:
    """Draws τ by how many repeats are averaged."""
    rows = [
        {**row, "score": words(row["score"])}
        for row in result["by_repeats"]
        if row["accuracy"] == column
    ]
    title = f"Kendall's τ with {words(column)} accuracy by repeats averaged"
    picture = tau_picture(rows, x="repeats", x_name="repeats averaged", title=title)
    return Figure(picture, f"τ with {words(column)} accuracy, with 95 % intervals.")


def _spectra(kept: Mapping) -> list[Block]:
    """Draws the spectra that a study kept."""
    column = words(kept["column"])
    title = f"Kernels of the best and the worst by {column}, N = {kept['batch_size']}"
    caption = f"Eigenvalues of the kernel, of architectures with high and low {column} accuracy."
    return [Figure(spectrum_picture(kept["spectra"], title=title), caption)]
