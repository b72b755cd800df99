"""Models: what maps parameters and inputs to outputs, and how a Flax module becomes one."""

from typing import Any, Protocol, runtime_checkable

import flax.linen as nn
import jax
from flax import struct

from tenas_jax.tracing.drawing import lazy_init

Params = Any  # a tree of arrays: the collection `params` of a Flax module


@runtime_checkable
class Model(Protocol):
    """Maps parameters and inputs to outputs; a tree of arrays that passes through `jax.jit`.

    Attributes:
        coupled: whether an example's output may depend on other examples, as by batch statistics.
    """

    coupled: bool

    def __call__(self, params: Params, inputs: Any) -> jax.Array:
        """Returns outputs [N, ...] for inputs, a tree of arrays [N, ...]."""


@struct.dataclass
class Network:
    """Makes a Flax (linen) module a `Model`, with what stays fixed while its parameters vary.

    The module is static: networks that differ only in `encoding` or `state` share a compiled
    program.

    Attributes:
        module: the Flax module.
        encoding: of an architecture, given to the module as its second argument, such as a mask
            [cells, edges, operations]; None for a module that takes inputs alone.
        state: other collections of variables (such as `batch_stats`), held constant.
        rngs: keys by name for a module that draws numbers when it is called, held constant, as
            `{"dropout": key}`; or None.
        options: keyword arguments for the module's call, as a tuple of pairs.
    """

    module: nn.Module = struct.field(pytree_node=False)
    encoding: Any = None
    state: Any = struct.field(default_factory=dict)
    rngs: Any = None
    options: tuple = struct.field(pytree_node=False, default=())

    @property
    def coupled(self) -> bool:
        """Says whether an example's output may depend on others, as by batch statistics.

        A module says that it does not by an attribute `coupled` that is false.
        """
        return getattr(self.module, "coupled", True)

    def __call__(self, params: Params, inputs: Any) -> jax.Array:
        """Returns the module's output, such as logits [N, classes], for inputs [N, ...]."""
        args = (inputs,) if self.encoding is None else (inputs, self.encoding)
        variables = {"params": params, **self.state}
        # A module that updates its statistics may do so; the update is dropped.
        mutable = list(self.state) if self.state else False
        out = self.module.apply(
            variables, *args, mutable=mutable, rngs=self.rngs, **dict(self.options)
        )
        return out[0] if mutable else out

    def init(self, key: jax.Array, inputs: jax.Array | jax.ShapeDtypeStruct) -> Params:
        """Draws parameters for inputs of this shape and dtype; the network is not run."""
        args = (inputs,) if self.encoding is None else (inputs, self.encoding)
        return lazy_init(self.module, key, *args, **dict(self.options))["params"]
