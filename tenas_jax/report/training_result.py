"""What a training came to, alone or beside random architectures that were trained alike."""

import json
import pathlib
from collections.abc import Mapping, Sequence

import jax
import numpy as np
import pandas as pd

from tenas_jax.errors import UserError
from tenas_jax.networks.trained import count_parameters
from tenas_jax.report.picture import save_png
from tenas_jax.report.tables import format_table
from tenas_jax.report.training_plot import training_figure
from tenas_jax.runs.files import atomic_write_text
from tenas_jax.runs.json_values import read_object
from tenas_jax.runs.layout import RESULT
from tenas_jax.runs.workdir import Workdir
from tenas_jax.train.evaluate import Evaluation
from tenas_jax.train.loop import Training
from tenas_jax.train.step import State

PICTURE = "train.png"
ROWS = 20  # of the printed table at most
MISTAKES = 3  # pairs of classes that are named
FOUND = "found"  # what the training of a found architecture is called, in files too


def write_result(
    training: Training, state: State, evaluation: Evaluation, workdir: Workdir
) -> dict:
    """Prints a finished training's result, and writes `result.json` and `train.png`.

    Args:
        training: what was trained.
        state: the last one.
        evaluation: of the last weights.
        workdir: open, to be written to.

    Returns:
        What `result.json` holds.
    """
    card, records = training.card, workdir.records()
    result = {
        "space": card.space,
        "arch": card.arch,
        "network": dict(card.network),
        "top1": evaluation.top1,
        "top5": evaluation.top5,
        "test_loss": evaluation.loss,
        "parameters": count_parameters(state["weights"]["params"]),
        "multiply_adds": training.multiply_adds,
        "multiply_adds_trained": training.multiply_adds_trained,
        "multiply_adds_saved": training.multiply_adds_saved,
        "epochs": training.recipe.epochs,
        "steps": training.steps,
        "seconds": sum(record["seconds"] for record in records),
        "compile_seconds": training.compile_seconds,
        "device": jax.devices()[0].device_kind,
        "devices": jax.device_count(),
        "label_names": list(card.label_names),
        "confusion": evaluation.confusion.tolist(),
    }
    title = f"Training of {card.space}: {100 * evaluation.top1:.2f} % top-1"
    words = {"title": title, "subtitle": card.arch}
    figure = training_figure(records, evaluation.confusion, card.label_names, **words)
    save_png(figure, workdir.path / PICTURE)
    # Last, since where it lies the training is taken to be finished.
    atomic_write_text(workdir.path / RESULT, json.dumps(result, indent=2) + "\n")
    print(training_text(result, records))
    return result


def show_result(workdir: Workdir) -> dict:
    """Prints the result of a training that was finished before, and returns it.

    Raises:
        UserError: its `result.json` is damaged.
    """
    path = workdir.path / RESULT
    result = read_object(path) or {}
    try:
        text = training_text(result, workdir.records())
    except KeyError as error:
        raise UserError(f"cannot read {path}: it has no field {error}") from error
    print(text)
    return result


def training_text(result: Mapping, records: Sequence[Mapping]) -> str:
    """Writes a table of the epochs, of which long trainings show some, and the result below it."""
    header = ["epoch", "train loss", "train top-1", "test loss", "test top-1", "rate", "seconds"]
    chosen = sorted({*np.linspace(0, len(records) - 1, min(ROWS, len(records))).round()})
    rows = [_row(records[int(i)]) for i in chosen]
    confusion, names = np.array(result["confusion"]), result["label_names"]
    lines = [
        f"{'architecture':16}{result['arch']}",
        f"{'test top-1':16}{100 * result['top1']:.2f} % of {confusion.sum()} images",
        f"{'test top-5':16}{100 * result['top5']:.2f} %",
        f"{'parameters':16}{result['parameters']:,}",
        f"{'multiply-adds':16}{result['multiply_adds']:,} an image",
        f"{'trained':16}{result['epochs']} epochs, {result['steps']} steps in "
        f"{result['seconds']:.0f} s, and {result['compile_seconds']:.0f} s compiling",
    ]
    if result.get("multiply_adds_saved"):
        lines.append(
            f"{'in training':16}{result['multiply_adds_trained']:,} multiply-adds forward, "
            f"{100 * result['multiply_adds_saved']:.1f} % saved by coarse tokens"
        )
    lines += [f"{'taken for':16}{text}" for text in mistakes(confusion, names)]
    return format_table(header, rows) + "\n\n" + "\n".join(lines)


def worst_confusions(confusion: np.ndarray, count: int) -> list[tuple[int, int]]:
    """Finds the pairs of classes that are confused most often, the worst first.

    Args:
        confusion: int [classes, classes], images by true and predicted class.
        count: of the pairs at most.

    Returns:
        (true class, predicted class) of each; pairs that never occur are left out.
    """
    wrong = confusion - np.diag(np.diag(confusion))
    worst = np.argsort(-wrong, axis=None, kind="stable")[:count]
    pairs = [divmod(int(i), len(wrong)) for i in worst]
    return [(true, taken) for true, taken in pairs if wrong[true, taken]]


def mistakes(confusion: np.ndarray, names: Sequence[str]) -> list[str]:
    """Writes the worst confusions in words: `owl for cat, 5 of 10`.

    Args:
        confusion: int [classes, classes], images by true and predicted class.
        names: one a class.
    """
    return [
        f"{names[true]} for {names[taken]}, {confusion[true, taken]} of {confusion[true].sum()}"
        for true, taken in worst_confusions(confusion, MISTAKES)
    ]


def _row(record: Mapping) -> list:
    """Returns what the table says of an epoch."""
    percent = {
        name: None if record[name] is None else f"{100 * record[name]:.2f} %"
        for name in ("train_top1", "test_top1")
    }
    return [
        record["epoch"],
        record["train_loss"],
        percent["train_top1"],
        record["test_loss"],
        percent["test_top1"],
        record["learning_rate"],
        record["seconds"],
    ]


def write_comparison(results: Mapping[str, Mapping], workdir: Workdir) -> dict:
    """Prints how a found architecture does against random ones, and writes `result.json`.

    `accuracies.csv` is written besides, a table of accuracies as published benchmarks have them, in
    percent, and `archs.txt`, its architectures: `experiments.correlate` ranks scores by them.

    Args:
        results: by name what each training's `result.json` holds, that of the found one as `FOUND`.
        workdir: open, to be written to.

    Returns:
        What `result.json` holds: accuracies by name, mean and deviation of the random ones (None
        for one alone), and the found one's lead, all from 0 to 1.
    """
    accuracies = {name: result["top1"] for name, result in results.items()}
    others = [value for name, value in accuracies.items() if name != FOUND]
    mean = float(np.mean(others))
    compared = {
        "archs": {name: result["arch"] for name, result in results.items()},
        "parameters": {name: result["parameters"] for name, result in results.items()},
        "top1": accuracies,
        "random_mean": mean,
        "random_deviation": float(np.std(others, ddof=1)) if len(others) > 1 else None,
        "lead": accuracies[FOUND] - mean,
    }
    if workdir.is_writer:
        atomic_write_text(workdir.path / RESULT, json.dumps(compared, indent=2) + "\n")
        _write_table(compared, workdir)
    print(comparison_text(compared))
    return compared


def _write_table(compared: Mapping, workdir: Workdir) -> None:
    """Writes the accuracies as a table, and its architectures, one a line."""
    data = pathlib.Path(workdir.config.get("data", "images")).stem
    columns = {name: list(compared[name].values()) for name in ("archs", "parameters", "top1")}
    table = pd.DataFrame({"arch": columns["archs"], "parameters": columns["parameters"]})
    table[f"{data}_test"] = [100 * top1 for top1 in columns["top1"]]
    atomic_write_text(workdir.path / "accuracies.csv", table.to_csv(index=False))
    atomic_write_text(workdir.path / "archs.txt", "\n".join(columns["archs"]) + "\n")


def comparison_text(compared: Mapping) -> str:
    """Writes a row for each training, and the difference in words."""
    rows = [
        (name, f"{compared['parameters'][name]:,}", f"{100 * top1:.2f} %", compared["archs"][name])
        for name, top1 in compared["top1"].items()
    ]
    table = format_table(("training", "parameters", "test top-1", "architecture"), rows)
    deviation = compared["random_deviation"]
    spread = "" if deviation is None else f" ± {100 * deviation:.2f}"
    better = sum(compared["top1"][FOUND] > top1 for top1 in compared["top1"].values())
    return (
        f"{table}\n\n"
        f"random          {100 * compared['random_mean']:.2f} %{spread}, mean of {len(rows) - 1}\n"
        f"found           {100 * compared['lead']:+.2f} points, better than {better}"
    )
