"""Searches a space without training anything.

    python -m experiments.search --config=configs/tenas_photos.py --workdir=runs/photos

Killed and started again, it goes on where it was; a finished search says so and shows its result.
"""

import sys

from absl import app, flags
from ml_collections import config_flags

from experiments.command import main_without_traceback, names, parse_flags
from experiments.devices import define_process_flags, join_processes, prepare
from tenas_jax import data, presets, spaces
from tenas_jax.benchmarks import Table
from tenas_jax.errors import UserError
from tenas_jax.evaluate import Evaluator
from tenas_jax.processes import check_agreement
from tenas_jax.records import Workdir
from tenas_jax.report.search_result import write_result
from tenas_jax.search import search, strategy
from tenas_jax.search.progress import bar

FLAGS = flags.FLAGS
config_flags.DEFINE_config_file("config", None, "What to do: a file in configs/.")
flags.DEFINE_string("workdir", None, "Folder that records the run, and from which it resumes.")
define_process_flags()
flags.mark_flags_as_required(["config", "workdir"])

# Fields of a config that are not fields of a protocol.
TASK = ("space", "strategy", "strategy_options", "preset", "seed", "data", "split", "data_dir",
        "size", "limit", "benchmark_table", "cpu_devices")  # fmt: skip


def run(config: dict, workdir: str) -> dict:
    """Runs or resumes a search and returns its result."""
    for name in TASK:
        if name not in config:
            raise UserError(f"the config has no field {name!r}; valid: {', '.join(TASK)}")
    config = {**config, "metrics": names(config.get("metrics"))}
    prepare(config["cpu_devices"])
    join_processes()
    space = spaces.get(config["space"])
    table = Table.load(config["benchmark_table"], space) if config["benchmark_table"] else None
    overrides = {name: value for name, value in config.items() if name not in TASK}
    protocol = presets.protocol(config["preset"], **overrides)
    plan = strategy(config["strategy"], space, protocol, **config["strategy_options"])
    images = data.load(
        config["data"],
        config["split"],
        data_dir=config["data_dir"],
        size=config["size"],
        limit=config["limit"],
    )
    evaluator = Evaluator(space, images, protocol, seed=config["seed"])
    # Where things lie and how many devices there are does not change what is asked for.
    ignore = ("benchmark_table", "data_dir", "cpu_devices")
    check_agreement(config, images.images, ignore)
    with Workdir.open(workdir, config, ignore=ignore) as record:
        finished = (record.load_checkpoint() or {}).get("done", False)
        if finished and record.is_writer:
            print(f"{workdir} is finished; its result:", file=sys.stderr)
        with bar(shown=record.is_writer) as progress:
            search(plan, evaluator, record, progress)
        if not record.is_writer:  # the first process shows and writes the result
            return {}
        return write_result(config["strategy"], plan, evaluator, record, table, config["preset"])


def main(argv: list[str]) -> None:
    del argv
    run(FLAGS.config.to_dict(), FLAGS.workdir)


if __name__ == "__main__":
    app.run(main_without_traceback(main), flags_parser=parse_flags)
