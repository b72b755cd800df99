"""A process that has imported what every command needs, and forks one for each that is asked for.

    python forks.py

Importing takes longer than most commands that are refused. No backend of JAX starts here, so there
is no thread of its that a fork could lack. Each line of standard input is a request in JSON, each
line of standard output its answer:

    {"module": NAME, "arguments": [...], "out": FILE, "err": FILE, "small": BOOL, "records": COUNT}
        the process id of what `python -m NAME ARGUMENTS` does, from parsing its arguments to its
        exit. With small networks it compiles in half the time; it is killed behind COUNT records.
    {"wait": PID, "seconds": LIMIT}
        its exit status, negative for a signal; where it still runs after so long, it is killed, and
        the answer is null.

At the end of its input it kills what it started and nobody waited for.
"""

import gc
import json
import os
import runpy
import signal
import sys
import time
import warnings

# All that is slow to import, so that a fork need not.
import ml_collections.config_flags  # noqa: F401
import pandas  # noqa: F401
import scipy.stats  # noqa: F401
import tensorflow_datasets  # noqa: F401
from absl import app  # noqa: F401

import experiments.command  # noqa: F401
import tenas_jax.benchmarks.score_space
import tenas_jax.report.page
import tenas_jax.report.search_result
import tenas_jax.report.training_result
import tenas_jax.runs.listeners  # noqa: F401
from tenas_jax.networks.nas_bench_201 import scored
from tenas_jax.runs.workdir import Workdir


def become(request: dict) -> None:
    """Does in this process what is asked for, and ends as that ends."""
    for stream, path in ((0, os.devnull), (1, request["out"]), (2, request["err"])):
        descriptor = os.open(path, os.O_RDWR | os.O_CREAT | os.O_TRUNC, 0o666)
        os.dup2(descriptor, stream)
        os.close(descriptor)
    if request["small"]:
        scored.NETWORKS["scored"] = scored.NETWORKS["testing"]
    if request["records"] is not None:
        die_after(request["records"])
    sys.argv = [request["module"], *request["arguments"]]
    runpy.run_module(request["module"], run_name="__main__", alter_sys=True)


def die_after(count: int) -> None:
    """Has this process killed before it records, or leaves to another to record, one too many."""
    append, left = Workdir.append, iter(range(count))

    def append_or_die(self, record):
        if next(left, None) is None:
            os.kill(os.getpid(), signal.SIGKILL)
        append(self, record)

    Workdir.append = append_or_die


def wait(pid: int, seconds: float) -> int | None:
    deadline = time.monotonic() + seconds
    while time.monotonic() < deadline:
        found, status = os.waitpid(pid, os.WNOHANG)
        if found:
            return os.waitstatus_to_exitcode(status)
        time.sleep(0.01)
    kill(pid)
    return None


def kill(pid: int) -> None:
    os.kill(pid, signal.SIGKILL)
    os.waitpid(pid, 0)


def main() -> None:
    gc.freeze()  # else every fork copies all these objects only to look at them when it ends
    running = set()
    for line in sys.stdin:
        request = json.loads(line)
        if "wait" in request:
            answer = wait(request["wait"], request["seconds"])
            running.discard(request["wait"])
        else:
            with warnings.catch_warnings():
                warnings.simplefilter("ignore")  # JAX's, of threads that only a backend starts
                answer = os.fork()
            if answer == 0:
                return become(request)
            running.add(answer)
        print(json.dumps(answer), flush=True)
    for pid in running:
        kill(pid)


if __name__ == "__main__":
    main()
