"""Where a compiled program's time goes: JAX's own trace, added up by kind of operation."""

import collections
import pathlib
import re
import tempfile
from collections.abc import Callable

import jax

# What the text of an operation, or of the computation that it fuses, holds -> its kind. The first
# that fits counts: a fusion that holds a product is a product.
KINDS = (
    (r" (dot|__onednn\$matmul)\(", "products"),
    (r" convolution\(", "convolutions"),
    (r" (reduce|reduce-window)\(", "reductions"),
    (r" (pad|slice|concatenate|dynamic-update-slice)\(", "shifts and joins"),
    (r" (copy|transpose)\(", "copies and transposes"),
)


def seconds_by_kind(run: Callable[[], object], program: str, folder: str | None = None) -> dict:
    """What one run of a program spends on each kind of operation.

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
    """Operation -> kind, for a program's text; loops and calls are left out, as their parts count.

    Args:
        program: HLO, as `compiled.as_text()` gives it.
    """
    bodies, name = {}, None
    for line in program.splitlines():
        if line.endswith("{") and (start := re.match(r"^(?:ENTRY )?%?([\w.-]+) \(", line)):
            name = start[1]
            bodies[name] = []
        elif name and " = " in line:
            bodies[name].append(line)
    found = {}
    for lines in bodies.values():
        for line in lines:
            operation = re.match(r"\s*(?:ROOT )?%?([\w.-]+) = ", line)[1]
            called = re.search(r"calls=%?([\w.-]+)", line)
            text = "\n".join([line, *bodies.get(called[1], [])]) if called else line
            if not re.search(
                r" (while|call|conditional|parameter|tuple|get-tuple-element)\(", line
            ):
                found[operation] = next((k for p, k in KINDS if re.search(p, text)), "elementwise")
    return found
