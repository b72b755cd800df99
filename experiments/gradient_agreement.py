"""How well one gradient in the mask ranks the removals that a search by pruning has scored.

    python -m experiments.gradient_agreement --workdir=runs/c10

of a finished search by `pruning` takes the gradients of each round's supernet, by the same weights
and batches, and prints for each metric that has a derivative Kendall's τ with the exact gains, what
two repeats' exact gains agree by, and what both cost. They are written to `agreement.json` there.
"""

import json

from absl import app, flags

from experiments.command import main_without_traceback, parse_flags
from experiments.devices import prepare
from experiments.measure.agreement import agreement
from tenas_jax import data, spaces
from tenas_jax.errors import UserError
from tenas_jax.report.tables import format_table
from tenas_jax.runs.files import atomic_write_text
from tenas_jax.runs.json_values import finite
from tenas_jax.runs.workdir import Workdir
from tenas_jax.scoring import presets
from tenas_jax.scoring.evaluator import Evaluator
from tenas_jax.search.task import TASK

FLAGS = flags.FLAGS
flags.DEFINE_string("workdir", None, "Folder of a finished search by pruning.")
flags.DEFINE_string("data_dir", None, "TFDS folder, if it is another than the search had.")
flags.DEFINE_integer("cpu_devices", 1, "Gradients taken side by side.", lower_bound=1)
flags.mark_flag_as_required("workdir")

COLUMNS = ("round", "metric", "removals", "tau", "repeats", "same", "exact_seconds",
           "gradient_seconds")  # fmt: skip


def evaluator_of(config: dict) -> Evaluator:
    """Makes the evaluator of a search, from its config."""
    space = spaces.get(config["space"])
    overrides = {name: value for name, value in config.items() if name not in TASK}
    overrides["metrics"] = config["metrics"] and tuple(config["metrics"])
    protocol = presets.protocol(config["preset"], **overrides)
    reading = {name: config[name] for name in ("data_dir", "size", "limit")}
    if FLAGS.data_dir is not None:
        reading["data_dir"] = FLAGS.data_dir
    images = data.load(config["data"], config["split"], **reading)
    return Evaluator(space, images, protocol, seed=config["seed"])


def main(argv: list[str]) -> None:
    del argv
    prepare(FLAGS.cpu_devices)
    work = Workdir.read(FLAGS.workdir)
    if work.config.get("strategy") != "pruning":
        raise UserError(f"{FLAGS.workdir} holds no search by pruning")
    evaluator = evaluator_of(work.config)
    rows = []
    for row in agreement(evaluator, work):
        rows.append(row)
        print(f"round {row['round']}, {row['metric']}: tau {row['tau']:.3f}", flush=True)
    text = json.dumps(finite({"command": "gradient_agreement", "rows": rows}), indent=1)
    atomic_write_text(work.path / "agreement.json", text + "\n")
    print(format_table(COLUMNS, [[row[name] for name in COLUMNS] for row in rows]))
    print(f"compile {evaluator.compile_seconds:.1f} s, run {evaluator.run_seconds:.1f} s")


if __name__ == "__main__":
    app.run(main_without_traceback(main), flags_parser=parse_flags)
