"""Grows a topology of vision transformers without training: step by step deeper and wider.

    python -m experiments.grow --config=configs/grow_asvit_cifar10.py --workdir=runs/grown \
        --config.data_dir=DIR

Killed and started again, it goes on where it was; a finished growth says so and shows its family.
"""

import sys

from absl import app, flags
from ml_collections import config_flags

from experiments.command import main_without_traceback, names, parse_flags
from experiments.devices import define_process_flags, join_processes, prepare
from tenas_jax import data
from tenas_jax.report.growth_result import write_result
from tenas_jax.runs.listeners import listening
from tenas_jax.runs.processes import check_agreement
from tenas_jax.runs.workdir import Workdir, searched_arch
from tenas_jax.scoring import presets
from tenas_jax.search import search
from tenas_jax.search.growth_evaluator import SizesEvaluator
from tenas_jax.search.growth_task import IGNORED, SPACE, TASK, checked, prepared

FLAGS = flags.FLAGS
config_flags.DEFINE_config_file("config", None, "What to grow: a file configs/grow_*.py.")
flags.DEFINE_string("workdir", None, "Folder that records the run, and from which it resumes.")
flags.DEFINE_string("from_search", None, "Workdir of a search whose topology is grown.")
define_process_flags()
flags.mark_flags_as_required(["config", "workdir"])


def run(config: dict, workdir: str) -> dict:
    """Runs or resumes a growth and returns its result; the machine must be prepared.

    Args:
        config: as `growth_task.checked` gives it.
        workdir: where it is recorded.
    """
    overrides = {name: value for name, value in config.items() if name not in TASK}
    protocol = presets.protocol(config["preset"], **overrides)
    plan = prepared(config, protocol)
    reading = {name: config[name] for name in ("data_dir", "size", "limit")}
    images = data.load(config["data"], config["split"], **reading)
    evaluator = SizesEvaluator(plan.space, images, protocol, seed=config["seed"])
    check_agreement(config, images.images, IGNORED)
    with Workdir.open(workdir, config, ignore=IGNORED) as record:
        finished = (record.load_checkpoint() or {}).get("done", False)
        if finished and record.is_writer:
            print(f"{workdir} is finished; its result:", file=sys.stderr)
        with listening(record, tensorboard=config["tensorboard"]) as listener:
            search(plan, evaluator, record, listener)
        if not record.is_writer:  # the first process shows and writes the result
            return {}
        return write_result(plan, evaluator, record, config["preset"], images.images.shape[1:3])


def main(argv: list[str]) -> None:
    del argv
    topology = searched_arch(FLAGS.from_search, SPACE) if FLAGS.from_search else None
    config = checked(FLAGS.config.to_dict(), topology)
    prepare(config["cpu_devices"])
    join_processes()
    run({**config, "metrics": names(config.get("metrics"))}, FLAGS.workdir)


if __name__ == "__main__":
    app.run(main_without_traceback(main), flags_parser=parse_flags)
