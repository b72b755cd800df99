"""Runs as one HTML page, which opens from the disk and needs no network.

    python -m experiments.report --workdir=runs/c10
    python -m experiments.report --workdir=runs/c10,runs/tau --output=report.html

Workdirs are those of `search`, `correlate`, `repeat`, `train` and `compare`, finished or not;
`--workdir` may also be given several times. With several, the page begins with them side by side.
"""

import pathlib

from absl import app, flags

from experiments.command import main_without_traceback, parse_flags
from tenas_jax.report.page import write_page
from tenas_jax.runs.files import make_writable
from tenas_jax.runs.workdir import folder

FLAGS = flags.FLAGS
flags.DEFINE_multi_string("workdir", None, "Folder of a run, or several with commas between.")
flags.DEFINE_string("output", None, "The page; report.html in the first workdir by default.")
flags.mark_flags_as_required(["workdir"])


def split(words: list[str]) -> list[str]:
    """Splits words into workdirs; a folder's own name may have a comma."""
    return [
        part
        for word in words
        for part in ([word] if pathlib.Path(word).is_dir() else word.split(","))
    ]


def main(argv: list[str]) -> None:
    del argv
    workdirs = split(FLAGS.workdir)
    output = FLAGS.output or folder(workdirs[0]) / "report.html"
    if FLAGS.output:  # a workdir that is not there is not made
        make_writable(output)
    write_page(workdirs, output)
    print(f"{output}: {pathlib.Path(output).stat().st_size / 1e6:.2f} MB")


if __name__ == "__main__":
    app.run(main_without_traceback(main), flags_parser=parse_flags)
