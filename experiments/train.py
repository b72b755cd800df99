"""Trains an architecture, such as one that a search has found.

    python -m experiments.train --config=configs/train_photos.py --from_search=runs/photos \
        --workdir=runs/photos_net

Killed and started again, it goes on where it was, to the same weights; a finished training says so
and shows its result.
"""

import functools
import sys
from collections.abc import Mapping

from absl import app, flags
from ml_collections import config_flags

from experiments.command import main_without_traceback, parse_flags
from experiments.devices import prepare
from tenas_jax.data import Images
from tenas_jax.report.training_result import show_result, write_result
from tenas_jax.runs.listeners import listening
from tenas_jax.runs.workdir import Workdir
from tenas_jax.train import task
from tenas_jax.train.checkpoints import FOLDER, Checkpoints

FLAGS = flags.FLAGS
config_flags.DEFINE_config_file("config", None, "How to train: a file configs/train_*.py.")
flags.DEFINE_string("workdir", None, "Folder that records the run, and from which it resumes.")
flags.DEFINE_string("from_search", None, "Workdir of a search whose result is trained.")
flags.mark_flags_as_required(["config", "workdir"])


def run(config: Mapping, workdir: str, images: tuple[Images, Images] | None = None) -> dict:
    """Runs or resumes a training and returns its result.

    Args:
        config: as `task.checked` gives it.
        workdir: where it is recorded.
        images: what the config names, if that was loaded before.
    """
    opened = functools.partial(Workdir.open, workdir, config, ignore=task.IGNORED, added=task.ADDED)
    if task.is_finished(workdir):
        with opened() as record:
            print(f"{workdir} is finished; its result:", file=sys.stderr)
            return show_result(record)
    training = task.prepared(config, *(images or task.load_images(config)))
    with opened() as record:
        training.card.keep(record)
        with (
            Checkpoints(record.path / FOLDER, training.card) as checkpoints,
            listening(record, tensorboard=config["tensorboard"], unit="step") as listener,
        ):
            every = config["checkpoint_every"]
            state, evaluation = training.run(record, checkpoints, listener, checkpoint_every=every)
        return write_result(training, state, evaluation, record)


def main(argv: list[str]) -> None:
    del argv
    config = task.checked(FLAGS.config.to_dict(), FLAGS.from_search)
    prepare(config["cpu_devices"])
    run(config, FLAGS.workdir)


if __name__ == "__main__":
    app.run(main_without_traceback(main), flags_parser=parse_flags)
