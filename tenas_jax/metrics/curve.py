"""How a network bends a circle of inputs: what the metrics of curves share.

    h(t) = U [cos t, sin t]        v = ∂f(h(t)) / ∂t        a = ∂v / ∂t

U [H · W · C, 2] has orthonormal columns in a random plane, so h is a circle of radius 1; t runs
from 0 to 2π in even steps, both ends among its points. A network that keeps distances gives v and a
of length 1 at right angles; one that stretches, folds and twists gives others. v and a come from
forward mode in one scalar s that moves all points together, t + s: two nested `jax.jvp`, whatever
the number of outputs and points. Where an output depends on the whole batch (batch statistics) the
points are one batch, which moves along the curve together, and the derivatives go through that.

Source: Poole et al. 2016, arXiv:1606.05340, for random networks in the limit of width; as metrics
Chen et al. 2022 (As-ViT), arXiv:2202.11921. Its program, at commit e326cca, sums over 10 points and
takes the mean over 5 networks; f are the features before the last norm, every layer norm replaced
by the identity. The switch that does so draws all weights anew, so that its kernel is of other
weights than its curve. Here the network decides what f is and which norms it has, and the weights
are those that are given.
"""

import math
from collections.abc import Callable
from typing import NamedTuple

import jax
import jax.numpy as jnp

from tenas_jax.errors import UserError
from tenas_jax.metrics.probe import Probe

CURVE_POINTS = 10


class Motion(NamedTuple):
    """Holds how the outputs move at the points of a curve.

    Attributes:
        velocity: v, [T, F].
        acceleration: a, [T, F].
    """

    velocity: jax.Array
    acceleration: jax.Array


def check_points(points: int) -> None:
    """Raises a `UserError` unless there are 2 points of a curve at least."""
    if isinstance(points, bool) or not isinstance(points, int) or points < 2:
        raise UserError(f"curve_points must be at least 2, not {points}")


def circle(key: jax.Array, shape: tuple[int, ...], dtype=jnp.float32) -> jax.Array:
    """Draws a plane in the space of images, uniform among all.

    Args:
        key: draws it.
        shape: of an image, [H, W, C].
        dtype: of the images.

    Returns:
        Two orthonormal columns U [H · W · C, 2]: the left singular vectors of a normal matrix. In
        float32 at least.

    Raises:
        UserError: images of a single value, which have no plane.
    """
    size = math.prod(shape)
    if size < 2:
        raise UserError(f"a curve needs images of two values at least, not {tuple(shape)}")
    normal = jax.random.normal(key, (size, 2), jnp.promote_types(dtype, jnp.float32))
    return jnp.linalg.svd(normal, full_matrices=False)[0]


def along(
    probe: Probe, points: int = CURVE_POINTS, basis: jax.Array | None = None
) -> Callable[[jax.Array], jax.Array]:
    """Returns the outputs along a curve, as a function of one scalar.

    Args:
        probe: of a network in forward mode; of its batch, inputs [N, H, W, C], shape and dtype
            alone matter. Its key draws U, unless that is given.
        points: T, at least 2.
        basis: U [H · W · C, 2], or None.

    Returns:
        s -> f(h(t + s)) [T, F] at t = 0 … 2π, what is one point's laid in a row, float32 at least.

    Raises:
        UserError: fewer points, a basis or inputs of another shape, or outputs that are no array.
    """
    check_points(points)
    shape, dtype = probe.batch.inputs.shape[1:], probe.batch.inputs.dtype
    if basis is None:
        if probe.key is None:
            raise UserError("a curve needs a key that draws it, or a basis")
        basis = circle(probe.key, shape, dtype)
    basis = jnp.asarray(basis)
    if basis.shape != (math.prod(shape), 2):
        raise UserError(
            f"a basis of {tuple(basis.shape)} does not fit inputs of {tuple(shape)}; "
            f"valid: {(math.prod(shape), 2)}"
        )
    t = jnp.linspace(0, 2 * math.pi, points, dtype=basis.dtype)
    across, up = basis.T[:, None]

    def outputs(s: jax.Array) -> jax.Array:
        angle = (t + s)[:, None]
        h = jnp.cos(angle) * across + jnp.sin(angle) * up
        with jax.default_matmul_precision("float32"):  # neither bfloat16 on TPU nor TF32 on GPU
            out = probe.model(probe.params, h.reshape(points, *shape).astype(dtype))
        if not isinstance(out, jax.Array):
            raise UserError(f"the network must return one array, not a {type(out).__name__}")
        return out.reshape(points, -1).astype(jnp.promote_types(out.dtype, jnp.float32))

    return outputs


def velocity(outputs: Callable[[jax.Array], jax.Array], s: jax.Array | float = 0.0) -> jax.Array:
    """Computes v [T, F] at t + s, for a function that `along` gave."""
    return jax.jvp(outputs, (s,), (1.0,))[1]


def motion(outputs: Callable[[jax.Array], jax.Array]) -> Motion:
    """Computes v and a at t, for a function that `along` gave."""
    return Motion(*jax.jvp(lambda s: velocity(outputs, s), (0.0,), (1.0,)))


def speed(velocity: jax.Array) -> jax.Array:
    """Computes ‖v‖ [T] of v [T, F]; NaN where v = 0: what stands still has no direction."""
    largest = jnp.abs(velocity).max(1, keepdims=True)  # squares neither overflow nor vanish
    return (largest * jnp.linalg.norm(velocity / largest, axis=1, keepdims=True))[:, 0]


def turning(moved: Motion) -> jax.Array:
    """Computes how fast the direction of motion turns, ‖∂(v / ‖v‖) / ∂t‖ [T]; NaN where v = 0.

    With u = v / ‖v‖ the derivative of u is (a − (a · u) u) / ‖v‖: what of a is across the motion.
    """
    length = speed(moved.velocity)[:, None]
    u, w = moved.velocity / length, moved.acceleration / length
    across = w - (w * u).sum(1, keepdims=True) * u
    return jnp.linalg.norm(across, axis=1)
