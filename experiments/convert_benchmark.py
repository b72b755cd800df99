"""Writes NATS-Bench's topology directory as a table, which loads in a second.

    python -m experiments.convert_benchmark --benchmark=NATS-tss-v1_0-3ffb9-simple \
        --output=accuracy.csv

Such directories are pickles, which can run code as they are read: read only those that you trust.
"""

import functools

from absl import app, flags

from experiments.command import main_without_traceback, parse_flags
from tenas_jax import spaces
from tenas_jax.benchmarks.nats_bench import read_nats_bench, write_accuracies
from tenas_jax.benchmarks.score_table import check_output
from tenas_jax.runs.listeners import Bars

FLAGS = flags.FLAGS
flags.DEFINE_string("benchmark", None, "NATS-Bench's directory.")
flags.DEFINE_string("output", None, "Table to write: FILE.csv or FILE.parquet.")
flags.mark_flags_as_required(["benchmark", "output"])


def main(argv: list[str]) -> None:
    del argv
    check_output(FLAGS.output)  # before anything that takes longer
    space = spaces.get("nas_bench_201")
    with Bars("architecture") as listener:
        progress = functools.partial(listener.on_progress, "reading")
        table = read_nats_bench(FLAGS.benchmark, space, progress)
    write_accuracies(FLAGS.output, table)
    print(f"{len(table)} architectures are in {FLAGS.output}")
    print(f"data sets: {', '.join(table.datasets)}")
    print(f"columns: {', '.join(table.columns)}")


if __name__ == "__main__":
    app.run(main_without_traceback(main), flags_parser=parse_flags)
