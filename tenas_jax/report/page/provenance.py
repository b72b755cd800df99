"""What was run, on what, and how to run it again."""

import shlex
from collections.abc import Mapping

from tenas_jax.report.page.blocks import Block, Code, Fold, Note, Section, Table, cell, table
from tenas_jax.report.page.run import Run
from tenas_jax.report.page.words import flat, plural
from tenas_jax.spaces import SPACES

START = {
    "started": "started",
    "device_kind": "device",
    "device_count": "devices",
    "process_count": "processes",
    "tenas_jax": "tenas_jax",
    "jax": "JAX",
    "jaxlib": "jaxlib",
    "flax": "Flax",
    "numpy": "NumPy",
    "neural_tangents": "neural-tangents",
    "python": "Python",
    "platform": "platform",
    "git_commit": "commit",
}


def provenance(run: Run, kind: str) -> Section:
    """Makes a section of the command, the config, and the starts with versions and devices.

    Args:
        run: whose.
        kind: its name in `KINDS`.
    """
    blocks: list[Block] = []
    command = command_of(run, kind)
    if command:
        blocks.append(Code("To run it again, into a workdir of your choice:", command))
    fields = table(
        ("field", "value"), ((n, cell(v)) for n, v in flat(run.config).items()), "config.json"
    )
    blocks.append(Fold(f"Config, {plural(len(fields.rows), 'field')}", [fields]))
    if run.starts:
        blocks.append(Fold(f"Environment, {plural(len(run.starts), 'start')}", [_starts(run)]))
    else:
        blocks.append(Note("Nothing is recorded of the machine."))
    return Section("What was run, on what", blocks)


def commit(start: Mapping) -> str | None:
    """Names the commit of a start in short, and whether files differed from it."""
    name = start.get("git_commit")
    if not isinstance(name, str):
        return None
    return name[:10] + (", changed" if start.get("git_changed") else "")


def command_of(run: Run, kind: str) -> str | None:
    """Writes the command line that asks for the same; None where it is not known."""
    config = run.config
    # The config file that leaves every field to the preset, where the space has one.
    known = SPACES.get(config.get("space"))
    file = known and known.configs.get("train" if kind in ("train", "compare") else "search")
    if kind == "grow":
        return _with_config("grow", "configs/grow_asvit_cifar10.py", config)
    if kind == "repeat" and file and run.result:
        seeds = max(map(len, run.outcome["searches"].values()))
        words = _with_config("repeat", file, config)
        return f"{words} \\\n    --seeds={seeds}"
    if kind in ("search", "train", "compare") and file:
        return _with_config(kind, file, config)
    if kind == "correlate" and config.get("preset") is not None:
        fields = {name: value for name, value in config.items() if name != "command"}
        count = (run.result or {}).get("archs", len(run.records))
        flags = {"table": "FILE", "workdir": "DIR", **fields, "count": count}
        return _command("correlate", {f"--{name}": value for name, value in flags.items()})
    return None


def _with_config(name: str, file: str, config: Mapping) -> str:
    """Writes the command line of a command that takes a config file."""
    fields = {n: v for n, v in flat(config).items() if n != "command" and v not in (None, {})}
    flags = {"--config": file, "--workdir": "DIR"}
    return _command(name, flags | {f"--config.{field}": v for field, v in fields.items()})


def _command(name: str, flags: Mapping[str, object]) -> str:
    """Writes a command line, one flag a line, that a shell takes."""
    words = [
        flag + "=" + shlex.quote(_argument(value, flag))
        for flag, value in flags.items()
        if value is not None
    ]
    return " \\\n    ".join([f"python -m experiments.{name}", *words])


def _argument(value: object, flag: str) -> str:
    """Writes a flag's value as absl reads it."""
    if isinstance(value, list):
        if flag.startswith("--config."):
            return str(tuple(value))
        return ",".join(str(part) for part in value)
    return str(value)


def _starts(run: Run) -> Table:
    """Makes a row for each start, of what any of them recorded."""
    names = [name for name in START if any(start.get(name) is not None for start in run.starts)]
    rows = [
        [cell(commit(start) if name == "git_commit" else start.get(name)) for name in names]
        for start in run.starts
    ]
    return table([START[name] for name in names], rows, "environment.json, a row a start")
