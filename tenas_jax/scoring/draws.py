"""Weights, batches and keys of every draw and repeat, on every device.

Equal numbers give equal ones, in every process of a run and whatever was drawn before.
"""

import functools
from typing import Any

import flax.linen as nn
import jax
import jax.numpy as jnp
import numpy as np
from jax.sharding import Mesh, NamedSharding, PartitionSpec

from tenas_jax.data import Images
from tenas_jax.data.batches import batch, batch_and_validation, patches
from tenas_jax.metrics import Batch, metric
from tenas_jax.networks import Network, Params, Scoring
from tenas_jax.scoring.presets import Protocol
from tenas_jax.spaces import Space


class Draws:
    """What a protocol draws at random for a space's scoring networks."""

    def __init__(
        self,
        space: Space,
        data: Images,
        protocol: Protocol,
        networks: dict[str, Scoring],
        seed: int,
        mesh: Mesh,
    ):
        """Nothing is drawn yet.

        Args:
            space: whose supernet shapes the parameters.
            data: where batches and patches come from.
            protocol: how many, and whether weights are drawn anew in each repeat.
            networks: the scoring networks by variant.
            seed: of weights and batches, both.
            mesh: the devices that everything is copied to.
        """
        self._space, self._data, self._protocol = space, data, protocol
        self._networks, self._seed, self._mesh = networks, seed, mesh
        # All that a draw takes is kept while its candidates are scored.
        keep = len(networks) * protocol.repeats
        self.inputs = functools.lru_cache(maxsize=2 * keep)(self._inputs)

    def _inputs(self, variant_name: str, draw: int, repeat: int) -> tuple[Params, Batch, jax.Array]:
        """Parameters, batch and the data of a key; `inputs` is this with a memory."""
        rng = np.random.default_rng([self._seed, draw, repeat])
        drawn = self._batch(variant_name, rng)
        if self._networks[variant_name].variant.patches:
            drawn = Batch(patches(self._data, self._protocol.patches, rng))
        whose = repeat if self._protocol.redraw_weights else 0
        module = self._networks[variant_name].module
        params = self._params(module, draw, whose, drawn.images.shape[1:])
        key_data = jax.random.key_data(jax.random.split(self._key(draw, repeat), 2)[1])
        return params, *on_devices((drawn, key_data), self._mesh)

    def _batch(self, variant_name: str, rng: np.random.Generator) -> Batch:
        """Images and labels, and a validation batch if a metric of the network needs one."""
        size, augment = self._protocol.batch_size, self._protocol.augment
        metrics = [metric(name) for name in self._protocol.metrics]
        if not any(m.validation and m.variant == variant_name for m in metrics):
            images, labels = batch(self._data, size, rng, augment=augment)
            return Batch(images, labels.astype(np.int32))
        both = batch_and_validation(self._data, size, rng, augment=augment)
        first, second = (Batch(images, labels.astype(np.int32)) for images, labels in both)
        return first.replace(validation=second)

    @functools.lru_cache(maxsize=4)  # noqa: B019
    def _params(self, module: nn.Module, draw: int, repeat: int, shape: tuple) -> Params:
        """Parameters for images of a shape: half a second for small networks.

        Networks of one module have the same ones, drawn once.
        """
        key = self._key(draw, repeat)
        if self._protocol.redraw_weights:
            key = jax.random.split(key, 2)[0]
        network = Network(module, jnp.asarray(self._space.supernet()))
        params = network.init(key, jax.ShapeDtypeStruct((2, *shape), jnp.float32))
        return on_devices(params, self._mesh)

    def _key(self, draw: int, repeat: int) -> jax.Array:
        return jax.random.fold_in(jax.random.fold_in(jax.random.key(self._seed), draw), repeat)


def on_devices(tree: Any, mesh: Mesh, axis: str | None = None) -> Any:
    """A tree of arrays on all devices of a mesh, which may be those of several processes.

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
