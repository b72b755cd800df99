"""Published accuracies, scores of whole spaces, and how well the ones rank the others."""

import os

from tenas_jax.benchmarks.table import Table
from tenas_jax.spaces.space import Space


def load(path: str | os.PathLike, space: Space) -> Table:
    """Loads a benchmark: a table file, or NATS-Bench's topology directory.

    Args:
        path: a CSV or Parquet file with a column `arch` and numbers (`Table.load`), or a directory
            (`nats_bench.read_nats_bench`), which takes minutes.
        space: of its architectures.

    Raises:
        UserError: what these raise.
    """
    if os.path.isdir(path):
        from tenas_jax.benchmarks.nats_bench import read_nats_bench  # optional

        return read_nats_bench(path, space)
    return Table.load(path, space)


__all__ = ["Table", "load"]
