"""A training on the page: what it came to, its course by epochs, and what it confuses."""

from collections.abc import Mapping

import numpy as np

from tenas_jax.report.page.architecture import cell_graph
from tenas_jax.report.page.blocks import (
    Block,
    Figure,
    KeyNumbers,
    Note,
    Section,
    Table,
    cell,
    code,
    percent,
    table,
)
from tenas_jax.report.page.run import Facts, Run, unfinished
from tenas_jax.report.page.words import duration, show, words
from tenas_jax.report.picture import Picture
from tenas_jax.report.training_plot import training_figure

PAIRS = 12  # of classes that are confused


def is_training(run: Run) -> bool:
    """Whether a workdir is one of `experiments.train`."""
    return run.command is None and {"arch", "epochs"} <= run.config.keys()


def facts(run: Run) -> Facts:
    """The training in a line."""
    config, found = run.config, run.result
    what = f"{words(config['space'])}, {config['data']}, "
    what += f"{config['epochs']} epochs, seed {config['seed']}"
    if found is None:
        return Facts(what, unfinished(run), {}, _seconds(run))
    result = f"top-1 {percent(found['top1']).text}, {show(found['parameters'])} parameters"
    return Facts(what, result, {"test top-1": 100 * found["top1"]}, found["seconds"])


def sections(run: Run) -> list[Section]:
    """What the page shows of it."""
    config, found = run.config, run.result
    if found is None:
        pairs = [("architecture", code(config["arch"]))]
        pairs.append(("epochs", cell(f"{len(run.records)} of {config['epochs']}")))
        pairs.append(("trained", cell(duration(_seconds(run)))))
        blocks: list[Block] = [Note(f"This training is {unfinished(run)}."), KeyNumbers(pairs)]
    else:
        blocks = [KeyNumbers(_pairs(found)), cell_graph(config["space"], config["arch"])]
    shown = [Section("Result", blocks)]
    course: list[Block] = []
    if found is not None and run.records:
        matrix, names = np.array(found["confusion"]), found["label_names"]
        title = f"Training of {config['space']}: {100 * found['top1']:.2f} % top-1"
        figure = training_figure(run.records, matrix, names, title=title)
        caption = "Loss and accuracy by epoch, and which class is taken for which."
        course.append(Figure(Picture(figure, {}), caption))
    if run.records:
        course.append(_epochs(run))
        shown.append(Section("Course", course))
    if found is not None:
        shown.append(Section("Confusions", [_confusions(found)]))
    return shown


def _seconds(run: Run) -> float:
    return sum(record["seconds"] for record in run.records)


def _pairs(found: Mapping) -> list:
    saved = []
    if found.get("multiply_adds_saved"):
        saved = [
            ("multiply-adds in training, forward", cell(found["multiply_adds_trained"])),
            ("saved by coarse tokens", percent(found["multiply_adds_saved"])),
        ]
    return [
        ("architecture", code(found["arch"])),
        ("test top-1", percent(found["top1"])),
        ("test top-5", percent(found["top5"])),
        ("test loss", cell(found["test_loss"])),
        ("parameters", cell(found["parameters"])),
        ("multiply-adds an image", cell(found["multiply_adds"])),
        *saved,
        ("epochs, steps", cell(f"{show(found['epochs'])}, {show(found['steps'])}")),
        ("trained", cell(duration(found["seconds"]))),
        ("compiling", cell(duration(found["compile_seconds"]))),
    ]


def _epochs(run: Run) -> Table:
    has_stages = any("coarse" in record for record in run.records)
    rows = [
        (
            record["epoch"],
            record["train_loss"],
            percent(record["train_top1"]),
            record["test_loss"],
            percent(record["test_top1"]),
            percent(record["test_top5"]),
            record["learning_rate"],
            record["seconds"],
            *([record["coarse"]] if has_stages else []),
        )
        for record in run.records
    ]
    header = ("epoch", "train loss", "train top-1", "test loss", "test top-1", "test top-5",
              "learning rate", "seconds")  # fmt: skip
    note = "Training values are of augmented images."
    if has_stages:
        header += ("token size",)
        note += " Token size: how many times larger than in an evaluation the sides of tokens were."
    return table(header, rows, "Each epoch.", note)


def _confusions(found: Mapping) -> Block:
    """The pairs of classes that are confused most often."""
    matrix, names = np.array(found["confusion"]), found["label_names"]
    wrong = matrix - np.diag(np.diag(matrix))
    worst = np.argsort(-wrong, axis=None, kind="stable")[:PAIRS]
    places = [divmod(int(i), len(wrong)) for i in worst]
    rows = [
        (names[a], names[b], int(wrong[a, b]), percent(wrong[a, b] / matrix[a].sum()))
        for a, b in places
        if wrong[a, b]
    ]
    if not rows:
        return Note("No test image is taken for another class.")
    header = ("class", "taken for", "images", "of the class")
    return table(header, rows, "The classes that are confused most often.")
