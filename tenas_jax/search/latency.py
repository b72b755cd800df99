"""The time that an architecture's derived network takes on this device.

What is measured differs from time to time, and a search decides by it. So each architecture is
measured once, and a search that is resumed finds what it decided by in a file.
"""

import math
import os
import pathlib
import time
from collections.abc import Callable, Mapping
from typing import Any

import jax
import jax.numpy as jnp
import numpy as np

from tenas_jax.errors import UserError, shorten
from tenas_jax.networks.costs import CLASSES, IMAGE
from tenas_jax.networks.trained import derived
from tenas_jax.runs.json_lines import append_object, read_objects
from tenas_jax.runs.processes import from_first
from tenas_jax.spaces import Space

LATENCIES = "latencies.jsonl"  # in a search's workdir
RUNS = 10  # timed, of which the median counts


class Stopwatch:
    """Measures forward passes, and remembers them.

    The pass is that of inference, float32, with random weights, on images of CIFAR-10's size. Every
    network has to be compiled first, which takes far longer than what is timed: on 2 cores a second
    for NAS-Bench-201 and 4 for DARTS in full size, for smaller networks less. Of several processes
    the first measures.
    """

    def __init__(
        self,
        space: Space,
        *,
        batch: int = 1,
        size: Mapping[str, Any] | None = None,
        path: str | os.PathLike | None = None,
        clock: Callable[[], float] = time.perf_counter,
    ):
        """Reads what was measured before.

        Args:
            space: of the architectures, one with a derived network.
            batch: images at a time.
            size: fields of the derived network, those that `size_fields` lists; its own by default.
            path: of a JSON-lines file with one architecture a line, which is written from `keep`
                on; None keeps the times in memory alone.
            clock: gives the time in seconds.

        Raises:
            UserError: a batch that is no whole number from 1, an unknown or invalid size, or a
                file that cannot be read or holds something else.
        """
        if type(batch) is not int or batch < 1:
            raise UserError(f"batch is {shorten(batch)}; valid: whole numbers from 1")
        self.space, self.batch, self.size = space, batch, dict(size or {})
        self._path = None if path is None else pathlib.Path(path)
        self._clock = clock
        self._kept = False
        self._pending: list[dict] = []  # measured and not in the file
        self._check_size()
        self._known = self._read(mend=False)

    def milliseconds(self, arch: np.ndarray) -> float:
        """Returns the median of `RUNS` passes of an arch int8 [cells, edges], measured once.

        Raises:
            UserError: it is no architecture of the space, or the file cannot be written.
        """
        text = self.space.to_string(arch)
        if text not in self._known:
            first = jax.process_index() == 0
            self._known[text] = from_first(self._measure(arch) if first else None)
            self._append({"arch": text, "milliseconds": self._known[text]})
        return self._known[text]

    def keep(self) -> None:
        """Writes the file from now on: all measured so far, and each as soon as it is known.

        It is to be called once the file's folder is this run's own.

        Raises:
            UserError: the file cannot be read or written, or holds something else.
        """
        if self._path is None or self._kept:
            return
        stored = self._read(mend=jax.process_index() == 0)
        self._known |= stored
        pending = [line for line in self._pending if line["arch"] not in stored]
        self._pending, self._kept = [], True
        for line in pending:
            self._append(line)

    def _append(self, line: dict) -> None:
        if self._path is None or jax.process_index() != 0:
            return
        if self._kept:
            append_object(self._path, {**line, "device": jax.devices()[0].device_kind})
        else:
            self._pending.append(line)

    def _read(self, *, mend: bool) -> dict[str, float]:
        """Reads architecture -> milliseconds of the file, none where there is no file."""
        known = {}
        lines = [] if self._path is None else read_objects(self._path, mend=mend)
        for number, line in enumerate(from_first(lines), 1):
            arch, value = line.get("arch"), line.get("milliseconds")
            number_there = type(value) in (int, float) and math.isfinite(value)
            if not isinstance(arch, str) or not number_there:
                raise UserError(f"{self._path}, line {number}: no architecture with milliseconds")
            known[arch] = float(value)
        return known

    def _measure(self, arch: np.ndarray) -> float:
        module = derived(self.space.name, arch, classes=CLASSES, **self.size)
        images = jnp.zeros((self.batch, *IMAGE))
        variables = _random_variables(module, images)
        forward = jax.jit(lambda variables, images: module.apply(variables, images, train=False)[0])
        forward = forward.lower(variables, images).compile()
        jax.block_until_ready(forward(variables, images))
        seconds = []
        for _ in range(RUNS):
            start = self._clock()
            jax.block_until_ready(forward(variables, images))
            seconds.append(self._clock() - start)
        return float(np.median(seconds)) * 1e3

    def _check_size(self) -> None:
        """Raises a `UserError` where the size makes no network, now rather than at the first."""
        arch = self.space.from_index(0)
        module = derived(self.space.name, arch, classes=CLASSES, **self.size)
        images = jax.ShapeDtypeStruct((self.batch, *IMAGE), jnp.float32)
        jax.eval_shape(lambda images: module.init(jax.random.key(0), images, train=False), images)


def _random_variables(module: Any, images: jax.Array) -> Any:
    """Draws kernels that keep values' scale, and ones for all vectors, without compiling."""
    shapes = jax.eval_shape(lambda: module.init(jax.random.key(0), images, train=False))
    rng = np.random.default_rng(0)

    def draw(leaf: jax.ShapeDtypeStruct) -> jax.Array:
        if len(leaf.shape) < 2:
            return jnp.ones(leaf.shape, leaf.dtype)
        width = math.sqrt(math.prod(leaf.shape[:-1]))
        return jnp.asarray(rng.standard_normal(leaf.shape) / width, leaf.dtype)

    return jax.tree.map(draw, shapes)


def read_size(text: str | None) -> dict[str, Any]:
    """Reads fields of a derived network, written `channels=8,depth=1`.

    Whole numbers are read as such, all else as words.

    Raises:
        UserError: a part that is not `field=value`, or a field that is there twice.
    """
    fields: dict[str, Any] = {}
    for part in text.split(",") if text else ():
        name, _, value = (piece.strip() for piece in part.partition("="))
        if not name or not value:
            raise UserError(f"size is {shorten(text)}; valid: such as 'channels=8,depth=1'")
        if name in fields:
            raise UserError(f"size {shorten(text)} has {name} twice")
        fields[name] = int(value) if value.isdecimal() else value
    return fields
