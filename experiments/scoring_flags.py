"""Flags of commands that score without a config: what is scored and how, and what is ranked."""

from collections.abc import Sequence

from absl import flags

from tenas_jax.errors import UserError

FLAGS = flags.FLAGS
SCORED_BY = ("space", "preset", "data", "batch_size", "repeats", "seed")  # what scores depend on


def define_scoring_flags(*, data: str, repeats: int) -> None:
    """Defines flags of what is scored and how; two defaults may differ."""
    flags.DEFINE_string("space", "nas_bench_201", "Space of the architectures.")
    flags.DEFINE_string("preset", "reference", "How they are scored: reference, paper or as_vit.")
    flags.DEFINE_string("data", data, "Where images come from: photos, cifar10, file.npz, …")
    flags.DEFINE_string("data_dir", None, "TFDS folder.")
    flags.DEFINE_integer("size", None, "Side that images are resized to; None leaves them.")
    flags.DEFINE_integer("batch_size", 16, "Images N of the kernel.", lower_bound=1)
    flags.DEFINE_integer("repeats", repeats, "Batches that are averaged.", lower_bound=1)
    flags.DEFINE_integer("seed", 0, "Of weights, batches and samples.", lower_bound=0)


def define_sample_flags(*, count: int | None) -> None:
    """Defines flags of which architectures are scored, for `benchmarks.sample`, and of scoring."""
    flags.DEFINE_integer(
        "count", count, "How many random architectures; none means all.", lower_bound=1
    )
    flags.DEFINE_string("archs", None, "Text file of architectures instead, one a line.")
    flags.DEFINE_list("metrics", None, "Metrics to compute; the preset's by default.")
    flags.DEFINE_integer("cpu_devices", 2, "Architectures scored side by side.", lower_bound=1)
    flags.DEFINE_bool("tensorboard", False, "Also write event files for TensorBoard.")


def define_rank_flags() -> None:
    """Defines flags of what is ranked, what by, and what is said of it."""
    flags.DEFINE_string("table", None, "Accuracies: CSV or Parquet, or NATS-Bench's directory.")
    flags.DEFINE_list("columns", None, "Its columns; the three test accuracies by default.")
    flags.DEFINE_string("workdir", None, "Folder that records the scores and the result.")
    flags.DEFINE_string("scores", None, "Table of scores to rank, instead of scoring.")
    flags.DEFINE_string("arch_column", "arch", "Its column of architectures.")
    flags.DEFINE_list("score_columns", None, "Its columns to rank; -NAME where lower is better.")
    flags.DEFINE_list("combine", None, "How scores are combined; all sums of ranks by default.")
    flags.DEFINE_list("weights", None, "NAME=WEIGHT of scores, for the combination `weighted`.")
    flags.DEFINE_integer("resamples", 1000, "Bootstrap resamples.", lower_bound=10)
    flags.DEFINE_bool("all", False, "Score the whole space instead.")
    define_sample_flags(count=1000)
    define_scoring_flags(data="cifar10", repeats=2)
    flags.mark_flags_as_required(["table"])


def check_sources() -> None:
    """Raises a `UserError` unless there is something to rank, and one source of it."""
    if not (FLAGS.workdir or FLAGS.scores):
        raise UserError("give either --workdir, to score, or --scores, a table of scores")
    if FLAGS.scores and (FLAGS.all or FLAGS.archs):
        raise UserError("--scores ranks all its rows: leave out --all and --archs")
    if FLAGS.all and FLAGS.archs:
        raise UserError("give --all or --archs, not both")


def score_config() -> dict:
    """Returns what the scores to rank depend on: the config of their workdir."""
    config = {name: FLAGS[name].value for name in SCORED_BY}
    given = {name: FLAGS[name].value for name in ("metrics", "size")}
    return config | {name: value for name, value in given.items() if value}


def study_options() -> dict:
    """Returns what `rank_study.Study.of` takes beside architectures and table."""
    options = {
        "columns": FLAGS.columns,
        "weights": parse_weights(FLAGS.weights),
        "seed": FLAGS.seed,
        "resamples": FLAGS.resamples,
    }
    return options if FLAGS.combine is None else options | {"combinations": tuple(FLAGS.combine)}


def parse_weights(words: Sequence[str] | None) -> dict[str, float] | None:
    """Reads `NAME=NUMBER` words as weights; None for none.

    Raises:
        UserError: a word of another form, or a name that comes twice.
    """
    if not words:
        return None
    weights: dict[str, float] = {}
    for word in words:
        name, _, number = word.partition("=")
        try:
            value = float(number)
        except ValueError:
            raise UserError(f"weight {word!r} is not NAME=NUMBER") from None
        if weights.setdefault(name, value) is not value:
            raise UserError(f"score {name!r} is given two weights")
    return weights
