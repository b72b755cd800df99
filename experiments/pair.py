"""Pairs two commands, A B A B …, so that a ratio is measured in one run and not remembered.

    python -m experiments.pair --pairs=10 --number='seconds ([0-9.]+)' \
        --a='python -m experiments.NAME …' --b='cd OTHER && python -m experiments.NAME …'

Each is run by a shell, as a whole process; what counts is the number that its output says, or the
seconds that it took. Prints both medians, and the median of the pairs' ratios A / B with the 95 %
interval of a bootstrap over pairs.
"""

import re
import subprocess
import time
from collections.abc import Sequence

import numpy as np
from absl import app, flags

from experiments.command import main_without_traceback, parse_flags
from tenas_jax.errors import UserError

FLAGS = flags.FLAGS
flags.DEFINE_string("a", None, "The one command, for a shell.")
flags.DEFINE_string("b", None, "The other.")
flags.DEFINE_integer("pairs", 10, "How often each is run, after one run that does not count.")
flags.DEFINE_multi_string("number", None, "Pattern whose group is a number; else wall seconds.")
flags.mark_flags_as_required(["a", "b"])

RESAMPLES = 10_000


def measured(command: str, patterns: Sequence[str] | None) -> list[float]:
    """Runs a command and returns its numbers, one a pattern.

    Raises:
        UserError: it fails, or says no such number.
    """
    start = time.perf_counter()
    done = subprocess.run(command, shell=True, capture_output=True, text=True, check=False)
    seconds = time.perf_counter() - start
    if done.returncode:
        last = (done.stderr.strip().splitlines() or ["no word"])[-1]
        raise UserError(f"status {done.returncode} of {command!r}: {last}")
    if not patterns:
        return [seconds]
    numbers = []
    for pattern in patterns:
        match = re.search(pattern, done.stdout + done.stderr)
        if match is None:
            raise UserError(f"the output of {command!r} has nothing like {pattern!r}")
        numbers.append(float(match[1]))
    return numbers


def interval(ratios: np.ndarray) -> tuple[float, float]:
    """Computes the 95 % interval of the median of ratios [K], by a bootstrap over them."""
    draws = np.random.default_rng(0).integers(len(ratios), size=(RESAMPLES, len(ratios)))
    low, high = np.percentile(np.median(ratios[draws], axis=1), [2.5, 97.5])
    return float(low), float(high)


def main(argv: list[str]) -> None:
    del argv
    for command in (FLAGS.a, FLAGS.b):  # caches are filled
        measured(command, FLAGS.number)
    rows = []
    for number in range(1, FLAGS.pairs + 1):
        rows.append([measured(command, FLAGS.number) for command in (FLAGS.a, FLAGS.b)])
        print(f"pair {number}: a {rows[-1][0]}, b {rows[-1][1]}", flush=True)
    for k, name in enumerate(FLAGS.number or ["seconds"]):
        a, b = np.array(rows)[:, :, k].T
        low, high = interval(a / b)
        print(
            f"{name}: medians a {np.median(a):.4g}, b {np.median(b):.4g}; ratio a / b "
            f"{np.median(a / b):.3f} [{low:.3f}, {high:.3f}] of {len(rows)} pairs"
        )


if __name__ == "__main__":
    app.run(main_without_traceback(main), flags_parser=parse_flags)
