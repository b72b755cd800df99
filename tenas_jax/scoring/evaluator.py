"""Scores many architectures: one compiled program, common random numbers, every device.

All candidates of a draw see the same weights and batches, so that their differences are their own
(common random numbers), and a score in a draw does not depend on what else is scored.
"""

import json
import time
from collections.abc import Iterator, Mapping, Sequence
from typing import Any

import jax
import numpy as np
from jax.sharding import Mesh

from tenas_jax.data.dataset import Dataset
from tenas_jax.errors import UserError, lookup
from tenas_jax.metrics import Probe, metric
from tenas_jax.networks import Blueprint, NetworkSpec, blueprints, built, complete, initialiser
from tenas_jax.ntk import FLAGS, resolve_engine
from tenas_jax.runs.json_values import plain
from tenas_jax.scoring.draws import Draws, Sight, on_devices
from tenas_jax.scoring.offers import check_space
from tenas_jax.scoring.presets import Protocol
from tenas_jax.scoring.programs import Measured, Program, compiled
from tenas_jax.scoring.scores import Score
from tenas_jax.spaces import Space


class Evaluator:
    """Scores encodings of a space's architectures by a protocol.

    Attributes:
        compile_seconds: spent compiling so far.
        run_seconds: spent running so far.
        input_seconds: of these, spent drawing batches and weights.
    """

    def __init__(
        self,
        space: Space,
        data: Dataset,
        protocol: Protocol,
        *,
        seed: int,
        devices: Sequence[jax.Device] | None = None,
        per_device: int | None = None,
        share_equal: bool = True,
        networks: Mapping[str, Blueprint] | None = None,
    ):
        """Prepares to score; nothing is compiled yet.

        Args:
            space: what the encodings belong to.
            data: where batches and patches are drawn from.
            protocol: see `Protocol`.
            seed: of weights and batches, both.
            devices: to spread candidates over; all there are by default.
            per_device: candidates that a device scores at once; 1 on CPU, 4 elsewhere, by default.
            share_equal: whether architectures of one canonical form in one draw are scored once,
                the others given the value of the first. Their scores agree in distribution only,
                since their weights sit on different edges, and operations that do not reach the
                output still count in linear regions. Supernets are never shared.
            networks: those that can be scored, by name; the space's own by default.

        Raises:
            UserError: unknown names, a network that the space has not, a metric whose needs the
                data or the network cannot meet, a batch larger than the data, images of a wrong
                size, a seed that is no whole number from 0 to 2^32 - 1.
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
        whole = isinstance(seed, int | np.integer) and not isinstance(seed, bool)
        if not whole or not 0 <= seed < 2**32:
            raise UserError(f"the seed must be from 0 to {2**32 - 1}, not {seed!r}")
        self._sights = self._seen(blueprints(space) if networks is None else networks)
        self._repeats = {name: protocol.setting(name, "repeats") for name in protocol.metrics}
        keep = len(set(self._sights.values())) * max(self._repeats.values())
        self._draws = Draws(space, data, protocol, seed, self._mesh, keep)

    def score(
        self,
        encodings: Sequence[Any],
        draw: int,
        known: dict[str, Score] | None = None,
        *,
        metrics: Sequence[str] | None = None,
        gradients: bool = False,
    ) -> Iterator[tuple[int, str, Score, bool]]:
        """Scores candidates, yielding each as soon as it is there.

        Args:
            encodings: such as masks [cells, edges, operations], arrays or trees of them; networks
                are given them in float32.
            draw: which weights and batches: equal numbers give equal ones.
            known: scores of this draw by `key`, which are not computed again.
            metrics: some of the protocol's; all by default.
            gradients: whether the metrics that have a derivative in the mask are given with it.

        Yields:
            Index in `encodings`, key, score, and whether it was computed now: first the known ones,
            then the others in their order, but that equal ones come together.
        """
        plan = self._plan(self.protocol.metrics if metrics is None else metrics, gradients)
        self._check_shapes(encodings)
        # A score without the gradients that are wanted is none.
        known = {k: s for k, s in (known or {}).items() if s.gradients or not gradients}
        keys = [self.key(encoding) for encoding in encodings]
        twins: dict[str, list[int]] = {}
        for i, key in enumerate(keys):
            twins.setdefault(key, []).append(i)
        wanted = [equal[0] for key, equal in twins.items() if key not in known]
        for i, key in enumerate(keys):
            if key in known:
                yield i, key, known[key], False
        for i, score in self._score_in_blocks(encodings, wanted, draw, plan):
            for twin in twins[keys[i]]:
                yield twin, keys[i], score, twin == i

    def kernel(self, encoding: Any, draw: int = 0, repeat: int = 0) -> np.ndarray:
        """Computes the kernel [N, N] of a candidate, by the weights and images of its score.

        Raises:
            UserError: no metric takes a kernel.
        """
        names = [name for name in self.protocol.metrics if "kernel" in metric(name).needs]
        if not names:
            raise UserError("none of the metrics takes a kernel")
        sight = self._sights[names[0]]
        params, batch, _ = self._draws.inputs(sight, draw, repeat)
        if "kernel" not in self._programs:

            def kernel(encoding, params, batch):
                params = sight.built.initial(params, encoding, batch.inputs.shape[-1])
                how = {"engine": self.engine, "chunk": self.protocol.chunk}
                return Probe(sight.built.of(encoding), params, batch, **how).kernel()

            self._programs["kernel"] = jax.jit(kernel)
        floats = jax.tree.map(lambda array: np.asarray(array, np.float32), encoding)
        whole = on_devices(floats, self._mesh)
        return np.asarray(self._programs["kernel"](whole, params, batch))

    def key(self, encoding: Any) -> str:
        """Returns what two encodings share if their scores are."""
        if self._share_equal:
            return self.space.cache_key(encoding)
        return "encoding:" + json.dumps(plain(encoding), separators=(",", ":"))

    def _check_shapes(self, encodings: Sequence[Any]) -> None:
        """Raises a `UserError` for encodings of other shapes than the space's example."""
        wanted = jax.tree.map(np.shape, self.space.example())
        for encoding in encodings:
            shapes = jax.tree.map(np.shape, encoding)
            if shapes != wanted:
                raise UserError(
                    f"an encoding of {self.space.name} has shape {wanted}, not {shapes}: one "
                    "compiled program serves all that have one"
                )

    def _plan(self, metrics: Sequence[str], gradients: bool) -> list[list[Program]]:
        """Returns for each repeat the programs that compute some metrics, one a sight."""
        if not metrics:
            raise UserError("no metric is asked for")
        for name in metrics:
            lookup("metric of the protocol", self._sights, name)
        plan = []
        for repeat in range(max(self._repeats[name] for name in metrics)):
            by_sight: dict[Sight, list[str]] = {}
            for name in metrics:
                if repeat < self._repeats[name]:
                    by_sight.setdefault(self._sights[name], []).append(name)
            programs = [Program(s, tuple(names), gradients) for s, names in by_sight.items()]
            plan.append(programs)
        return plan

    def _score_in_blocks(
        self,
        encodings: Sequence[Any],
        wanted: list[int],
        draw: int,
        plan: list[list[Program]],
    ) -> Iterator[tuple[int, Score]]:
        """Yields scores of the encodings at some indices, by as many as devices take.

        A block is started before the scores of the one before are fetched and recorded, so that no
        device waits for that.
        """
        size = self._mesh.size * self._per_device
        self._clock = time.perf_counter()
        running = None
        for block in [*(wanted[i : i + size] for i in range(0, len(wanted), size)), None]:
            following = block and (block, self._start([encodings[i] for i in block], draw, plan))
            if running is not None:
                yield from zip(running[0], self._finish(*running), strict=True)
            running = following

    def _start(
        self, encodings: list[Any], draw: int, plan: list[list[Program]]
    ) -> list[dict[str, Measured]]:
        """Sets the devices to work on a block; a dict a repeat, metric -> what is to come."""
        size = self._mesh.size * self._per_device
        # The last one fills idle devices, but for gradients, where zeros are no work.
        last = encodings[-1]
        filler = jax.tree.map(np.zeros_like, last) if plan[0][0].gradients else last
        filled = encodings + [filler] * (size - len(encodings))
        stacked = jax.tree.map(lambda *arrays: np.stack(arrays).astype(np.float32), *filled)
        stacked = on_devices(stacked, self._mesh, "candidates")
        results: list[dict[str, Measured]] = []
        for repeat, programs in enumerate(plan):
            parts = [self._run(program, stacked, draw, repeat) for program in programs]
            results.append({name: m for part in parts for name, m in part.items()})
        return results

    def _finish(self, block: list[int], results: list[dict[str, Measured]]) -> list[Score]:
        """Waits for a block; the scores of its candidates, without those that filled it."""
        results = jax.tree.map(np.asarray, results)
        now = time.perf_counter()
        seconds, self._clock = now - self._clock, now
        self.run_seconds += seconds
        names = [name for name in self.protocol.metrics if name in results[0]]
        by_name = {name: [r[name] for r in results if name in r] for name in names}
        return [
            Score(
                {n: np.array([m.value[i] for m in own], np.float64) for n, own in by_name.items()},
                {n: [FLAGS[m.flag[i]] for m in own] for n, own in by_name.items()},
                seconds / len(block),
                {
                    n: np.array([m.gradient[i] for m in own], np.float64)
                    for n, own in by_name.items()
                    if own[0].gradient is not None
                },
            )
            for i in range(len(block))
        ]

    def _run(
        self, program: Program, encodings: jax.Array, draw: int, repeat: int
    ) -> dict[str, Measured]:
        """Measures a block of candidates on one batch, to come."""
        start = time.perf_counter()
        args = (encodings, *self._draws.inputs(program.sight, draw, repeat))
        self.input_seconds += time.perf_counter() - start
        if program not in self._programs:
            start = time.perf_counter()
            self._programs[program] = compiled(program, self.protocol, self._mesh, args)
            seconds = time.perf_counter() - start
            self.compile_seconds += seconds
            self._clock += seconds  # compiling is not running
        return self._programs[program](*args)

    def _seen(self, networks: Mapping[str, Blueprint]) -> dict[str, Sight]:
        """Returns what each metric sees, after a look at whether data and space have it."""
        shapes = {}
        for name in self.protocol.metrics:
            try:
                spec = complete(
                    self._asked(name),
                    networks,
                    space=self.space.name,
                    name=self.protocol.network,
                    initialiser=self.protocol.initialiser,
                )
                initialiser(spec.initialiser)  # an unknown name is told before anything is drawn
            except UserError as error:
                raise UserError(f"{name}: {error}") from error
            shapes[name] = spec, self.protocol.setting(name, "batch_size")
            check_space(name, self.data, networks[spec.name], *shapes[name], self.space.name)
        # Metrics that see the same share it, and a second batch if one of them needs it.
        held_out = {shape for name, shape in shapes.items() if "held_out" in metric(name).needs}
        return {
            name: Sight(built(shape[0], networks, self.data.classes), shape[1], shape in held_out)
            for name, shape in shapes.items()
        }

    def _asked(self, name: str) -> NetworkSpec:
        """Returns the spec of a metric, with what the protocol sets of it."""
        parts = ("network", "outputs", "norms", "initialiser")
        network, outputs, norms, initialiser = (self.protocol.setting(name, part) for part in parts)
        return NetworkSpec(network, outputs, norms, metric(name).spec.smooth, initialiser)
