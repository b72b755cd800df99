"""The records of a training, one an epoch, as they are read when it goes on."""

from tenas_jax.errors import UserError
from tenas_jax.records import Workdir


def recorded_epochs(workdir: Workdir) -> set[int]:
    """The epochs that have a record.

    Raises:
        UserError: a record is none of a training's.
    """
    epochs = set()
    for line, record in enumerate(workdir.records(), 1):
        epoch, seconds = record.get("epoch"), record.get("seconds")
        if type(epoch) is not int or not isinstance(seconds, float | int):
            raise UserError(f"{workdir.path}: record {line} is damaged: no epoch, or no seconds")
        epochs.add(epoch)
    return epochs
