"""Named initialisers of kernels.

A name that is not here is an error: the programs released with TE-NAS and TEG-NAS compare names in
`if`/`elif` without `else`, so that their `kaiming_normal` matches nothing and PyTorch's default,
`pytorch_default` here, is what really ran.
"""

import math
from collections.abc import Callable

import jax
import jax.numpy as jnp

from tenas_jax.errors import lookup

Initialiser = Callable[..., jax.Array]  # (key, shape, dtype) -> array

SMALLEST_DRAW = 2048


def _fans(shape: tuple[int, ...]) -> tuple[int, int]:
    """Fan in and fan out of a kernel [k, k, in, out] or [in, out]."""
    window = math.prod(shape[:-2])
    return window * shape[-2], window * shape[-1]


def _draw(sample: Callable, key: jax.Array, shape: tuple[int, ...], dtype) -> jax.Array:
    """Random numbers of a shape, cut from a draw whose length is a power of two.

    A network has kernels of many shapes, and drawing each by itself would compile a program for
    each: half a minute on a slow CPU, against one or two programs this way.
    """
    size = math.prod(shape)
    length = max(SMALLEST_DRAW, 1 << (size - 1).bit_length())
    return sample(key, (length,), dtype)[:size].reshape(shape)


def _normal(variance: Callable[[int, int], float]) -> Initialiser:
    """Normal numbers of a variance that depends on fan in and fan out."""

    def init(key: jax.Array, shape: tuple[int, ...], dtype=jnp.float32) -> jax.Array:
        return _draw(jax.random.normal, key, shape, dtype) * math.sqrt(variance(*_fans(shape)))

    return init


def _uniform(bound: Callable[[int, int], float]) -> Initialiser:
    """Uniform numbers between −bound and bound, which depends on fan in and fan out."""

    def init(key: jax.Array, shape: tuple[int, ...], dtype=jnp.float32) -> jax.Array:
        return (2 * _draw(jax.random.uniform, key, shape, dtype) - 1) * bound(*_fans(shape))

    return init


INITIALISERS: dict[str, Initialiser] = {
    # `reset_parameters` of PyTorch's Conv2d and Linear
    "pytorch_default": _uniform(lambda fan_in, fan_out: math.sqrt(1 / fan_in)),
    # He, Zhang, Ren and Sun, 2015, arXiv:1502.01852
    "kaiming_normal_fan_in": _normal(lambda fan_in, fan_out: 2 / fan_in),
    "kaiming_normal_fan_out": _normal(lambda fan_in, fan_out: 2 / fan_out),
    # Glorot and Bengio, 2010
    "xavier_normal": _normal(lambda fan_in, fan_out: 2 / (fan_in + fan_out)),
    # LeCun, Bottou, Orr and Müller, 1998: keeps the variance of a linear network
    "lecun_normal": _normal(lambda fan_in, fan_out: 1 / fan_in),
}


def initialiser(name: str) -> Initialiser:
    """The initialiser `(key, shape, dtype) -> array` of that name.

    Raises:
        UserError: the name is unknown.
    """
    return lookup("initialiser", INITIALISERS, name)
