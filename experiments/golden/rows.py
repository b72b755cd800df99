"""Golden numbers recomputed: a row for each, and what they are computed from."""

from collections.abc import Callable, Iterator
from dataclasses import dataclass

import jax
import jax.numpy as jnp
import numpy as np
from flax import traverse_util

from tenas_jax.networks import Network, Params


@dataclass(frozen=True)
class Row:
    """Holds one number recomputed.

    Attributes:
        name: of the case.
        quantity: what it is.
        value: what it came out as.
        reference: what it should be.
        scale: what the error is relative to: the reference itself, or for an entry of a vector the
            vector's largest.
        at_kink: whether float32's rounding decides it, see `kinks`.
    """

    name: str
    quantity: str
    value: float
    reference: float
    scale: float
    at_kink: bool = False

    @property
    def error(self) -> float:
        """Computes |value − reference| / |scale|."""
        return abs(self.value - self.reference) / abs(self.scale)


def images(seed: int, shape: list[int], dtype: str) -> jax.Array:
    """Draws golden images: standard normal numbers [shape]."""
    return jnp.asarray(np.random.default_rng(seed).standard_normal(shape), dtype)


def worst(
    name: str,
    quantity: str,
    values: jax.Array,
    references: list[float],
    among: np.ndarray | None = None,
) -> Row:
    """Finds the entry that is furthest off, among all or those of some indices."""
    values, references = np.asarray(values, float), np.asarray(references)
    among = np.arange(len(values)) if among is None else among
    at = int(among[np.abs(values - references)[among].argmax()])
    largest = float(np.abs(references).max())
    return Row(name, quantity, float(values[at]), float(references[at]), largest)


def scalar(name: str, quantity: str, value: float, reference: float) -> Row:
    """Makes the row of a number that is relative to itself."""
    return Row(name, quantity, float(value), float(reference), float(reference))


def spectrum_rows(name: str, kernel: np.ndarray, case: dict) -> Iterator[Row]:
    """Yields the rows of a kernel's extreme eigenvalues and of κ."""
    eigenvalues = np.linalg.eigvalsh(kernel)
    yield scalar(name, "smallest eigenvalue", eigenvalues[0], case["eig_min"])
    yield scalar(name, "largest eigenvalue", eigenvalues[-1], case["eig_max"])
    kappa = eigenvalues[-1] / eigenvalues[0]
    yield scalar(name, "condition number", kappa, case["condition_number"])


def named_parameters(
    network: Network, images: jax.Array, value: Callable[[str, tuple[int, ...]], np.ndarray]
) -> Params:
    """Makes a network's parameters from their names alone, in the dtype of the images.

    Args:
        network: whose shapes they have.
        images: what the network takes.
        value: given a parameter's path, with slashes between, and its shape.
    """
    shapes = jax.eval_shape(lambda key: network.init(key, images), jax.random.key(0))
    values = {
        path: jnp.asarray(value(path, leaf.shape), images.dtype)
        for path, leaf in traverse_util.flatten_dict(shapes, sep="/").items()
    }
    return traverse_util.unflatten_dict(values, sep="/")
