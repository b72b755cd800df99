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
    """Says whether a workdir is one of `experiments.grow`."""
    return run.command is None and run.config.get("strategy") == STRATEGY


def facts(run: Run) -> Facts:
    """Puts a growth into a line; it has no accuracies."""
    config, result = run.config, run.result
    what = f"{words(config['space'])} {config['topology']}, "
    what += f"preset {config['preset']}, {config['data']}, seed {config['seed']}"
    if result is None:
        return Facts(what, unfinished(run), {}, scoring_seconds(run))
    networks = plural(len(result["family"]), "network")
    came_to = f"{networks}, up to {show(result['parameters'])} parameters"
    return Facts(what, came_to, {}, result["scoring_seconds"])


def sections(run: Run) -> list[Section]:
    """Makes what the page shows of a growth."""
    history = run.rounds
    family = history if run.result is None else run.outcome["family"]
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
    """Lists what a growth came to, or how far it is."""
    config, result = run.config, run.result
    how = [("topology", code(config["topology"])), ("strategy", cell(STRATEGIES[STRATEGY]))]
    if result is None:
        pairs = [
            *how,
            ("networks scored", cell(len(run.records))),
            ("of them bad", cell(bad_networks(run))),
            ("scoring", cell(duration(scoring_seconds(run)))),
        ]
        return [Note(f"This growth is {unfinished(run)}."), KeyNumbers(pairs)]
    pairs = [
        ("last network", code(result["arch"])),
        *how,
        ("parameters", cell(result["parameters"])),
        ("multiply-adds an image", cell(result["multiply_adds"])),
        *((words(name), cell(result.get(name))) for name in metrics),
        ("accuracy", cell("not trained, unknown")),
        ("networks scored", cell(result["architectures_scored"])),
        ("bad values", cell(result["bad_kernels"])),
        ("scoring", cell(duration(result["scoring_seconds"]))),
        ("compiling, last start", cell(duration(result["compile_seconds"]))),
        ("preset, engine", cell(f"{result['preset']}, {result['engine']}")),
    ]
    caption = f"The last network's stages, of {words(config['space'])}."
    return [KeyNumbers(pairs), cell_graph(config["space"], result["arch"], caption)]


def _family(family: Sequence[Mapping], metrics: Sequence[str]) -> Table:
    """Makes a row for each step; multiply-adds are known once it is finished."""
    costs = [name for name in ("parameters", "multiply_adds") if name in family[0]]
    rows = [
        (step, code(m["string"]), *map(m.get, costs), *map(m.get, metrics), m["rank_sum"])
        for step, m in enumerate(family, 1)
    ]
    header = ("step", "network in full", *map(words, [*costs, *metrics]), "sum of ranks")
    note = f"{UNKNOWN} Metrics are means over the repeats, of the network as it was scored."
    return table(header, rows, "The family: the network that each step took.", note)


def _candidates(history: Sequence[Mapping], metrics: Sequence[str]) -> Table:
    """Makes a row for each candidate, in the order of the steps."""
    rows = [
        (
            step,
            "taken" if number == entry["chosen"] else None,
            code(other["string"]),
            other["parameters"],
            *map(other.get, metrics),
            other["rank_sum"],
        )
        for step, entry in enumerate(history, 1)
        for number, other in enumerate(entry["candidates"])
    ]
    header = ("step", "taken", "network in full", "parameters", *map(words, metrics),
              "sum of ranks")  # fmt: skip
    note = "The least sum of ranks is taken. A bad value is a dash, and ranks last."
    return table(header, rows, "All candidates of the steps.", note)
