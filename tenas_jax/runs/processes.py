"""A run of several processes: what one of them read, for all."""

import json
import zlib
from collections.abc import Mapping
from typing import Any

import jax
import numpy as np
from jax.experimental import multihost_utils

from tenas_jax.errors import UserError
from tenas_jax.runs.json_values import differences, plain


def from_first(value: Any) -> Any:
    """Gives process 0's value to every process.

    Process 0 alone writes a run's records, perhaps on a disk that the others do not see; read
    there and handed on, they are the same for all, so that all go the same way.

    Args:
        value: anything that JSON holds, with NaN and infinities; what it is in other processes is
            not looked at.

    Returns:
        The value; with one process the object itself, else a copy made through JSON.
    """
    if jax.process_count() == 1:
        return value
    text = np.frombuffer(json.dumps(value).encode(), np.uint8)
    length = int(multihost_utils.broadcast_one_to_all(np.int32(len(text))))
    padded = np.resize(text, length)  # other processes give an array of the same shape
    return json.loads(bytes(np.asarray(multihost_utils.broadcast_one_to_all(padded))))


def check_agreement(config: Mapping, images: np.ndarray, ignore: tuple[str, ...] = ()) -> None:
    """Finds out whether every process was started for the same, before they compute together.

    Args:
        config: what this process was asked to do.
        images: what it loaded, any array.
        ignore: dotted names of config fields that may differ.

    Raises:
        UserError: process 0 has another config or other images.
    """
    if jax.process_count() == 1:
        return
    crc = zlib.crc32(np.ascontiguousarray(images))
    mine = plain({**config, "images": f"{len(images)} images, checksum {crc:08x}"})
    differing = list(differences(from_first(mine), mine, ignore))
    if differing:
        raise UserError(f"process 0 was started for something else: {'; '.join(differing)}")
