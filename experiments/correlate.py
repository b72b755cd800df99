"""How well scores at initialisation rank trained accuracies, how surely, and at what cost.

    python -m experiments.correlate --table=accuracy.csv --workdir=runs/tau \
        --data=cifar10 --data_dir=DIR --count=1000

scores random architectures (`--all`: the whole space; `--archs=FILE`: those of a file) and records
every score, so a run that is killed goes on where it was, and a larger count goes on from a smaller
one. `--scores=FILE.csv|.parquet` ranks a table instead, such as one of `experiments.score_space`.
`--table` is a file of accuracies or NATS-Bench's directory. See docs/rank_study.md.
"""

import contextlib

from absl import app, flags

from experiments import scoring_flags
from experiments.command import main_without_traceback, names, parse_flags
from experiments.devices import prepare
from tenas_jax import Evaluator, data, spaces
from tenas_jax.benchmarks import Table, load
from tenas_jax.benchmarks.rank_study import Study, scores_of_table
from tenas_jax.benchmarks.score_space import chosen_numbers
from tenas_jax.benchmarks.study_run import keep_spectra, scored
from tenas_jax.report.correlation_result import write_correlation
from tenas_jax.runs.listeners import listening
from tenas_jax.runs.tensorboard import check_tensorboard
from tenas_jax.runs.workdir import Workdir
from tenas_jax.scoring import presets

FLAGS = flags.FLAGS
scoring_flags.define_rank_flags()


def rank_table(table: Table) -> None:
    """Ranks a table of scores."""
    given = Table.load(FLAGS.scores, table.space, arch_column=FLAGS.arch_column)
    scores = scores_of_table(given, FLAGS.score_columns)
    study = Study.of(scores.archs, table, **scoring_flags.study_options())
    how = {"space": FLAGS.space, "scores": FLAGS.scores}
    with Workdir.open(FLAGS.workdir, how) if FLAGS.workdir else contextlib.nullcontext() as work:
        write_correlation(study, scores, how, work)


def rank_space(table: Table) -> None:
    """Scores architectures, and ranks them."""
    space, config = table.space, scoring_flags.score_config()
    count = None if FLAGS.all or FLAGS.archs else FLAGS.count
    numbers = chosen_numbers(space, FLAGS.archs, count, FLAGS.seed)
    archs = [space.to_string(space.from_index(i)) for i in numbers]
    study = Study.of(archs, table, **scoring_flags.study_options())
    size = {"batch_size": FLAGS.batch_size, "repeats": FLAGS.repeats}
    protocol = presets.protocol(FLAGS.preset, metrics=names(FLAGS.metrics), **size)
    images = data.load(FLAGS.data, data_dir=FLAGS.data_dir, size=FLAGS.size)
    # Each by its own weights: equal forms are not shared, so that no two scores depend.
    evaluator = Evaluator(space, images, protocol, seed=FLAGS.seed, share_equal=False)
    with Workdir.open(FLAGS.workdir, config) as work:
        with listening(work, tensorboard=FLAGS.tensorboard, unit="architecture") as listener:
            scores = scored(evaluator, numbers, work, listener)
        column, accuracy = next(iter(study.accuracies.items()))
        keep_spectra(evaluator, scores, column, accuracy, work)
        write_correlation(study, scores, {**config, "engine": evaluator.engine}, work)


def main(argv: list[str]) -> None:
    del argv
    prepare(FLAGS.cpu_devices)
    check_tensorboard(FLAGS.tensorboard)
    scoring_flags.check_sources()
    table = load(FLAGS.table, spaces.get(FLAGS.space))
    if FLAGS.scores:
        rank_table(table)
    else:
        rank_space(table)


if __name__ == "__main__":
    app.run(main_without_traceback(main), flags_parser=parse_flags)
