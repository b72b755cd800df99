"""The vision transformer of As-ViT (Chen et al. 2022, arXiv:2202.11921), for any topology and size.

    patches → [blocks → half the grid] × 3 → blocks → norm → mean → dense, tanh, dense

It takes images of any size that the strides allow. Two switches leave every weight as it is:
`norms=False` makes each norm the identity, as the measures of a curve's length ask for; `coarse`
makes the tokens of the first stage larger, for the first part of a training.
"""

from typing import Any

import flax.linen as nn
import jax
import jax.numpy as jnp

from tenas_jax.errors import lookup
from tenas_jax.networks.as_vit.blocks import Attention, Downsample, Mlp, Norm, unfold
from tenas_jax.networks.as_vit.shapes import check_heads, check_sides
from tenas_jax.networks.layers.initialisers import initialiser, uniform_bias
from tenas_jax.spaces.as_vit.sizes import Sizes
from tenas_jax.spaces.as_vit.space import STAGES, STRIDES, Topology

OUTPUTS = ("logits", "features")


class Patches(nn.Module):
    """Makes tokens of images: K × K pixels at stride 4, projected, and their norm.

    Attributes:
        size: K.
        features: of a token.
        dtype: of the computation.
    """

    size: int
    features: int
    dtype: Any = None

    @nn.compact
    def __call__(self, images: jax.Array, norms: bool, coarse: int) -> jax.Array:
        """Maps [N, H, W, C] to [N, H / (4 coarse), W / (4 coarse), features].

        Coarser tokens have the same weights: the stride is `coarse` times larger, and so is the
        distance between the pixels that a weight sees. So they are the tokens of the image that
        consists of every n-th pixel, n = `coarse`.
        """
        taps = unfold(images[:, ::coarse, ::coarse], self.size, STRIDES[0])
        x = taps.reshape(*taps.shape[:3], -1)
        x = Projection(self.size, self.features, self.dtype, name="proj")(x)
        return Norm(self.dtype, name="norm")(x, norms)


class Projection(nn.Module):
    """Convolves pixels that are laid side by side; PyTorch's default draws its weights."""

    size: int
    features: int
    dtype: Any = None

    @nn.compact
    def __call__(self, x: jax.Array) -> jax.Array:
        """Maps [..., K · K · C] to [..., features]."""
        fan_in = x.shape[-1]
        shape = (self.size, self.size, fan_in // self.size**2, self.features)
        kernel = self.param("kernel", initialiser("pytorch_default"), shape)
        bias = self.param("bias", uniform_bias(fan_in), (self.features,))
        x, kernel, bias = nn.dtypes.promote_dtype(x, kernel, bias, dtype=self.dtype)
        return x @ kernel.reshape(fan_in, -1) + bias.reshape((1,) * (x.ndim - 1) + (-1,))


class Block(nn.Module):
    """Applies attention and an MLP, each behind a norm and added to what goes in."""

    heads: int
    split: int
    ratio: int
    kernel: Any
    dtype: Any = None

    @nn.compact
    def __call__(self, x: jax.Array, norms: bool, rate: float | jax.Array) -> jax.Array:
        """Maps [N, H, W, C] to the same; branches of an image are dropped with chance `rate`."""
        part = Attention(self.heads, self.split, self.kernel, self.dtype, name="attn")
        x = x + self._drop(part(Norm(self.dtype, name="norm1")(x, norms)), rate)
        part = Mlp(self.ratio, self.kernel, self.dtype, name="mlp")
        return x + self._drop(part(x, norms), rate)

    def _drop(self, branch: jax.Array, rate: float | jax.Array) -> jax.Array:
        if isinstance(rate, float | int) and not rate:
            return branch
        kept = jax.random.bernoulli(self.make_rng("drop_path"), 1 - rate, (len(branch), 1, 1, 1))
        return jnp.where(kept, branch / jnp.asarray(1 - rate, branch.dtype), 0)


class Stage(nn.Module):
    """Chains blocks of one width, and what halves the grid after them."""

    topology: Topology
    number: int
    depth: int
    next_width: int | None
    kernel: Any
    dtype: Any = None

    @nn.compact
    def __call__(self, x: jax.Array, norms: bool, rates: list) -> jax.Array:
        """Maps [N, H, W, C] to [N, ⌊H / 2⌋, ⌊W / 2⌋, next_width], or the same without one."""
        t, n = self.topology, self.number
        for at in range(self.depth):
            block = Block(
                t.stage_heads[n], t.splits[n], t.ratios[n], self.kernel, self.dtype,
                name=f"blocks_{at}",
            )  # fmt: skip
            x = block(x, norms, rates[at])
        if self.next_width is None:
            return x
        half = Downsample(
            t.kernels[n + 1], self.next_width, self.kernel, self.dtype, name="downsample"
        )
        return half(x, norms)


class AsVit(nn.Module):
    """Computes logits or features by the whole network.

    Attributes:
        topology: kernels, splits, expansions, heads.
        sizes: depths and width.
        classes: how many.
        initialiser: of dense kernels; that of the patches is PyTorch's default, as in the released
            program.
        dtype: of the computation; None for that of the images. Logits are float32 at least.
    """

    topology: Topology
    sizes: Sizes = Sizes()
    classes: int = 10
    initialiser: str = "small_normal"
    dtype: Any = None

    coupled = False  # an image's output depends on that image alone

    def __post_init__(self):
        check_heads(self.topology, self.sizes)
        super().__post_init__()

    @nn.compact
    def __call__(
        self,
        images: jax.Array,
        *,
        output: str = "logits",
        norms: bool = True,
        coarse: int = 1,
        drop_path: float | jax.Array = 0.0,
    ) -> jax.Array:
        """Computes logits [N, classes], or features [N, C].

        Args:
            images: [N, H, W, C], H and W multiples of 4 · coarse.
            output: `logits`, or `features`: the mean of the last stage's tokens, before the norm.
            norms: whether norms are applied.
            coarse: how many times larger the sides of tokens are.
            drop_path: chance of dropping a branch of the last block; it rises to that in a straight
                line, from 0 in the first block (Huang et al. 2016, arXiv:1603.09382).

        Raises:
            UserError: an unknown output, or images that do not fit, see `check_sides`.
        """
        lookup("output", dict.fromkeys(OUTPUTS), output)
        check_sides(self.topology, images.shape[1:3], coarse)
        kernel, widths, depths = initialiser(self.initialiser), self.sizes.widths, self.sizes.depths
        patches = Patches(self.topology.kernels[0], widths[0], self.dtype, name="patch_embed")
        x = patches(images, norms, coarse)
        rates, first = drop_rates(drop_path, sum(depths)), 0
        for number, depth in enumerate(depths):
            following = widths[number + 1] if number + 1 < STAGES else None
            stage = Stage(
                self.topology, number, depth, following, kernel, self.dtype,
                name=f"layers_{number}",
            )  # fmt: skip
            x = stage(x, norms, rates[first : first + depth])
            first += depth
        normed = Norm(self.dtype, name="norm")(x, norms).mean((1, 2))
        logits = Head(self.classes, kernel, self.dtype, name="head")(normed)
        return logits if output == "logits" else x.mean((1, 2))


class Head(nn.Module):
    """Applies a dense layer, tanh, and a dense layer."""

    classes: int
    kernel: Any
    dtype: Any = None

    @nn.compact
    def __call__(self, x: jax.Array) -> jax.Array:
        """Maps features [N, C] to logits [N, classes]."""
        first = nn.Dense(x.shape[-1], kernel_init=self.kernel, dtype=self.dtype, name="dense_0")
        x = jnp.tanh(first(x))
        x = x.astype(jnp.promote_types(x.dtype, jnp.float32))
        return nn.Dense(self.classes, kernel_init=self.kernel, name="dense_1")(x)


def drop_rates(last: float | jax.Array, blocks: int) -> list:
    """Lists the chance of dropping a branch in each block, from 0 to `last`."""
    if isinstance(last, float | int) and not last:
        return [0.0] * blocks
    return [last * (at / max(1, blocks - 1)) for at in range(blocks)]
