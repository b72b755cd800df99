"""All sizes of one topology of As-ViT, as what an evaluator scores."""

import numpy as np

from tenas_jax.spaces.as_vit.sizes import Sizes, join
from tenas_jax.spaces.as_vit.space import AsVit


class AsVitSizes:
    """Holds the sizes of a topology, by masks int [1, 5, 1].

    The five are the depths of the stages and the width. Sizes have no end, so this is no search
    space with a number of architectures; of a space it has what scoring and records need.
    """

    name = "as_vit_sizes"
    has_supernet = False

    def __init__(self, topology: str):
        """Takes a topology as its string; `UserError` if it is none."""
        space = AsVit()
        arch = space.parse(topology)
        self.topology, self._string = space.topology(arch), space.to_string(arch)

    def to_mask(self, sizes: Sizes) -> np.ndarray:
        """Returns the mask of some sizes."""
        return np.array([[*sizes.depths, sizes.hidden]], np.int64)[..., None]

    def from_mask(self, mask: np.ndarray) -> Sizes:
        """Returns the sizes of a mask."""
        *depths, hidden = np.asarray(mask)[0, :, 0].tolist()
        return Sizes(tuple(depths), hidden)

    def example(self) -> np.ndarray:
        """Returns a mask, which shapes parameters."""
        return self.to_mask(Sizes(hidden=1))

    def describe(self, mask: np.ndarray) -> str:
        """Writes the string of the topology with these sizes."""
        return join(self._string, self.from_mask(mask))

    def cache_key(self, mask: np.ndarray) -> str:
        """Writes the string: no two sizes compute the same family of functions."""
        return self.describe(mask)
