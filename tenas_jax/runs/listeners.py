"""Who hears what a run does: one protocol for all runs, lines of progress, and TensorBoard.

Searches, growths, scorings and trainings call the methods of a `Listener`, each once what it tells
of is on the disk.
"""

import sys
from collections.abc import Mapping

import numpy as np
from tqdm import tqdm

from tenas_jax.runs.json_values import plain
from tenas_jax.runs.tensorboard import EventFile
from tenas_jax.runs.workdir import Workdir

LARGEST = float(np.finfo(np.float32).max)  # events hold float32

# field of a training's record -> what TensorBoard calls it
EPOCH_TAGS = {
    "train_loss": "train/loss",
    "train_top1": "train/top1",
    "test_loss": "test/loss",
    "test_top1": "test/top1",
    "test_top5": "test/top5",
    "learning_rate": "learning_rate",
    "images_per_second": "images_per_second",
}


class Listener:
    """Hears what a run does, and here does nothing of it; a listener overrides what it needs.

    An error that a method raises ends the run.
    """

    def on_progress(self, what: str, done: int, total: int) -> None:
        """Hears how far something is.

        Args:
            what: it is, such as `round 3`; another word begins another line.
            done: how much of it.
            total: of how much.
        """

    def on_score(self, number: int, record: Mapping) -> None:
        """Hears of a score; `number` is its record's in the file, from 0."""

    def on_round(self, number: int, entry: Mapping) -> None:
        """Hears of a round's end; `number` is its entry's in the file, from 0."""

    def on_epoch(self, record: Mapping, epochs: int) -> None:
        """Hears of an epoch's end, of `epochs`."""

    def close(self) -> None:
        """Ends what it does; closing twice is fine."""

    def __enter__(self) -> "Listener":
        return self

    def __exit__(self, *exception) -> None:
        self.close()


class Listeners(Listener):
    """Tells several listeners what it hears."""

    def __init__(self, *listeners: Listener):
        """Tells these, in this order."""
        self._all = listeners

    def on_progress(self, what: str, done: int, total: int) -> None:
        """Tells all."""
        for listener in self._all:
            listener.on_progress(what, done, total)

    def on_score(self, number: int, record: Mapping) -> None:
        """Tells all."""
        for listener in self._all:
            listener.on_score(number, record)

    def on_round(self, number: int, entry: Mapping) -> None:
        """Tells all."""
        for listener in self._all:
            listener.on_round(number, entry)

    def on_epoch(self, record: Mapping, epochs: int) -> None:
        """Tells all."""
        for listener in self._all:
            listener.on_epoch(record, epochs)

    def close(self) -> None:
        """Closes all."""
        for listener in self._all:
            listener.close()


class Bars(Listener):
    """Draws a line of progress with a time estimate on standard error, and a line an epoch."""

    def __init__(self, unit: str = "network", *, shown: bool = True):
        """Nothing is drawn yet.

        Args:
            unit: of what is counted.
            shown: whether anything is drawn.
        """
        self._unit, self._shown = unit, shown
        self._what: str | None = None
        self._line: tqdm | None = None

    def on_progress(self, what: str, done: int, total: int) -> None:
        """Moves the line on, or begins the next one."""
        if what != self._what:
            self.close()
            self._what = what
            self._line = tqdm(total=total, desc=what, unit=self._unit, disable=not self._shown)
        self._line.update(done - self._line.n)

    def on_epoch(self, record: Mapping, epochs: int) -> None:
        """Puts a line about the epoch in place of that of its progress."""
        if self._line is not None:
            self._line.leave = False
        self.close()
        if not self._shown:
            return
        words = f"epoch {record['epoch']} of {epochs}: training loss {record['train_loss']:.4f}"
        if record["test_top1"] is not None:
            words += f", test top-1 {100 * record['test_top1']:.2f} %"
        tqdm.write(f"{words}, {record['seconds']:.1f} s", file=sys.stderr)

    def close(self) -> None:
        """Leaves the line as it is."""
        if self._line is not None:
            self._line.close()
        self._line = self._what = None


class Events(Listener):
    """Writes numbers for TensorBoard: those of scores, of rounds and of epochs.

    - A score's are `score/METRIC`, the mean over repeats, `score/seconds` and `score/round`; the
      step is the record's number.
    - A round's are `round/FIELD`, of the entry's fields that are single numbers; the step is the
      entry's number.
    - An epoch's are those of `EPOCH_TAGS`; the step is the training's.

    What is missing or not finite (in float32, which events hold) is left out.
    """

    def __init__(self, workdir: Workdir):
        """Nothing is written yet; `UserError` where tensorboardX is not installed."""
        self._file = EventFile(workdir.path)

    def on_score(self, number: int, record: Mapping) -> None:
        """Writes its metrics."""
        fields = {name: record.get(name) for name in ("round", "seconds")}
        fields |= {name: _mean(score["values"]) for name, score in record["scores"].items()}
        self._file.write(number, _tags("score", fields))

    def on_round(self, number: int, entry: Mapping) -> None:
        """Writes its numbers but that of the round, which is the step."""
        self._file.write(number, _tags("round", {k: v for k, v in entry.items() if k != "round"}))

    def on_epoch(self, record: Mapping, epochs: int) -> None:
        """Writes its numbers."""
        self._file.write(record["step"], {tag: record[name] for name, tag in EPOCH_TAGS.items()})

    def close(self) -> None:
        """Closes the file."""
        self._file.close()


def listening(workdir: Workdir, *, tensorboard: bool, unit: str = "network") -> Listener:
    """Makes what a command listens to its run with, to be closed at its end.

    Args:
        workdir: open for the run; a process that does not write there shows nothing.
        tensorboard: whether there are event files, too.
        unit: of what the lines of progress count.

    Raises:
        UserError: event files are wanted, and tensorboardX is not installed.
    """
    bars = Bars(unit, shown=workdir.is_writer)
    return Listeners(bars, Events(workdir)) if tensorboard and workdir.is_writer else bars


def _mean(values: list) -> float | None:
    """Computes the mean over repeats; None if a repeat is bad."""
    known = [value for value in values if value is not None]
    return sum(known) / len(known) if known and len(known) == len(values) else None


def _tags(group: str, fields: Mapping) -> dict[str, float]:
    """Returns the fields that are numbers which an event can hold, by tag."""
    numbers = {
        f"{group}/{name}": value
        for name, value in plain(fields).items()
        if isinstance(value, int | float) and not isinstance(value, bool)
    }
    return {tag: value for tag, value in numbers.items() if abs(value) <= LARGEST}  # NaN is not
