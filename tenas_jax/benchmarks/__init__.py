"""Look-ups of published accuracies."""

from tenas_jax.benchmarks.table import Table

__all__ = ["Table"]
