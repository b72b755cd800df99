"""Scores many architectures: a sample, or a whole space in parts, of which a table is written.

Part i of n is every n-th architecture from the i-th on, and is one process's: its own devices score
it, and its folder `process-i-of-n` in the workdir, a `Workdir`, records it, one line an
architecture, in order. So a part that was killed goes on after the last line. Whichever process
finds all parts complete writes the table, in the order in which the architectures were given.

Nothing that is held in memory grows with the number of architectures but, where they are not the
whole space, their numbers.
"""

import hashlib
import os
import pathlib
import re
from collections.abc import Iterator, Mapping, Sequence

import numpy as np

from tenas_jax.benchmarks import score_table
from tenas_jax.errors import UserError, user_error
from tenas_jax.runs.layout import CONFIG, RECORDS, folder
from tenas_jax.runs.listeners import Events, Listener, Listeners
from tenas_jax.runs.tensorboard import check_tensorboard
from tenas_jax.runs.workdir import Workdir
from tenas_jax.scoring.evaluator import Evaluator
from tenas_jax.scoring.recorder import Recorder, recorded
from tenas_jax.scoring.scores import Score
from tenas_jax.spaces import Space

# Handed to the evaluator at once. Up to 8 devices take 1 or 4 of them at a time and leave hardly
# any of their places idle in the last turn.
BLOCK = 480


class SpaceScores:
    """Scores many architectures, and records them in parts."""

    def __init__(
        self,
        evaluator: Evaluator,
        numbers: Sequence[int],
        workdir: str | os.PathLike,
        config: Mapping,
        processes: int = 1,
    ):
        """Nothing is read or written yet.

        Args:
            evaluator: with `share_equal=False`, so that each is scored by its own weights, and on
                devices of this process alone.
            numbers: of different architectures (`Space.index`), in the order of the table.
            workdir: the folder that holds the parts.
            config: what the scores depend on; a part that was started with another is refused.
            processes: how many parts there are.

        Raises:
            UserError: the workdir is none, or a metric's name is one of the table's columns.
        """
        self.evaluator, self.numbers, self.processes = evaluator, numbers, processes
        score_table.columns(evaluator.protocol.metrics)
        self.workdir = folder(workdir)
        self.config = {**config, "metrics": evaluator.protocol.metrics, "archs": _digest(numbers)}

    def score(
        self,
        process: int,
        listener: Listener | None = None,
        tensorboard: bool = False,
    ) -> None:
        """Scores what is missing of one part.

        Args:
            process: which part, from 0.
            listener: hears of each, and how many of the part are scored.
            tensorboard: whether an event file in the part's folder shows the scores, too.

        Raises:
            UserError: the part's folder was made for something else, is in use, or is damaged.
        """
        part, space = self._part(process), self.evaluator.space
        listener = listener or Listener()
        with Workdir.open(self.part_folder(process), self.config, writer=True) as work:
            done = sum(1 for _ in self._rows(process, work))
            listener.on_progress("scoring", done, len(part))
            with Events(work) if tensorboard else Listener() as events:
                both = Listeners(listener, events)
                recorder = Recorder(self.evaluator, work, both, count=done)
                for start in range(done, len(part), BLOCK):
                    block = part[start : start + BLOCK]
                    for _ in recorder.score([space.to_mask(space.from_index(i)) for i in block]):
                        listener.on_progress("scoring", recorder.count, len(part))

    def left(self) -> int:
        """Counts the architectures not scored yet, in all parts that this workdir holds."""
        scored = sum(sum(1 for _ in self._rows(i)) for i in range(self.processes))
        return len(self.numbers) - scored

    def write(self, output: str | os.PathLike) -> None:
        """Writes the table, of parts that are complete (`left() == 0`)."""
        parts = [self._rows(i) for i in range(self.processes)]
        rows = (next(parts[i % self.processes]) for i in range(len(self.numbers)))
        score_table.write_table(output, self.evaluator.protocol.metrics, rows)

    def _part(self, process: int) -> Sequence[int]:
        return self.numbers[process :: self.processes]

    def part_folder(self, process: int) -> pathlib.Path:
        """Says where a part is recorded."""
        return self.workdir / f"process-{process}-of-{self.processes}"

    def _rows(self, process: int, work: Workdir | None = None) -> Iterator[list]:
        """Reads rows of a part as far as it is recorded; `UserError` where a record is not its."""
        evaluator, space, part = self.evaluator, self.evaluator.space, self._part(process)
        work = work or Workdir.open(self.part_folder(process), self.config, writer=False)
        for at, record in enumerate(recorded(work.iter_records(), work.path)):
            where = f"{work.path / RECORDS}, line {at + 1}"
            if at == len(part):
                raise UserError(f"{where}: more records than the {at} architectures of this part")
            arch, metrics = space.to_string(space.from_index(part[at])), evaluator.protocol.metrics
            if record.arch != arch:
                raise UserError(f"{where}: is not of {arch}, which is next in this part")
            if missing := [name for name in metrics if name not in record.score.values]:
                raise UserError(f"{where}: has no {missing[0]}")
            yield score_table.row(arch, record.score, metrics, evaluator.seed)


def score_space(
    evaluator: Evaluator,
    numbers: Sequence[int],
    workdir: str | os.PathLike,
    config: Mapping,
    output: str | os.PathLike,
    *,
    process: int = 0,
    processes: int = 1,
    listener: Listener | None = None,
    tensorboard: bool = False,
) -> int:
    """Scores one process's part and, if all parts are complete then, writes the table.

    A single process also writes the table of a workdir that holds all parts of several, such as
    parts collected from machines without a common disk.

    Args:
        evaluator, numbers, workdir, config, processes: see `SpaceScores`.
        output: the table to write (see `score_table`).
        process, listener, tensorboard: see `SpaceScores.score`.

    Returns:
        How many architectures are left to other processes; 0 if the table was written.

    Raises:
        UserError: an output that cannot be written, found before anything is scored; no such
            process; a workdir of another run, of another number of processes, in use or damaged;
            tensorboardX is wanted and not installed.
    """
    score_table.check_output(output)
    check_tensorboard(tensorboard)
    if not 0 <= process < processes:
        raise UserError(f"process must be from 0 to {processes - 1}, not {process}")
    scores = SpaceScores(evaluator, numbers, workdir, config, processes)
    if (scores.workdir / CONFIG).exists():
        raise UserError(f"{workdir} holds a run of another kind; use another workdir")
    for share in range(processes):  # started with another config, they would be found too late
        Workdir.open(scores.part_folder(share), scores.config, writer=False)
    others = _other_processes(scores.workdir, processes)
    if others:
        scores = SpaceScores(evaluator, numbers, workdir, config, others[0])
        if processes > 1 or len(others) > 1 or scores.left():
            raise UserError(
                f"{workdir} holds the parts of a run of {others[0]} process(es), not of "
                f"{processes}: go on with as many, or use another workdir"
            )
    else:
        scores.score(process, listener, tensorboard)
    left = scores.left()
    if not left:
        scores.write(output)
    return left


def _other_processes(workdir: pathlib.Path, processes: int) -> list[int]:
    """Lists the other numbers of processes whose parts a workdir holds."""
    names = [path.name for path in workdir.glob("process-*-of-*")]
    counts = {int(m[1]) for m in map(re.compile(r"process-\d+-of-(\d+)").fullmatch, names) if m}
    return sorted(counts - {processes})


def _digest(numbers: Sequence[int]) -> str:
    """Gives a short text that tells lists of architectures apart."""
    digest = hashlib.sha256()
    for number in numbers:
        digest.update(b"%d\n" % number)
    return f"{len(numbers)} architectures, sha256 {digest.hexdigest()[:16]}"


def listed_numbers(path: str | os.PathLike, space: Space) -> list[int]:
    """Reads a text file of architectures, one a line; blank lines and # comments are ignored.

    Raises:
        UserError: the file cannot be read or holds none, a line is no architecture or one that
            came before, in this spelling or another; the line is named.
    """
    lines: dict[int, int] = {}
    with user_error("read", path), open(path, encoding="utf-8-sig", errors="replace") as file:
        for number, line in enumerate(file, 1):
            text = line.partition("#")[0].strip()
            if not text:
                continue
            try:
                index = space.index(space.parse(text))
            except UserError as error:
                raise UserError(f"{path}, line {number}: {error}") from error
            if lines.setdefault(index, number) != number:
                raise UserError(f"{path}, line {number}: {text} is on line {lines[index]} already")
    if not lines:
        raise UserError(f"{path} holds no architecture; write one string a line")
    return list(lines)


def chosen_numbers(
    space: Space, path: str | os.PathLike | None, count: int | None, seed: int
) -> Sequence[int]:
    """Chooses those of a file, a random sample, or all in the order of their numbers.

    Args:
        space: what they belong to.
        path: a file for `listed_numbers`, or None.
        count: how many at random, or None.
        seed: of the random ones.

    Raises:
        UserError: both a file and a count, more than there are, or what `listed_numbers` raises.
    """
    if path is not None and count is not None:
        raise UserError("give a file of architectures or a count of random ones, not both")
    if path is not None:
        return listed_numbers(path, space)
    if count is None:
        return range(space.size)
    if not 0 < count <= space.size:
        raise UserError(f"count must be from 1 to {space.size}, not {count}")
    return space.sample_numbers(np.random.default_rng(seed), count)


def score_sample(
    evaluator: Evaluator,
    numbers: Sequence[int],
    workdir: Workdir,
    listener: Listener | None = None,
) -> list[Score]:
    """Scores some architectures, all in memory, but those that the workdir has recorded already.

    Args:
        evaluator: scores them.
        numbers: of the architectures, no more than fit in memory.
        workdir: open for this run.
        listener: hears of each.
    """
    recorder, space = Recorder(evaluator, workdir, listener), evaluator.space
    recorder.recall()
    return recorder.score_all("scoring", [space.to_mask(space.from_index(i)) for i in numbers])
