"""Sequences of integer tokens in memory, with a class each or with a target at each position."""

import dataclasses

import jax
import numpy as np

from tenas_jax.data.dataset import Batch, choose, choose_others, positive
from tenas_jax.errors import UserError


@dataclasses.dataclass(frozen=True, eq=False)
class Tokens:
    """Holds sequences of one length, checked once, here; it is a `Dataset`.

    Attributes:
        tokens: int32 [N, T], from 0 to vocabulary - 1. Other integer types are converted.
        vocabulary: how many tokens there are, which may exceed the number that occurs here.
        targets: int32 [N], a class a sequence; or [N, T], such as the token that follows each; or
            None.
        weights: float32 of the targets' shape, finite and not negative: 0 where a target is
            padding. None where all count alike.
        classes: how many values a target may have. It must be given with targets [N]; otherwise
            it is the vocabulary.
        name: what error messages and reports call the data.

    Raises:
        UserError: anything else, no sequence, or sequences of no token.
    """

    tokens: np.ndarray
    vocabulary: int
    targets: np.ndarray | None = None
    weights: np.ndarray | None = None
    classes: int | None = None
    name: str = "tokens"

    def __post_init__(self) -> None:
        """Checks every field and converts it."""
        vocabulary = positive(f"{self.name}: the vocabulary", self.vocabulary)
        tokens = _numbers(f"{self.name}: tokens", self.tokens, vocabulary)
        if tokens.ndim != 2 or 0 in tokens.shape:
            raise UserError(
                f"{self.name}: tokens must be [N, T], at least one of one, not {tokens.shape}"
            )
        checked = {"tokens": tokens, "vocabulary": vocabulary, "classes": vocabulary}
        if self.targets is not None:
            checked |= self._checked_targets(np.asarray(self.targets), tokens.shape, vocabulary)
        elif self.weights is not None:
            raise UserError(f"{self.name}: weights are of targets, and there are none")
        for field, value in checked.items():
            object.__setattr__(self, field, value)

    def _checked_targets(self, targets: np.ndarray, shape: tuple, vocabulary: int) -> dict:
        """Returns targets, their weights and the number of classes, or raises a `UserError`."""
        if targets.shape not in (shape, shape[:1]):
            raise UserError(
                f"{self.name}: targets must be of shape {shape[:1]} or {shape}: {targets.shape}"
            )
        classes = self.classes
        if targets.ndim == 2:
            classes = vocabulary if classes is None else classes
        elif classes is None:
            raise UserError(f"{self.name}: with a target a sequence, give the number of classes")
        classes = positive(f"{self.name}: the number of classes", classes)
        checked = {
            "targets": _numbers(f"{self.name}: targets", targets, classes),
            "classes": classes,
        }
        if self.weights is None:
            return checked

        weights = np.ascontiguousarray(self.weights, dtype=np.float32)
        if weights.shape != targets.shape:
            raise UserError(
                f"{self.name}: weights must be of shape {targets.shape}: {weights.shape}"
            )
        if not (np.isfinite(weights) & (weights >= 0)).all():
            raise UserError(f"{self.name}: weights must be finite and not negative")
        return {**checked, "weights": weights}

    @classmethod
    def random(cls, count: int, length: int, vocabulary: int, seed: int) -> "Tokens":
        """Draws sequences of independent tokens, equally likely, to score networks without data.

        Args:
            count: how many sequences.
            length: tokens of each.
            vocabulary: how many tokens there are.
            seed: the same one gives the same sequences.

        Returns:
            Sequences [count, length] whose targets are the tokens that follow.
        """
        shape = positive("the number of sequences", count), positive("the length", length) + 1
        vocabulary = positive("the vocabulary", vocabulary)
        tokens = np.random.default_rng(seed).integers(vocabulary, size=shape)
        return cls(tokens[:, :-1], vocabulary, tokens[:, 1:], name="random tokens")

    @property
    def example(self) -> jax.ShapeDtypeStruct:
        """Describes the input of one example: int32 [T]."""
        return jax.ShapeDtypeStruct(self.tokens.shape[1:], np.int32)

    def __len__(self) -> int:
        """Returns the number of sequences."""
        return len(self.tokens)

    def draw(
        self, n: int, rng: np.random.Generator, *, augment: bool = False, held_out: bool = False
    ) -> Batch:
        """Draws `n` distinct sequences, see `Dataset.draw`; `augment` changes nothing."""
        chosen = choose(self, n, rng, held_out=held_out)
        batch = self._examples(chosen)
        if not held_out:
            return batch
        return batch.replace(held_out=self._examples(choose_others(self, chosen, rng)))

    def _examples(self, chosen: np.ndarray) -> Batch:
        """Returns the sequences of these numbers, with what goes with them."""
        targets, weights = (a if a is None else a[chosen] for a in (self.targets, self.weights))
        return Batch(self.tokens[chosen], targets, weights)


def _numbers(what: str, array: np.ndarray, count: int) -> np.ndarray:
    """Returns C-contiguous int32 from 0 to count - 1, or raises a `UserError`."""
    array = np.asarray(array)
    if not np.issubdtype(array.dtype, np.integer):
        raise UserError(f"{what} must be integers, not {array.dtype}")
    low, high = (int(array.min()), int(array.max())) if array.size else (0, 0)
    if low < 0 or high >= count:
        raise UserError(f"{what} must be from 0 to {count - 1}; these go from {low} to {high}")
    return np.ascontiguousarray(array, dtype=np.int32)
