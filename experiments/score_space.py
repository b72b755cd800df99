"""Scores a whole space, or some architectures of it, into one table of CSV or Parquet.

    python -m experiments.score_space --output=scores.csv --workdir=runs/space \
        --data=cifar10 --data_dir=DIR

Each architecture is scored by its own weights: equal forms are not shared, so that no two scores
depend. Killed and started again, it goes on where it was.

With `--process=I --processes=N`, or by themselves on a TPU pod slice, processes each score a share
on their own devices, and none waits for another; the one that finds all shares complete in the
workdir writes the table. Without a common disk each leaves its share, a folder `process-I-of-N`:
collect them in one workdir, and the same command as a single process writes the table.
"""

import jax
from absl import app, flags

from experiments.command import main_without_traceback, names, parse_flags
from experiments.devices import prepare
from experiments.scoring_flags import SCORED_BY, define_sample_flags, define_scoring_flags
from tenas_jax import Evaluator, data, spaces
from tenas_jax.benchmarks.score_space import chosen_numbers, score_space
from tenas_jax.benchmarks.score_table import check_output
from tenas_jax.errors import UserError
from tenas_jax.runs.listeners import Bars
from tenas_jax.runs.tensorboard import check_tensorboard
from tenas_jax.scoring import presets

FLAGS = flags.FLAGS
flags.DEFINE_string("output", None, "Table to write: FILE.csv or FILE.parquet.")
flags.DEFINE_string("workdir", None, "Folder that records the scores, and from which it resumes.")
flags.DEFINE_integer("process", None, "Which share this is, from 0; JAX's by default.")
flags.DEFINE_integer("processes", None, "How many shares there are; JAX's by default.")
define_sample_flags(count=None)
define_scoring_flags(data="cifar10", repeats=2)
flags.mark_flags_as_required(["output", "workdir"])


def main(argv: list[str]) -> None:
    del argv
    prepare(FLAGS.cpu_devices)
    check_output(FLAGS.output)  # before anything that takes longer
    check_tensorboard(FLAGS.tensorboard)
    if (FLAGS.process is None) != (FLAGS.processes is None):
        raise UserError("--process and --processes go together")
    alone = FLAGS.processes is None
    space = spaces.get(FLAGS.space)
    numbers = chosen_numbers(space, FLAGS.archs, FLAGS.count, FLAGS.seed)
    options = {"batch_size": FLAGS.batch_size, "repeats": FLAGS.repeats}
    protocol = presets.protocol(FLAGS.preset, metrics=names(FLAGS.metrics), **options)
    images = data.load(FLAGS.data, data_dir=FLAGS.data_dir, size=FLAGS.size)
    evaluator = Evaluator(
        space, images, protocol, seed=FLAGS.seed, devices=jax.local_devices(), share_equal=False
    )
    config = {name: FLAGS[name].value for name in SCORED_BY}
    with Bars("architecture") as listener:
        left = score_space(
            evaluator,
            numbers,
            FLAGS.workdir,
            config,
            FLAGS.output,
            process=jax.process_index() if alone else FLAGS.process,
            processes=jax.process_count() if alone else FLAGS.processes,
            listener=listener,
            tensorboard=FLAGS.tensorboard,
        )
    waits = f"this share is done; in {FLAGS.workdir}, {left} architectures of others are missing"
    print(waits if left else f"{len(numbers)} architectures are in {FLAGS.output}")


if __name__ == "__main__":
    app.run(main_without_traceback(main), flags_parser=parse_flags)
