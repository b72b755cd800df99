"""A run of several processes: what one of them read, for all."""

import json
from typing import Any

import jax
import numpy as np
from jax.experimental import multihost_utils


def from_first(value: Any) -> Any:
    """Process 0's value in every process.

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
