"""Scores many architectures: one compiled program, common random numbers, every device.

All candidates of a draw see the same weights and batches, so that their differences are their own
(common random numbers), and a score in a draw does not depend on what else is scored.
"""

import operator
import time
from collections.abc import Iterator, Sequence
from typing import Any

import jax
import jax.numpy as jnp
import numpy as np
from jax.sharding import Mesh, PartitionSpec

from tenas_jax.data import Images
from tenas_jax.draws import Draws, on_devices
from tenas_jax.errors import UserError
from tenas_jax.metrics import metric
from tenas_jax.networks import Network, initialiser, variant
from tenas_jax.ntk import FLAGS, NOT_FINITE, OK, ntk, resolve_engine
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
        self._clock = 0.0  # when the devices began the block that is running
        self._metrics = {name: metric(name) for name in protocol.metrics}
        self._modules = {m.variant: self._module(m.variant) for m in self._metrics.values()}
        self._check()
        self._draws = Draws(space, data, protocol, self._modules, seed, self._mesh)

    def score(
        self, masks: Sequence[np.ndarray], draw: int, known: dict[str, Score] | None = None
    ) -> Iterator[tuple[int, str, Score, bool]]:
        """Scores masks, yielding each as soon as it is there.

        Args:
            masks: arrays [cells, edges, ops].
            draw: which weights and batches: equal numbers give equal ones.
            known: scores of this draw by `key`, which are not computed again.

        Yields:
            Position in `masks`, key, score, and whether it was computed now: first the known ones,
            then the others in their order, but that equal ones come together.
        """
        known = dict(known or {})
        keys = [self.key(mask) for mask in masks]
        twins: dict[str, list[int]] = {}
        for i, key in enumerate(keys):
            twins.setdefault(key, []).append(i)
        wanted = [places[0] for key, places in twins.items() if key not in known]
        for i, key in enumerate(keys):
            if key in known:
                yield i, key, known[key], False
        for i, score in self._score_in_blocks(masks, wanted, draw):
            for twin in twins[keys[i]]:
                yield twin, keys[i], score, twin == i

    def kernel(self, mask: np.ndarray, draw: int = 0, repeat: int = 0) -> np.ndarray:
        """The NTK [N, N] of a mask, by the weights and images that its score has in a repeat.

        At least one of the metrics must be of the network that has the kernel (variant `ntk`).
        """
        params, images, _ = self._draws.inputs("ntk", draw, repeat)
        if "kernel" not in self._programs:

            def kernel(mask, params, images):
                network = Network(self._modules["ntk"], mask)
                return ntk(network, params, images, engine=self.engine, chunk=self.protocol.chunk)

            self._programs["kernel"] = jax.jit(kernel)
        whole = on_devices(np.asarray(mask, np.float32), self._mesh)
        return np.asarray(self._programs["kernel"](whole, params, images.images))

    def key(self, mask: np.ndarray) -> str:
        """What two masks share if their scores are shared."""
        if self._share_equal:
            return self.space.cache_key(mask)
        return "mask:" + "".join(str(int(v)) for v in np.asarray(mask).ravel())

    def _score_in_blocks(self, masks: Sequence[np.ndarray], wanted: list[int], draw: int):
        """Scores of the masks at some places, as (place, score), by as many as devices take.

        A block is started before the scores of the one before are fetched and recorded, so that no
        device waits for that.
        """
        size = self._mesh.size * self._per_device
        self._clock = time.perf_counter()
        running = None
        for block in [*(wanted[i : i + size] for i in range(0, len(wanted), size)), None]:
            following = block and (block, self._start([masks[i] for i in block], draw))
            if running is not None:
                yield from zip(running[0], self._finish(*running), strict=True)
            running = following

    def _start(self, masks: list[np.ndarray], draw: int) -> list[tuple[str, Any]]:
        """Sets the devices to work on a block; returns (metric, values and flags to come)."""
        size = self._mesh.size * self._per_device
        filled = masks + [masks[-1]] * (size - len(masks))  # the last one fills idle places
        stacked = on_devices(np.stack(filled).astype(np.float32), self._mesh, "candidates")
        return [
            (name, self._run(name, stacked, draw, repeat))
            for repeat in range(self.protocol.repeats)
            for name in self._metrics
        ]

    def _finish(self, places: list[int], results: list[tuple[str, Any]]) -> list[Score]:
        """Waits for a block; the scores of the masks that it holds, without those that filled."""
        values = {name: [] for name in self._metrics}
        flags = {name: [] for name in self._metrics}
        for name, (value, flag) in results:
            values[name].append(np.asarray(value, np.float64))
            flags[name].append(np.asarray(flag))
        now = time.perf_counter()
        seconds, self._clock = now - self._clock, now
        self.run_seconds += seconds
        return [
            Score(
                {name: np.array([v[i] for v in values[name]]) for name in values},
                {name: [FLAGS[f[i]] for f in flags[name]] for name in flags},
                seconds / len(places),
            )
            for i in range(len(places))
        ]

    def _run(self, name: str, masks: jax.Array, draw: int, repeat: int):
        """One metric of a block of masks on one batch: values [block], flags [block], to come."""
        start = time.perf_counter()
        args = (masks, *self._draws.inputs(self._metrics[name].variant, draw, repeat))
        self.input_seconds += time.perf_counter() - start
        if name not in self._programs:
            start = time.perf_counter()
            self._programs[name] = self._program(name).lower(*args).compile()
            seconds = time.perf_counter() - start
            self.compile_seconds += seconds
            self._clock += seconds  # compiling is not running
        return self._programs[name](*args)

    def _program(self, name: str):
        """The jitted program of a metric over a block of masks, spread over the mesh."""
        m, module = self._metrics[name], self._modules[self._metrics[name].variant]
        options = {"engine": self.engine, "chunk": self.protocol.chunk} if m.kernel else {}

        def one(mask, params, batch, key_data):
            key = jax.random.wrap_key_data(key_data)
            out = m.fn(Network(module, mask), params, batch, key, **options)
            if isinstance(out, tuple):
                return out
            finite = jnp.isfinite(out)
            return jnp.where(finite, out, jnp.nan), jnp.where(finite, OK, NOT_FINITE)

        def block(masks, *shared):
            if len(masks) > 1:
                found = jax.vmap(one, in_axes=(0, None, None, None))(masks, *shared)
            else:
                found = jax.tree.map(lambda v: v[None], one(masks[0], *shared))
            return jax.lax.all_gather(found, "candidates", tiled=True) if gather else found

        split, whole = PartitionSpec("candidates"), PartitionSpec()
        # Every process records or shows every score, so it needs those of other hosts' devices.
        gather = any(d.process_index != jax.process_index() for d in self._mesh.devices.flat)
        spread = jax.shard_map(
            block,
            mesh=self._mesh,
            in_specs=(split, whole, whole, whole),
            out_specs=whole if gather else split,
            check_vma=False,
        )
        return jax.jit(spread)

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
