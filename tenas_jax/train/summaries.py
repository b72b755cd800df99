"""The records of a training as TensorBoard shows them."""

import contextlib
import os
import pathlib
import time
from collections.abc import Callable, Iterator, Mapping

from tenas_jax.files import user_error

FOLDER = "tensorboard"  # in a workdir

# field of a record -> what TensorBoard calls it
SCALARS = {
    "train_loss": "train/loss",
    "train_top1": "train/top1",
    "test_loss": "test/loss",
    "test_top1": "test/top1",
    "test_top5": "test/top5",
    "learning_rate": "learning_rate",
    "images_per_second": "images_per_second",
}


@contextlib.contextmanager
def summaries(workdir: pathlib.Path, wanted: bool) -> Iterator[Callable[[Mapping], None]]:
    """Yields a function that writes a record to an event file, if that is wanted.

    When the function returns, the record is in the file; every start of a training has its own.
    tensorboardX's usual writer is not used: it writes in a thread, and where that fails, as on a
    full disk, all later records wait for ever.

    Args:
        workdir: the event file lies in its folder `tensorboard`.
        wanted: whether there is one; tensorboardX must then be installed.

    Raises:
        UserError: the file cannot be written; also from the function.
    """
    if not wanted:
        yield lambda record: None
        return
    # An extra, which needs no TensorFlow.
    from tensorboardX.event_file_writer import EventsWriter
    from tensorboardX.proto.event_pb2 import Event
    from tensorboardX.proto.summary_pb2 import Summary

    folder = workdir / FOLDER
    with user_error("write", folder):
        folder.mkdir(exist_ok=True)
        # The name has the second besides, in which two quick starts may fall.
        writer = EventsWriter(str(folder / "events"), f".{os.getpid()}")

    def write(record: Mapping) -> None:
        shown = {name: record[field] for field, name in SCALARS.items()}
        values = [
            Summary.Value(tag=name, simple_value=value)
            for name, value in shown.items()
            if value is not None
        ]
        event = Event(wall_time=time.time(), step=record["step"], summary=Summary(value=values))
        with user_error("write", folder):
            writer.write_event(event)
            writer.flush()

    try:
        yield write
    finally:
        with contextlib.suppress(OSError):  # all that was to be written has been
            writer.close()
