"""A Flax module together with what stays fixed while its parameters vary."""

from typing import Any

import flax.linen as nn
import jax
from flax import struct

from tenas_jax.tracing.drawing import lazy_init

Params = Any  # a tree of arrays: the collection `params` of a Flax module


@struct.dataclass
class Network:
    """A function of parameters and images, and a tree of arrays that passes through `jax.jit`.

    The module is static: networks that differ only in `mask` or `state` share a compiled program.

    Attributes:
        module: the Flax module.
        mask: operation mask [cells, edges, ops] given to the module as its second argument, or None
            for a module that takes images alone.
        state: other collections of variables (such as `batch_stats`), held constant.
        rngs: keys by name for a module that draws numbers when it is called, held constant, as
            `{"dropout": key}`; or None.
        options: keyword arguments for the module's call, as a tuple of pairs.
    """

    module: nn.Module = struct.field(pytree_node=False)
    mask: jax.Array | None = None
    state: Any = struct.field(default_factory=dict)
    rngs: Any = None
    options: tuple = struct.field(pytree_node=False, default=())

    @property
    def coupled(self) -> bool:
        """Whether an image's output may depend on other images, as by batch statistics.

        A module says that it does not by an attribute `coupled` that is false.
        """
        return getattr(self.module, "coupled", True)

    def __call__(self, params: Params, images: jax.Array) -> jax.Array:
        """The module's output, logits [N, classes], for images [N, H, W, C]."""
        args = (images,) if self.mask is None else (images, self.mask)
        variables = {"params": params, **self.state}
        # A module that updates its statistics may do so; the update is dropped.
        mutable = list(self.state) if self.state else False
        out = self.module.apply(
            variables, *args, mutable=mutable, rngs=self.rngs, **dict(self.options)
        )
        return out[0] if mutable else out

    def init(self, key: jax.Array, images: jax.Array | jax.ShapeDtypeStruct) -> Params:
        """Fresh parameters for images of this shape and dtype; the network is not run."""
        args = (images,) if self.mask is None else (images, self.mask)
        return lazy_init(self.module, key, *args, **dict(self.options))["params"]
