"""What running a program takes: seconds, memory, and the kinds of its operations."""

import collections
import pathlib
import re
import resource
import sys
import tempfile
import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Any

import jax
import jax.numpy as jnp
import numpy as np

SIDE, LENGTH = 2048, 2**26  # of a product; of a sum, far more than a cache holds

# What the text of an operation, or of the computation that it fuses, holds -> its kind. The first
# that fits counts: a fusion that holds a product is a product.
KINDS = (
    (r" (dot|__onednn\$matmul)\(", "products"),
    (r" convolution\(", "convolutions"),
    (r" (reduce|reduce-window)\(", "reductions"),
    (r" (pad|slice|concatenate|dynamic-update-slice)\(", "shifts and joins"),
    (r" (copy|transpose)\(", "copies and transposes"),
)


@dataclass(frozen=True)
class Timing:
    """Holds what `timed` saw.

    Attributes:
        seconds: of each timed run, in their order.
        result: what the last run returned.
    """

    seconds: tuple[float, ...]
    result: Any

    @property
    def median(self) -> float:
        """Returns the run in the middle, or the mean of the two there."""
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
    """Reads the most memory in use at once so far, in MiB, on the device where it was most.

    On CPU, of the whole process: interpreter, libraries and compiler too. None for an accelerator
    that does not say.
    """
    if devices[0].platform == "cpu":
        return process_peak_mib()
    peaks = [(device.memory_stats() or {}).get("peak_bytes_in_use") for device in devices]
    return None if None in peaks else max(peaks) / 2**20


def process_peak_mib(status: pathlib.Path = pathlib.Path("/proc/self/status")) -> float:
    """Reads the most memory this process has held at once, in MiB.

    Args:
        status: where Linux tells. `getrusage`, asked where it does not, counts on Linux what the
            parent process held when it started this one.
    """
    try:
        line = re.search(r"^VmHWM:\s*(\d+) kB", status.read_text(), re.M)
    except OSError:
        line = None
    if line:
        return int(line[1]) / 2**10
    unit = 1 if sys.platform == "darwin" else 2**10  # bytes of which ru_maxrss counts so many
    return resource.getrusage(resource.RUSAGE_SELF).ru_maxrss * unit / 2**20


def best_of_machine() -> tuple[float, float]:
    """Measures what the first device does at best, in float32, to compare with.

    Returns:
        GFLOP/s of the product of two large matrices, and GB/s read and written by the sum of two
        large vectors.
    """
    a, x, y = jnp.ones((SIDE, SIDE)), jnp.ones(LENGTH), jnp.ones(LENGTH)
    product, total = jax.jit(jnp.matmul), jax.jit(jnp.add)
    arithmetic = timed(lambda _: product(a, a), 7).median
    memory = timed(lambda _: total(x, y), 7).median
    return 2 * SIDE**3 / arithmetic / 1e9, 3 * x.nbytes / memory / 1e9


def seconds_by_kind(run: Callable[[], object], program: str, folder: str | None = None) -> dict:
    """Measures what one run of a program spends on each kind of operation, by JAX's own trace.

    Args:
        run: runs the compiled program once.
        program: its text, `compiled.as_text()`.
        folder: keeps the trace, for TensorBoard or Perfetto; None keeps none.

    Returns:
        kind -> seconds, summed over threads, the largest first.
    """
    kinds = operation_kinds(program)
    total = collections.Counter()
    with tempfile.TemporaryDirectory() as scratch:
        where = folder or scratch
        with jax.profiler.trace(where):
            jax.block_until_ready(run())
        newest = max(pathlib.Path(where).rglob("*.xplane.pb"), key=lambda p: p.stat().st_mtime)
        for plane in jax.profiler.ProfileData.from_file(str(newest)).planes:
            for line in plane.lines:
                for event in line.events:
                    if any(name == "hlo_op" for name, _ in event.stats) and event.name in kinds:
                        total[kinds[event.name]] += event.duration_ns / 1e9
    return dict(total.most_common())


def operation_kinds(program: str) -> dict[str, str]:
    """Returns operation -> kind of a program's text; loops and calls count by their parts alone.

    Args:
        program: HLO, as `compiled.as_text()` gives it.
    """
    # The lines of each computation.
    bodies, name = {}, None
    for line in program.splitlines():
        if line.endswith("{") and (start := re.match(r"^(?:ENTRY )?%?([\w.-]+) \(", line)):
            name = start[1]
            bodies[name] = []
        elif name and " = " in line:
            bodies[name].append(line)
    # Each operation by its line, a fusion by the computation that it calls.
    kinds = {}
    for lines in bodies.values():
        for line in lines:
            operation = re.match(r"\s*(?:ROOT )?%?([\w.-]+) = ", line)[1]
            called = re.search(r"calls=%?([\w.-]+)", line)
            text = "\n".join([line, *bodies.get(called[1], [])]) if called else line
            if not re.search(
                r" (while|call|conditional|parameter|tuple|get-tuple-element)\(", line
            ):
                kinds[operation] = next((k for p, k in KINDS if re.search(p, text)), "elementwise")
    return kinds
