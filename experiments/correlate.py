"""How well scores at initialisation rank trained accuracies: Kendall's τ on random architectures.

    python -m experiments.correlate --table=accuracy.csv --workdir=runs/tau \
        --data=cifar10 --data_dir=DIR --count=1000

Every score is recorded, so a run that is killed goes on where it was.
"""

import numpy as np
from absl import app, flags

from experiments.command import (
    define_scoring_flags,
    keep_freed_memory,
    main_without_traceback,
    parse_flags,
    use_cpu_devices,
)
from tenas_jax import Evaluator, Score, data, presets, spaces
from tenas_jax.benchmarks import Table
from tenas_jax.benchmarks.ranking import rank_badness, tau
from tenas_jax.errors import UserError
from tenas_jax.records import Workdir
from tenas_jax.report.tables import format_table
from tenas_jax.search.progress import bar

FLAGS = flags.FLAGS
flags.DEFINE_string("table", None, "CSV of trained accuracies: a column arch, others numbers.")
flags.DEFINE_string("workdir", None, "Folder that records the scores.")
flags.DEFINE_list("columns", ["cifar10_test", "cifar100_test", "imagenet16_120_test"], "Columns.")
flags.DEFINE_integer("count", 1000, "Random architectures.", lower_bound=10)
flags.DEFINE_integer("cpu_devices", 2, "Architectures scored side by side on CPU.", lower_bound=1)
define_scoring_flags(data="cifar10", repeats=2)
flags.mark_flags_as_required(["table", "workdir"])


def main(argv: list[str]) -> None:
    del argv
    use_cpu_devices(FLAGS.cpu_devices)
    keep_freed_memory()
    space = spaces.get(FLAGS.space)
    table = Table.load(FLAGS.table, space)
    protocol = presets.protocol(FLAGS.preset, batch_size=FLAGS.batch_size, repeats=FLAGS.repeats)
    images = data.load(FLAGS.data, data_dir=FLAGS.data_dir)
    # Each by its own weights: equal forms are not shared, so that no two scores depend.
    evaluator = Evaluator(space, images, protocol, seed=FLAGS.seed, share_equal=False)
    rng = np.random.default_rng(FLAGS.seed)
    numbers = rng.choice(space.size, size=min(FLAGS.count, space.size), replace=False)
    archs = [space.from_index(int(i)) for i in numbers]
    if not FLAGS.columns:
        raise UserError(f"--columns names none; valid: {', '.join(table.columns)}")
    strings = [space.to_string(arch) for arch in archs]
    # Looked up before anything is scored, which takes longer.
    accuracies = {column: table.column(column, strings) for column in FLAGS.columns}
    config = {
        n: FLAGS[n].value for n in ("space", "preset", "data", "batch_size", "repeats", "seed")
    }
    with Workdir.open(FLAGS.workdir, config) as record, bar() as progress:
        known = {r["key"]: Score.from_record(r) for r in record.records()}
        scores: list[Score] = [None] * len(archs)
        masks = [space.to_mask(arch) for arch in archs]
        for done, (i, key, score, new) in enumerate(evaluator.score(masks, 0, known), 1):
            scores[i] = score
            if new:
                record.append({"arch": space.to_string(archs[i]), "key": key, **score.to_record()})
            progress(0, done, len(archs))
    ranks = {name: rank_badness(scores, name) for name in protocol.metrics}
    ranks["rank sum"] = sum(ranks.values())
    rows = []
    for column, accuracy in accuracies.items():
        for name, badness in ranks.items():
            rows.append((column, name, *(f"{v:.3f}" for v in tau(badness, accuracy, rng))))
    print(format_table(("accuracy", "score", "tau", "2.5 %", "97.5 %"), rows))
    seconds = np.mean([score.seconds for score in scores])
    print(f"{len(archs)} architectures, preset {FLAGS.preset}, {FLAGS.data}, "
          f"N = {FLAGS.batch_size}, {FLAGS.repeats} repeats, {seconds:.2f} s each")  # fmt: skip


if __name__ == "__main__":
    app.run(main_without_traceback(main), flags_parser=parse_flags)
