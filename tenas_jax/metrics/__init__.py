"""Metrics at initialisation: one file each, and the registry that names them."""

from collections.abc import Callable
from dataclasses import dataclass

from tenas_jax.errors import lookup
from tenas_jax.metrics.batch import Batch
from tenas_jax.metrics.condition_number import condition_number, condition_number_gradient
from tenas_jax.metrics.extrinsic_curvature import extrinsic_curvature
from tenas_jax.metrics.gauss_length import gauss_length
from tenas_jax.metrics.kernel_regression import kernel_regression, kernel_regression_gradient
from tenas_jax.metrics.length_distortion import length_distortion
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
        validation: whether it needs `batch.validation`.
        kernel: whether it takes the NTK, and so the keyword argument `ntk`, to be called as
            `tenas_jax.ntk.ntk`: metrics that are computed together share its Jacobian.
        options: fields of a protocol that it takes as keyword arguments.
        gradient: called as `fn`, for a network with a mask: ∂ log m / ∂w, the derivative of the
            metric's logarithm in the weights w [cells, edges, operations] of the mask's operations
            (see `tenas_jax.metrics.weight_gradient`); None where it has none.
        min_images: the smallest batch on which it means anything.
        forward: whether it takes derivatives in forward mode, which a function with a hand-written
            backward pass (`jax.custom_vjp`) does not have.
    """

    fn: Callable
    higher_is_better: bool
    variant: str
    reference: str
    labels: bool = False
    validation: bool = False
    kernel: bool = False
    options: tuple[str, ...] = ()
    gradient: Callable | None = None
    min_images: int = 1
    forward: bool = False


def _of_a_curve(fn: Callable) -> Metric:
    """What the metrics of curves have in common."""
    return Metric(
        fn,
        higher_is_better=True,
        variant="curve",
        options=("curve_points",),
        forward=True,
        reference="Chen et al., 2022, arXiv:2202.11921; Poole et al., 2016, arXiv:1606.05340",
    )


METRICS: dict[str, Metric] = {
    "condition_number": Metric(
        condition_number,
        higher_is_better=False,
        variant="ntk",
        kernel=True,
        gradient=condition_number_gradient,
        min_images=2,
        reference="Chen, Gong and Wang, 2021, arXiv:2102.11535",
    ),
    "linear_regions": Metric(
        linear_regions,
        higher_is_better=True,
        variant="thin",
        reference="Chen, Gong and Wang, 2021, arXiv:2102.11535",
    ),
    "kernel_regression": Metric(
        kernel_regression,
        higher_is_better=False,
        variant="ntk",
        labels=True,
        validation=True,
        kernel=True,
        options=("ridge", "regression_weights"),
        gradient=kernel_regression_gradient,
        min_images=2,
        reference="Chen et al., 2021, arXiv:2108.11939",
    ),
    "length_distortion": _of_a_curve(length_distortion),
    "gauss_length": _of_a_curve(gauss_length),
    "extrinsic_curvature": _of_a_curve(extrinsic_curvature),
}


def metric(name: str) -> Metric:
    """The metric of that name, or a `UserError` with the valid names."""
    return lookup("metric", METRICS, name)


__all__ = [
    "METRICS",
    "Batch",
    "Metric",
    "condition_number",
    "extrinsic_curvature",
    "gauss_length",
    "kernel_regression",
    "length_distortion",
    "linear_regions",
    "metric",
]
