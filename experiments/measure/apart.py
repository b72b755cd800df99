"""A task measured in a process of its own, so that memory and compiling are its alone."""

import dataclasses
import json
import os
import subprocess
import sys
from collections.abc import Sequence

from experiments.measure.work import Task
from tenas_jax.errors import UserError

USER_ERROR = 2  # exit status


def measure_apart(command: Sequence[str], task: Task) -> dict:
    """What a command prints about a task: a JSON object, in its last line.

    The calling process starts no JAX backend by this: an accelerator may take one process alone.

    Args:
        command: given `--task=`, the task as JSON, for a last argument.
        task: what it is to measure.

    Raises:
        UserError: the command could not do it and said why, in one line and with exit status 2.
        ChildProcessError: it failed or was killed; what it said is on standard error.
    """
    argument = f"--task={json.dumps(dataclasses.asdict(task))}"
    # A program found in a cache on disk would not be compiled.
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
