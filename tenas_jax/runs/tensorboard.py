"""The numbers of a run as TensorBoard reads them: event files beside its records.

Each start of a run writes an event file of its own in the workdir's folder `tensorboard`, and
TensorBoard puts them together: steps go on where the start before ended.
"""

import contextlib
import importlib.util
import os
import pathlib
import time
from collections.abc import Mapping

from tenas_jax.errors import UserError, user_error

FOLDER = "tensorboard"  # in a workdir


def check_tensorboard(wanted: bool) -> None:
    """Looks whether event files could be written, before anything is.

    Raises:
        UserError: they are wanted, and tensorboardX is not installed.
    """
    if wanted and importlib.util.find_spec("tensorboardX") is None:
        raise UserError("tensorboard needs tensorboardX: pip install 'tenas_jax[tensorboard]'")


class EventFile:
    """Writes scalars to an event file, which is made with the first of them.

    tensorboardX's usual writer is not used: it writes in a thread, and where that fails, as on a
    full disk, all that comes later waits for ever.
    """

    def __init__(self, workdir: pathlib.Path):
        """Nothing is written yet.

        Args:
            workdir: the file will lie in its folder `tensorboard`.

        Raises:
            UserError: tensorboardX is not installed.
        """
        check_tensorboard(True)
        self._folder, self._writer = workdir / FOLDER, None

    def write(self, step: int, scalars: Mapping[str, float | None]) -> None:
        """Writes a number for each tag; when this returns, they are in the file.

        Args:
            step: what they are numbers of.
            scalars: tag -> number; those that are None are left out.

        Raises:
            UserError: the file cannot be written.
        """
        # An extra, which needs no TensorFlow.
        from tensorboardX.event_file_writer import EventsWriter
        from tensorboardX.proto.event_pb2 import Event
        from tensorboardX.proto.summary_pb2 import Summary

        values = [
            Summary.Value(tag=tag, simple_value=value)
            for tag, value in scalars.items()
            if value is not None
        ]
        event = Event(wall_time=time.time(), step=step, summary=Summary(value=values))
        with user_error("write", self._folder):
            if self._writer is None:
                self._folder.mkdir(exist_ok=True)
                # Of itself the name has the second alone, in which two quick starts may fall.
                name = f".{os.getpid()}.{time.time_ns()}"
                self._writer = EventsWriter(str(self._folder / "events"), name)
            self._writer.write_event(event)
            self._writer.flush()

    def close(self) -> None:
        """Closes the file; closing twice is fine."""
        if self._writer is not None:
            with contextlib.suppress(OSError):  # all that was to be written has been
                self._writer.close()
            self._writer = None
