"""Weights of the operations on the edges of DARTS's scoring networks.

A depthwise convolution followed by a pointwise one is a convolution whose kernel is their outer
product. With one or two channels that kernel costs no more, and the convolutions of all edges that
leave a state become one. Parameters of a cell's edges are stacked, in the order `BY_SOURCE`.
"""

import flax.linen as nn
import jax
import jax.numpy as jnp

from tenas_jax.networks.layers.blocks import Conv, Norm

NODES, INPUTS = 4, 2
# (node, state), in the order of the mask's rows; states 0 and 1 are the cell's inputs
EDGES = tuple((node, state) for node in range(NODES) for state in range(node + INPUTS))
# the same in the order of the parameters, so that what leaves a state lies together
BY_SOURCE = tuple(sorted(EDGES, key=lambda edge: edge[::-1]))
FROM_INPUTS = INPUTS * NODES  # how many of them leave an input
# the mask's columns, without `none`, which computes nothing
SKIP, SEP_3X3, SEP_5X5, DIL_3X3, DIL_5X5, AVERAGE, MAX = range(1, 8)
SEPARABLE = {"sep_conv_3x3": (SEP_3X3, 3), "sep_conv_5x5": (SEP_5X5, 5)}
DILATED = {"dil_conv_3x3": (DIL_3X3, 3), "dil_conv_5x5": (DIL_5X5, 5)}

Weights = tuple[jax.Array, jax.Array, jax.Array]  # kernel, scale, bias


class SeparableNorm(nn.Module):
    """Weights of a depthwise and a pointwise convolution and the normalisation behind them."""

    channels: int
    size: int
    initialiser: str
    dtype: jnp.dtype

    @nn.compact
    def __call__(self) -> Weights:
        """The kernel of both [size, size, channels, channels], scale and bias [channels]."""
        channels, dtype = self.channels, self.dtype
        deep = Conv(channels, self.size, self.initialiser, name="depthwise")(1, dtype)
        point = Conv(channels, 1, self.initialiser, name="pointwise")(channels, dtype)
        return deep.transpose(0, 1, 3, 2) * point, *Norm(name="norm")(channels, dtype)


class Separable(nn.Module):
    """Weights of a separable convolution, which is done twice."""

    channels: int
    size: int
    initialiser: str
    dtype: jnp.dtype

    @nn.compact
    def __call__(self) -> tuple[Weights, Weights]:
        """Those of the first, which has the stride, and of the second."""
        options = self.channels, self.size, self.initialiser, self.dtype
        return tuple(SeparableNorm(*options, name=name)() for name in ("sep_a", "sep_b"))


class Edge(nn.Module):
    """Weights of the operations of one edge that have any, but for what halves the sides."""

    channels: int
    initialiser: str
    dtype: jnp.dtype

    @nn.compact
    def __call__(self) -> dict[str, tuple]:
        """For each such operation its weights."""
        found = {}
        for kind, module in ((SEPARABLE, Separable), (DILATED, SeparableNorm)):
            for name, (_, size) in kind.items():
                options = self.channels, size, self.initialiser, self.dtype
                found[name] = module(*options, name=name)()
        return found


class FactorisedReduction(nn.Module):
    """Weights of a `skip_connect` that halves the sides: two 1x1 convolutions and a norm."""

    channels: int
    initialiser: str
    dtype: jnp.dtype

    @nn.compact
    def __call__(self) -> tuple[jax.Array, jax.Array, jax.Array, jax.Array]:
        """Two kernels [1, 1, channels, channels / 2], scale and bias [channels]."""
        channels, dtype = self.channels, self.dtype
        kernels = [
            Conv(channels // 2, 1, self.initialiser, name=name)(channels, dtype)
            for name in ("conv_0", "conv_1")
        ]
        return *kernels, *Norm(name="norm")(channels, dtype)


def stacked(module: type[nn.Module], count: int) -> type[nn.Module]:
    """The module for so many edges: its parameters, and what it returns, have an axis for them."""
    return nn.vmap(
        module, variable_axes={"params": 0}, split_rngs={"params": True}, axis_size=count
    )
