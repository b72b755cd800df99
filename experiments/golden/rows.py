"""Golden numbers recomputed: a row for each, and the inputs that they are computed from."""

from dataclasses import dataclass

import jax
import jax.numpy as jnp
import numpy as np


@dataclass(frozen=True)
class Row:
    """One number recomputed: what it is, what it came out as, what it should be.

    `scale` is what the error is relative to: the reference itself, or for an entry of a vector the
    vector's largest. `at_kink` says that float32's rounding decides it, see `kinks`.
    """

    name: str
    quantity: str
    value: float
    reference: float
    scale: float
    at_kink: bool = False

    @property
    def error(self) -> float:
        """|value − reference| / |scale|."""
        return abs(self.value - self.reference) / abs(self.scale)


def images(seed: int, shape: list[int], dtype: str) -> jax.Array:
    """Golden images: standard normal numbers [shape]."""
    return jnp.asarray(np.random.default_rng(seed).standard_normal(shape), dtype)


def worst(
    name: str,
    quantity: str,
    values: jax.Array,
    references: list[float],
    places: np.ndarray | None = None,
) -> Row:
    """The entry that is furthest off, among all or those at some places."""
    values, references = np.asarray(values, float), np.asarray(references)
    places = np.arange(len(values)) if places is None else places
    at = int(places[np.abs(values - references)[places].argmax()])
    largest = float(np.abs(references).max())
    return Row(name, quantity, float(values[at]), float(references[at]), largest)


def scalar(name: str, quantity: str, value: float, reference: float) -> Row:
    return Row(name, quantity, float(value), float(reference), float(reference))
