"""How long a path the direction of motion takes along a circle of inputs. Higher bends it more.

LG = Σ_t ‖∂(v / ‖v‖) / ∂t‖, v the velocity of the outputs along the circle of
`tenas_jax.metrics.curve`: the length of the curve under the Gauss map.

A plain sum over T points, as in the source. A network that keeps distances has LG = T, and so has
one that is c times it: how far outputs move has no part in it.

Source: Chen et al. 2022 (As-ViT), arXiv:2202.11921, after Poole et al. 2016, arXiv:1606.05340;
`tenas_jax.metrics.curve` says where the released program departs.
"""

import jax

from tenas_jax.metrics.batch import Batch
from tenas_jax.metrics.curve import CURVE_POINTS, along, motion, turning
from tenas_jax.networks.model import Network, Params


def gauss_length(
    network: Network,
    params: Params,
    batch: Batch,
    key: jax.Array | None,
    *,
    curve_points: int = CURVE_POINTS,
    basis: jax.Array | None = None,
) -> jax.Array:
    """LG of a network.

    Args:
        network: `(params, images) -> outputs [N, ...]`, in forward mode.
        params: as for `length_distortion`, and so are the others.

    Returns:
        A scalar from 0 in the outputs' dtype, float32 at least; NaN where they stand still at a
        point.

    Raises:
        UserError: see `tenas_jax.metrics.curve.along`.
    """
    outputs = along(network, params, batch.images, key, curve_points, basis)
    return turning(motion(outputs)).sum()
