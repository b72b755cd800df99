"""What a workdir says of its run, read and never written."""

import functools
import os
import pathlib
from collections.abc import Mapping
from dataclasses import dataclass

from tenas_jax.errors import UserError
from tenas_jax.report.page.words import plural
from tenas_jax.runs.json_lines import ASIDE
from tenas_jax.runs.json_values import read_object
from tenas_jax.runs.layout import RECORDS, RESULT
from tenas_jax.runs.workdir import Workdir
from tenas_jax.scoring.recorder import Recorded, recorded


@dataclass(frozen=True)
class Run:
    """Holds one run, finished or not.

    Attributes:
        path: its workdir.
        name: what the page calls it.
        config: what it was asked to do.
        result: what `result.json` holds; None if it is not finished.
        checkpoint: of a search; None where there is none.
        records: in the order in which they were made.
        rounds: what a search's strategy tells of each.
        starts: the environment of each start.
        cut: what was lost of the records, in words; empty if nothing was.
    """

    path: pathlib.Path
    name: str
    config: dict
    result: dict | None
    checkpoint: dict | None
    records: list[dict]
    rounds: list[dict]
    starts: list[dict]
    cut: str

    @property
    def command(self) -> str | None:
        """Names the command that made it, where result or config says so."""
        return (self.result or {}).get("command") or self.config.get("command")

    @functools.cached_property
    def scores(self) -> list[Recorded]:
        """Reads the records of a run that scores; `UserError` where one is damaged."""
        return list(recorded(self.records, self.path))

    @property
    def outcome(self) -> dict:
        """Returns the result, of a run that is known to be finished."""
        assert self.result is not None
        return self.result

    def file(self, name: str) -> Mapping | None:
        """Reads another JSON object of the workdir, None where there is no such file.

        Raises:
            UserError: it cannot be read.
        """
        return read_object(self.path / name)


@dataclass(frozen=True)
class Facts:
    """Puts a run into a line, to stand beside others.

    Attributes:
        what: was done.
        result: what it came to.
        accuracies: column -> percent, None where it is not known.
        seconds: that it took; None where that is not known.
    """

    what: str
    result: str
    accuracies: Mapping[str, float | None]
    seconds: float | None


def unfinished(run: Run) -> str:
    """Says that a run is not finished, and how far it is."""
    return f"not finished: {plural(len(run.records), 'record')}"


def read_run(path: str | os.PathLike, name: str) -> Run:
    """Reads the run in a workdir.

    Args:
        path: the workdir; another process may be writing there.
        name: what the page calls it.

    Raises:
        UserError: there is no run, or a file of it is damaged.
    """
    work = Workdir.read(path)
    # A run may go on: what speaks of lines is read before them.
    checkpoint, rounds = work.load_checkpoint(), work.rounds()
    lines = _count_lines(work.path / RECORDS)
    records = work.records()
    cut = ""
    if lines > len(records):
        cut = f"The last line of {RECORDS} is cut short and was left out."
    elif (work.path / (RECORDS + ASIDE)).exists():
        cut = f"A start ended within a record; what was written of it is in {RECORDS}{ASIDE}."
    return Run(
        work.path,
        name,
        work.config,
        read_object(work.path / RESULT),
        checkpoint,
        records,
        rounds,
        work.environment(),
        cut,
    )


def read_runs(paths: list[str]) -> list[Run]:
    """Reads the runs in several workdirs, each by a name of its own.

    Raises:
        UserError: there are none, one is given twice, or one cannot be read.
    """
    if not paths:
        raise UserError("no workdir is given; give --workdir=DIR, or several")
    folders = [pathlib.Path(path).expanduser().resolve() for path in paths]
    for path, folder in zip(paths, folders, strict=True):
        if folders.count(folder) > 1:
            raise UserError(f"the workdir {path} is given twice")
    return [read_run(p, name) for p, name in zip(paths, short_names(folders), strict=True)]


def short_names(folders: list[pathlib.Path]) -> list[str]:
    """Cuts the paths of different folders to as much of the end as tells each apart."""
    parts = [folder.parts for folder in folders]
    names = []
    for own in parts:
        length = 1
        while sum(other[-length:] == own[-length:] for other in parts) > 1:
            length += 1
        names.append("/".join(own[-length:]))
    return names


def _count_lines(path: pathlib.Path) -> int:
    """Counts the lines of a file, one without an end too; 0 where no file can be read."""
    try:
        with path.open("rb") as file:
            return sum(1 for _ in file)
    except OSError:
        return 0
