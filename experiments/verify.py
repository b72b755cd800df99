"""Recomputes a folder of golden cases and says how far off each number is.

    python -m experiments.verify --golden=tests/golden

Runs every case on both engines, in float64 and float32. Exits 1 if a number is beyond tolerance
(relative 1e-6 in float64, 1e-3 in float32). In float32, kernel entries of an image with a ReLU at
its kink are shown in a row of their own, and counted by themselves: rounding decides them.
"""

import math

import jax
from absl import app, flags

from experiments import golden
from experiments.command import main_without_traceback, parse_flags
from experiments.devices import use_compilation_cache
from tenas_jax.errors import UserError, lookup
from tenas_jax.ntk import ENGINES
from tenas_jax.report.tables import format_table

OK, KINK, BEYOND = "ok", "at a kink", "BEYOND"

FLAGS = flags.FLAGS
flags.DEFINE_string("golden", None, "Folder of golden cases: ntk.json, linear_regions.json.")
flags.DEFINE_list("engine", sorted(ENGINES), "Engines to run.")
flags.DEFINE_list("dtype", sorted(golden.TOLERANCES), "Precisions to run: float64, float32.")
flags.mark_flag_as_required("golden")


def verify(folder: str, engines: list[str], dtypes: list[str]) -> int:
    """Prints a row a number and returns how many are beyond tolerance, but for kinks."""
    cases, skipped = golden.read(folder)
    for name in skipped:
        print(f"skipped, not built yet: {name}")
    marks = []
    for dtype in dtypes:
        tolerance = lookup("precision", golden.TOLERANCES, dtype)
        for engine in engines:
            lookup("engine", ENGINES, engine)
            print(f"\n{dtype}, engine {engine}, tolerance {tolerance:g}", flush=True)
            rows = []
            with jax.enable_x64(dtype == "float64"):
                for kind, case in cases:
                    rows += golden.CHECKS[kind](case, dtype, engine)
            marked = [mark(row, tolerance) for row in rows]
            table = [
                (r.name, r.quantity, f"{r.value:.9g}", f"{r.reference:.9g}", f"{r.error:.1e}", m)
                for r, m in zip(rows, marked, strict=True)
            ]
            print(format_table(("case", "quantity", "value", "reference", "error", ""), table))
            marks += marked
    print(f"\n{marks.count(OK)} of {len(marks)} numbers within tolerance", end="")
    print(f", {marks.count(KINK)} beyond it {KINK}" if KINK in marks else "")
    return marks.count(BEYOND)


def mark(row: golden.Row, tolerance: float) -> str:
    """Returns the word for a row; a NaN is beyond any tolerance, and at a kink too."""
    if row.error <= tolerance:
        return OK
    return KINK if row.at_kink and math.isfinite(row.error) else BEYOND


def main(argv: list[str]) -> int:
    del argv
    use_compilation_cache()
    for name in ("engine", "dtype"):
        if not FLAGS[name].value:
            raise UserError(f"--{name} names nothing to verify")
    return 1 if verify(FLAGS.golden, FLAGS.engine, FLAGS.dtype) else 0


if __name__ == "__main__":
    app.run(main_without_traceback(main), flags_parser=parse_flags)
