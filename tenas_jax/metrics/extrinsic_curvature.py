"""How sharply a network bends a circle of inputs. Higher bends it more.

κ = Σ_t (v · v)^(-3/2) √((v · v)(a · a) − (v · a)²), v and a the velocity and the acceleration of
the outputs along the circle of `tenas_jax.metrics.curve`: one over the radius of the circle that
fits the curve best at a point, summed over points.

Computed as ‖a⊥‖ / ‖v‖², a⊥ what of a is across v. It is the same number, but under the root of the
formula two nearly equal products are subtracted, which rounding makes negative where the curve is
straight; here that gives 0. A network that keeps distances has κ = T, the number of points, and one
that is c times it has T / c.

Source: Chen et al. 2022 (As-ViT), arXiv:2202.11921, after Poole et al. 2016, arXiv:1606.05340;
`tenas_jax.metrics.curve` says where the released program departs.
"""

import jax

from tenas_jax.metrics.curve import CURVE_POINTS, along, motion, speed, turning
from tenas_jax.metrics.probe import Probe


def extrinsic_curvature(
    probe: Probe, *, curve_points: int = CURVE_POINTS, basis: jax.Array | None = None
) -> jax.Array:
    """Computes κ of a network.

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
    moved = motion(along(probe, curve_points, basis))
    return (turning(moved) / speed(moved.velocity)).sum()
