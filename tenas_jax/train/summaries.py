"""The records of a training as TensorBoard shows them."""

import contextlib
import pathlib
from collections.abc import Callable, Iterator, Mapping

from tenas_jax.runs.tensorboard import FOLDER
from tenas_jax.runs.tensorboard import summaries as event_file

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

    Args:
        workdir: the event file lies in its folder `tensorboard`.
        wanted: whether there is one; tensorboardX must then be installed.

    Raises:
        UserError: the file cannot be written; also from the function.
    """
    with event_file(workdir, wanted) as write:
        yield lambda record: write(
            record["step"], {tag: record[field] for field, tag in SCALARS.items()}
        )


__all__ = ["FOLDER", "SCALARS", "summaries"]
