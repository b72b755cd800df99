"""The flags of `correlate`, and what they say of a study."""

from absl import flags

from experiments.command import define_sample_flags, define_scoring_flags
from tenas_jax.benchmarks import Table
from tenas_jax.benchmarks.rank_study import COMBINED, parse_weights
from tenas_jax.errors import UserError
from tenas_jax.report.search_result import accuracy_columns

FLAGS = flags.FLAGS
NAMES = ("space", "preset", "data", "batch_size", "repeats", "seed")  # what scores depend on


def define_rank_flags() -> None:
    """Flags of what is ranked, what by, and what is said of it."""
    flags.DEFINE_string("table", None, "Accuracies: CSV or Parquet, or NATS-Bench's directory.")
    flags.DEFINE_list("columns", None, "Its columns; the three test accuracies by default.")
    flags.DEFINE_string("workdir", None, "Folder that records the scores and the result.")
    flags.DEFINE_string("scores", None, "Table of scores to rank, instead of scoring.")
    flags.DEFINE_string("arch_column", "arch", "Its column of architectures.")
    flags.DEFINE_list("score_columns", None, "Its columns to rank; -NAME where lower is better.")
    flags.DEFINE_list("combine", list(COMBINED), "How scores are combined.")
    flags.DEFINE_list("weights", None, "NAME=WEIGHT of scores, for the combination `weighted`.")
    flags.DEFINE_integer("resamples", 1000, "Bootstrap resamples.", lower_bound=10)
    flags.DEFINE_bool("all", False, "Score the whole space instead.")
    define_sample_flags(count=1000)
    define_scoring_flags(data="cifar10", repeats=2)
    flags.mark_flags_as_required(["table"])


def check_sources() -> None:
    """`UserError` unless there is something to rank, and one source of it."""
    if not (FLAGS.workdir or FLAGS.scores):
        raise UserError("give either --workdir, to score, or --scores, a table of scores")
    if FLAGS.scores and (FLAGS.all or FLAGS.archs):
        raise UserError("--scores ranks all its rows: leave out --all and --archs")
    if FLAGS.all and FLAGS.archs:
        raise UserError("give --all or --archs, not both")


def study_options(table: Table) -> dict:
    """What `rank_study.Study.of` takes beside architectures and table."""
    return {
        "columns": accuracy_columns(table) if FLAGS.columns is None else FLAGS.columns,
        "combinations": tuple(FLAGS.combine),
        "weights": parse_weights(FLAGS.weights),
        "seed": FLAGS.seed,
        "resamples": FLAGS.resamples,
    }


def score_config() -> dict:
    """What the scores depend on: the config of their workdir."""
    config = {name: FLAGS[name].value for name in NAMES}
    given = {name: FLAGS[name].value for name in ("metrics", "size")}
    return config | {name: value for name, value in given.items() if value}
