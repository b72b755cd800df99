"""A growth on the page: its family of networks, their picture, and all candidates of its steps."""

from collections.abc import Mapping, Sequence

from tenas_jax.report.growth_plot import UNTRAINED, growth_picture
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
    table,
)
from tenas_jax.report.page.run import Facts, Run, unfinished
from tenas_jax.report.page.search_page import bad_networks, metrics_of, scoring_seconds
from tenas_jax.report.page.words import STRATEGIES, duration, plural, show, words
from tenas_jax.search.growth_task import STRATEGY

UNKNOWN = "Accuracy: not trained, unknown."


def is_growth(run: Run) -> bool:
    """Whether a workdir is one of `experiments.grow`."""
    return run.command is None and run.config.get("strategy") == STRATEGY


def facts(run: Run) -> Facts:
    """The growth in a line; it has no accuracies."""
    config, found = run.config, run.result
    what = f"{words(config['space'])} {config['topology']}, "
    what += f"preset {config['preset']}, {config['data']}, seed {config['seed']}"
    if found is None:
        return Facts(what, unfinished(run), {}, scoring_seconds(run))
    result = (
        f"{plural(len(found['family']), 'network')}, up to {show(found['parameters'])} parameters"
    )
    return Facts(what, result, {}, found["scoring_seconds"])


def sections(run: Run) -> list[Section]:
    """What the page shows of it."""
    history = run.rounds
    family = history if run.result is None else run.found["family"]
    metrics = metrics_of(run)
    shown = [Section("Result", _result(run, metrics))]
    if family:
        blocks: list[Block] = [_family(family, metrics)]
        if history and metrics:
            title = f"Growth of {run.config['topology']}, preset {run.config['preset']}"
            caption = "Blocks, width and metrics of the networks that the steps took, and of all "
            caption += f"candidates, by parameters in full. {UNTRAINED}"
            blocks.append(Figure(growth_picture(history, metrics, title), caption))
        shown.append(Section("Family", blocks))
    if history:
        shown.append(Section("Candidates", [_candidates(history, metrics)]))
    return shown


def _result(run: Run, metrics: Sequence[str]) -> list[Block]:
    config, found = run.config, run.result
    how = [("topology", code(config["topology"])), ("strategy", cell(STRATEGIES[STRATEGY]))]
    if found is None:
        pairs = [
            *how,
            ("networks scored", cell(len(run.records))),
            ("of them bad", cell(bad_networks(run))),
            ("scoring", cell(duration(scoring_seconds(run)))),
        ]
        return [Note(f"This growth is {unfinished(run)}."), KeyNumbers(pairs)]
    pairs = [
        ("last network", code(found["arch"])),
        *how,
        ("parameters", cell(found["parameters"])),
        ("multiply-adds an image", cell(found["multiply_adds"])),
        *((words(name), cell(found.get(name))) for name in metrics),
        ("accuracy", cell("not trained, unknown")),
        ("networks scored", cell(found["architectures_scored"])),
        ("bad values", cell(found["bad_kernels"])),
        ("scoring", cell(duration(found["scoring_seconds"]))),
        ("compiling, last start", cell(duration(found["compile_seconds"]))),
        ("preset, engine", cell(f"{found['preset']}, {found['engine']}")),
    ]
    caption = f"The last network's stages, of {words(config['space'])}."
    return [KeyNumbers(pairs), cell_graph(config["space"], found["arch"], caption)]


def _family(family: Sequence[Mapping], metrics: Sequence[str]) -> Table:
    """A row a step; multiply-adds are known once it is finished."""
    costs = [name for name in ("parameters", "multiply_adds") if name in family[0]]
    rows = [
        (step, code(m["string"]), *map(m.get, costs), *map(m.get, metrics), m["rank_sum"])
        for step, m in enumerate(family, 1)
    ]
    header = ("step", "network in full", *map(words, [*costs, *metrics]), "sum of ranks")
    note = f"{UNKNOWN} Metrics are means over the repeats, of the network as it was scored."
    return table(header, rows, "The family: the network that each step took.", note)


def _candidates(history: Sequence[Mapping], metrics: Sequence[str]) -> Table:
    """A row a candidate, in the order of the steps."""
    rows = [
        (
            step,
            "taken" if place == entry["chosen"] else None,
            code(other["string"]),
            other["parameters"],
            *map(other.get, metrics),
            other["rank_sum"],
        )
        for step, entry in enumerate(history, 1)
        for place, other in enumerate(entry["candidates"])
    ]
    header = ("step", "taken", "network in full", "parameters", *map(words, metrics),
              "sum of ranks")  # fmt: skip
    note = "The least sum of ranks is taken. A bad value is a dash, and ranks last."
    return table(header, rows, "All candidates of the steps.", note)
