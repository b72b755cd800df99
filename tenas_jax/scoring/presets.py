"""How an architecture is scored, and the named ways of doing it.

`reference` is what the program released with TE-NAS (commit 9df78ff) does on NAS-Bench-201, `paper`
what the paper (Chen, Gong and Wang, 2021, arXiv:2102.11535) describes. They differ in more than a
detail; a result must say which it used. `as_vit` is for vision transformers, as its paper and its
program do it (Chen et al., 2022, arXiv:2202.11921), but that κ and lengths are of the same weights.
"""

import math
from dataclasses import dataclass, fields, replace

from tenas_jax.errors import UserError, lookup, unknown
from tenas_jax.metrics.curve import CURVE_POINTS
from tenas_jax.metrics.kernel_regression import REGRESSION_WEIGHTS


@dataclass(frozen=True)
class Protocol:
    """Everything that a score depends on beside the architecture, the data and the seed.

    Attributes:
        metrics: names of the metrics, in `tenas_jax.metrics.METRICS`.
        batch_size: images N of the kernel.
        repeats: batches a score is averaged over.
        redraw_weights: whether each repeat draws new weights, or a new batch alone.
        initialiser: of the kernels, in `tenas_jax.networks.INITIALISERS`.
        patches: inputs S on which linear regions are counted.
        augment: whether images are flipped and shifted at random.
        decimals: decimal places that a relative change is rounded to in each repeat, or None.
        significant: significant figures at which mean changes tie, or None.
        engine: of the kernel, in `tenas_jax.ntk.ENGINES`, or `auto`.
        chunk: cotangents in memory at a time (engine `jacobian`), or None for what fits a budget.
        ridge: of kernel regression, relative to the mean of the kernel's diagonal.
        regression_weights: whose kernel it takes, see `tenas_jax.metrics.kernel_regression`.
        curve_points: points of a curve of images, at least 2, see `tenas_jax.metrics.curve`.
    """

    metrics: tuple[str, ...] = ("condition_number", "linear_regions")
    batch_size: int = 72
    repeats: int = 3
    redraw_weights: bool = False
    initialiser: str = "pytorch_default"
    patches: int = 3000
    augment: bool = True
    decimals: int | None = 3
    significant: int | None = 3
    engine: str = "auto"
    chunk: int | None = None
    ridge: float = 0.0
    regression_weights: str = "cells"
    curve_points: int = CURVE_POINTS

    def __post_init__(self):
        for name in ("batch_size", "repeats", "patches"):
            if getattr(self, name) < 1:
                raise UserError(f"{name} must be at least 1, not {getattr(self, name)}")
        if self.curve_points < 2:
            raise UserError(f"curve_points must be at least 2, not {self.curve_points}")
        if not self.metrics:
            raise UserError("metrics must name at least one metric")
        for name in self.metrics:
            if self.metrics.count(name) > 1:
                raise UserError(f"metric {name!r} is named twice")
        if self.chunk is not None and self.chunk < 1:
            raise UserError(f"chunk must be at least 1, not {self.chunk}")
        if not 0 <= self.ridge < math.inf:
            raise UserError(f"ridge must be a finite number from 0, not {self.ridge}")
        lookup("regression_weights", REGRESSION_WEIGHTS, self.regression_weights)


PRESETS: dict[str, Protocol] = {
    "reference": Protocol(),
    "paper": Protocol(
        batch_size=32,
        redraw_weights=True,
        initialiser="kaiming_normal_fan_in",
        patches=5000,
        decimals=None,
        significant=None,
    ),
    "as_vit": Protocol(
        metrics=("condition_number", "length_distortion"),
        batch_size=16,
        repeats=5,
        redraw_weights=True,
        initialiser="small_normal",
        augment=False,
        decimals=None,
        significant=None,
    ),
}


def protocol(preset: str, **overrides) -> Protocol:
    """A preset with some fields replaced; an override of None leaves the preset's value.

    Raises:
        UserError: an unknown preset or field.
    """
    base = lookup("preset", PRESETS, preset)
    valid = [field.name for field in fields(Protocol)]
    for name in overrides:
        if name not in valid:
            raise unknown("field of a protocol", name, valid)
    return replace(base, **{k: v for k, v in overrides.items() if v is not None})
