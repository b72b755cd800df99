"""What networks see: a batch of examples, the contract of what draws one, and the loss of one."""

from typing import Any, Optional, Protocol, runtime_checkable

import jax
import jax.numpy as jnp
import numpy as np
from flax import struct

from tenas_jax.errors import UserError, shorten


@struct.dataclass
class Batch:
    """Holds a batch of examples, as a tree of arrays that JAX's transformations take.

    Attributes:
        inputs: what the network is given, a pytree whose leaves have the examples on their first
            axis: images [N, H, W, C], vectors [N, D], integer tokens [N, T].
        targets: int [N], a class an example, or [N, T], one a position; None where there are none.
        weights: float of the targets' shape, 0 where a target is padding; None where all count.
        held_out: a second batch with other examples, for what measures how well the first
            generalises; None for all else.
    """

    inputs: Any
    targets: jax.Array | None = None
    weights: jax.Array | None = None
    held_out: Optional["Batch"] = None

    def __len__(self) -> int:
        """Returns the number of examples."""
        return jax.tree.leaves(self.inputs)[0].shape[0]


@runtime_checkable
class Dataset(Protocol):
    """Draws batches of examples that are all of one shape, as `Images` and `Tokens` do."""

    @property
    def name(self) -> str:
        """Says what error messages and reports call the data."""
        ...

    @property
    def classes(self) -> int:
        """Counts the values that a target may have, 0 to classes - 1."""
        ...

    @property
    def example(self) -> jax.ShapeDtypeStruct:
        """Describes the input of one example: float32 [H, W, C], int32 [T]."""
        ...

    def __len__(self) -> int:
        """Returns the number of examples."""
        ...

    def draw(
        self, n: int, rng: np.random.Generator, *, augment: bool, held_out: bool = False
    ) -> Batch:
        """Draws `n` distinct examples.

        Args:
            n: how many.
            rng: what is drawn with. The same state picks the same examples with and without
                `augment`, and with and without `held_out`.
            augment: whether to change examples at random, as in training; data that has no such
                changes gives them as they are.
            held_out: whether to draw `n` further ones, which are never augmented.

        Returns:
            NumPy arrays: inputs of `example`'s dtype with an axis before, targets int32.

        Raises:
            UserError: there are not so many examples.
        """
        ...


def positive(what: str, value: Any) -> int:
    """Returns `value` as an int; `UserError` unless it is a whole number of at least 1."""
    if isinstance(value, bool) or not isinstance(value, int | np.integer) or value < 1:
        raise UserError(f"{what} must be a whole number of at least 1, not {shorten(value)}")
    return int(value)


def choose(
    data: Dataset, n: int, rng: np.random.Generator, *, held_out: bool = False
) -> np.ndarray:
    """Draws the numbers of `n` distinct examples, int [n].

    Args:
        data: says how many examples there are.
        n: how many to draw.
        rng: what is drawn with.
        held_out: whether `choose_others` is to find as many once more.

    Raises:
        UserError: `n` is no whole number of at least 1, or there are not so many examples.
    """
    n = positive("the batch size", n)
    if held_out and 2 * n > len(data):
        raise UserError(
            f"{data.name} has {len(data)} examples, not the {2 * n} of a batch and a "
            "validation batch"
        )
    if n > len(data):
        raise UserError(f"{data.name} has {len(data)} examples, not the {n} of a batch")
    return rng.choice(len(data), n, replace=False)


def choose_others(data: Dataset, chosen: np.ndarray, rng: np.random.Generator) -> np.ndarray:
    """Draws as many examples again, none of them among those chosen: their numbers, int [n]."""
    others = np.setdiff1d(np.arange(len(data)), chosen)
    return rng.choice(others, len(chosen), replace=False)


def cross_entropy(
    logits: jax.Array, targets: jax.Array, weights: jax.Array | None = None
) -> jax.Array:
    """Computes the loss of each example: the mean of -log softmax(logits)[target] over its targets.

    Args:
        logits: [N, C] with one target an example, or [N, T, V] with one a position. They are
            taken to float32 where they have fewer bits.
        targets: int [N] or [N, T]; one of weight 0 may be any integer.
        weights: float of the targets' shape: the mean is weighted by them. None counts all alike.

    Returns:
        [N], float32 or float64. An example of no weight at all has loss 0.

    Raises:
        UserError: the shapes do not fit together, or the targets are no integers.
    """
    if targets.shape != logits.shape[:-1] or logits.ndim < 2:
        raise UserError(
            f"logits {logits.shape} need targets of shape {logits.shape[:-1]}, not {targets.shape}"
        )
    if not jnp.issubdtype(targets.dtype, jnp.integer):
        raise UserError(f"targets must be integers, not {targets.dtype}")
    if weights is not None and weights.shape != targets.shape:
        raise UserError(f"weights must be of the targets' shape {targets.shape}: {weights.shape}")

    logits = logits.astype(jnp.promote_types(logits.dtype, jnp.float32))
    chosen = jnp.take_along_axis(jax.nn.log_softmax(logits), targets[..., None], axis=-1)[..., 0]
    axes = tuple(range(1, targets.ndim))
    if weights is None:
        return -chosen.mean(axes)
    weights = weights.astype(logits.dtype)
    # Chosen, not multiplied by zero: what stands at a padded position may be NaN.
    total = jnp.where(weights != 0, weights * chosen, 0.0).sum(axes)
    amount = weights.sum(axes)
    return jnp.where(amount != 0, -total / jnp.where(amount != 0, amount, 1.0), 0.0)
