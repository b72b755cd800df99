"""A comparison of trainings on the page: what was found beside random architectures."""

from tenas_jax.report.anytime_plot import anytime_picture
from tenas_jax.report.comparison import FOUND
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
from tenas_jax.report.page.run import Facts, Run
from tenas_jax.report.page.words import words
from tenas_jax.runs.workdir import CONFIG, Workdir

COMMAND = "compare"


def is_comparison(run: Run) -> bool:
    """Whether a workdir is one of `experiments.compare`."""
    return run.command == COMMAND or "lead" in (run.result or {})


def facts(run: Run) -> Facts:
    """The comparison in a line."""
    config = run.config
    what = f"{words(config['space'])}, {config['data']}, "
    what += f"{config['epochs']} epochs, seed {config['seed']}"
    if run.result is None:
        return Facts(what, "not finished", {}, None)
    result = f"lead {_points(run.found['lead'])} over {len(run.found['top1']) - 1} random"
    return Facts(what, result, {"test top-1": 100 * run.found["top1"][FOUND]}, _seconds(run))


def sections(run: Run) -> list[Section]:
    """What the page shows of it."""
    courses = _courses(run)
    if run.result is None:
        note = f"This comparison is not finished: {len(courses)} trainings were begun."
        blocks: list[Block] = [Note(note)]
    else:
        graph = cell_graph(run.config["space"], run.found["archs"][FOUND])
        blocks = [KeyNumbers(_pairs(run)), _trainings(run), graph]
    shown = [Section("Result", blocks)]
    if any(courses.values()):
        shown.append(Section("Course", [_curves(courses)]))
    return shown


def _points(part: float) -> str:
    return f"{100 * part:+.2f} points".replace("-", "−")


def _courses(run: Run) -> dict[str, list[dict]]:
    """The epochs of each training, by its folder's name, that of the found one first."""
    folders = sorted(path.parent for path in run.path.glob(f"*/{CONFIG}"))
    folders.sort(key=lambda path: path.name != FOUND)
    return {path.name: Workdir.read(path).records() for path in folders}


def _seconds(run: Run) -> float:
    return sum(record["seconds"] for records in _courses(run).values() for record in records)


def _pairs(run: Run) -> list:
    found, deviation = run.found, run.found["random_deviation"]
    mean = percent(found["random_mean"]).text
    spread = "" if deviation is None else f" ± {100 * deviation:.2f}"
    better = sum(found["top1"][FOUND] > top1 for top1 in found["top1"].values())
    return [
        ("architecture found", code(found["archs"][FOUND])),
        ("its test top-1", percent(found["top1"][FOUND])),
        ("mean of the random ones", cell(f"{mean}{spread}")),
        ("lead", cell(_points(found["lead"]))),
        ("better than", cell(f"{better} of {len(found['top1']) - 1}")),
    ]


def _trainings(run: Run) -> Table:
    found = run.found
    rows = [
        (name, percent(top1), found["parameters"][name], code(found["archs"][name]))
        for name, top1 in found["top1"].items()
    ]
    header = ("training", "test top-1", "parameters", "architecture")
    return table(header, rows, "Each training; all had the same images in the same order.")


def _curves(courses: dict[str, list[dict]]) -> Figure:
    """Test accuracy by epoch, that of the random ones together."""
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
