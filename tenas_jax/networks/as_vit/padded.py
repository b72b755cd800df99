"""One network for all topologies, or all sizes, of As-ViT: larger ones hold the smaller, exactly.

What an architecture chooses is a run-time argument, so that one compiled program serves all of it:

- a kernel is the middle of the largest one, its norm's statistics are over its own inputs;
- an MLP's hidden units and a stage's channels are the first of the most there are;
- blocks that are left over are not run; of the splits' branches one is run;
- heads are groups of the most heads there are.

Outputs, and derivatives in the weights that are used, are those of `AsVit`; derivatives in the
others are zero. The head is left out: it is not among what the metrics look at.
"""

import math
from typing import Any, NamedTuple

import flax.linen as nn
import jax
import jax.numpy as jnp
from jax import lax

from tenas_jax.errors import UserError, lookup
from tenas_jax.networks.as_vit.blocks import (
    affine,
    attend_in_groups,
    first,
    middle,
    normalise,
    unfold,
)
from tenas_jax.networks.as_vit.shapes import check_sides
from tenas_jax.networks.layers.initialisers import Initialiser, initialiser, uniform_bias
from tenas_jax.spaces.as_vit.sizes import WIDEST, Sizes
from tenas_jax.spaces.as_vit.space import STAGES, STRIDES, Topology

PATCHES = "pytorch_default"  # draws the first projection, as in `AsVit`


class Choice(NamedTuple):
    """Holds what an architecture chooses, as int32 scalars or Python numbers.

    Attributes:
        kernels: K of each stage.
        splits: the number of each stage's S among those that it may have.
        ratios: E of each stage.
        heads: of the last stage.
        depths: blocks of each stage.
        hidden: width of the first stage.
    """

    kernels: Any
    splits: Any
    ratios: Any
    heads: Any
    depths: Any
    hidden: Any

    def width(self, stage: int) -> jax.Array:
        """Returns the channels of a stage."""
        return jnp.minimum(WIDEST, self.hidden * 2**stage)


class Dense(nn.Module):
    """Draws the weights of a dense layer, or those of one in each of a stack of blocks.

    Attributes:
        shape: (inputs, outputs).
        kernel: initialiser.
        bias: initialiser, or None for no bias.
        stack: blocks, or None.
    """

    shape: tuple[int, int]
    kernel: Any
    bias: Any = nn.initializers.zeros
    stack: int | None = None

    @nn.compact
    def __call__(self) -> tuple[jax.Array, jax.Array | None]:
        """Returns the kernel [stack, inputs, outputs] and the bias [stack, outputs]."""
        kernel = self.param("kernel", _stacked(self.kernel, self.stack), self.shape)
        if self.bias is None:
            return kernel, None
        return kernel, self.param("bias", _stacked(self.bias, self.stack), self.shape[1:])


class Norm(nn.Module):
    """Draws the weights of a norm, or those of one in each of a stack of blocks."""

    features: int
    stack: int | None = None

    @nn.compact
    def __call__(self) -> tuple[jax.Array, jax.Array]:
        """Returns scale and bias, [stack, features]."""
        shape = (self.features,)
        scale = self.param("scale", _stacked(nn.initializers.ones, self.stack), shape)
        return scale, self.param("bias", _stacked(nn.initializers.zeros, self.stack), shape)


class PaddedAsVit(nn.Module):
    """Computes features under a mask; a subclass says what the mask chooses (`choice`).

    Attributes:
        kernels: for each stage those that it may have; and so
        splits: and
        ratios.
        heads: those that the last stage may have.
        sizes: the largest depths and width.
        initialiser: of dense kernels.
    """

    kernels: tuple[tuple[int, ...], ...]
    splits: tuple[tuple[int, ...], ...]
    ratios: tuple[tuple[int, ...], ...]
    heads: tuple[int, ...]
    sizes: Sizes
    initialiser: str = "small_normal"

    coupled = False  # an image's output depends on that image alone

    def __post_init__(self):
        least = max(self.heads) // 2 ** (STAGES - 1)
        if len(self.heads) > 1 and self.sizes.hidden % least:
            raise UserError(
                f"hidden is {self.sizes.hidden}; valid: multiples of {least}, so that one network "
                f"can have {', '.join(map(str, self.heads))} heads"
            )
        super().__post_init__()

    def choice(self, mask: jax.Array) -> Choice:
        """Reads what a mask chooses."""
        raise NotImplementedError

    @nn.compact
    def __call__(
        self, images: jax.Array, mask: jax.Array, *, output: str = "features", norms: bool = True
    ) -> jax.Array:
        """Computes the features [N, C] of images; options and errors are those of `AsVit`.

        Images must fit all that can be chosen.
        """
        lookup("output", {"features": None}, output)
        every = Topology((), tuple(math.lcm(*splits) for splits in self.splits), (), 0)
        check_sides(every, images.shape[1:3])
        chosen, x = self.choice(mask), images
        for stage in range(STAGES):
            x = self._tokens(stage, x, chosen, norms)
            x = self._blocks(stage, x, chosen, norms)
        return x.mean((1, 2))

    def _tokens(self, stage: int, x: jax.Array, chosen: Choice, norms: bool) -> jax.Array:
        """Makes a stage's tokens, [N, H, W, ·] to [N, H / stride, W / stride, C]."""
        largest, width = max(self.kernels[stage]), self.sizes.widths[stage]
        taps = unfold(x, largest, STRIDES[stage])
        seen = middle(largest, chosen.kernels[stage], STRIDES[stage], x.dtype)
        channels = x.shape[-1] if stage == 0 else chosen.width(stage - 1)
        used = (seen[:, None] * first(x.shape[-1], channels, x.dtype)[None, :]).ravel()
        x = taps.reshape(*taps.shape[:3], -1) * used.reshape(1, 1, 1, -1)
        name, shape = f"layers_{stage}_tokens", (x.shape[-1], width)
        if stage:
            x = normalise(x, Norm(x.shape[-1], name=f"{name}_norm")(), used, norms)
            dense = Dense(shape, initialiser(self.initialiser), None, name=name)
            return affine(x, *dense(), chosen.width(stage))
        dense = Dense(shape, initialiser(PATCHES), uniform_bias(x.shape[-1]), name=name)
        x = affine(x, *dense(), chosen.width(0))
        used = first(width, chosen.width(0), x.dtype)
        return normalise(x, Norm(width, name=f"{name}_norm")(), used, norms)

    def _blocks(self, stage: int, x: jax.Array, chosen: Choice, norms: bool) -> jax.Array:
        """Applies the blocks of a stage, [N, H, W, C] to the same."""
        weights = self._weights(stage)

        def block(x: jax.Array, own: dict) -> jax.Array:
            width, used = chosen.width(stage), first(x.shape[-1], chosen.width(stage), x.dtype)
            inner = normalise(x, own["norm1"], used, norms)
            x = x + affine(self._attend(stage, inner, own, chosen), *own["proj"], width)
            inner = normalise(x, own["norm2"], used, norms)
            hidden = chosen.ratios[stage] * width
            inner = affine(inner, *own["fc1"], hidden, lambda x: nn.gelu(x, approximate=False))
            return x + affine(inner, *own["fc2"], width)

        if self.sizes.depths[stage] == 1:
            return block(x, jax.tree.map(lambda w: w[0], weights))

        def step(x: jax.Array, given: tuple) -> tuple[jax.Array, None]:
            number, own = given
            run = number < chosen.depths[stage]
            return lax.cond(run, block, lambda x, own: x, x, own), None

        return lax.scan(step, x, (jnp.arange(self.sizes.depths[stage]), weights))[0]

    def _weights(self, stage: int) -> dict[str, tuple[jax.Array, jax.Array]]:
        """Draws the weights of a stage's blocks, along first axes, by name."""
        width, depth = self.sizes.widths[stage], self.sizes.depths[stage]
        parts = self._parts(stage)
        inner, hidden = width // parts * parts, max(self.ratios[stage]) * width
        shapes = {"qkv": (width, 3 * inner), "proj": (inner, width)}
        shapes |= {"fc1": (width, hidden), "fc2": (hidden, width)}
        kernel, prefix = initialiser(self.initialiser), f"layers_{stage}_blocks"
        dense = {
            name: Dense(shape, kernel, stack=depth, name=f"{prefix}_{name}")()
            for name, shape in shapes.items()
        }
        norms = {name: Norm(width, depth, name=f"{prefix}_{name}")() for name in ("norm1", "norm2")}
        return dense | norms

    def _attend(self, stage: int, x: jax.Array, own: dict, chosen: Choice) -> jax.Array:
        """Attends within [N, H, W, C], without the projection behind."""
        parts, (kernel, bias) = self._parts(stage), own["qkv"]
        heads = chosen.heads // 2 ** (STAGES - 1 - stage)
        size = chosen.width(stage) // parts
        qkv = (x @ kernel + bias.reshape(1, 1, 1, -1)).reshape(*x.shape[:3], 3, parts, -1)
        qkv = qkv * first(qkv.shape[-1], size, x.dtype).reshape(1, 1, 1, 1, 1, -1)
        several = len(self.heads) > 1
        branches = [
            lambda qkv, split=split: attend_in_groups(qkv, split, parts // heads, size, several)
            for split in self.splits[stage]
        ]
        return lax.switch(chosen.splits[stage], branches, qkv)

    def _parts(self, stage: int) -> int:
        """Returns the most heads that a stage may have."""
        return max(self.heads) // 2 ** (STAGES - 1 - stage)


def _stacked(init: Initialiser, stack: int | None):
    """Makes an initialiser of so many arrays of a shape, each by itself."""
    if stack is None:
        return init

    def draw(key: jax.Array, shape: tuple[int, ...], dtype=jnp.float32) -> jax.Array:
        return jax.vmap(lambda key: init(key, shape, dtype))(jax.random.split(key, stack))

    return draw
