"""Trains an architecture and random ones of its size, all alike, and compares their accuracies.

    python -m experiments.compare --config=configs/train_small_cifar10.py --workdir=runs/compare \
        --from_search=runs/cifar10 --random=3 --config.data_dir=DIR

Same size is the same number of parameters of the network that is trained, within 5 %. Each training
has a folder of its own in the workdir, `found`, `random-0`, ..., and all see the same images in the
same order. Killed and started again, it goes on where it was.
"""

import pathlib
import sys

from absl import app, flags

from experiments.command import main_without_traceback, parse_flags
from experiments.devices import prepare
from experiments.train import run  # and its flags --config, --workdir, --from_search
from tenas_jax.report.training_result import FOUND, write_comparison
from tenas_jax.runs.workdir import Workdir
from tenas_jax.train import task

FLAGS = flags.FLAGS
flags.DEFINE_integer("random", 3, "How many random architectures.", lower_bound=1)


def main(argv: list[str]) -> None:
    del argv
    config = task.checked(FLAGS.config.to_dict(), FLAGS.from_search)
    prepare(config["cpu_devices"])
    images = task.load_images(config)
    task.prepared(config, *images)  # a mistake is told before anything is written
    print(f"drawing {FLAGS.random} random architectures of the same size", file=sys.stderr)
    rivals = task.same_size(
        config["space"],
        config["arch"],
        config["network"],
        images[0],
        count=FLAGS.random,
        seed=config["seed"],
    )
    archs = {FOUND: config["arch"]}
    archs |= {f"random-{number}": rival for number, rival in enumerate(rivals)}
    # More random ones may be asked for later; the first stay the same. The name of the command
    # keeps a training out of this folder, whose result it would take for its own.
    own = {"command": "compare", **config}
    with Workdir.open(FLAGS.workdir, own, ignore=task.IGNORED, added=task.ADDED) as record:
        results = {
            name: run({**config, "arch": arch}, str(pathlib.Path(record.path, name)), images)
            for name, arch in archs.items()
        }
        write_comparison(results, record)


if __name__ == "__main__":
    app.run(main_without_traceback(main), flags_parser=parse_flags)
