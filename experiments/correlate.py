"""How well scores at initialisation rank trained accuracies: Kendall's τ on random architectures.

    python -m experiments.correlate --table=accuracy.csv --workdir=runs/tau \
        --data=cifar10 --data_dir=DIR --count=1000

Every score is recorded, so a run that is killed goes on where it was. With
`--scores=FILE.csv|.parquet`, a table of `experiments.score_space`, all its rows are ranked instead
and nothing is scored.
"""

import numpy as np
from absl import app, flags

from experiments.command import define_scoring_flags, main_without_traceback, parse_flags
from experiments.devices import prepare
from tenas_jax import Evaluator, data, presets, spaces
from tenas_jax.benchmarks import Table
from tenas_jax.benchmarks.ranking import tau_rows
from tenas_jax.benchmarks.sample import random_numbers, score_sample
from tenas_jax.benchmarks.score_table import metric_columns
from tenas_jax.errors import UserError
from tenas_jax.records import Workdir
from tenas_jax.report.tables import format_table
from tenas_jax.search.progress import bar

FLAGS = flags.FLAGS
flags.DEFINE_string("table", None, "CSV of trained accuracies: a column arch, others numbers.")
flags.DEFINE_string("workdir", None, "Folder that records the scores.")
flags.DEFINE_string("scores", None, "Table of scores to rank, instead of scoring.")
flags.DEFINE_list("columns", ["cifar10_test", "cifar100_test", "imagenet16_120_test"], "Columns.")
flags.DEFINE_integer("count", 1000, "Random architectures.", lower_bound=10)
flags.DEFINE_integer("cpu_devices", 2, "Architectures scored side by side on CPU.", lower_bound=1)
define_scoring_flags(data="cifar10", repeats=2)
flags.mark_flags_as_required(["table"])
NAMES = ("space", "preset", "data", "batch_size", "repeats", "seed")  # what the scores depend on


def score(space, numbers: list[int]) -> tuple[dict[str, np.ndarray], str]:
    """The metrics of these architectures, and a line on how they were scored."""
    protocol = presets.protocol(FLAGS.preset, batch_size=FLAGS.batch_size, repeats=FLAGS.repeats)
    images = data.load(FLAGS.data, data_dir=FLAGS.data_dir)
    # Each by its own weights: equal forms are not shared, so that no two scores depend.
    evaluator = Evaluator(space, images, protocol, seed=FLAGS.seed, share_equal=False)
    config = {n: FLAGS[n].value for n in NAMES}
    with Workdir.open(FLAGS.workdir, config) as record, bar() as progress:
        found = score_sample(evaluator, numbers, record, progress)
    seconds = np.mean([each.seconds for each in found])
    values = {name: np.array([each.mean(name) for each in found]) for name in protocol.metrics}
    return values, (f"preset {FLAGS.preset}, {FLAGS.data}, N = {FLAGS.batch_size}, "
                    f"{FLAGS.repeats} repeats, {seconds:.2f} s each")  # fmt: skip


def main(argv: list[str]) -> None:
    del argv
    prepare(FLAGS.cpu_devices)
    if bool(FLAGS.workdir) == bool(FLAGS.scores):
        raise UserError("give either --workdir, to score, or --scores, a table of scores")
    space, rng = spaces.get(FLAGS.space), np.random.default_rng(FLAGS.seed)
    table = Table.load(FLAGS.table, space)
    if not FLAGS.columns:
        raise UserError(f"--columns names none; valid: {', '.join(table.columns)}")
    scores = Table.load(FLAGS.scores, space) if FLAGS.scores else None
    numbers = [] if scores else random_numbers(space, FLAGS.count, rng)
    archs = scores.archs if scores else [space.to_string(space.from_index(i)) for i in numbers]
    # Looked up before anything is scored, which takes longer.
    accuracies = {column: table.column(column, archs) for column in FLAGS.columns}
    values, how = (metric_columns(scores), FLAGS.scores) if scores else score(space, numbers)
    rows = tau_rows(values, accuracies, rng)
    print(format_table(("accuracy", "score", "tau", "2.5 %", "97.5 %"), rows))
    print(f"{len(archs)} architectures, {how}")


if __name__ == "__main__":
    app.run(main_without_traceback(main), flags_parser=parse_flags)
