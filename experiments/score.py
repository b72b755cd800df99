"""Scores one architecture.

    python -m experiments.score --arch='|nor_conv_3x3~0|+|nor_conv_3x3~0|skip_connect~1|+|...|'

Prints what each metric says, with the mean and each repeat's value.
"""

from absl import app, flags

from experiments.command import main_without_traceback, names, parse_flags
from experiments.devices import use_compilation_cache
from experiments.scoring_flags import define_scoring_flags
from tenas_jax import Evaluator, data, spaces
from tenas_jax.report.tables import format_table
from tenas_jax.scoring import presets

FLAGS = flags.FLAGS
flags.DEFINE_string("arch", None, "Architecture string.")
flags.DEFINE_list("metrics", None, "Metrics to compute; the preset's by default.")
define_scoring_flags(data="photos", repeats=3)
flags.mark_flag_as_required("arch")


def main(argv: list[str]) -> None:
    del argv
    use_compilation_cache()
    space = spaces.get(FLAGS.space)
    arch = space.parse(FLAGS.arch)
    protocol = presets.protocol(
        FLAGS.preset,
        batch_size=FLAGS.batch_size,
        repeats=FLAGS.repeats,
        metrics=names(FLAGS.metrics),
    )
    images = data.load(FLAGS.data, data_dir=FLAGS.data_dir, size=FLAGS.size)
    evaluator = Evaluator(space, images, protocol, seed=FLAGS.seed)
    [(_, _, score, _)] = evaluator.score([space.to_mask(arch)], draw=0)
    most = max(map(len, score.values.values()))
    rows = []
    for name in protocol.metrics:
        values = [*score.values[name], *[None] * (most - len(score.values[name]))]
        size, flags_ = protocol.setting(name, "batch_size"), sorted(set(score.flags[name]))
        rows.append((name, size, score.mean(name), *values, ", ".join(flags_)))
    repeats = [f"repeat {r}" for r in range(most)]
    print(space.to_string(arch))
    print(format_table(("metric", "examples", "mean", *repeats, "flags"), rows))
    print(
        f"preset {FLAGS.preset}, {FLAGS.data}, engine {evaluator.engine}, "
        f"compile {evaluator.compile_seconds:.1f} s, run {evaluator.run_seconds:.3f} s, of which "
        f"data and weights {evaluator.input_seconds:.3f} s"
    )


if __name__ == "__main__":
    app.run(main_without_traceback(main), flags_parser=parse_flags)
