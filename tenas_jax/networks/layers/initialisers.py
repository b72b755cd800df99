"""Named initialisers of kernels.

A name that is not here is an error: the programs released with TE-NAS and TEG-NAS compare names in
`if`/`elif` without `else`, so that their `kaiming_normal` matches nothing and PyTorch's default,
`pytorch_default` here, is what really ran.
"""

import math
from collections.abc import Callable
from dataclasses import dataclass

import jax
import jax.numpy as jnp

from tenas_jax.errors import lookup

SMALLEST_DRAW = 2048


def _fans(shape: tuple[int, ...]) -> tuple[int, int]:
    """Computes fan in and fan out of a kernel [k, k, in, out] or [in, out]."""
    window = math.prod(shape[:-2])
    return window * shape[-2], window * shape[-1]


def _draw(sample: Callable, key: jax.Array, shape: tuple[int, ...], dtype) -> jax.Array:
    """Draws random numbers of a shape, cut from a draw whose length is a power of two.

    A network has kernels of many shapes, and drawing each by itself would compile a program for
    each: half a minute on a slow CPU, against one or two programs this way.
    """
    size = math.prod(shape)
    length = max(SMALLEST_DRAW, 1 << (size - 1).bit_length())
    return sample(key, (length,), dtype)[:size].reshape(shape)


def _uniform_numbers(key: jax.Array, shape: tuple[int, ...], dtype) -> jax.Array:
    """Draws uniform numbers between −1 and 1."""
    return 2 * jax.random.uniform(key, shape, dtype) - 1


@dataclass(frozen=True)
class Initialiser:
    """Draws a kernel, called as `(key, shape, dtype) -> array`.

    Attributes:
        sample: `(key, shape, dtype)` to numbers of scale 1.
        scale: what they are multiplied by, of the kernel's fan in and fan out.
    """

    sample: Callable[..., jax.Array]
    scale: Callable[[float, float], float]

    def __call__(self, key: jax.Array, shape: tuple[int, ...], dtype=jnp.float32) -> jax.Array:
        """Draws a kernel [..., in, out]."""
        return _draw(self.sample, key, shape, dtype) * self.scale(*_fans(shape))


INITIALISERS: dict[str, Initialiser] = {
    # `reset_parameters` of PyTorch's Conv2d and Linear
    "pytorch_default": Initialiser(_uniform_numbers, lambda fan_in, fan_out: (1 / fan_in) ** 0.5),
    # He, Zhang, Ren and Sun, 2015, arXiv:1502.01852
    "kaiming_normal_fan_in": Initialiser(
        jax.random.normal, lambda fan_in, fan_out: (2 / fan_in) ** 0.5
    ),
    "kaiming_normal_fan_out": Initialiser(
        jax.random.normal, lambda fan_in, fan_out: (2 / fan_out) ** 0.5
    ),
    # Glorot and Bengio, 2010
    "xavier_normal": Initialiser(
        jax.random.normal, lambda fan_in, fan_out: (2 / (fan_in + fan_out)) ** 0.5
    ),
    # LeCun, Bottou, Orr and Müller, 1998: keeps the variance of a linear network
    "lecun_normal": Initialiser(jax.random.normal, lambda fan_in, fan_out: (1 / fan_in) ** 0.5),
    # What vision transformers use, whatever the fans. As-ViT's program calls timm's truncated
    # normal with deviation 0.02, which cuts at −2 and 2, a hundred deviations off: never.
    "small_normal": Initialiser(jax.random.normal, lambda fan_in, fan_out: 0.02),
}


def uniform_bias(fan_in: int) -> Callable[..., jax.Array]:
    """Makes PyTorch's default for biases: uniform between −1 / √fan_in and 1 / √fan_in."""

    def init(key: jax.Array, shape: tuple[int, ...], dtype=jnp.float32) -> jax.Array:
        return _draw(_uniform_numbers, key, shape, dtype) * (1 / fan_in) ** 0.5

    return init


def initialiser(name: str) -> Initialiser:
    """Returns the initialiser `(key, shape, dtype) -> array` of that name.

    Raises:
        UserError: the name is unknown.
    """
    return lookup("initialiser", INITIALISERS, name)
