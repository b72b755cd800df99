"""Weights, batches and keys of every draw and repeat, on every device.

Equal numbers give equal ones, in every process of a run and whatever was drawn before.
"""

import functools
from typing import Any, NamedTuple

import flax.linen as nn
import jax
import jax.numpy as jnp
import numpy as np
from jax.sharding import Mesh, NamedSharding, PartitionSpec

from tenas_jax.data.dataset import Batch, Dataset
from tenas_jax.networks import Built, Network, Params
from tenas_jax.scoring.presets import Protocol
from tenas_jax.spaces import Space


class Sight(NamedTuple):
    """Says what metrics see that are computed together.

    Attributes:
        built: the network.
        batch_size: examples.
        held_out: whether there is a second batch.
    """

    built: Built
    batch_size: int
    held_out: bool


class Draws:
    """Draws what a protocol leaves to chance, for the networks of a space."""

    def __init__(
        self,
        space: Space,
        data: Dataset,
        protocol: Protocol,
        seed: int,
        mesh: Mesh,
        keep: int,
    ):
        """Prepares to draw.

        Args:
            space: whose example of an encoding shapes the parameters.
            data: where batches and patches come from.
            protocol: how many, and whether weights are drawn anew in each repeat.
            seed: of weights and batches, both.
            mesh: the devices that everything is copied to.
            keep: how many inputs are remembered: what a draw takes.
        """
        self._space, self._data, self._protocol = space, data, protocol
        self._seed, self._mesh = seed, mesh
        self.inputs = functools.lru_cache(maxsize=2 * keep)(self._inputs)
        self._params = functools.lru_cache(maxsize=2 * keep)(self._drawn_params)

    def _inputs(self, sight: Sight, draw: int, repeat: int) -> tuple[Params, Batch, jax.Array]:
        """Draws parameters, a batch and the data of a key; `inputs` is this with a memory."""
        drawn = self._batch(sight, np.random.default_rng([self._seed, draw, repeat]))
        whose = repeat if self._protocol.redraw_weights else 0
        leaves, tree = jax.tree.flatten(drawn.inputs)
        shapes = tuple((leaf.shape[1:], str(leaf.dtype)) for leaf in leaves)
        params = self._params(sight.built.network.module, draw, whose, tree, shapes)
        key_data = jax.random.key_data(jax.random.split(self._key(draw, repeat), 2)[1])
        return params, *on_devices((drawn, key_data), self._mesh)

    def _batch(self, sight: Sight, rng: np.random.Generator) -> Batch:
        """Draws examples, or patches of images."""
        size, augment = sight.batch_size, self._protocol.augment
        if not sight.built.blueprint.patches:
            return self._data.draw(size, rng, augment=augment, held_out=sight.held_out)
        # Patches are drawn behind a batch of the protocol's size, which nobody looks at: so it was
        # from the first, and what is drawn by a seed stays.
        self._data.draw(self._protocol.batch_size, rng, augment=augment)
        return Batch(self._data.patches(size, rng))

    def _drawn_params(
        self, module: nn.Module, draw: int, repeat: int, tree: Any, shapes: tuple
    ) -> Params:
        """Draws parameters for inputs of some shapes: half a second for small networks.

        Networks of one module have the same ones, drawn once.
        """
        key = self._key(draw, repeat)
        if self._protocol.redraw_weights:
            key = jax.random.split(key, 2)[0]
        network = Network(module, jax.tree.map(jnp.asarray, self._space.example()))
        inputs = [jax.ShapeDtypeStruct((2, *shape), dtype) for shape, dtype in shapes]
        params = network.init(key, jax.tree.unflatten(tree, inputs))
        return on_devices(params, self._mesh)

    def _key(self, draw: int, repeat: int) -> jax.Array:
        return jax.random.fold_in(jax.random.fold_in(jax.random.key(self._seed), draw), repeat)


def on_devices(tree: Any, mesh: Mesh, axis: str | None = None) -> Any:
    """Puts a tree of arrays on all devices of a mesh, which may be those of several processes.

    Args:
        tree: the same in every process.
        mesh: the devices.
        axis: the mesh's axis along which first axes are split, or None for a copy on every device.

    Returns:
        The tree with global `jax.Array`s.
    """
    sharding = NamedSharding(mesh, PartitionSpec(axis) if axis else PartitionSpec())

    def put(leaf):
        host = np.asarray(leaf)
        return jax.make_array_from_callback(host.shape, sharding, host.__getitem__)

    return jax.tree.map(put, tree)
