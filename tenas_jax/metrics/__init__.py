"""Metrics at initialisation: one file each, and the registry that names them."""

from collections.abc import Callable
from dataclasses import dataclass

from tenas_jax.errors import lookup
from tenas_jax.metrics.batch import Batch
from tenas_jax.metrics.condition_number import condition_number
from tenas_jax.metrics.linear_regions import linear_regions


@dataclass(frozen=True)
class Metric:
    """A metric and what is to be known of it.

    Attributes:
        fn: `(network, params, batch, key) -> scalar`, pure; or `-> (scalar, flag)` where a value
            can be bad in a way that is worth a word (see `tenas_jax.ntk.FLAGS`).
        higher_is_better: the sign of what it says about trained accuracy.
        variant: the scoring network it looks at, a key of `NETWORKS[space]`.
        reference: author, year, arXiv number.
        labels: whether it needs them.
        kernel: whether it takes the NTK, and so the keyword arguments `engine` and `chunk`.
        min_images: the smallest batch on which it means anything.
    """

    fn: Callable
    higher_is_better: bool
    variant: str
    reference: str
    labels: bool = False
    kernel: bool = False
    min_images: int = 1


METRICS: dict[str, Metric] = {
    "condition_number": Metric(
        condition_number,
        higher_is_better=False,
        variant="ntk",
        kernel=True,
        min_images=2,
        reference="Chen, Gong and Wang, 2021, arXiv:2102.11535",
    ),
    "linear_regions": Metric(
        linear_regions,
        higher_is_better=True,
        variant="thin",
        reference="Chen, Gong and Wang, 2021, arXiv:2102.11535",
    ),
}


def metric(name: str) -> Metric:
    """The metric of that name, or a `UserError` with the valid names."""
    return lookup("metric", METRICS, name)


__all__ = ["METRICS", "Batch", "Metric", "condition_number", "linear_regions", "metric"]
