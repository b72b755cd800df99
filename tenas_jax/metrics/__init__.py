"""Metrics at initialisation: one file each, and the registry that names them."""

import functools

from tenas_jax.data.dataset import Batch, positive
from tenas_jax.errors import lookup
from tenas_jax.metrics.condition_number import condition_number, condition_number_gradient
from tenas_jax.metrics.curve import check_points
from tenas_jax.metrics.extrinsic_curvature import extrinsic_curvature
from tenas_jax.metrics.gauss_length import gauss_length
from tenas_jax.metrics.kernel_regression import (
    check_ridge,
    check_weights,
    kernel_regression,
    kernel_regression_gradient,
)
from tenas_jax.metrics.length_distortion import length_distortion
from tenas_jax.metrics.linear_regions import linear_regions
from tenas_jax.metrics.metric import Metric, check_needs, check_options, measure
from tenas_jax.metrics.probe import Probe
from tenas_jax.metrics.snip import snip
from tenas_jax.networks.spec import NetworkSpec

TE_NAS = "Chen, Gong and Wang, 2021, arXiv:2102.11535"
# What the metrics of curves have in common.
CURVE = {
    "higher_is_better": True,
    "spec": NetworkSpec(smooth=True),
    "needs": ("float_inputs", "forward_mode"),
    "option_checks": {"curve_points": check_points},
    "reference": "Chen et al., 2022, arXiv:2202.11921; Poole et al., 2016, arXiv:1606.05340",
}

METRICS: dict[str, Metric] = {
    "condition_number": Metric(
        condition_number,
        higher_is_better=False,
        needs=("kernel",),
        mask_gradient=condition_number_gradient,
        reference=TE_NAS,
    ),
    "linear_regions": Metric(
        linear_regions,
        higher_is_better=True,
        spec=NetworkSpec(name="patch"),
        needs=("relu", "float_inputs"),
        batch_size=3000,
        option_checks={"pass_size": functools.partial(positive, "pass_size")},
        reference=TE_NAS,
    ),
    "kernel_regression": Metric(
        kernel_regression,
        higher_is_better=False,
        spec=NetworkSpec(outputs="logits"),
        needs=("kernel", "targets", "held_out", "two_classes", "logits"),
        option_checks={"ridge": check_ridge, "regression_weights": check_weights},
        mask_gradient=kernel_regression_gradient,
        reference="Chen et al., 2021, arXiv:2108.11939",
    ),
    "length_distortion": Metric(length_distortion, **CURVE),
    "gauss_length": Metric(gauss_length, **CURVE),
    "extrinsic_curvature": Metric(extrinsic_curvature, **CURVE),
    "snip": Metric(
        snip,
        higher_is_better=True,
        spec=NetworkSpec(outputs="logits"),
        needs=("targets",),
        batch_size=64,
        reference="Lee, Ajanthan and Torr, 2019, arXiv:1810.02340",
    ),
}


def metric(name: str) -> Metric:
    """Returns the metric of that name, or raises a `UserError` with the valid names."""
    return lookup("metric", METRICS, name)


__all__ = [
    "METRICS",
    "Batch",
    "Metric",
    "Probe",
    "check_needs",
    "check_options",
    "condition_number",
    "extrinsic_curvature",
    "gauss_length",
    "kernel_regression",
    "length_distortion",
    "linear_regions",
    "measure",
    "metric",
    "snip",
]
