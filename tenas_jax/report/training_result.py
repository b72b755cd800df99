"""What a training came to, as text, JSON and a picture in the workdir."""

import json
from collections.abc import Mapping, Sequence

import jax
import numpy as np

from tenas_jax.errors import UserError
from tenas_jax.networks.trained import count_parameters
from tenas_jax.report.tables import format_table
from tenas_jax.report.training_plot import plot_training
from tenas_jax.runs.files import atomic_write_text
from tenas_jax.runs.json_values import read_object
from tenas_jax.runs.workdir import Workdir
from tenas_jax.train.evaluate import Evaluation
from tenas_jax.train.loop import Training
from tenas_jax.train.step import State
from tenas_jax.train.task import RESULT

PICTURE = "train.png"
ROWS = 20  # of the printed table at most
MISTAKES = 3  # pairs of classes that are named


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
    found = {
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
    plot_training(
        records,
        evaluation.confusion,
        card.label_names,
        workdir.path / PICTURE,
        title=title,
        subtitle=card.arch,
    )
    # Last, since where it lies the training is taken to be finished.
    atomic_write_text(workdir.path / RESULT, json.dumps(found, indent=2) + "\n")
    print(training_text(found, records))
    return found


def show_result(workdir: Workdir) -> dict:
    """Prints the result of a training that was finished before, and returns it.

    Raises:
        UserError: its `result.json` is damaged.
    """
    path = workdir.path / RESULT
    found = read_object(path) or {}
    try:
        text = training_text(found, workdir.records())
    except KeyError as error:
        raise UserError(f"cannot read {path}: it has no field {error}") from error
    print(text)
    return found


def training_text(found: Mapping, records: Sequence[Mapping]) -> str:
    """A table of the epochs, of which long trainings show some, and the result below it."""
    header = ["epoch", "train loss", "train top-1", "test loss", "test top-1", "rate", "seconds"]
    chosen = sorted({*np.linspace(0, len(records) - 1, min(ROWS, len(records))).round()})
    rows = [_row(records[int(i)]) for i in chosen]
    confusion, names = np.array(found["confusion"]), found["label_names"]
    lines = [
        f"{'architecture':16}{found['arch']}",
        f"{'test top-1':16}{100 * found['top1']:.2f} % of {confusion.sum()} images",
        f"{'test top-5':16}{100 * found['top5']:.2f} %",
        f"{'parameters':16}{found['parameters']:,}",
        f"{'multiply-adds':16}{found['multiply_adds']:,} an image",
        f"{'trained':16}{found['epochs']} epochs, {found['steps']} steps in "
        f"{found['seconds']:.0f} s, and {found['compile_seconds']:.0f} s compiling",
    ]
    if found.get("multiply_adds_saved"):
        lines.append(
            f"{'in training':16}{found['multiply_adds_trained']:,} multiply-adds forward, "
            f"{100 * found['multiply_adds_saved']:.1f} % saved by coarse tokens"
        )
    lines += [f"{'taken for':16}{text}" for text in mistakes(confusion, names)]
    return format_table(header, rows) + "\n\n" + "\n".join(lines)


def mistakes(confusion: np.ndarray, names: Sequence[str]) -> list[str]:
    """The pairs of classes that are confused most often, in words.

    Args:
        confusion: int [classes, classes], images by true and predicted class.
        names: one a class.
    """
    wrong = confusion - np.diag(np.diag(confusion))
    worst = np.argsort(-wrong, axis=None, kind="stable")[:MISTAKES]
    places = [divmod(int(i), len(wrong)) for i in worst]
    return [
        f"{names[a]} for {names[b]}, {wrong[a, b]} of {confusion[a].sum()}"
        for a, b in places
        if wrong[a, b]
    ]


def _row(record: Mapping) -> list:
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
