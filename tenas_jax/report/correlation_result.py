"""What a rank study found: a table for each column of accuracies, and files in the workdir.

`result.json` has every statistic, `scores.csv` what was ranked (a row an architecture: its scores,
parameters, multiply-adds and accuracies), `correlate.png` scores against the first accuracy,
`repeats.png` τ by how many repeats are averaged, if there are several, and `spectra.png` the
kernels' eigenvalues of the best and the worst architectures, if the workdir knows them.
"""

import json
from collections.abc import Mapping, Sequence

from tenas_jax.benchmarks.rank_study import Scores, Study
from tenas_jax.benchmarks.ranking import Ranking
from tenas_jax.benchmarks.study_run import SPECTRA
from tenas_jax.report.picture import save_png
from tenas_jax.report.score_plot import score_picture
from tenas_jax.report.spectrum_plot import spectrum_picture
from tenas_jax.report.tables import format_table
from tenas_jax.report.tau_plot import tau_picture
from tenas_jax.runs.files import atomic_write_text
from tenas_jax.runs.json_values import read_object
from tenas_jax.runs.layout import RESULT
from tenas_jax.runs.workdir import Workdir

COMMAND = "correlate"
TABLE = "scores.csv"
HEADER = ("score", "bad", "tau", "95 %", "rho", "95 %", "tau top 10 %", "in top 10", "in top 100",
          "best of 10", "pick of 100", "partial", "95 %", "seconds")  # fmt: skip


def write_correlation(
    study: Study, scores: Scores, how: Mapping, workdir: Workdir | None = None
) -> dict:
    """Prints how well the scores rank the accuracies, and writes it where there is a workdir.

    Args:
        study: the accuracies and baselines.
        scores: of its architectures.
        how: what the scores are of: space, preset, data and so on, as far as it is known.
        workdir: open, to be written to; None prints alone.

    Returns:
        What `result.json` holds.
    """
    rankings = study.rows(scores)
    result = {
        "command": COMMAND,
        **how,
        "archs": len(study.archs),
        "columns": list(study.accuracies),
        "lower_is_better": sorted(scores.lower_is_better),
        "seconds": scores.seconds or None,
        "rows": [row.to_dict() for row in rankings],
        "by_repeats": study.by_repeats(scores),
    }
    if workdir is not None and workdir.is_writer:
        text = study.frame(scores).to_csv(index=False, lineterminator="\n")
        atomic_write_text(workdir.path / TABLE, text)
        _draw(study, scores, result, workdir)
        atomic_write_text(workdir.path / RESULT, json.dumps(result, indent=1) + "\n")
    print(correlation_text(rankings))
    print(_how(result))
    return result


def correlation_text(rankings: Sequence[Ranking]) -> str:
    """Writes a table for each column of accuracies, and what is undefined in words."""
    columns = dict.fromkeys(row.accuracy for row in rankings)
    return "\n\n".join(
        _text_of(name, [r for r in rankings if r.accuracy == name]) for name in columns
    )


def _text_of(column: str, rankings: Sequence[Ranking]) -> str:
    """Writes the table of one column, and its notes."""
    title = f"{column}, {rankings[0].n} architectures"
    table = format_table(HEADER, [_row(row.to_dict()) for row in rankings])
    return "\n".join([title, table, *_notes(rankings)])


def _notes(rankings: Sequence[Ranking]) -> list[str]:
    """Says what is undefined and why, a line each, with the scores that it is said of."""
    scores: dict[str, list[str]] = {}
    for row in rankings:
        for note in (row.note or "").split("; "):
            scores.setdefault(note, []).append(row.score)
    scores.pop("", None)
    return [
        f"{'all' if len(names) == len(rankings) else ', '.join(names)}: {note}"
        for note, names in scores.items()
    ]


def _row(row: Mapping) -> tuple:
    """Returns what the table says of a score."""
    return (
        row["score"],
        row["bad"],
        _number(row["tau"]),
        _interval(row, "tau"),
        _number(row["rho"]),
        _interval(row, "rho"),
        _number(row["tau_top"]),
        _number(row["precision_10"], 2),
        _number(row["precision_100"], 2),
        _number(row["best_rank_10"], 0),
        _number(row["rank_in_100_draws"], 0),
        _number(row["partial"]),
        _interval(row, "partial"),
        row["seconds"],
    )


def _draw(study: Study, scores: Scores, result: Mapping, workdir: Workdir) -> None:
    """Draws the pictures, of the first column of accuracies."""
    column, accuracy = next(iter(study.accuracies.items()))
    words = column.replace("_", " ")
    pictures = {
        "correlate.png": score_picture(
            {**scores.means(), **study.baselines},
            accuracy,
            study.archs,
            accuracy_name=column,
            lower_is_better=scores.lower_is_better,
            taus={row["score"]: row["tau"] for row in result["rows"] if row["accuracy"] == column},
            title=f"Scores at initialisation against {words}",
        )
    }
    if scores.repeats > 1:
        rows = [row for row in result["by_repeats"] if row["accuracy"] == column]
        title = f"Kendall's τ with {words} by repeats averaged"
        options = {"x": "repeats", "x_name": "repeats averaged", "title": title}
        pictures["repeats.png"] = tau_picture(rows, **options)
    spectra = read_object(workdir.path / SPECTRA)
    if spectra is not None:
        title = f"Spectra of the NTK, N = {spectra['batch_size']}: best and worst by {words}"
        pictures["spectra.png"] = spectrum_picture(spectra["spectra"], title=title)
    for name, picture in pictures.items():
        save_png(picture.figure, workdir.path / name)


def _how(result: Mapping) -> str:
    """Says what was ranked."""
    if "scores" in result:
        return f"{result['archs']} architectures, {result['scores']}"
    return (
        f"{result['archs']} architectures, preset {result['preset']}, {result['data']}, "
        f"N = {result['batch_size']}, {result['repeats']} repeats, engine {result['engine']}"
    )


def _number(value: float | None, decimals: int = 3) -> str:
    """Writes a statistic, or that it is undefined."""
    return "–" if value is None else f"{value:.{decimals}f}"


def _interval(row: Mapping, name: str) -> str:
    """Writes the interval of a statistic, or that it is undefined."""
    low, high = row[f"{name}_low"], row[f"{name}_high"]
    return "–" if low is None else f"[{low:.3f}, {high:.3f}]"
