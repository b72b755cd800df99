"""A scoring network of a space: how it is built, called, and started."""

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

import flax.linen as nn
import jax

from tenas_jax.networks.model import Network, Params


@dataclass(frozen=True)
class Variant:
    """One scoring network of a space.

    Attributes:
        build: `(classes=..., initialiser=...) -> module`, taking images and a mask.
        patches: whether its inputs are small one-channel patches rather than whole images.
        side_multiple: what the height and width of its images must be multiples of.
        options: keyword arguments of the module's call, as a tuple of pairs.
        adapt: `(module, params, mask, channels) -> params`, where the initial parameters of an
            architecture are not those that are drawn for all; None where they are.
    """

    build: Callable[..., nn.Module]
    patches: bool = False
    side_multiple: int = 1
    options: tuple[tuple[str, Any], ...] = ()
    adapt: Callable[..., Params] | None = None


@dataclass(frozen=True)
class Scoring:
    """A variant with the module that it built."""

    variant: Variant
    module: nn.Module

    def network(self, mask: jax.Array) -> Network:
        """The function that is scored."""
        return Network(self.module, mask, options=self.variant.options)

    def initial(self, params: Params, mask: jax.Array, channels: int) -> Params:
        """The initial parameters of a mask's architecture.

        Args:
            params: as they were drawn for all architectures.
            mask: [cells, edges, operations].
            channels: of the images.
        """
        if self.variant.adapt is None:
            return params
        return self.variant.adapt(self.module, params, mask, channels)
