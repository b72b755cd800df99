"""What a trained network says of images: how well it does on many, and which class one shows."""

import dataclasses
import functools
import os
from collections.abc import Callable, Mapping
from typing import Any

import flax.linen as nn
import jax
import jax.numpy as jnp
import numpy as np
from jax.sharding import Mesh, NamedSharding, PartitionSpec

from tenas_jax.data.image_file import read_image
from tenas_jax.data.resizing import resize_raw
from tenas_jax.errors import UserError, shorten
from tenas_jax.runs.workdir import Workdir
from tenas_jax.scoring.draws import on_devices
from tenas_jax.train.card import Card
from tenas_jax.train.checkpoints import FOLDER, Checkpoints
from tenas_jax.train.recipe import DTYPES, Recipe
from tenas_jax.train.step import AXIS, State, initial_weights

TOP = 5


@dataclasses.dataclass(frozen=True)
class Evaluation:
    """Holds results on a set of images.

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
    """Makes a function that evaluates weights on images.

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
            indices = np.arange(start, start + batch_size, dtype=np.int32)
            share = on_devices((indices.clip(max=n - 1), indices < n), mesh, AXIS)
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
    """Returns the sums of no image."""
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
    """Adds a batch to `total`; the images that only fill it up, not `counted`, add nothing."""
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


class Predictor:
    """Tells the class of an image, by a trained network.

    Attributes:
        card: what was trained, and on what.
        step: of the checkpoint.
    """

    def __init__(self, workdir: str | os.PathLike):
        """Loads the newest checkpoint that is whole; the training may still go on.

        Args:
            workdir: of a training.

        Raises:
            UserError: it holds no training or no checkpoint, or one of another network.
        """
        record = Workdir.read(workdir)
        self.card = Card.read(record.path)
        asked = {name: record.config.get(name) for name in ("space", "arch", "network")}
        self.card.check_same(asked, f"the config in {record.path}")
        dtype = record.config.get("dtype", "float32")
        if dtype not in list(DTYPES):
            raise UserError(f"the config in {record.path} is damaged: dtype is {shorten(dtype)}")
        module = self.card.module(dtype)
        weights = jax.eval_shape(
            functools.partial(initial_weights, module, self.card), jax.random.key(0)
        )
        with Checkpoints(record.path / FOLDER, self.card, read_only=True) as checkpoints:
            newest = checkpoints.newest(weights=weights)
        if newest is None:
            raise UserError(f"there is no checkpoint in {record.path} yet")
        self.step, self._weights = newest[0], newest[1]["weights"]
        self._classify = jax.jit(functools.partial(_classify, module, self.card))

    def probabilities(self, pixels: np.ndarray) -> np.ndarray:
        """Computes float32 [N, classes] of images uint8 [N, H, W, C] of the training's size."""
        return np.asarray(self._classify(self._weights, pixels))

    def predict(self, path: str | os.PathLike, top: int = 5) -> list[tuple[str, float]]:
        """Finds the likeliest classes of an image file, the likeliest first, with probabilities.

        Args:
            path: any image that Pillow reads. It is resized as the training images were.
            top: how many classes; all where there are fewer.

        Raises:
            UserError: the image cannot be read, or the network gives it no finite probabilities.
        """
        pixels = fit(read_image(path), self.card)
        [shares] = self.probabilities(pixels[None])
        if not np.isfinite(shares).all():
            raise UserError(f"the network of step {self.step} gives no finite probabilities")
        best = np.argsort(-shares, kind="stable")[:top]
        return [(self.card.label_names[i], float(shares[i])) for i in best]


def _classify(module: nn.Module, card: Card, weights: dict, pixels: jax.Array) -> jax.Array:
    """Computes the probabilities of all classes."""
    logits, _ = module.apply(weights, card.normalise(pixels), train=False)
    return jax.nn.softmax(logits)


def fit(pixels: np.ndarray, card: Card) -> np.ndarray:
    """Brings pixels uint8 [H, W, 3] of any size to a network's images', uint8 [h, w, c].

    Raises:
        UserError: they have another size, and the network's images are not square.
    """
    height, width, channels = card.image_shape
    if channels == 1:
        pixels = np.rint(pixels.mean(-1, keepdims=True)).astype(np.uint8)
    if pixels.shape[:2] == (height, width):
        return pixels
    if height != width:
        raise UserError(
            f"the image is {pixels.shape[0]} x {pixels.shape[1]}; this network, whose images are "
            f"not square, takes {height} x {width} alone"
        )
    return resize_raw(pixels[None], height)[0]


def epoch_record(
    state: State,
    recipe: Recipe,
    steps_per_epoch: int,
    *,
    evaluation: Evaluation | None,
    learning_rate: float,
    seconds: float,
    images: int,
    multiply_adds: Mapping[int, int],
) -> dict[str, Any]:
    """Makes the record of the epoch that a state ends.

    `train_loss` is what was minimised, with smoothing, mixing and the auxiliary head's share, and
    `train_top1` that of augmented images, of mixed ones by the label of the larger share, both
    while the weights changed.

    Args:
        state: after the epoch's last step.
        recipe: of the training.
        steps_per_epoch: of the training.
        evaluation: after this epoch; None where there was none.
        learning_rate: of its last step.
        seconds: of this start alone where an epoch was begun in another.
        images: trained on in these seconds.
        multiply_adds: for one image by factor of coarse tokens, told where a recipe has any.
    """
    sums = jax.tree.map(float, state["rest"]["sums"])
    step = int(state["rest"]["step"])
    epoch = step // steps_per_epoch
    record = {
        "epoch": epoch,
        "step": step,
        "train_loss": sums["loss"] / steps_per_epoch,
        "train_top1": sums["correct"] / (steps_per_epoch * recipe.batch_size),
        "test_loss": evaluation.loss if evaluation else None,
        "test_top1": evaluation.top1 if evaluation else None,
        "test_top5": evaluation.top5 if evaluation else None,
        "learning_rate": learning_rate,
        "seconds": seconds,
        "images_per_second": images / seconds if seconds else None,
    }
    if recipe.coarse:
        factor = recipe.coarse_at(epoch - 1)
        record |= {"coarse": factor, "multiply_adds": multiply_adds[factor]}
    return record


def recorded_epochs(workdir: Workdir) -> set[int]:
    """Reads which epochs have a record.

    Raises:
        UserError: a record is none of a training's.
    """
    epochs = set()
    for line, record in enumerate(workdir.records(), 1):
        epoch, seconds = record.get("epoch"), record.get("seconds")
        if type(epoch) is not int or not isinstance(seconds, float | int):
            raise UserError(f"{workdir.path}: record {line} is damaged: no epoch, or no seconds")
        epochs.add(epoch)
    return epochs
