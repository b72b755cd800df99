"""Scores a whole space, in parts that are recorded, and writes one table of it.

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
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence

from tenas_jax.benchmarks import score_table
from tenas_jax.errors import UserError
from tenas_jax.runs.tensorboard import check_tensorboard, recorded
from tenas_jax.runs.workdir import CONFIG, RECORDS, Workdir, folder
from tenas_jax.scoring.evaluator import Evaluator
from tenas_jax.scoring.scores import Score

# Handed to the evaluator at once. Up to 8 devices take 1 or 4 of them at a time and leave hardly
# any of their places idle in the last turn.
BLOCK = 480


class SpaceScores:
    """The scores of many architectures, recorded in parts."""

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
        """
        self.evaluator, self.numbers, self.processes = evaluator, numbers, processes
        self.workdir = folder(workdir)
        self.config = {**config, "metrics": evaluator.protocol.metrics, "archs": _digest(numbers)}

    def score(
        self,
        process: int,
        progress: Callable[[int, int, int], None] | None = None,
        tensorboard: bool = False,
    ) -> None:
        """Scores what is missing of one part.

        Args:
            process: which part, from 0.
            progress: called with 0, how many of the part are scored, and of how many.
            tensorboard: whether an event file in the part's folder shows the scores, too; the step
                is an architecture's place in the part.

        Raises:
            UserError: the part's folder was made for something else, is in use, or is damaged.
        """
        part, space = self._part(process), self.evaluator.space
        report = progress or (lambda *numbers: None)
        with Workdir.open(self.part_folder(process), self.config, writer=True) as work:
            done = sum(1 for _ in self._rows(process, work))
            report(0, done, len(part))
            with recorded(work, tensorboard and done < len(part)):
                for start in range(done, len(part), BLOCK):
                    archs = [space.from_index(i) for i in part[start : start + BLOCK]]
                    found = self.evaluator.score([space.to_mask(arch) for arch in archs], 0)
                    for at, score in _in_order((i, score) for i, _, score, _ in found):
                        name = space.to_string(archs[at])
                        engine = self.evaluator.engine
                        work.append({"arch": name, "engine": engine, **score.to_record()})
                        report(0, start + at + 1, len(part))

    def left(self) -> int:
        """How many architectures are not scored yet, in all parts that this workdir holds."""
        recorded = sum(sum(1 for _ in self._rows(i)) for i in range(self.processes))
        return len(self.numbers) - recorded

    def write(self, output: str | os.PathLike) -> None:
        """Writes the table, of parts that are complete (`left() == 0`)."""
        parts = [self._rows(i) for i in range(self.processes)]
        rows = (next(parts[i % self.processes]) for i in range(len(self.numbers)))
        score_table.write_table(output, self.evaluator.protocol.metrics, rows)

    def _part(self, process: int) -> Sequence[int]:
        return self.numbers[process :: self.processes]

    def part_folder(self, process: int) -> pathlib.Path:
        """Where a part is recorded."""
        return self.workdir / f"process-{process}-of-{self.processes}"

    def _rows(self, process: int, work: Workdir | None = None) -> Iterator[list]:
        """The rows of a part as far as it is recorded; `UserError` where a record is not its."""
        evaluator, part = self.evaluator, self._part(process)
        work = work or Workdir.open(self.part_folder(process), self.config, writer=False)
        for at, record in enumerate(work.iter_records()):
            where = f"{work.path / RECORDS}, line {at + 1}"
            if at == len(part):
                raise UserError(f"{where}: more records than the {at} architectures of this part")
            name = evaluator.space.to_string(evaluator.space.from_index(part[at]))
            if record.get("arch") != name:
                raise UserError(f"{where}: is not of {name}, which is next in this part")
            try:
                score = Score.from_record(record)
                yield score_table.row(name, score, evaluator.protocol.metrics, evaluator.seed)
            except (UserError, KeyError) as error:
                raise UserError(f"{where}: {error}") from error


def score_space(
    evaluator: Evaluator,
    numbers: Sequence[int],
    workdir: str | os.PathLike,
    config: Mapping,
    output: str | os.PathLike,
    *,
    process: int = 0,
    processes: int = 1,
    progress: Callable[[int, int, int], None] | None = None,
    tensorboard: bool = False,
) -> int:
    """Scores one process's part and, if all parts are complete then, writes the table.

    A single process also writes the table of a workdir that holds all parts of several, such as
    parts collected from machines without a common disk.

    Args:
        evaluator, numbers, workdir, config, processes: see `SpaceScores`.
        output: the table to write (see `score_table`).
        process, progress, tensorboard: see `SpaceScores.score`.

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
        scores.score(process, progress, tensorboard)
    left = scores.left()
    if not left:
        scores.write(output)
    return left


def _other_processes(workdir: pathlib.Path, processes: int) -> list[int]:
    """The other numbers of processes whose parts a workdir holds."""
    names = [path.name for path in workdir.glob("process-*-of-*")]
    counts = {int(m[1]) for m in map(re.compile(r"process-\d+-of-(\d+)").fullmatch, names) if m}
    return sorted(counts - {processes})


def _digest(numbers: Sequence[int]) -> str:
    """A short text that tells lists of architectures apart."""
    digest = hashlib.sha256()
    for number in numbers:
        digest.update(b"%d\n" % number)
    return f"{len(numbers)} architectures, sha256 {digest.hexdigest()[:16]}"


def _in_order(found: Iterable[tuple[int, Score]]) -> Iterator[tuple[int, Score]]:
    """The scores of a block by position, each as soon as those before it are there."""
    waiting: dict[int, Score] = {}
    following = 0
    for at, score in found:
        waiting[at] = score
        while following in waiting:
            yield following, waiting.pop(following)
            following += 1
