"""One row of a measurement: what a task cost, in this process or in one of its own."""

import dataclasses
import json
import os
import subprocess
import sys
from collections.abc import Sequence

from experiments.measure.cases import CASES
from experiments.measure.timing import peak_mib, timed
from experiments.measure.work import Task
from tenas_jax.errors import UserError

# The fields of a row, in their order.
FIELDS = (
    "name",
    "space",
    "engine",
    "n",
    "k",
    "seconds_median",
    "seconds_min",
    "seconds_max",
    "compile_seconds",
    "peak_mib",
    "device",
)
USER_ERROR = 2  # exit status


def measure(task: Task) -> dict:
    """Does a task and says what it cost, in plain values.

    Peak memory is the process's, so a process should measure one task and no other.

    Returns:
        name: the case; space: its space.
        engine: of the kernel, None where there is none.
        n: images N of the kernel (for linear regions, patches).
        k: architectures that a run scored.
        seconds_median, seconds_min, seconds_max: of the timed runs, without compiling but where the
            case is cold, over k where it says the seconds of each.
        compile_seconds: from a function to a program, tracing included.
        peak_mib: see `timing.peak_mib`.
        device: its kind, and how many where more than one.

    Raises:
        UserError: the task cannot be done here, as where its engine is not installed.
    """
    case = CASES[task.case]
    work = case.prepare(task)
    timing = timed(work.run, task.repeats, warm_up=0 if case.cold else 1)
    share = timing.result if case.each else 1
    kind, count = work.devices[0].device_kind, len(work.devices)
    values = (
        task.case,
        task.space,
        work.engine,
        task.n,
        timing.result,
        timing.median / share,
        min(timing.seconds) / share,
        max(timing.seconds) / share,
        work.compile_seconds(),
        peak_mib(work.devices),
        kind if count == 1 else f"{count} x {kind}",
    )
    return dict(zip(FIELDS, values, strict=True))


def measure_apart(command: Sequence[str], task: Task) -> dict:
    """Runs a command that measures a task, so that memory and compiling are the task's alone.

    The calling process starts no JAX backend by this: an accelerator may take one process alone.

    Args:
        command: given `--task=`, the task as JSON, for a last argument. It prints a JSON object in
            its last line.
        task: what it is to measure.

    Returns:
        The object.

    Raises:
        UserError: the command could not do it and said why, in one line and with exit status 2.
        ChildProcessError: it failed or was killed; what it said is on standard error.
    """
    argument = f"--task={json.dumps(dataclasses.asdict(task))}"
    # A program from a cache on disk would not be compiled.
    variables = {**os.environ, "JAX_ENABLE_COMPILATION_CACHE": "false"}
    done = subprocess.run([*command, argument], env=variables, capture_output=True, text=True)
    if done.returncode == USER_ERROR:
        lines = done.stderr.splitlines() or ["no reason given"]
        raise UserError(lines[-1].removeprefix("error: "))
    if done.returncode < 0:
        raise ChildProcessError(f"killed by signal {-done.returncode} (out of memory?)")
    if done.returncode:
        print(done.stderr, file=sys.stderr, end="")
        raise ChildProcessError(f"failed with exit status {done.returncode}")
    return json.loads(done.stdout.splitlines()[-1])
