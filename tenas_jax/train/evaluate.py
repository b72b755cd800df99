"""How well a network does on images: loss, top-1, top-5, and which classes it confuses."""

import dataclasses
from collections.abc import Callable

import flax.linen as nn
import jax
import jax.numpy as jnp
import numpy as np
from jax.sharding import Mesh, NamedSharding, PartitionSpec

from tenas_jax.scoring.draws import on_devices
from tenas_jax.train.card import Card
from tenas_jax.train.step import AXIS

TOP = 5


@dataclasses.dataclass(frozen=True)
class Evaluation:
    """Results on a set of images.

    Attributes:
        loss: mean cross-entropy, without smoothing.
        top1: share of images whose class has the highest logit.
        top5: share whose class is among the five highest; 1 where there are no more than five.
        confusion: int [classes, classes], images by true class (rows) and predicted one (columns).
    """

    loss: float
    top1: float
    top5: float
    confusion: np.ndarray


def evaluator(
    module: nn.Module, card: Card, mesh: Mesh, batch_size: int
) -> Callable[[dict, dict], Evaluation]:
    """A function that evaluates weights on images.

    Args:
        module: of the card.
        card: has the moments that images are normalised with.
        mesh: the devices that a batch is spread over.
        batch_size: images at a time, a multiple of the number of devices.

    Returns:
        `(weights, data) -> Evaluation`, with the variables of the network and data `{"images",
        "labels"}`, both on all devices. It compiles at its first call, for images of that number.
    """
    whole, split = (NamedSharding(mesh, spec) for spec in (PartitionSpec(), PartitionSpec(AXIS)))
    count = jax.jit(
        lambda *args: _count(module, card, *args),
        in_shardings=(whole, whole, split, split, whole),
        out_shardings=whole,
    )

    def evaluate(weights: dict, data: dict) -> Evaluation:
        n = len(data["labels"])
        total = on_devices(_zeros(card.classes), mesh)
        for start in range(0, n, batch_size):
            places = np.arange(start, start + batch_size, dtype=np.int32)
            share = on_devices((places.clip(max=n - 1), places < n), mesh, AXIS)
            total = count(weights, data, *share, total)
        total = jax.tree.map(np.asarray, total)
        return Evaluation(
            float(total["loss"] / n),
            float(np.trace(total["confusion"]) / n),
            float(total["top"] / n),
            total["confusion"],
        )

    return evaluate


def _zeros(classes: int) -> dict:
    return {
        "loss": np.zeros((), np.float32),
        "top": np.zeros((), np.int32),
        "confusion": np.zeros((classes, classes), np.int32),
    }


def _count(
    module: nn.Module,
    card: Card,
    weights: dict,
    data: dict,
    indices: jax.Array,
    counted: jax.Array,
    total: dict,
) -> dict:
    """`total` with a batch more; the images that only fill it up, not `counted`, add nothing."""
    images, labels = data["images"][indices], data["labels"][indices]
    unit = 255.0 if images.dtype == jnp.uint8 else 1.0
    logits, _ = module.apply(weights, card.normalise(images, unit), train=False)
    own = jnp.take_along_axis(jax.nn.log_softmax(logits), labels[:, None], axis=1)[:, 0]
    _, best = jax.lax.top_k(logits, min(TOP, card.classes))
    hits = (best == labels[:, None]).any(1) & counted
    return {
        "loss": total["loss"] - jnp.where(counted, own, 0.0).sum(),
        "top": total["top"] + hits.sum(dtype=jnp.int32),
        "confusion": total["confusion"].at[labels, best[:, 0]].add(counted.astype(jnp.int32)),
    }
