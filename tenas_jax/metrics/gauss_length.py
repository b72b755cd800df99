"""How long a path the direction of motion takes along a circle of inputs. Higher bends it more.

LG = Σ_t ‖∂(v / ‖v‖) / ∂t‖, v the velocity of the outputs along the circle of
`tenas_jax.metrics.curve`: the length of the curve under the Gauss map.

A plain sum over T points, as in the source. A network that keeps distances has LG = T, and so has
one that is c times it: how far outputs move has no part in it.

Source: Chen et al. 2022 (As-ViT), arXiv:2202.11921, after Poole et al. 2016, arXiv:1606.05340;
`tenas_jax.metrics.curve` says where the released program departs.
"""

import jax

from tenas_jax.metrics.curve import CURVE_POINTS, along, motion, turning
from tenas_jax.metrics.probe import Probe


def gauss_length(
    probe: Probe, *, curve_points: int = CURVE_POINTS, basis: jax.Array | None = None
) -> jax.Array:
    """Computes LG of a network.

    Args:
        probe: as for `tenas_jax.metrics.curve.along`.
        curve_points: T, at least 2.
        basis: the plane, orthonormal columns [H · W · C, 2]; None draws it.

    Returns:
        A scalar from 0 in the outputs' dtype, float32 at least; NaN where they stand still at a
        point.

    Raises:
        UserError: see `tenas_jax.metrics.curve.along`.
    """
    return turning(motion(along(probe, curve_points, basis))).sum()
