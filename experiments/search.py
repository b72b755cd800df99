"""Searches a space without training anything.

    python -m experiments.search --config=configs/tenas_photos.py --workdir=runs/photos

Killed and started again, it goes on where it was; a finished search says so and shows its result.
"""

import sys

from absl import app, flags
from ml_collections import config_flags

from experiments.command import main_without_traceback, names, parse_flags
from experiments.devices import define_process_flags, join_processes, prepare
from tenas_jax import data, spaces
from tenas_jax.benchmarks import load
from tenas_jax.report.search_result import write_result
from tenas_jax.runs.listeners import listening
from tenas_jax.runs.processes import check_agreement
from tenas_jax.runs.workdir import Workdir
from tenas_jax.scoring import presets
from tenas_jax.scoring.evaluator import Evaluator
from tenas_jax.search import search, strategy
from tenas_jax.search.task import IGNORED, TASK, budget_of, checked

FLAGS = flags.FLAGS
config_flags.DEFINE_config_file("config", None, "What to do: a file in configs/.")
flags.DEFINE_string("workdir", None, "Folder that records the run, and from which it resumes.")
define_process_flags()
flags.mark_flags_as_required(["config", "workdir"])


def run(config: dict, workdir: str) -> dict:
    """Runs or resumes a search and returns its result; the machine must be prepared.

    Args:
        config: as `checked_config` gives it.
        workdir: where it is recorded.
    """
    space = spaces.get(config["space"])
    table = load(config["benchmark_table"], space) if config["benchmark_table"] else None
    overrides = {name: value for name, value in config.items() if name not in TASK}
    protocol = presets.protocol(config["preset"], **overrides)
    options = {"seed": config["seed"], **config["strategy_options"]}
    budget = budget_of(config, space, workdir)
    plan = strategy(config["strategy"], space, protocol, budget=budget, **options)
    reading = {name: config[name] for name in ("data_dir", "size", "limit")}
    images = data.load(config["data"], config["split"], **reading)
    evaluator = Evaluator(space, images, protocol, seed=config["seed"])
    check_agreement(config, images.images, IGNORED)
    with Workdir.open(workdir, config, ignore=IGNORED) as record:
        if budget is not None:
            budget.keep()
        finished = (record.load_checkpoint() or {}).get("done", False)
        if finished and record.is_writer:
            print(f"{workdir} is finished; its result:", file=sys.stderr)
        with listening(record, tensorboard=config["tensorboard"]) as listener:
            search(plan, evaluator, record, listener)
        if not record.is_writer:  # the first process shows and writes the result
            return {}
        return write_result(config["strategy"], plan, evaluator, record, table, config["preset"])


def checked_config() -> dict:
    """Reads the config of the command line."""
    config = checked(FLAGS.config.to_dict())
    return {**config, "metrics": names(config.get("metrics"))}


def main(argv: list[str]) -> None:
    del argv
    config = checked_config()
    prepare(config["cpu_devices"])
    join_processes()
    run(config, FLAGS.workdir)


if __name__ == "__main__":
    app.run(main_without_traceback(main), flags_parser=parse_flags)
