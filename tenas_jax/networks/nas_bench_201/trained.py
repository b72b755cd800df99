"""The network of NAS-Bench-201 in full size (Dong and Yang 2020, arXiv:2001.00326)."""

from collections.abc import Sequence
from typing import Any

import flax.linen as nn
import jax
import jax.numpy as jnp
import numpy as np

from tenas_jax.networks.checks import check_drop_path, check_fields, check_images
from tenas_jax.networks.counts import product
from tenas_jax.networks.layers.trained import Classifier, ConvNorm, Pool, conv, norm
from tenas_jax.spaces.nas_bench_201 import NasBench201

STAGES = 3

KERNELS = {"nor_conv_1x1": 1, "nor_conv_3x3": 3}


class Cell(nn.Module):
    """Sums in each of four nodes an operation on every node before it; the last is the output.

    Edges with weights have them whether or not they lie on a way from input to output: the
    benchmark counts and trains them too. `none` has no weights; a node without any input is zero.

    Attributes:
        row: an operation number for each edge of the space.
        channels: of input and output.
        dtype: of the computation.
    """

    row: tuple[int, ...]
    channels: int
    dtype: Any

    @nn.compact
    def __call__(self, x: jax.Array, train: bool) -> jax.Array:
        """Maps [N, H, W, channels] to the same."""
        nodes = [x] + [jnp.zeros_like(x)] * (NasBench201.nodes - 1)
        for (target, source), number in zip(NasBench201.edges, self.row, strict=True):
            operation, value = NasBench201.operations[number], nodes[source]
            if operation == "none":
                continue
            if operation == "avg_pool_3x3":
                value = Pool("average")(value)
            elif operation in KERNELS:
                name, size = f"edge_{target}_{source}", KERNELS[operation]
                value = ConvNorm(self.channels, size, self.dtype, name=name)(value, train)
            nodes[target] = nodes[target] + value
        return nodes[-1]


class Residual(nn.Module):
    """Halves the sides between two stages: two 3x3 convolutions beside a pooled shortcut."""

    features: int
    dtype: Any

    @nn.compact
    def __call__(self, x: jax.Array, train: bool) -> jax.Array:
        """Maps [N, H, W, C] to [N, H / 2, W / 2, features]."""
        y = ConvNorm(self.features, 3, self.dtype, stride=2, name="first")(x, train)
        y = ConvNorm(self.features, 3, self.dtype, name="second")(y, train)
        shortcut = nn.avg_pool(x, (2, 2), (2, 2))
        return y + conv(self.features, 1, self.dtype, "shortcut")(shortcut)


class NasBench201Net(nn.Module):
    """Chains a stem, three stages of cells, residual blocks between the stages, and a head.

    Attributes:
        arch: one row with an operation number for each edge.
        classes: how many.
        dtype: of the computation, float32 or bfloat16.
        channels: of the first stage, 16 in the benchmark; each stage has twice as many.
        depth: cells in a stage, 5 in the benchmark.
        dropout: probability with which a feature is dropped before the last layer in training,
            0 in the benchmark.
    """

    arch: tuple[tuple[int, ...], ...]
    classes: int
    dtype: Any = jnp.float32
    channels: int = 16
    depth: int = 5
    dropout: float = 0.0

    def __post_init__(self):
        check_fields(self)
        super().__post_init__()

    @nn.compact
    def __call__(
        self, images: jax.Array, train: bool, drop_path: float | jax.Array = 0.0
    ) -> tuple[jax.Array, None]:
        """Computes logits of images, and None for auxiliary ones, which this network has not.

        Args:
            images: floats [N, H, W, C], sides multiples of 4.
            train: whether norms use the batch's statistics and dropout drops.
            drop_path: accepted as by other spaces' networks, and without effect.

        Returns:
            float32 [N, classes], None.

        Raises:
            UserError: images of another shape, or a `drop_path` that is no probability below 1.
        """
        self.check_images(images.shape)
        check_drop_path(drop_path)
        stem = ConvNorm(self.channels, 3, self.dtype, relu=False, name="stem")
        x = stem(images, train)
        for stage in range(STAGES):
            channels = self.channels * 2**stage
            if stage:
                x = Residual(channels, self.dtype, name=f"residual_{stage}")(x, train)
            for number in range(self.depth):
                name = f"cell_{stage}_{number}"
                x = Cell(self.arch[0], channels, self.dtype, name=name)(x, train)
        x = nn.relu(norm(self.dtype, train, "norm")(x))
        return Classifier(self.classes, self.dropout, name="classifier")(x, train), None

    def check_images(self, shape: Sequence[int]) -> None:
        """Raises a `UserError` unless images are of a shape [N, H, W, C] that the stages halve."""
        check_images(shape, 2 ** (STAGES - 1))


def cost_table(network: NasBench201Net, image_shape: Sequence[int]) -> tuple[np.ndarray, ...]:
    """Returns what the network costs without any operation, and what each adds on each edge.

    An edge's convolution costs the same wherever it lies: one in every cell, on the cell's pixels.

    Args:
        network: of any architecture; its size and number of classes are looked at.
        image_shape: (height, width, channels).

    Returns:
        Parameters and multiply-adds: int64 [2], and float64 [1, 6, 5, 2].

    Raises:
        UserError: the network does not take such images.
    """
    network.check_images((1, *image_shape))
    height, width, inputs = image_shape
    pixels, channels = height * width, network.channels
    prices = np.zeros((*NasBench201().mask_shape, 2))
    constant = product(inputs, channels, taps=9, positions=pixels, more=2)  # the stem
    for stage in range(STAGES):
        if stage:  # a residual block: two convolutions with norms, and a shortcut without
            before, channels, pixels = channels, 2 * channels, pixels // 4
            for seen in (before, channels):
                constant += product(seen, channels, taps=9, positions=pixels, more=2)
            constant += product(before, channels, positions=pixels)
        for operation, size in KERNELS.items():
            edge = product(channels, channels, taps=size**2, positions=pixels, more=2)
            prices[..., NasBench201.operations.index(operation), :] += network.depth * edge
    constant += product(0, channels, more=2)  # the last norm
    return constant + product(channels, network.classes, more=1), prices


TRAINED = NasBench201Net
