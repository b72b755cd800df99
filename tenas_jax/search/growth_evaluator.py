"""Scores sizes of one topology, with few compiled programs."""

from collections.abc import Iterator, Sequence
from typing import Any

import jax
import numpy as np

from tenas_jax.data import Images
from tenas_jax.errors import UserError
from tenas_jax.networks.as_vit.scored import blueprint, sizes_net
from tenas_jax.networks.as_vit.shapes import check_sides
from tenas_jax.scoring.evaluator import Evaluator
from tenas_jax.scoring.presets import Protocol
from tenas_jax.scoring.scores import Score
from tenas_jax.spaces.as_vit.grown import AsVitSizes
from tenas_jax.spaces.as_vit.sizes import Sizes
from tenas_jax.spaces.as_vit.space import STAGES

STEP = 1.25  # from one width that programs are compiled for to the next


class SizesEvaluator:
    """Scores masks of `AsVitSizes` as `Evaluator` does those of a space.

    Masks that are asked together are scored by one program, made for the largest of them rounded
    up: a depth that is a power of two, and a width of a geometric series. So a growth compiles a
    few times, and not for each candidate. What is drawn depends on that largest size, and so do
    scores: those of one call can be compared.

    Attributes:
        space: whose masks are scored.
        protocol: see `Protocol`.
        engine: of the kernel.
        compile_seconds, run_seconds: spent so far.
    """

    def __init__(
        self,
        space: AsVitSizes,
        data: Images,
        protocol: Protocol,
        *,
        seed: int,
        devices: Sequence[jax.Device] | None = None,
    ):
        """Nothing is compiled yet; arguments and errors are those of `Evaluator`."""
        self.space, self.protocol = space, protocol
        self._options: dict[str, Any] = {"seed": seed, "devices": devices}
        self._data, self._spent = data, np.zeros(2)
        check_sides(space.topology, data.images.shape[1:3])
        self._largest = Sizes(hidden=space.topology.heads)
        self._evaluator = self._made(self._largest)

    @property
    def engine(self) -> str:
        """Names the kernel's engine."""
        return self._evaluator.engine

    @property
    def compile_seconds(self) -> float:
        """Spent compiling so far."""
        return float(self._spent[0] + self._evaluator.compile_seconds)

    @property
    def run_seconds(self) -> float:
        """Spent running so far."""
        return float(self._spent[1] + self._evaluator.run_seconds)

    def key(self, mask: np.ndarray) -> str:
        """Says what two masks share if their scores are."""
        return self._evaluator.key(mask)

    def score(
        self, masks: Sequence[np.ndarray], draw: int, known: dict[str, Score] | None = None,
        **options: Any,
    ) -> Iterator[tuple[int, str, Score, bool]]:  # fmt: skip
        """Scores as `Evaluator.score`."""
        largest = rounded_up([self.space.from_mask(mask) for mask in masks])
        if largest != self._largest:
            spent = self._evaluator.compile_seconds, self._evaluator.run_seconds
            self._spent += spent
            self._largest, self._evaluator = largest, self._made(largest)
        yield from self._evaluator.score(masks, draw, known, **options)

    def _made(self, largest: Sizes) -> Evaluator:
        """Makes the evaluator of all sizes up to the largest."""

        def build(**options: Any):
            return sizes_net(self.space.topology, largest, **options)

        networks = {"scored": blueprint(build)}
        return Evaluator(self.space, self._data, self.protocol, networks=networks, **self._options)


def rounded_up(sizes: Sequence[Sizes]) -> Sizes:
    """Finds the sizes that a program is compiled for which takes all of some.

    Raises:
        UserError: there are none.
    """
    if not sizes:
        raise UserError("there are no sizes to score")
    depth, hidden = max(max(s.depths) for s in sizes), max(s.hidden for s in sizes)
    width = 8
    while width < hidden:
        width = max(width + 1, round(width * STEP))
    return Sizes((1 << (depth - 1).bit_length(),) * STAGES, width)
