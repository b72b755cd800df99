"""What the cases do: functions that make a task ready on this machine.

Everything is of the preset `reference`, on photographs that need no download.
"""

import pathlib
import tempfile
import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass

import jax
import jax.numpy as jnp
import numpy as np

from tenas_jax import data, spaces
from tenas_jax.metrics import Batch, Probe, metric
from tenas_jax.networks import scored_network
from tenas_jax.ntk import resolve_engine
from tenas_jax.runs.workdir import Workdir
from tenas_jax.scoring import presets
from tenas_jax.scoring.evaluator import Evaluator
from tenas_jax.search import search, strategy

PRESET = "reference"
PER_DEVICE = 4  # architectures that one device is given in `side_by_side`


@dataclass(frozen=True)
class Task:
    """Says what one row measures, in plain values.

    Attributes:
        case: its name in `CASES`.
        space: whose networks are scored.
        engine: of the kernel, or `auto`.
        n: images N of the kernel; for linear regions, patches.
        k: architectures, where the case lets them be chosen.
        side: of the images, in pixels.
        repeats: timed runs.
    """

    case: str
    space: str
    engine: str
    n: int
    k: int
    side: int
    repeats: int


@dataclass(frozen=True)
class Work:
    """Holds a task made ready.

    Attributes:
        run: does the run of that number, from 0, to its end, and returns how many architectures it
            scored.
        compile_seconds: gives what compiling has taken so far.
        engine: of the kernel, None where there is no kernel.
        devices: those in use.
    """

    run: Callable[[int], int]
    compile_seconds: Callable[[], float]
    engine: str | None
    devices: Sequence[jax.Device]


def condition_number(task: Task) -> Work:
    """Computes κ of n images by the supernet: one network on one device."""
    return _metric(task, "condition_number", lambda *args: data.batch(*args)[0])


def linear_regions(task: Task) -> Work:
    """Counts the regions of n patches in the supernet for them: one network on one device."""
    return _metric(task, "linear_regions", data.patches)


def side_by_side(task: Task) -> Work:
    """Scores a few random architectures for each device, on all: both metrics, one repeat."""
    return evaluator(task, count=PER_DEVICE * jax.device_count())


def evaluator(task: Task, count: int | None = None) -> Work:
    """Scores k random architectures (or `count`) on all devices: both metrics, one repeat."""
    space = spaces.get(task.space)
    # None shares another's score, so that each is computed.
    scorer = _evaluator(task, repeats=1, share_equal=False)
    archs = space.sample(np.random.default_rng(0), task.k if count is None else count)
    masks = [space.to_mask(arch) for arch in archs]
    return _work(scorer, lambda _: len(list(scorer.score(masks, draw=0))))


def pruning_round(task: Task) -> Work:
    """Does a search's first round, with weights and batch of its own in each run: one repeat."""
    scorer = _evaluator(task, repeats=1)

    def run(number: int) -> int:
        plan = strategy("pruning", scorer.space, scorer.protocol)
        masks = plan.ask()
        scores = {i: score for i, _, score, _ in scorer.score(masks, draw=number)}
        plan.tell([scores[i] for i in range(len(masks))])
        return len(masks)

    return _work(scorer, run)


def whole_search(task: Task) -> Work:
    """Searches from the supernet to its result, with a workdir that is dropped."""
    scorer = _evaluator(task)

    def run(_: int) -> int:
        plan = strategy("pruning", scorer.space, scorer.protocol)
        with tempfile.TemporaryDirectory() as folder:
            with Workdir.open(pathlib.Path(folder, "workdir"), {"preset": PRESET}) as record:
                search(plan, scorer, record)
                return len(record.records())

    return _work(scorer, run)


def _evaluator(task: Task, *, repeats: int | None = None, **options) -> Evaluator:
    """Makes an evaluator of both metrics on all devices."""
    protocol = presets.protocol(PRESET, batch_size=task.n, repeats=repeats, engine=task.engine)
    space, images = spaces.get(task.space), data.load("photos", size=task.side)
    return Evaluator(space, images, protocol, seed=0, **options)


def _work(scorer: Evaluator, run: Callable[[int], int]) -> Work:
    """Makes work of runs of an evaluator, which compiles in the first of them."""
    return Work(run, lambda: scorer.compile_seconds, scorer.engine, jax.devices())


def _metric(task: Task, name: str, draw: Callable) -> Work:
    """Computes a metric of the supernet, compiled for the first device.

    Args:
        task: see `Task`.
        name: of the metric.
        draw: `(photographs, n, generator) -> images [n, H, W, C]`.
    """
    m, photos = metric(name), data.load("photos", size=task.side)
    engine = resolve_engine(task.engine) if "kernel" in m.needs else None
    images = jnp.asarray(draw(photos, task.n, np.random.default_rng(0)))
    space, protocol = spaces.get(task.space), presets.protocol(PRESET)
    open_fields = {"name": protocol.network, "initialiser": protocol.initialiser}
    built = scored_network(space, m.spec, classes=photos.classes, **open_fields)
    network = built.of(jnp.asarray(space.supernet(), jnp.float32))
    key = jax.random.key(0)
    params = network.init(key, jax.ShapeDtypeStruct((2, *images.shape[1:]), images.dtype))
    args = (network, params, Batch(images), key)
    start = time.perf_counter()
    program = jax.jit(lambda *a: m.fn(Probe(*a, engine=engine or "auto"))).lower(*args).compile()
    seconds = time.perf_counter() - start

    def run(_: int) -> int:
        jax.block_until_ready(program(*args))
        return 1

    return Work(run, lambda: seconds, engine, jax.local_devices()[:1])
