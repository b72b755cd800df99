"""Tells the class of an image with a network that `experiments.train` has trained.

python -m experiments.predict --workdir=runs/photos_net --image=FILE
"""

from absl import app, flags

from experiments.command import main_without_traceback, parse_flags
from experiments.devices import prepare
from tenas_jax.report.tables import format_table
from tenas_jax.train.evaluate import Predictor

FLAGS = flags.FLAGS
flags.DEFINE_string("workdir", None, "Folder of a training, finished or not.")
flags.DEFINE_string("image", None, "Image file of any size; it is resized as in training.")
flags.DEFINE_integer("top", 5, "How many classes to show.", lower_bound=1)
flags.mark_flags_as_required(["workdir", "image"])


def main(argv: list[str]) -> None:
    del argv
    prepare(1)
    predictor = Predictor(FLAGS.workdir)
    classes = predictor.predict(FLAGS.image, FLAGS.top)
    rows = [(name, f"{100 * share:.2f} %") for name, share in classes]
    print(format_table(("class", "probability"), rows))


if __name__ == "__main__":
    app.run(main_without_traceback(main), flags_parser=parse_flags)
