"""The vision transformer of As-ViT in full size (Chen et al. 2022, arXiv:2202.11921)."""

from typing import Any

import flax.linen as nn
import jax
import jax.numpy as jnp
import numpy as np

from tenas_jax.errors import UserError, shorten
from tenas_jax.networks.as_vit.checks import check_heads
from tenas_jax.networks.as_vit.network import AsVit
from tenas_jax.networks.checks import check_drop_path, check_fields, check_images
from tenas_jax.spaces.as_vit.sizes import Sizes
from tenas_jax.spaces.as_vit.space import STAGES, Topology
from tenas_jax.spaces.as_vit.space import AsVit as Topologies


class AsVitNet(nn.Module):
    """The network that is scored too, as training calls it; it has layer norms and no statistics.

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
        check_heads(self._topology, self._sizes)
        super().__post_init__()

    @property
    def _topology(self) -> Topology:
        return Topologies().topology(np.array(self.arch))

    @property
    def _sizes(self) -> Sizes:
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
        """Logits of images, and None for auxiliary ones, which this network has not.

        Args:
            images: floats [N, H, W, C], sides multiples of 4 · coarse; see `check_sides` of
                `networks.as_vit_checks` for what else they must fit.
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
        check_images(images, 1)
        check_drop_path(drop_path)
        network = AsVit(self._topology, self._sizes, self.classes, dtype=self.dtype, name="network")
        rate = drop_path if train else 0.0
        return network(images, coarse=coarse, drop_path=rate), None


TRAINED = AsVitNet
