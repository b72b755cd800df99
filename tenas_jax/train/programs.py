"""The compiled steps of a training, one for each size of tokens."""

import functools
import time
from collections.abc import Callable

import flax.linen as nn
import jax
import optax
from jax.sharding import Mesh

from tenas_jax.train.card import Card
from tenas_jax.train.recipe import Recipe
from tenas_jax.train.step import State, train_step


class Programs:
    """Compiles a step at its first call with a factor, and keeps it.

    Attributes:
        compile_seconds: spent compiling so far.
    """

    def __init__(
        self,
        module: nn.Module,
        recipe: Recipe,
        optimiser: optax.GradientTransformation,
        card: Card,
        mesh: Mesh,
        steps_per_epoch: int,
    ):
        """The arguments are those of `step.train_step`; nothing is compiled yet."""
        self._build: Callable[..., Callable[..., State]] = functools.partial(
            train_step, module, recipe, optimiser, card, mesh, steps_per_epoch
        )
        self._compiled: dict[int, jax.stages.Compiled] = {}
        self.compile_seconds = 0.0

    def step(self, coarse: int, *args) -> State:
        """One step.

        Args:
            coarse: how many times larger the sides of tokens are; 1 for a network without tokens.
            *args: of the function that `step.train_step` gives; their shapes never change.
        """
        if coarse not in self._compiled:
            begun = time.perf_counter()
            self._compiled[coarse] = self._build(coarse=coarse).lower(*args).compile()
            self.compile_seconds += time.perf_counter() - begun
        return self._compiled[coarse](*args)
