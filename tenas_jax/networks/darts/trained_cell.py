"""The cells of DARTS in a network for training, and their operations.

After the program of Liu, Simonyan and Yang (2019, arXiv:1806.09055): here, unlike in the supernet,
pools have no norm behind them.
"""

from typing import Any

import flax.linen as nn
import jax
import jax.numpy as jnp

from tenas_jax.networks.layers.trained import ConvNorm, Pool, conv, drop_path, norm
from tenas_jax.spaces.darts.space import Darts


class Separable(nn.Module):
    """Applies ReLU, depthwise convolution, 1x1 convolution, norm: all of it `times` times over.

    Attributes:
        channels: of input and output.
        size: of the depthwise kernels.
        dtype: of the computation.
        stride: of the first depthwise convolution.
        dilation: of the depthwise convolutions.
        times: how often.
    """

    channels: int
    size: int
    dtype: Any
    stride: int = 1
    dilation: int = 1
    times: int = 1

    @nn.compact
    def __call__(self, x: jax.Array, train: bool) -> jax.Array:
        """Maps [N, H, W, channels] to [N, H / stride, W / stride, channels]."""
        for number in range(self.times):
            x = conv(
                self.channels,
                self.size,
                self.dtype,
                f"depthwise_{number}",
                stride=1 if number else self.stride,
                dilation=self.dilation,
                groups=self.channels,
            )(nn.relu(x))
            x = conv(self.channels, 1, self.dtype, f"pointwise_{number}")(x)
            x = norm(self.dtype, train, f"norm_{number}")(x)
        return x


class FactorisedReduction(nn.Module):
    """Halves the sides with two 1x1 convolutions, of every other pixel and of those diagonal to
    them, whose outputs are joined and normalised."""

    features: int
    dtype: Any

    @nn.compact
    def __call__(self, x: jax.Array, train: bool) -> jax.Array:
        """Maps [N, H, W, C] to [N, H / 2, W / 2, features]; sides and features even."""
        x, half = nn.relu(x), self.features // 2
        even = conv(half, 1, self.dtype, "even", stride=2)(x)
        odd = conv(half, 1, self.dtype, "odd", stride=2)(x[:, 1:, 1:])
        return norm(self.dtype, train, "norm")(jnp.concatenate([even, odd], axis=-1))


# operation -> side of the depthwise kernels, their dilation, how often it is done
SEPARABLE = {
    "sep_conv_3x3": (3, 1, 2),
    "sep_conv_5x5": (5, 1, 2),
    "dil_conv_3x3": (3, 2, 1),
    "dil_conv_5x5": (5, 2, 1),
}
POOLS = {"avg_pool_3x3": "average", "max_pool_3x3": "max"}


class Cell(nn.Module):
    """Computes four nodes, each the sum of two operations on nodes before it, and joins them.

    In a reduction cell the operations on the cell's two inputs have stride 2.

    Attributes:
        row: an operation number for each edge of the space, 0 where it is not chosen.
        channels: of each node.
        dtype: of the computation.
        reduction: whether it halves the sides.
        reduce_first: whether its first input is twice as large as its second.
    """

    row: tuple[int, ...]
    channels: int
    dtype: Any
    reduction: bool = False
    reduce_first: bool = False

    @nn.compact
    def __call__(
        self, first: jax.Array, second: jax.Array, train: bool, rate: float | jax.Array = 0.0
    ) -> jax.Array:
        """Maps the outputs of the two cells before to [N, H, W, 4 * channels].

        In training all operations but identities are dropped with probability `rate`.
        """
        if self.reduce_first:
            first = FactorisedReduction(self.channels, self.dtype, name="first")(first, train)
        else:
            first = ConvNorm(self.channels, 1, self.dtype, name="first")(first, train)
        second = ConvNorm(self.channels, 1, self.dtype, name="second")(second, train)
        sums: dict[int, Any] = {0: first, 1: second} | dict.fromkeys(Darts.nodes)
        for (target, source), number in zip(Darts.edges, self.row, strict=True):
            if number:
                operation = Darts.operations[number]
                value = self._edge(operation, target, source, sums[source], train, rate)
                sums[target] = value if sums[target] is None else sums[target] + value
        return jnp.concatenate([sums[node] for node in Darts.nodes], axis=-1)

    def _edge(
        self,
        operation: str,
        target: int,
        source: int,
        x: jax.Array,
        train: bool,
        rate: float | jax.Array,
    ) -> jax.Array:
        """Applies one operation to one node."""
        stride = 2 if self.reduction and source < 2 else 1
        if operation == "skip_connect" and stride == 1:
            return x
        name = f"edge_{target}_{source}"
        if operation in POOLS:
            module = Pool(POOLS[operation], stride, name=name)
        elif operation == "skip_connect":
            module = FactorisedReduction(self.channels, self.dtype, name=name)
        else:
            size, dilation, times = SEPARABLE[operation]
            options = {"stride": stride, "dilation": dilation, "times": times, "name": name}
            module = Separable(self.channels, size, self.dtype, **options)
        y = module(x, train)
        if not train or (isinstance(rate, int | float) and rate == 0):
            return y
        return drop_path(y, rate, self.make_rng("drop_path"))
