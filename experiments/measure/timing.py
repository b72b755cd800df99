"""The seconds that runs of something take, and the most memory that was held."""

import pathlib
import re
import resource
import sys
import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Any

import jax
import numpy as np


@dataclass(frozen=True)
class Timing:
    """What `timed` saw.

    Attributes:
        seconds: of each timed run, in their order.
        result: what the last run returned.
    """

    seconds: tuple[float, ...]
    result: Any

    @property
    def median(self) -> float:
        """The run in the middle, or the mean of the two there."""
        return float(np.median(self.seconds))


def timed(
    run: Callable[[int], Any],
    repeats: int,
    *,
    warm_up: int = 1,
    clock: Callable[[], float] = time.perf_counter,
) -> Timing:
    """Times runs one by one, each until its arrays are there.

    Args:
        run: given its number: from 0, warm-up included.
        repeats: runs that are timed, at least 1.
        warm_up: runs before them that are not.
        clock: gives the time in seconds.
    """
    for number in range(warm_up):
        jax.block_until_ready(run(number))
    seconds, result = [], None
    for number in range(warm_up, warm_up + repeats):
        start = clock()
        result = jax.block_until_ready(run(number))
        seconds.append(clock() - start)
    return Timing(tuple(seconds), result)


def peak_mib(devices: Sequence[jax.Device]) -> float | None:
    """The most memory in use at once so far, in MiB, on the device where it was most.

    On CPU, of the whole process: interpreter, libraries and compiler too. None for an accelerator
    that does not say.
    """
    if devices[0].platform == "cpu":
        return process_peak_mib()
    peaks = [(device.memory_stats() or {}).get("peak_bytes_in_use") for device in devices]
    return None if None in peaks else max(peaks) / 2**20


def process_peak_mib(status: pathlib.Path = pathlib.Path("/proc/self/status")) -> float:
    """The most memory this process has held at once, in MiB.

    Args:
        status: where Linux tells. `getrusage`, asked where it does not, counts on Linux what the
            parent process held when it started this one.
    """
    try:
        found = re.search(r"^VmHWM:\s*(\d+) kB", status.read_text(), re.M)
    except OSError:
        found = None
    if found:
        return int(found[1]) / 2**10
    unit = 1 if sys.platform == "darwin" else 2**10  # bytes of which ru_maxrss counts so many
    return resource.getrusage(resource.RUSAGE_SELF).ru_maxrss * unit / 2**20
