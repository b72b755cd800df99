"""Measures what things cost on this machine: seconds and peak memory, each row in its own process.

    python -m experiments.speed --output=runs/speed.json

Writes the rows so far after each one, and at the end FILE.png beside FILE.json. What the cases are
is in experiments/measure/work.py, what a row says in experiments/measure/rows.py.
"""

import functools
import json
import sys

from absl import app, flags

from experiments.command import main_without_traceback, parse_flags
from experiments.devices import keep_freed_memory, use_cpu_devices
from experiments.measure.cases import CASES, tasks
from experiments.measure.rows import measure, measure_apart
from experiments.measure.work import Task
from tenas_jax.errors import UserError
from tenas_jax.runs.environment import environment

FLAGS = flags.FLAGS
flags.DEFINE_string("output", None, "FILE.json for the rows; the picture lies beside it.")
flags.DEFINE_list("only", list(CASES), "Cases to measure.")
flags.DEFINE_list("sizes", ["16", "32", "72"], "Images N of the kernel.")
flags.DEFINE_integer("repeats", 5, "Timed runs, after one to warm up.", lower_bound=1)
flags.DEFINE_integer("side", 32, "Side of the images.", lower_bound=4)
flags.DEFINE_string("task", None, "Not for users: the one row that this process measures.")


def measure_here(task: Task) -> None:
    """Prints a task's row and what it ran on: all that a process does which has `--task`."""
    use_cpu_devices(CASES[task.case].cpu_devices)
    keep_freed_memory()
    print(json.dumps({"row": measure(task), "environment": environment()}))


def main(argv: list[str]) -> int:
    del argv
    if FLAGS.task is not None:
        measure_here(Task(**json.loads(FLAGS.task)))
        return 0
    from experiments.measure.results import check_output, measure_all  # matplotlib, see there

    if FLAGS.output is None:
        raise UserError("--output is missing: name the file for the rows, FILE.json")
    if not all(size.isdecimal() for size in FLAGS.sizes):
        raise UserError(f"--sizes must be whole numbers, not {','.join(FLAGS.sizes)!r}")
    sizes = [int(size) for size in FLAGS.sizes]
    planned = tasks(FLAGS.only, sizes, side=FLAGS.side, repeats=FLAGS.repeats)
    check_output(FLAGS.output)
    # This process starts no JAX backend: an accelerator may take one process alone.
    apart = functools.partial(measure_apart, [sys.executable, "-m", "experiments.speed"])
    return 1 if measure_all(planned, apart, FLAGS.output) else 0


if __name__ == "__main__":
    app.run(main_without_traceback(main), flags_parser=parse_flags)
