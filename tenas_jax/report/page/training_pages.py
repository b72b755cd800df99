"""Trainings on the page: one by its epochs, or a found architecture's beside random ones'."""

from collections.abc import Mapping

import numpy as np

from tenas_jax.report.anytime_plot import anytime_picture
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
from tenas_jax.report.training_result import FOUND, worst_confusions
from tenas_jax.runs.workdir import CONFIG, Workdir

PAIRS = 12  # of classes that are confused
COMPARE = "compare"  # the command


def is_training(run: Run) -> bool:
    """Says whether a workdir is one of `experiments.train`."""
    return run.command is None and {"arch", "epochs"} <= run.config.keys()


def training_facts(run: Run) -> Facts:
    """Puts a training into a line."""
    result = run.result
    if result is None:
        return Facts(_what(run), unfinished(run), {}, _seconds(run))
    came_to = f"top-1 {percent(result['top1']).text}, {show(result['parameters'])} parameters"
    return Facts(_what(run), came_to, {"test top-1": 100 * result["top1"]}, result["seconds"])


def _what(run: Run) -> str:
    """Says what is trained, of a training or of a comparison."""
    config = run.config
    what = f"{words(config['space'])}, {config['data']}, "
    return f"{what}{config['epochs']} epochs, seed {config['seed']}"


def training_sections(run: Run) -> list[Section]:
    """Makes what the page shows of a training."""
    config, result = run.config, run.result
    if result is None:
        pairs = [("architecture", code(config["arch"]))]
        pairs.append(("epochs", cell(f"{len(run.records)} of {config['epochs']}")))
        pairs.append(("trained", cell(duration(_seconds(run)))))
        blocks: list[Block] = [Note(f"This training is {unfinished(run)}."), KeyNumbers(pairs)]
    else:
        blocks = [KeyNumbers(_result_pairs(result)), cell_graph(config["space"], config["arch"])]
    shown = [Section("Result", blocks)]
    course: list[Block] = []
    if result is not None and run.records:
        matrix, names = np.array(result["confusion"]), result["label_names"]
        title = f"Training of {config['space']}: {100 * result['top1']:.2f} % top-1"
        figure = training_figure(run.records, matrix, names, title=title)
        caption = "Loss and accuracy by epoch, and which class is taken for which."
        course.append(Figure(Picture(figure, {}), caption))
    if run.records:
        course.append(_epochs(run))
        shown.append(Section("Course", course))
    if result is not None:
        shown.append(Section("Confusions", [_confusions(result)]))
    return shown


def _seconds(run: Run) -> float:
    """Sums what the epochs of a training took."""
    return sum(record["seconds"] for record in run.records)


def _result_pairs(result: Mapping) -> list:
    """Lists the key numbers of a finished training."""
    saved = []
    if result.get("multiply_adds_saved"):
        saved = [
            ("multiply-adds in training, forward", cell(result["multiply_adds_trained"])),
            ("saved by coarse tokens", percent(result["multiply_adds_saved"])),
        ]
    return [
        ("architecture", code(result["arch"])),
        ("test top-1", percent(result["top1"])),
        ("test top-5", percent(result["top5"])),
        ("test loss", cell(result["test_loss"])),
        ("parameters", cell(result["parameters"])),
        ("multiply-adds an image", cell(result["multiply_adds"])),
        *saved,
        ("epochs, steps", cell(f"{show(result['epochs'])}, {show(result['steps'])}")),
        ("trained", cell(duration(result["seconds"]))),
        ("compiling", cell(duration(result["compile_seconds"]))),
    ]


def _epochs(run: Run) -> Table:
    """Makes a row for each epoch."""
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


def _confusions(result: Mapping) -> Block:
    """Lists the pairs of classes that are confused most often."""
    matrix, names = np.array(result["confusion"]), result["label_names"]
    rows = [
        (names[a], names[b], int(matrix[a, b]), percent(matrix[a, b] / matrix[a].sum()))
        for a, b in worst_confusions(matrix, PAIRS)
    ]
    if not rows:
        return Note("No test image is taken for another class.")
    header = ("class", "taken for", "images", "of the class")
    return table(header, rows, "The classes that are confused most often.")


def is_comparison(run: Run) -> bool:
    """Says whether a workdir is one of `experiments.compare`."""
    return run.command == COMPARE or "lead" in (run.result or {})


def comparison_facts(run: Run) -> Facts:
    """Puts a comparison into a line."""
    if run.result is None:
        return Facts(_what(run), "not finished", {}, None)
    result = run.outcome
    lead = f"lead {_points(result['lead'])} over {len(result['top1']) - 1} random"
    seconds = sum(record["seconds"] for records in _courses(run).values() for record in records)
    return Facts(_what(run), lead, {"test top-1": 100 * result["top1"][FOUND]}, seconds)


def comparison_sections(run: Run) -> list[Section]:
    """Makes what the page shows of a comparison."""
    courses = _courses(run)
    if run.result is None:
        note = f"This comparison is not finished: {len(courses)} trainings were begun."
        blocks: list[Block] = [Note(note)]
    else:
        result = run.outcome
        graph = cell_graph(run.config["space"], result["archs"][FOUND])
        blocks = [KeyNumbers(_comparison_pairs(result)), _trainings(result), graph]
    shown = [Section("Result", blocks)]
    if any(courses.values()):
        shown.append(Section("Course", [_curves(courses)]))
    return shown


def _points(part: float) -> str:
    """Writes a difference of two shares in points."""
    return f"{100 * part:+.2f} points".replace("-", "−")


def _courses(run: Run) -> dict[str, list[dict]]:
    """Reads the epochs of each training, by its folder's name, those of the found one first."""
    folders = sorted(path.parent for path in run.path.glob(f"*/{CONFIG}"))
    folders.sort(key=lambda path: path.name != FOUND)
    return {path.name: Workdir.read(path).records() for path in folders}


def _comparison_pairs(result: Mapping) -> list:
    """Lists the key numbers of a finished comparison."""
    deviation = result["random_deviation"]
    mean = percent(result["random_mean"]).text
    spread = "" if deviation is None else f" ± {100 * deviation:.2f}"
    better = sum(result["top1"][FOUND] > top1 for top1 in result["top1"].values())
    return [
        ("architecture found", code(result["archs"][FOUND])),
        ("its test top-1", percent(result["top1"][FOUND])),
        ("mean of the random ones", cell(f"{mean}{spread}")),
        ("lead", cell(_points(result["lead"]))),
        ("better than", cell(f"{better} of {len(result['top1']) - 1}")),
    ]


def _trainings(result: Mapping) -> Table:
    """Makes a row for each training of a comparison."""
    rows = [
        (name, percent(top1), result["parameters"][name], code(result["archs"][name]))
        for name, top1 in result["top1"].items()
    ]
    header = ("training", "test top-1", "parameters", "architecture")
    return table(header, rows, "Each training; all had the same images in the same order.")


def _curves(courses: dict[str, list[dict]]) -> Figure:
    """Draws test accuracy by epoch, that of the random ones together."""
    curves = {}
    for name, records in courses.items():
        points = [
            (record["epoch"], 100 * record["test_top1"])
            for record in records
            if record["test_top1"] is not None
        ]
        if points:
            curves.setdefault(FOUND if name == FOUND else "random", []).append(points)
    picture = anytime_picture(
        curves or {FOUND: []}, y_name="test top-1, %", x_name="epoch", title="Test top-1 by epoch"
    )
    return Figure(picture, "Test top-1 by epoch, of what was found and of the random ones.")
