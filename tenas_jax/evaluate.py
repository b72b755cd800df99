"""Scores many architectures: one compiled program, common random numbers, every device.

All candidates of a draw see the same weights and batches, so that their differences are their own
(common random numbers), and a score in a draw does not depend on what else is scored.
"""

import functools
import operator
import time
from collections.abc import Iterator, Sequence
from typing import Any

import jax
import jax.numpy as jnp
import numpy as np
from jax.sharding import Mesh, NamedSharding, PartitionSpec

from tenas_jax.data import Images
from tenas_jax.data.batches import batch as draw_batch
from tenas_jax.data.batches import patches as draw_patches
from tenas_jax.errors import UserError
from tenas_jax.metrics import Batch, metric
from tenas_jax.networks import Network, initialiser, variant
from tenas_jax.ntk import FLAGS, NOT_FINITE, OK, resolve_engine
from tenas_jax.presets import Protocol
from tenas_jax.scores import Score
from tenas_jax.spaces import Space


class Evaluator:
    """Scores masks of a space by a protocol.

    Attributes:
        compile_seconds: spent compiling so far.
        run_seconds: spent running so far.
        input_seconds: of these, spent drawing batches and weights.
    """

    def __init__(
        self,
        space: Space,
        data: Images,
        protocol: Protocol,
        *,
        seed: int,
        devices: Sequence[jax.Device] | None = None,
        per_device: int | None = None,
        share_equal: bool = True,
    ):
        """Prepares to score; nothing is compiled yet.

        Args:
            space: what the masks belong to.
            data: where batches and patches are drawn from.
            protocol: see `Protocol`.
            seed: of weights and batches, both.
            devices: to spread candidates over; all there are by default.
            per_device: candidates that a device scores at once; 1 on CPU, 4 elsewhere, by default.
            share_equal: whether architectures of one canonical form in one draw are scored once,
                the others given the value of the first. Their scores agree in distribution only,
                since their weights sit on different edges, and operations that do not reach the
                output still count in linear regions. Supernets are never shared.

        Raises:
            UserError: unknown names, a batch too small for a metric or larger than the data, images
                of a wrong size, a seed that is no whole number from 0 to 2^32 - 1.
        """
        self.space, self.data, self.protocol, self.seed = space, data, protocol, seed
        self.engine = resolve_engine(protocol.engine)
        self.compile_seconds = self.run_seconds = self.input_seconds = 0.0
        self._mesh = Mesh(np.array(devices or jax.devices()), ("candidates",))
        on_cpu = self._mesh.devices.flat[0].platform == "cpu"
        self._per_device = per_device or (1 if on_cpu else 4)
        self._share_equal = share_equal
        self._programs: dict[str, Any] = {}
        self._metrics = {name: metric(name) for name in protocol.metrics}
        self._modules = {m.variant: self._module(m.variant) for m in self._metrics.values()}
        self._check()

    def score(
        self, masks: Sequence[np.ndarray], draw: int, known: dict[str, Score] | None = None
    ) -> Iterator[tuple[int, str, Score, bool]]:
        """Scores masks, yielding each as soon as it is there.

        Args:
            masks: arrays [cells, edges, ops].
            draw: which weights and batches: equal numbers give equal ones.
            known: scores of this draw by `key`, which are not computed again.

        Yields:
            Position in `masks`, key, score, and whether it was computed now. In no fixed order.
        """
        known = dict(known or {})
        keys = [self.key(mask) for mask in masks]
        first = {key: i for i, key in reversed(list(enumerate(keys)))}
        wanted = [i for key, i in first.items() if key not in known]
        for i, key in enumerate(keys):
            if key in known:
                yield i, key, known[key], False
        block = self._mesh.size * self._per_device
        for start in range(0, len(wanted), block):
            some = wanted[start : start + block]
            for i, score in zip(
                some, self._score_block([masks[i] for i in some], draw), strict=True
            ):
                for twin in (j for j, key in enumerate(keys) if key == keys[i]):
                    yield twin, keys[i], score, twin == i

    def key(self, mask: np.ndarray) -> str:
        """What two masks share if their scores are shared."""
        if self._share_equal:
            return self.space.cache_key(mask)
        return "mask:" + "".join(str(int(v)) for v in np.asarray(mask).ravel())

    def _score_block(self, masks: list[np.ndarray], draw: int) -> list[Score]:
        """Scores as many masks as the devices take at once, or fewer."""
        size = self._mesh.size * self._per_device
        filled = masks + [masks[-1]] * (size - len(masks))  # the last one fills idle places
        stacked = jnp.asarray(np.stack(filled), jnp.float32)
        start, compiling = time.perf_counter(), self.compile_seconds
        values = {name: [] for name in self._metrics}
        flags = {name: [] for name in self._metrics}
        for repeat in range(self.protocol.repeats):
            for name in self._metrics:
                value, flag = self._run(name, stacked, draw, repeat)
                values[name].append(np.asarray(value, np.float64))
                flags[name].append(np.asarray(flag))
        seconds = time.perf_counter() - start - (self.compile_seconds - compiling)
        self.run_seconds += seconds
        return [
            Score(
                {name: np.array([v[i] for v in values[name]]) for name in values},
                {name: [FLAGS[f[i]] for f in flags[name]] for name in flags},
                seconds / len(masks),
            )
            for i in range(len(masks))
        ]

    def _run(self, name: str, masks: jax.Array, draw: int, repeat: int):
        """One metric of a block of masks on one batch: values [block], flags [block]."""
        start = time.perf_counter()
        params, batch, key = self._inputs(self._metrics[name].variant, draw, repeat)
        self.input_seconds += time.perf_counter() - start
        args = (masks, params, batch, key)
        if name not in self._programs:
            start = time.perf_counter()
            self._programs[name] = self._program(name).lower(*args).compile()
            self.compile_seconds += time.perf_counter() - start
        return jax.block_until_ready(self._programs[name](*args))

    def _program(self, name: str):
        """The jitted program of a metric over a block of masks, spread over the mesh."""
        m, module = self._metrics[name], self._modules[self._metrics[name].variant]
        options = {"engine": self.engine, "chunk": self.protocol.chunk} if m.kernel else {}

        def one(mask, params, batch, key):
            out = m.fn(Network(module, mask), params, batch, key, **options)
            if isinstance(out, tuple):
                return out
            finite = jnp.isfinite(out)
            return jnp.where(finite, out, jnp.nan), jnp.where(finite, OK, NOT_FINITE)

        def block(masks, params, batch, key):
            if len(masks) > 1:
                return jax.vmap(one, in_axes=(0, None, None, None))(masks, params, batch, key)
            value, flag = one(masks[0], params, batch, key)
            return value[None], flag[None]

        split, whole = PartitionSpec("candidates"), PartitionSpec()
        spread = jax.shard_map(
            block,
            mesh=self._mesh,
            in_specs=(split, whole, whole, whole),
            out_specs=split,
            check_vma=False,
        )
        return jax.jit(spread)

    @functools.lru_cache(maxsize=16)  # noqa: B019 - the evaluator lives as long as the search
    def _inputs(self, variant_name: str, draw: int, repeat: int):
        """Parameters, batch and key of a draw and repeat, on every device."""
        rng = np.random.default_rng([self.seed, draw, repeat])
        images, labels = draw_batch(
            self.data, self.protocol.batch_size, rng, augment=self.protocol.augment
        )
        if variant(self.space.name, variant_name).patches:
            images, labels = draw_patches(self.data, self.protocol.patches, rng), None
        batch = Batch(jnp.asarray(images), None if labels is None else jnp.asarray(labels))
        whose = repeat if self.protocol.redraw_weights else 0
        params = self._params(variant_name, draw, whose, images.shape[1:])
        return params, *self._everywhere((batch, jax.random.split(self._key(draw, repeat), 2)[1]))

    @functools.lru_cache(maxsize=4)  # noqa: B019
    def _params(self, variant_name: str, draw: int, repeat: int, shape: tuple):
        """Parameters for images of a shape, on every device: half a second for small networks."""
        key = self._key(draw, repeat)
        if self.protocol.redraw_weights:
            key = jax.random.split(key, 2)[0]
        network = Network(self._modules[variant_name], jnp.asarray(self.space.supernet()))
        return self._everywhere(network.init(key, jax.ShapeDtypeStruct((2, *shape), jnp.float32)))

    def _everywhere(self, tree):
        """A tree of arrays, copied to all devices of the mesh."""
        return jax.device_put(tree, NamedSharding(self._mesh, PartitionSpec()))

    def _key(self, draw: int, repeat: int) -> jax.Array:
        return jax.random.fold_in(jax.random.fold_in(jax.random.key(self.seed), draw), repeat)

    def _check(self) -> None:
        """Raises for what would fail at the first score, before anything is written or compiled."""
        initialiser(self.protocol.initialiser)
        size = self.protocol.batch_size
        for name, m in self._metrics.items():
            if m.variant == "ntk" and size < m.min_images:
                raise UserError(
                    f"{name} needs a batch of at least {m.min_images} images, not {size}"
                )
        if size > len(self.data):
            raise UserError(
                f"{self.data.name} has {len(self.data)} images, not the {size} of a batch"
            )
        if isinstance(self.seed, bool) or not 0 <= operator.index(self.seed) < 2**32:
            raise UserError(f"the seed must be from 0 to {2**32 - 1}, not {self.seed}")

    def _module(self, name: str):
        """A scoring network's module, after a look at whether it can take these images."""
        found = variant(self.space.name, name)
        side = self.data.images.shape[1:3]
        if not found.patches and any(length % found.side_multiple for length in side):
            raise UserError(
                f"images are {side[0]}x{side[1]}, but the network of {self.space.name} needs sides "
                f"that are multiples of {found.side_multiple}: resize them to such a size"
            )
        return found.build(classes=self.data.classes, initialiser=self.protocol.initialiser)
