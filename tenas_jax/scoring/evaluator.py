"""Scores many architectures: one compiled program, common random numbers, every device.

All candidates of a draw see the same weights and batches, so that their differences are their own
(common random numbers), and a score in a draw does not depend on what else is scored.
"""

import operator
import time
from collections.abc import Iterator, Mapping, Sequence
from typing import Any

import jax
import numpy as np
from jax.sharding import Mesh

from tenas_jax.data import Images
from tenas_jax.errors import UserError, lookup
from tenas_jax.metrics import metric
from tenas_jax.networks import NETWORKS, Scoring, Variant, initialiser
from tenas_jax.ntk import FLAGS, ntk, resolve_engine
from tenas_jax.scoring.draws import Draws, on_devices
from tenas_jax.scoring.presets import Protocol
from tenas_jax.scoring.programs import Found, Program, compiled
from tenas_jax.scoring.scores import Score
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
        networks: Mapping[str, Variant] | None = None,
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
            networks: the scoring networks by name; those of the space in `NETWORKS` by default.

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
        self._programs: dict[Any, Any] = {}
        self._clock = 0.0  # when the devices began the block that is running
        self._metrics = {name: metric(name) for name in protocol.metrics}
        variants = lookup("space", NETWORKS, space.name) if networks is None else networks
        self._networks = {
            m.variant: self._built(name, m.variant, variants) for name, m in self._metrics.items()
        }
        self._check()
        self._draws = Draws(space, data, protocol, self._networks, seed, self._mesh)

    def score(
        self,
        masks: Sequence[np.ndarray],
        draw: int,
        known: dict[str, Score] | None = None,
        *,
        metrics: Sequence[str] | None = None,
        gradients: bool = False,
    ) -> Iterator[tuple[int, str, Score, bool]]:
        """Scores masks, yielding each as soon as it is there.

        Args:
            masks: arrays [cells, edges, ops].
            draw: which weights and batches: equal numbers give equal ones.
            known: scores of this draw by `key`, which are not computed again.
            metrics: some of the protocol's; all by default.
            gradients: whether the metrics that have a derivative in the mask are given with it.

        Yields:
            Position in `masks`, key, score, and whether it was computed now: first the known ones,
            then the others in their order, but that equal ones come together.
        """
        plan = self._plan(self._metrics if metrics is None else metrics, gradients)
        known = dict(known or {})
        keys = [self.key(mask) for mask in masks]
        twins: dict[str, list[int]] = {}
        for i, key in enumerate(keys):
            twins.setdefault(key, []).append(i)
        wanted = [places[0] for key, places in twins.items() if key not in known]
        for i, key in enumerate(keys):
            if key in known:
                yield i, key, known[key], False
        for i, score in self._score_in_blocks(masks, wanted, draw, plan):
            for twin in twins[keys[i]]:
                yield twin, keys[i], score, twin == i

    def kernel(self, mask: np.ndarray, draw: int = 0, repeat: int = 0) -> np.ndarray:
        """The NTK [N, N] of a mask, by the weights and images that its score has in a repeat.

        At least one of the metrics must be of the network that has the kernel (variant `ntk`).
        """
        params, images, _ = self._draws.inputs("ntk", draw, repeat)
        if "kernel" not in self._programs:

            def kernel(mask, params, images):
                network = self._networks["ntk"].network(mask)
                params = self._networks["ntk"].initial(params, mask, images.shape[-1])
                return ntk(network, params, images, engine=self.engine, chunk=self.protocol.chunk)

            self._programs["kernel"] = jax.jit(kernel)
        whole = on_devices(np.asarray(mask, np.float32), self._mesh)
        return np.asarray(self._programs["kernel"](whole, params, images.images))

    def key(self, mask: np.ndarray) -> str:
        """What two masks share if their scores are."""
        if self._share_equal:
            return self.space.cache_key(mask)
        return "mask:" + "".join(str(int(v)) for v in np.asarray(mask).ravel())

    def _plan(self, metrics: Sequence[str], gradients: bool) -> list[Program]:
        """The programs that compute some metrics, one a scoring network."""
        by_variant: dict[str, list[str]] = {}
        for name in metrics:
            by_variant.setdefault(self._metrics[name].variant, []).append(name)
        return [Program(v, tuple(names), gradients) for v, names in by_variant.items()]

    def _score_in_blocks(
        self, masks: Sequence[np.ndarray], wanted: list[int], draw: int, plan: list[Program]
    ):
        """Scores of the masks at some places, as (place, score), by as many as devices take.

        A block is started before the scores of the one before are fetched and recorded, so that no
        device waits for that.
        """
        size = self._mesh.size * self._per_device
        self._clock = time.perf_counter()
        running = None
        for block in [*(wanted[i : i + size] for i in range(0, len(wanted), size)), None]:
            following = block and (block, self._start([masks[i] for i in block], draw, plan))
            if running is not None:
                yield from zip(running[0], self._finish(*running), strict=True)
            running = following

    def _start(self, masks: list[np.ndarray], draw: int, plan: list[Program]) -> list[dict]:
        """Sets the devices to work on a block; a dict a repeat, metric -> `Found` to come."""
        size = self._mesh.size * self._per_device
        # The last one fills idle places, but for gradients, where zeros are no work.
        filler = np.zeros_like(masks[-1]) if plan[0].gradients else masks[-1]
        filled = masks + [filler] * (size - len(masks))
        stacked = on_devices(np.stack(filled).astype(np.float32), self._mesh, "candidates")
        repeats = range(self.protocol.repeats)
        found = [
            [self._run(program, stacked, draw, repeat) for program in plan] for repeat in repeats
        ]
        return [{name: f for part in parts for name, f in part.items()} for parts in found]

    def _finish(self, places: list[int], results: list[dict[str, Found]]) -> list[Score]:
        """Waits for a block; the scores of the masks that it holds, without those that filled."""
        results = jax.tree.map(np.asarray, results)
        now = time.perf_counter()
        seconds, self._clock = now - self._clock, now
        self.run_seconds += seconds
        names = [name for name in self._metrics if name in results[0]]
        return [
            Score(
                {n: np.array([r[n].value[i] for r in results], np.float64) for n in names},
                {n: [FLAGS[r[n].flag[i]] for r in results] for n in names},
                seconds / len(places),
                {
                    n: np.array([r[n].gradient[i] for r in results], np.float64)
                    for n in names
                    if results[0][n].gradient is not None
                },
            )
            for i in range(len(places))
        ]

    def _run(self, program: Program, masks: jax.Array, draw: int, repeat: int) -> dict[str, Found]:
        """Some metrics of a block of masks on one batch, to come."""
        start = time.perf_counter()
        args = (masks, *self._draws.inputs(program.variant, draw, repeat))
        self.input_seconds += time.perf_counter() - start
        if program not in self._programs:
            start = time.perf_counter()
            self._programs[program] = compiled(
                program, self._networks[program.variant], self.protocol, self._mesh, args
            )
            seconds = time.perf_counter() - start
            self.compile_seconds += seconds
            self._clock += seconds  # compiling is not running
        return self._programs[program](*args)

    def _check(self) -> None:
        """Raises for what would fail at the first score, before anything is written or compiled."""
        initialiser(self.protocol.initialiser)
        size = self.protocol.batch_size
        for name, m in self._metrics.items():
            if m.variant == "ntk" and size < m.min_images:
                raise UserError(
                    f"{name} needs a batch of at least {m.min_images} images, not {size}"
                )
        held_out = any(m.validation for m in self._metrics.values())
        if (2 if held_out else 1) * size > len(self.data):
            two = f"the {2 * size} of a batch and a validation batch"
            wanted = two if held_out else f"the {size} of a batch"
            raise UserError(f"{self.data.name} has {len(self.data)} images, not {wanted}")
        for name, m in self._metrics.items():
            if m.validation and len(np.unique(self.data.labels)) < 2:
                raise UserError(f"{name} needs labels of two classes; {self.data.name} has one")
        if isinstance(self.seed, bool) or not 0 <= operator.index(self.seed) < 2**32:
            raise UserError(f"the seed must be from 0 to {2**32 - 1}, not {self.seed}")

    def _built(self, metric: str, name: str, variants: Mapping[str, Variant]) -> Scoring:
        """The scoring network of a metric, after a look at whether it can take these images."""
        if name not in variants:
            raise UserError(
                f"{metric} needs a network {name!r}, which {self.space.name} has not; "
                f"it has {', '.join(variants)}"
            )
        found, side = variants[name], self.data.images.shape[1:3]
        if not found.patches and any(length % found.side_multiple for length in side):
            raise UserError(
                f"images are {side[0]}x{side[1]}, but the network of {self.space.name} needs sides "
                f"that are multiples of {found.side_multiple}: resize them to such a size"
            )
        module = found.build(classes=self.data.classes, initialiser=self.protocol.initialiser)
        return Scoring(found, module)
