"""The networks of DARTS in full size (Liu, Simonyan and Yang 2019, arXiv:1806.09055).

`stem="cifar"` with 20 cells and 36 channels is what the paper trains on CIFAR-10, `stem="imagenet"`
with 14 cells and 48 channels its mobile setting, for images of 224 x 224.
"""

import math
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from typing import Any

import flax.linen as nn
import jax
import jax.numpy as jnp
import numpy as np

from tenas_jax.errors import UserError, lookup
from tenas_jax.networks.checks import check_drop_path, check_fields, check_images
from tenas_jax.networks.counts import product
from tenas_jax.networks.darts.trained_cell import SEPARABLE, Cell
from tenas_jax.networks.layers.trained import Classifier, ConvNorm, conv, norm
from tenas_jax.spaces.darts.space import INPUTS, Darts

NORMAL, REDUCE = 0, 1  # rows of an architecture
POOL = 5  # side of the auxiliary head's pooling window


@dataclass(frozen=True)
class Setting:
    """Holds what differs between the networks for small and for large images.

    Attributes:
        convs: of the stem, for each its output channels, in halves of the network's channels, and
            its stride.
        auxiliary_stride: of the auxiliary head's pooling.
        auxiliary_norm: whether its second convolution has a norm behind it. For ImageNet it has
            none in DARTS's program, by an oversight that the published figures rest on.
    """

    convs: tuple[tuple[int, int], ...]
    auxiliary_stride: int
    auxiliary_norm: bool

    @property
    def factor(self) -> int:
        """Says by how much the stem reduces the sides."""
        return math.prod(stride for _, stride in self.convs)


STEMS = {
    "cifar": Setting(((6, 1),), 3, True),
    "imagenet": Setting(((1, 2), (2, 2), (2, 2)), 2, False),
}


class Stem(nn.Module):
    """Applies 3x3 convolutions, each with its norm, a ReLU between them."""

    channels: int
    dtype: Any
    setting: Setting

    @nn.compact
    def __call__(self, x: jax.Array, train: bool) -> list[jax.Array]:
        """Maps images [N, H, W, C] to both inputs of the first cell, the last two outputs.

        They are twice the same behind a single convolution; else the first is twice as large.
        """
        outputs = []
        for number, (halves, stride) in enumerate(self.setting.convs):
            features, name = halves * self.channels // 2, f"conv_{number}"
            layer = ConvNorm(features, 3, self.dtype, stride=stride, relu=number > 0, name=name)
            x = layer(x, train)
            outputs.append(x)
        return (2 * outputs)[-2:]


class AuxiliaryHead(nn.Module):
    """Classifies features in mid-network.

    On features of 8 x 8 (CIFAR) or 7 x 7 (ImageNet) its last convolution leaves one position, as in
    the paper; on larger ones the mean over positions is taken.
    """

    classes: int
    dtype: Any
    setting: Setting

    @nn.compact
    def __call__(self, x: jax.Array, train: bool) -> jax.Array:
        """Maps features [N, H, W, C] to logits float32 [N, classes]."""
        strides = (self.setting.auxiliary_stride,) * 2
        x = nn.avg_pool(nn.relu(x), (POOL, POOL), strides)
        x = nn.relu(ConvNorm(128, 1, self.dtype, relu=False, name="conv_0")(x, train))
        x = conv(768, 2, self.dtype, "conv_1", padding=0)(x)
        if self.setting.auxiliary_norm:
            x = norm(self.dtype, train, "norm_1")(x)
        return Classifier(self.classes, name="classifier")(nn.relu(x), train)


class DartsNet(nn.Module):
    """Chains a stem, cells of which those at a third and two thirds of the depth reduce, and head.

    Attributes:
        arch: two rows, normal and reduction cell, with an operation number for each edge.
        classes: how many.
        dtype: of the computation, float32 or bfloat16.
        channels: of the first cells' nodes; even. A reduction cell and those behind it have twice
            as many as those before.
        depth: how many cells.
        stem: "cifar" or "imagenet".
        auxiliary: whether a second classifier, behind the second reduction cell, helps in training.
        dropout: probability with which a feature is dropped before the last layer in training,
            0 in the paper.
    """

    arch: tuple[tuple[int, ...], ...]
    classes: int
    dtype: Any = jnp.float32
    channels: int = 36
    depth: int = 20
    stem: str = "cifar"
    auxiliary: bool = False
    dropout: float = 0.0

    def __post_init__(self):
        check_fields(self)
        lookup("stem", STEMS, self.stem)
        if self.channels % 2:
            raise UserError(f"channels is {self.channels}; valid: even numbers")
        super().__post_init__()

    @property
    def reductions(self) -> tuple[int, ...]:
        """Lists the numbers of the cells that reduce, one or two."""
        return tuple(sorted({self.depth // 3, 2 * self.depth // 3}))

    def cells(self) -> Iterator[tuple[bool, int, bool]]:
        """Yields of each cell whether it reduces, its nodes' channels, and whether its first input
        is twice as large as its second."""
        channels, reduce_first = self.channels, STEMS[self.stem].factor > 1
        for number in range(self.depth):
            reduces = number in self.reductions
            channels *= 1 + reduces
            yield reduces, channels, reduce_first
            reduce_first = reduces

    @nn.compact
    def __call__(
        self, images: jax.Array, train: bool, drop_path: float | jax.Array = 0.0
    ) -> tuple[jax.Array, jax.Array | None]:
        """Computes logits and auxiliary logits of images.

        Args:
            images: floats [N, H, W, C]; sides multiples of 4, or of 32 with the ImageNet stem, and
                with an auxiliary head at least 32, or 224.
            train: whether norms use the batch's statistics, and branches and features are dropped.
            drop_path: probability with which an operation that is no identity is dropped in
                training; a number or a traced scalar. Needs a key "drop_path", unless it is the
                Python number 0.

        Returns:
            float32 [N, classes]; the same of the auxiliary head, None where there is none or in
            inference.

        Raises:
            UserError: images of another shape, or a `drop_path` that is no probability below 1.
        """
        self.check_images(images.shape)
        check_drop_path(drop_path)
        setting, auxiliary = STEMS[self.stem], None
        before, last = Stem(self.channels, self.dtype, setting, name="stem")(images, train)
        for number, (reduces, channels, reduce_first) in enumerate(self.cells()):
            row = self.arch[REDUCE if reduces else NORMAL]
            cell = Cell(row, channels, self.dtype, reduces, reduce_first, name=f"cell_{number}")
            before, last = last, cell(before, last, train, drop_path)
            if train and self.auxiliary and number == self.reductions[-1]:
                head = AuxiliaryHead(self.classes, self.dtype, setting, name="auxiliary")
                auxiliary = head(last, train)
        logits = Classifier(self.classes, self.dropout, name="classifier")(last, train)
        return logits, auxiliary

    def check_images(self, shape: Sequence[int]) -> None:
        """Raises a `UserError` unless reductions halve even sides and the auxiliary head fits."""
        setting = STEMS[self.stem]
        factor = setting.factor * 2 ** len(self.reductions)
        # The window of the pooling, and one more step for the second row of a 2x2 convolution.
        least = factor * (POOL + setting.auxiliary_stride) if self.auxiliary else 1
        check_images(shape, factor, least)


def cost_table(network: DartsNet, image_shape: Sequence[int]) -> tuple[np.ndarray, ...]:
    """Returns what the network costs without any operation, and what each adds on each edge.

    The auxiliary head is left out. Pools and identities cost nothing, but `skip_connect` on an
    input of the reduction cell is a convolution that halves the sides.

    Args:
        network: of any architecture; its size and number of classes are looked at.
        image_shape: (height, width, channels).

    Returns:
        Parameters and multiply-adds: int64 [2], and float64 [2, 14, 8, 2].

    Raises:
        UserError: the network does not take such images.
    """
    network.check_images((1, *image_shape))
    prices = np.zeros((*Darts().mask_shape, 2))
    constant, (before, last), pixels = _stem(network, image_shape)
    for reduces, channels, _ in network.cells():
        # Each input is mapped to the cell's channels, on as many pixels as the second has.
        for inputs in (before, last):
            constant = constant + product(inputs, channels, positions=pixels, more=2)
        pixels //= 4 if reduces else 1
        row = REDUCE if reduces else NORMAL
        pointwise = product(channels, channels, positions=pixels, more=2)
        for operation, (size, _, times) in SEPARABLE.items():
            depthwise = product(1, channels, taps=size**2, positions=pixels)
            prices[row, :, Darts.operations.index(operation)] += times * (depthwise + pointwise)
        if reduces:
            from_inputs = [source < INPUTS for _, source in Darts.edges]
            prices[row, from_inputs, Darts.operations.index("skip_connect")] += pointwise
        before, last = last, len(Darts.nodes) * channels
    return constant + product(last, network.classes, more=1), prices


def _stem(network: DartsNet, image_shape: Sequence[int]) -> tuple[np.ndarray, list[int], int]:
    """Returns what the stem costs, the channels of its two outputs, and the second's pixels."""
    height, width, inputs = image_shape
    cost, pixels, outputs = np.zeros(2, int), height * width, []
    for halves, stride in STEMS[network.stem].convs:
        channels, pixels = halves * network.channels // 2, pixels // stride**2
        cost = cost + product(inputs, channels, taps=9, positions=pixels, more=2)
        outputs.append(channels)
        inputs = channels
    return cost, (2 * outputs)[-2:], pixels


TRAINED = DartsNet
