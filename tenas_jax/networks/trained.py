"""Derived networks: full-size networks of an architecture, for training.

They keep running statistics of their norms (collection `batch_stats`), take ordinary images
[N, H, W, C], and share no code with the scoring networks but the initialiser; a vision transformer,
whose layer norms keep nothing, is the scored network itself.
"""

import dataclasses
from collections.abc import Sequence

import flax.linen as nn
import jax.numpy as jnp
import numpy as np

from tenas_jax import spaces
from tenas_jax.errors import unknown
from tenas_jax.networks import part_of
from tenas_jax.networks.counts import count, count_macs, count_parameters

# Fields of a module that do not say how large it is; `parent` and `name` are Flax's own.
NOT_SIZE = ("arch", "classes", "dtype", "parent", "name")


def size_fields(space: str) -> list[str]:
    """Lists the fields by which a space's network for training is made larger or smaller.

    Raises:
        UserError: no such space.
    """
    fields = dataclasses.fields(part_of(spaces.get(space), "trained").TRAINED)
    return [field.name for field in fields if field.name not in NOT_SIZE]


def derived(
    space: str, arch: Sequence | np.ndarray, *, classes: int, dtype=jnp.float32, **size
) -> nn.Module:
    """Builds the network that one trains for an architecture.

    It is called as `module.apply(variables, images, train=..., drop_path=...)` with images
    [N, H, W, C], and gives logits float32 [N, classes] and auxiliary logits or None. The network of
    `as_vit` also takes `coarse=...`, see there.

    Args:
        space: name of the architecture's space.
        arch: integer array [cells, edges] of operation numbers, as the space's `parse` gives.
        classes: how many.
        dtype: of the computation, float32 or bfloat16; parameters, statistics and logits are
            float32 with either.
        **size: fields of the module by name, those that `size_fields` lists.

    Raises:
        UserError: an unknown space or field, a value that the field does not take, or an array that
            is no architecture of the space.
    """
    build, valid = part_of(spaces.get(space), "trained").TRAINED, size_fields(space)
    for name in size:
        if name not in valid:
            raise unknown(f"size field of {space}", name, valid)
    rows = spaces.get(space).check(arch).tolist()
    return build(arch=tuple(map(tuple, rows)), classes=classes, dtype=dtype, **size)


__all__ = ["count", "count_macs", "count_parameters", "derived", "size_fields"]
