"""The numbers of a run as TensorBoard shows them: event files beside its records.

Each start of a run writes an event file of its own in the workdir's folder `tensorboard`, and
TensorBoard puts them together: steps go on where the start before ended.
"""

import contextlib
import importlib.util
import os
import pathlib
import time
from collections.abc import Callable, Iterator, Mapping
from typing import Any

import numpy as np

from tenas_jax.errors import UserError, user_error
from tenas_jax.runs.json_values import plain
from tenas_jax.runs.workdir import Workdir

FOLDER = "tensorboard"  # in a workdir
LARGEST = float(np.finfo(np.float32).max)  # events hold float32

Write = Callable[[int, Mapping[str, float | None]], None]  # step, {tag: value}


def check_tensorboard(wanted: bool) -> None:
    """Looks whether event files could be written, before anything is.

    Raises:
        UserError: they are wanted, and tensorboardX is not installed.
    """
    if wanted and importlib.util.find_spec("tensorboardX") is None:
        raise UserError("tensorboard needs tensorboardX: pip install 'tenas_jax[tensorboard]'")


@contextlib.contextmanager
def summaries(folder: pathlib.Path, wanted: bool) -> Iterator[Write]:
    """Yields a function that writes scalars to an event file, if that is wanted.

    It takes a step and a number for each tag; those that are None are left out. When it returns,
    they are in the file. tensorboardX's usual writer is not used: it writes in a thread, and where
    that fails, as on a full disk, all that comes later waits for ever.

    Args:
        folder: a workdir; the event file lies in its folder `tensorboard`.
        wanted: whether there is one; else the function does nothing.

    Raises:
        UserError: tensorboardX is not installed, or the file cannot be written; the latter also
            from the function.
    """
    check_tensorboard(wanted)
    if not wanted:
        yield lambda step, scalars: None
        return
    # An extra, which needs no TensorFlow.
    from tensorboardX.event_file_writer import EventsWriter
    from tensorboardX.proto.event_pb2 import Event
    from tensorboardX.proto.summary_pb2 import Summary

    folder = folder / FOLDER
    with user_error("write", folder):
        folder.mkdir(exist_ok=True)
        # Of itself the name has the second alone, in which two quick starts may fall.
        writer = EventsWriter(str(folder / "events"), f".{os.getpid()}.{time.time_ns()}")

    def write(step: int, scalars: Mapping[str, float | None]) -> None:
        values = [
            Summary.Value(tag=tag, simple_value=value)
            for tag, value in scalars.items()
            if value is not None
        ]
        event = Event(wall_time=time.time(), step=step, summary=Summary(value=values))
        with user_error("write", folder):
            writer.write_event(event)
            writer.flush()

    try:
        yield write
    finally:
        with contextlib.suppress(OSError):  # all that was to be written has been
            writer.close()


@contextlib.contextmanager
def recorded(workdir: Workdir, wanted: bool) -> Iterator[Write]:
    """While inside, writes the numbers of each record that is appended, if that is wanted.

    The step is the record's number in the file, from 0. A field that is a number, or a list of
    numbers, of which the mean is taken, has the tag `score/FIELD`; all others are left out, and so
    is a number that is missing or not finite (in float32, which events hold).

    Args:
        workdir: open for this run; where this process does not write, it writes no events either.
        wanted: whether there are event files.

    Yields:
        As `summaries`: writes further scalars.

    Raises:
        UserError: as `summaries`; also from `Workdir.append`, once the record is on the disk.
    """
    with summaries(workdir.path, wanted and workdir.is_writer) as write:
        end = workdir.watch(lambda number, record: write(number, _scalars("score", record)))
        try:
            yield write
        finally:
            end()


def followed(strategy: Any, write: Write) -> Any:
    """A search strategy that also writes the numbers of each round that it completes.

    They are those of the entry, a mapping, that `tell` adds to the strategy's attribute `history`,
    such as κ of the supernet in a search that prunes. The tag is `round/FIELD`, the step the
    entry's place in the history. Of a strategy without a history nothing is written.

    Args:
        strategy: as in `tenas_jax.search.Strategy`.
        write: as `summaries` yields it.

    Returns:
        The strategy to search with, which acts on the given one.
    """
    return _Followed(strategy, write)


class _Followed:
    """The given strategy in all but what happens after `tell`."""

    def __init__(self, strategy: Any, write: Write):
        self._strategy, self._write = strategy, write

    def __getattr__(self, name: str) -> Any:
        return getattr(self._strategy, name)

    def tell(self, scores: Any) -> None:
        """The strategy's, then the events."""
        before = len(getattr(self._strategy, "history", ()))
        self._strategy.tell(scores)
        history = getattr(self._strategy, "history", ())
        for step in range(before, len(history)):
            if isinstance(history[step], Mapping):
                # Its number is the step.
                entry = {k: value for k, value in history[step].items() if k != "round"}
                self._write(step, _scalars("round", entry))


def _scalars(group: str, fields: Mapping) -> dict[str, float]:
    """The fields that are numbers, or lists of them, by tag."""
    found = {f"{group}/{name}": _number(value) for name, value in plain(fields).items()}
    return {tag: value for tag, value in found.items() if value is not None}


def _number(value: object) -> float | None:
    """A number, or the mean of a list of them; None for all else, and where an event has none."""
    values = value if isinstance(value, list) else [value]
    if not values or any(isinstance(v, bool) or not isinstance(v, int | float) for v in values):
        return None
    mean = sum(values) / len(values)
    return mean if abs(mean) <= LARGEST else None  # as of NaN
