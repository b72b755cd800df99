"""Search spaces: what can be searched, as arrays, masks and strings."""

from tenas_jax.errors import lookup
from tenas_jax.spaces.as_vit.space import AsVit
from tenas_jax.spaces.darts.genotype import Genotype
from tenas_jax.spaces.darts.space import Darts
from tenas_jax.spaces.nas_bench_201 import NasBench201
from tenas_jax.spaces.space import CellSpace, Space

__all__ = ["SPACES", "AsVit", "CellSpace", "Darts", "Genotype", "NasBench201", "Space", "get"]

SPACES: dict[str, Space] = {space.name: space for space in (NasBench201(), Darts(), AsVit())}


def get(name: str) -> Space:
    """Returns the space of that name; `UserError` lists the valid names and the nearest one."""
    return lookup("space", SPACES, name)
