"""How much longer a network makes a circle of inputs. Higher is more expressive.

LE = Σ_t ‖v(t)‖, v the velocity of the outputs along the circle of `tenas_jax.metrics.curve`.

A plain sum over T points, as in the source; times 2π / T it is about the length of the curve of
outputs. A network that keeps distances has LE = T, and one that is c times it has c T.

Source: Chen et al. 2022 (As-ViT), arXiv:2202.11921, after Poole et al. 2016, arXiv:1606.05340;
`tenas_jax.metrics.curve` says where the released program departs.
"""

import jax

from tenas_jax.metrics.curve import CURVE_POINTS, along, speed, velocity
from tenas_jax.metrics.probe import Probe


def length_distortion(
    probe: Probe, *, curve_points: int = CURVE_POINTS, basis: jax.Array | None = None
) -> jax.Array:
    """Computes LE of a network.

    Args:
        probe: as for `tenas_jax.metrics.curve.along`.
        curve_points: T, at least 2.
        basis: the plane, orthonormal columns [H · W · C, 2]; None draws it.

    Returns:
        A scalar above 0 in the outputs' dtype, float32 at least; NaN where they stand still at a
        point.

    Raises:
        UserError: see `tenas_jax.metrics.curve.along`.
    """
    return speed(velocity(along(probe, curve_points, basis))).sum()
