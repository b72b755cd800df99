"""Published accuracies, scores of whole spaces, and how well the ones rank the others."""

from tenas_jax.benchmarks.table import Table

__all__ = ["Table"]
