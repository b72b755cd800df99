"""The vision transformer of As-ViT in full size (Chen et al. 2022, arXiv:2202.11921)."""

from collections.abc import Sequence
from typing import Any

import flax.linen as nn
import jax
import jax.numpy as jnp
import numpy as np

from tenas_jax.errors import UserError, shorten
from tenas_jax.networks.as_vit.network import AsVit
from tenas_jax.networks.as_vit.shapes import check_heads, check_sides, multiply_adds, parameters
from tenas_jax.networks.checks import check_drop_path, check_fields, check_images
from tenas_jax.spaces.as_vit.sizes import Sizes
from tenas_jax.spaces.as_vit.space import CHOICES, STAGES, Topology
from tenas_jax.spaces.as_vit.space import AsVit as AsVitSpace


class AsVitNet(nn.Module):
    """Calls the network that is scored too as training does; layer norms have no statistics.

    Attributes:
        arch: one row with the number of a choice for each of K1, S1, E1, ..., E4, heads.
        classes: how many.
        dtype: of the computation, float32 or bfloat16.
        depths: blocks of each stage; a list is kept as a tuple.
        hidden: width of the first stage; each stage is twice as wide as the one before, up to 1024.
    """

    arch: tuple[tuple[int, ...], ...]
    classes: int
    dtype: Any = jnp.float32
    depths: tuple[int, ...] = (1,) * STAGES
    hidden: int = 32

    def __post_init__(self):
        check_fields(self)
        if not isinstance(self.depths, list | tuple):
            raise UserError(f"depths are {shorten(self.depths)}; valid: {STAGES} whole numbers")
        # JSON knows no tuples, and a module must be hashable to be a compiled program's key.
        object.__setattr__(self, "depths", tuple(self.depths))
        check_heads(self.topology, self.sizes)
        super().__post_init__()

    @property
    def topology(self) -> Topology:
        """Reads what the architecture chooses."""
        return AsVitSpace().topology(np.array(self.arch))

    @property
    def sizes(self) -> Sizes:
        """Gathers depth and width."""
        return Sizes(self.depths, self.hidden)

    @nn.compact
    def __call__(
        self,
        images: jax.Array,
        train: bool,
        drop_path: float | jax.Array = 0.0,
        *,
        coarse: int = 1,
    ) -> tuple[jax.Array, None]:
        """Computes logits of images, and None for auxiliary ones, which this network has not.

        Args:
            images: floats [N, H, W, C], sides multiples of 4 · coarse; see `check_sides` of
                `networks.as_vit.shapes` for what else they must fit.
            train: whether branches are dropped.
            drop_path: chance of dropping a branch of the last block in training; it rises to that
                from 0 in the first block. A number or a traced scalar. Needs a key "drop_path",
                unless it is the Python number 0.
            coarse: how many times larger the sides of tokens are, with the same weights.

        Returns:
            float32 [N, classes], None.

        Raises:
            UserError: images of another shape, or a `drop_path` that is no probability below 1.
        """
        check_images(images.shape, 1)
        check_drop_path(drop_path)
        network = AsVit(self.topology, self.sizes, self.classes, dtype=self.dtype, name="network")
        rate = drop_path if train else 0.0
        return network(images, coarse=coarse, drop_path=rate), None


def cost_table(network: AsVitNet, image_shape: Sequence[int]) -> tuple[np.ndarray, ...]:
    """Returns what the network of the first choices costs, and what each other choice adds to it.

    Costs are a sum over choices where every stage is as many times as wide as it may have heads;
    elsewhere the heads change what the others cost.

    Args:
        network: of any architecture; its size and number of classes are looked at.
        image_shape: (height, width, channels), of images that every topology takes.

    Returns:
        Parameters and multiply-adds: int64 [2], and float64 [1, 13, 5, 2].

    Raises:
        UserError: images that some topology does not take, or a width at which costs do not add up.
    """
    *sides, channels = image_shape
    splits = tuple(max(CHOICES[f"S{number}"]) for number in range(1, STAGES + 1))
    check_sides(Topology((), splits, (), 0), tuple(sides))
    least = max(CHOICES["heads"]) // 2 ** (STAGES - 1)
    if network.hidden % least:
        raise UserError(
            f"hidden is {network.hidden}; valid: multiples of {least}, for which the costs of "
            "choices add up"
        )
    space, options = AsVitSpace(), dict(classes=network.classes, channels=channels)

    def counted(arch: np.ndarray) -> np.ndarray:
        topology = space.topology(arch)
        weights = parameters(topology, network.sizes, **options)
        return np.array([weights, multiply_adds(topology, network.sizes, tuple(sides), **options)])

    base = np.zeros(space.mask_shape[:2], np.int8)
    constant, prices = counted(base), np.zeros((*space.mask_shape, 2))
    for cell, row, choice in np.argwhere(space.options):
        arch = base.copy()
        arch[cell, row] = choice
        prices[cell, row, choice] = counted(arch) - constant
    return constant, prices


TRAINED = AsVitNet
