"""A small evaluator on NAS-Bench-201, and what tests of evaluators do with one."""

import jax
import numpy as np

from tenas_jax import spaces
from tenas_jax.data import Images
from tenas_jax.scoring.evaluator import Evaluator
from tenas_jax.scoring.presets import Protocol, protocol
from tenas_jax.scoring.scores import Score

SPACE = spaces.get("nas_bench_201")


def data(side: int = 8, constant: bool = False) -> Images:
    """64 random images of four classes, or gray ones."""
    rng = np.random.default_rng(0)
    images = rng.integers(0, 256, (64, side, side, 3), dtype=np.uint8)
    if constant:
        images[:] = 100
    return Images(images, np.arange(64) % 4, 4)


def tiny(**changes) -> Protocol:
    """A protocol of the network for tests, few images and few patches."""
    own = {"linear_regions": {"batch_size": 40}} | changes.pop("options", {})
    settings = {"batch_size": 4, "repeats": 2, "network": "testing", **changes}
    return protocol("reference", options=own, **settings)


def evaluator(devices=1, per_device=None, seed=0, images=None, **changes) -> Evaluator:
    """An evaluator by the protocol `tiny(**changes)`."""
    return Evaluator(
        SPACE,
        images or data(),
        tiny(**changes),
        seed=seed,
        devices=jax.devices()[:devices],
        per_device=per_device,
    )


def masks(count: int) -> list[np.ndarray]:
    """The supernet and some of its parts."""
    whole = SPACE.supernet()
    out = [whole]
    for edge in range(count - 1):
        part = whole.copy()
        part[0, edge % 6, 1 + edge // 6] = 0
        out.append(part)
    return out


def scored(ev: Evaluator, some: list[np.ndarray], draw: int = 0, known=None) -> list[Score]:
    """Scores in the order of the masks."""
    out = [None] * len(some)
    for i, _, score, _ in ev.score(some, draw, known):
        out[i] = score
    return out
