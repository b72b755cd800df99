"""A layer that is split by hand at its inner values, and gradients at them."""

import jax
import jax.numpy as jnp
import numpy as np
from jax.ad_checkpoint import checkpoint_name

from tenas_jax.tracing.taps import with_shifts

WIDTH = 3


def params(seed: int = 0) -> dict:
    keys = jax.random.split(jax.random.key(seed), 3)
    shapes = {"a": (WIDTH, WIDTH), "bias": (WIDTH,), "b": (WIDTH, WIDTH)}
    return {n: jax.random.normal(k, s) for (n, s), k in zip(shapes.items(), keys, strict=True)}


def batch(count: int = 4) -> jax.Array:
    return jax.random.normal(jax.random.key(9), (count, WIDTH))


def block(p, x, shifts=(0.0, 0.0, 0.0, 0.0)):
    """A layer with each kind of tap but convolution; `shifts` splits it by hand."""
    h = x @ p["a"] + p["bias"][None] + shifts[0]
    y = checkpoint_name(jax.nn.gelu(h + shifts[1]), "middle") + shifts[2]
    return y @ p["b"] + shifts[3]


def close(actual, wanted):
    jax.tree.map(lambda a, w: np.testing.assert_allclose(a, w, rtol=0, atol=1e-12), actual, wanted)


def loss(outputs):
    return sum(jnp.sin(leaf).sum() for leaf in jax.tree.leaves(outputs))


def gradients(f, p, x, **options):
    """∂L/∂value at every tap, read off the program of f."""
    g, zeros = with_shifts(f, p, x, **options)
    return jax.grad(lambda shifts: loss(g(shifts, p, x)[0]))(zeros)


def by_hand(f, p, x, shapes):
    zeros = [jnp.zeros(shape) for shape in shapes]
    return jax.grad(lambda shifts: loss(f(p, x, shifts)))(zeros)
