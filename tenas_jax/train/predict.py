"""Prediction of an image's class with what was trained."""

import functools
import os

import flax.linen as nn
import jax
import numpy as np

from tenas_jax.data.image_file import read_image
from tenas_jax.data.resizing import resize_raw
from tenas_jax.errors import UserError, shorten
from tenas_jax.runs.workdir import Workdir
from tenas_jax.train.card import Card
from tenas_jax.train.checkpoints import FOLDER, Checkpoints
from tenas_jax.train.recipe import DTYPES
from tenas_jax.train.step import initial_weights


class Predictor:
    """A trained network that tells the class of an image.

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
            found = checkpoints.newest(weights=weights)
        if found is None:
            raise UserError(f"there is no checkpoint in {record.path} yet")
        self.step, self._weights = found[0], found[1]["weights"]
        self._classify = jax.jit(functools.partial(_classify, module, self.card))

    def probabilities(self, pixels: np.ndarray) -> np.ndarray:
        """Of images uint8 [N, H, W, C] of the training's size: float32 [N, classes]."""
        return np.asarray(self._classify(self._weights, pixels))

    def predict(self, path: str | os.PathLike, top: int = 5) -> list[tuple[str, float]]:
        """The likeliest classes of an image file, the likeliest first, with their probabilities.

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
    logits, _ = module.apply(weights, card.normalise(pixels), train=False)
    return jax.nn.softmax(logits)


def fit(pixels: np.ndarray, card: Card) -> np.ndarray:
    """Pixels uint8 [H, W, 3] of any size as a network's images are, uint8 [h, w, c].

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
