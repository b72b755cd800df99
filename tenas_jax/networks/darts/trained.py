"""The networks of DARTS in full size (Liu, Simonyan and Yang 2019, arXiv:1806.09055).

`stem="cifar"` with 20 cells and 36 channels is what the paper trains on CIFAR-10, `stem="imagenet"`
with 14 cells and 48 channels its mobile setting, for images of 224 x 224.
"""

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

import flax.linen as nn
import jax
import jax.numpy as jnp

from tenas_jax.errors import UserError, lookup
from tenas_jax.networks.checks import check_drop_path, check_fields, check_images
from tenas_jax.networks.darts.trained_cell import Cell
from tenas_jax.networks.layers.trained import Classifier, ConvNorm, conv, norm

NORMAL, REDUCE = 0, 1  # rows of an architecture
POOL = 5  # side of the auxiliary head's pooling window


class CifarStem(nn.Module):
    """A 3x3 convolution to three times the channels, and its norm."""

    channels: int
    dtype: Any

    @nn.compact
    def __call__(self, x: jax.Array, train: bool) -> tuple[jax.Array, jax.Array]:
        """Images [N, H, W, C] to both inputs of the first cell, [N, H, W, 3 * channels]."""
        x = ConvNorm(3 * self.channels, 3, self.dtype, relu=False, name="conv_0")(x, train)
        return x, x


class ImageNetStem(nn.Module):
    """Three 3x3 convolutions with stride 2, each with its norm, a ReLU between them."""

    channels: int
    dtype: Any

    @nn.compact
    def __call__(self, x: jax.Array, train: bool) -> tuple[jax.Array, jax.Array]:
        """Images [N, H, W, C] to [N, H / 4, W / 4, channels], [N, H / 8, W / 8, channels]."""
        half = self.channels // 2
        x = ConvNorm(half, 3, self.dtype, stride=2, relu=False, name="conv_0")(x, train)
        first = ConvNorm(self.channels, 3, self.dtype, stride=2, name="conv_1")(x, train)
        second = ConvNorm(self.channels, 3, self.dtype, stride=2, name="conv_2")(first, train)
        return first, second


@dataclass(frozen=True)
class Setting:
    """What differs between the networks for small and for large images.

    Attributes:
        stem: `(channels, dtype, name=...) -> module`, which gives the first cell's two inputs.
        factor: by how much the stem reduces the sides.
        reduce_first: whether the stem's first output is twice as large as its second.
        auxiliary_stride: of the auxiliary head's pooling.
        auxiliary_norm: whether its second convolution has a norm behind it. For ImageNet it has
            none in DARTS's program, by an oversight that the published figures rest on.
    """

    stem: Callable[..., nn.Module]
    factor: int
    reduce_first: bool
    auxiliary_stride: int
    auxiliary_norm: bool


STEMS = {
    "cifar": Setting(CifarStem, 1, False, 3, True),
    "imagenet": Setting(ImageNetStem, 8, True, 2, False),
}


class AuxiliaryHead(nn.Module):
    """A small classifier of features in mid-network.

    On features of 8 x 8 (CIFAR) or 7 x 7 (ImageNet) its last convolution leaves one position, as in
    the paper; on larger ones the mean over positions is taken.
    """

    classes: int
    dtype: Any
    setting: Setting

    @nn.compact
    def __call__(self, x: jax.Array, train: bool) -> jax.Array:
        """Features [N, H, W, C] to logits float32 [N, classes]."""
        strides = (self.setting.auxiliary_stride,) * 2
        x = nn.avg_pool(nn.relu(x), (POOL, POOL), strides)
        x = nn.relu(ConvNorm(128, 1, self.dtype, relu=False, name="conv_0")(x, train))
        x = conv(768, 2, self.dtype, "conv_1", padding=0)(x)
        if self.setting.auxiliary_norm:
            x = norm(self.dtype, train, "norm_1")(x)
        return Classifier(self.classes, name="classifier")(nn.relu(x), train)


class DartsNet(nn.Module):
    """Stem, cells of which those at a third and two thirds of the depth reduce, and head.

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
        """The numbers of the cells that reduce, one or two."""
        return tuple(sorted({self.depth // 3, 2 * self.depth // 3}))

    @nn.compact
    def __call__(
        self, images: jax.Array, train: bool, drop_path: float | jax.Array = 0.0
    ) -> tuple[jax.Array, jax.Array | None]:
        """Logits and auxiliary logits of images.

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
        setting = STEMS[self.stem]
        self._check(images, setting)
        check_drop_path(drop_path)
        stem = setting.stem(self.channels, self.dtype, name="stem")
        before, last = stem(images, train)
        auxiliary, channels, reduce_first = None, self.channels, setting.reduce_first
        for number in range(self.depth):
            reduces = number in self.reductions
            channels *= 1 + reduces
            row = self.arch[REDUCE if reduces else NORMAL]
            cell = Cell(row, channels, self.dtype, reduces, reduce_first, name=f"cell_{number}")
            before, last = last, cell(before, last, train, drop_path)
            reduce_first = reduces
            if train and self.auxiliary and number == self.reductions[-1]:
                head = AuxiliaryHead(self.classes, self.dtype, setting, name="auxiliary")
                auxiliary = head(last, train)
        logits = Classifier(self.classes, self.dropout, name="classifier")(last, train)
        return logits, auxiliary

    def _check(self, images: jax.Array, setting: Setting) -> None:
        """`UserError` unless every reduction halves even sides and the auxiliary head fits."""
        factor = setting.factor * 2 ** len(self.reductions)
        # The window of the pooling, and one more step for the second row of a 2x2 convolution.
        least = factor * (POOL + setting.auxiliary_stride) if self.auxiliary else 1
        check_images(images, factor, least)


TRAINED = DartsNet
