"""What bounds the cost of one kernel here: arithmetic, memory, and where its time goes.

    python -m experiments.profile --n=72

Prints the arithmetic of the kernel's products, what share of this machine's best it reaches, and
the time by kind of operation. `--trace=FOLDER` keeps the trace, for TensorBoard or Perfetto.
"""

import pathlib
import time

import jax
import jax.numpy as jnp
import numpy as np
from absl import app, flags

from experiments.command import main_without_traceback, parse_flags
from experiments.devices import keep_freed_memory
from experiments.measure.timing import best_of_machine, seconds_by_kind, timed
from tenas_jax import spaces
from tenas_jax.errors import UserError
from tenas_jax.networks import Network, scored_network
from tenas_jax.ntk import ntk
from tenas_jax.report.tables import format_table
from tenas_jax.runs.files import make_writable
from tenas_jax.tracing.programs import multiply_adds

FLAGS = flags.FLAGS
flags.DEFINE_string("space", "nas_bench_201", "Space whose supernet is taken.")
flags.DEFINE_integer("n", 72, "Images N of the kernel.", lower_bound=2)
flags.DEFINE_integer("side", 32, "Height and width of the images.", lower_bound=4)
flags.DEFINE_string("engine", "auto", "Of the kernel: jacobian or neural_tangents.")
flags.DEFINE_string("form", "auto", "Of the convolutions: plain or condensed.")
flags.DEFINE_string("trace", None, "Folder that keeps the trace.")


def main(argv: list[str]) -> None:
    del argv
    keep_freed_memory()
    space = spaces.get(FLAGS.space)
    built = scored_network(space)
    multiple = built.blueprint.side_multiple
    if FLAGS.side % multiple:
        raise UserError(f"--side must be a multiple of {multiple}, not {FLAGS.side}")
    if FLAGS.trace:
        make_writable(pathlib.Path(FLAGS.trace, "trace"))
    module = built.network.module.clone(form=FLAGS.form)
    mask = jnp.asarray(space.supernet(), jnp.float32)
    rng = np.random.default_rng(0)
    images = jnp.asarray(rng.normal(size=(FLAGS.n, FLAGS.side, FLAGS.side, 3)), jnp.float32)
    params = Network(module, mask).init(jax.random.key(0), images)

    def kernel(mask, params, images):
        return ntk(Network(module, mask), params, images, engine=FLAGS.engine)

    args = (mask, params, images)
    # Of products and convolutions: where other operations take time, they move numbers.
    flops = 2 * multiply_adds(jax.make_jaxpr(kernel)(*args).jaxpr)
    start = time.perf_counter()
    compiled = jax.jit(kernel).lower(*args).compile()
    compiling = time.perf_counter() - start
    seconds = timed(lambda _: compiled(*args), 5).median
    by_kind = seconds_by_kind(lambda: compiled(*args), compiled.as_text(), FLAGS.trace)
    arithmetic, memory = best_of_machine()
    print(
        f"kernel of N = {FLAGS.n}: {seconds:.3f} s (compile {compiling:.1f} s), "
        f"{flops / 1e9:.1f} GFLOP in products, {flops / seconds / 1e9:.0f} GFLOP/s"
    )
    print(f"this machine, one device: {arithmetic:.0f} GFLOP/s in a product of 2048, "
          f"{memory:.0f} GB/s in a sum")  # fmt: skip
    rows = [(k, f"{s:.3f}", f"{s / sum(by_kind.values()):.0%}") for k, s in by_kind.items()]
    print(format_table(("kind of operation", "seconds (all threads)", "share"), rows))


if __name__ == "__main__":
    app.run(main_without_traceback(main), flags_parser=parse_flags)
