"""Random changes of training images, on the device that they lie on: moved, erased, mixed."""

from collections.abc import Callable
from typing import NamedTuple

import jax
import jax.numpy as jnp

from tenas_jax.train.card import Card
from tenas_jax.train.recipe import Recipe


class Mixed(NamedTuple):
    """Holds a batch each image of which is partly another one, or none of which is.

    Attributes:
        images: [N, H, W, C].
        labels: int32 [N], of the images themselves.
        others: int32 [N], of what was mixed in; None where nothing was.
        share: of `labels`, float32 [] in [0, 1]; the rest is that of `others`.
    """

    images: jax.Array
    labels: jax.Array
    others: jax.Array | None = None
    share: jax.Array | float = 1.0

    @property
    def larger(self) -> jax.Array:
        """Returns the label of each image's larger share, int32 [N]."""
        if self.others is None:
            return self.labels
        return jnp.where(self.share >= 0.5, self.labels, self.others)


def augment(key: jax.Array, images: jax.Array, card: Card, recipe: Recipe) -> jax.Array:
    """Changes raw images to what the network sees in training: float32 [N, H, W, C].

    Crops are padded before and squares erased after the images are normalised, as in PyTorch's
    usual pipeline.
    """
    keys = jax.random.split(key, 3)
    unit = 255.0 if images.dtype == jnp.uint8 else 1.0
    images = crop(keys[0], images, recipe.pad)
    images = flip(keys[1], images) if recipe.flip else images
    return cutout(keys[2], card.normalise(images, unit), recipe.cutout)


def mix_batch(key: jax.Array, images: jax.Array, labels: jax.Array, recipe: Recipe) -> Mixed:
    """Mixes augmented images and their labels, where the recipe asks for it."""
    if recipe.mixup or recipe.cutmix:
        return mix(key, images, labels, recipe.mixup, recipe.cutmix)
    return Mixed(images, labels)


def flip(key: jax.Array, images: jax.Array) -> jax.Array:
    """Flips each of [N, H, W, C] left to right with chance 1/2; the dtype stays."""
    flipped = jax.random.bernoulli(key, shape=(len(images), 1, 1, 1))
    return jnp.where(flipped, images[:, :, ::-1], images)


def crop(key: jax.Array, images: jax.Array, pad: int) -> jax.Array:
    """Cuts a random window out of each image, after `pad` zeros were put around it.

    Args:
        key: where the windows lie is drawn with it, every position equally likely.
        images: [N, H, W, C].
        pad: zeros on each side; 0 leaves the images as they are.

    Returns:
        [N, H, W, C] of the same dtype.
    """
    if not pad:
        return images
    count, height, width, channels = images.shape
    padded = jnp.pad(images, ((0, 0), (pad, pad), (pad, pad), (0, 0)))
    corners = jax.random.randint(key, (count, 2), 0, 2 * pad + 1)

    def window(image: jax.Array, corner: jax.Array) -> jax.Array:
        start = (corner[0], corner[1], 0)
        return jax.lax.dynamic_slice(image, start, (height, width, channels))

    return jax.vmap(window)(padded, corners)


def cutout(key: jax.Array, images: jax.Array, side: int) -> jax.Array:
    """Sets a square of each image to zero (DeVries and Taylor 2017, arXiv:1708.04552).

    Its centre is any pixel, so that a part of it may lie outside, as in DARTS's program.

    Args:
        key: where the squares lie is drawn with it.
        images: normalised [N, H, W, C]; zero is then the mean.
        side: of the square; 0 leaves the images as they are.

    Returns:
        [N, H, W, C] of the same dtype.
    """
    if not side:
        return images
    count, height, width, _ = images.shape
    keys = jax.random.split(key, 2)
    rows = _erased(keys[0], count, height, side)
    columns = _erased(keys[1], count, width, side)
    erased = rows[:, :, None, None] & columns[:, None, :, None]
    return jnp.where(erased, jnp.zeros((), images.dtype), images)


def _erased(key: jax.Array, count: int, length: int, side: int) -> jax.Array:
    """Draws which positions along an axis the square of each image covers, bool [count, length]."""
    first = jax.random.randint(key, (count, 1), 0, length) - side // 2
    positions = jnp.arange(length)[None, :]
    return (positions >= first) & (positions < first + side)


def mix(
    key: jax.Array, images: jax.Array, labels: jax.Array, mixup_alpha: float, cutmix_alpha: float
) -> Mixed:
    """Mixes a batch by the one way whose α is above 0, or by one of both, each with chance 1/2.

    Args:
        key: which way, which images, and how much are drawn with it.
        images: normalised [N, H, W, C].
        labels: int32 [N].
        mixup_alpha: of `mixup`; 0: never.
        cutmix_alpha: of `cutmix`; 0: never. One of the two is above 0.
    """
    keys = jax.random.split(key)
    if not cutmix_alpha:
        return mixup(keys[0], images, labels, mixup_alpha)
    if not mixup_alpha:
        return cutmix(keys[0], images, labels, cutmix_alpha)
    return jax.lax.cond(
        jax.random.bernoulli(keys[1]),
        lambda: mixup(keys[0], images, labels, mixup_alpha),
        lambda: cutmix(keys[0], images, labels, cutmix_alpha),
    )


def mixup(key: jax.Array, images: jax.Array, labels: jax.Array, alpha: float) -> Mixed:
    """Adds two images each (Zhang et al. 2017, arXiv:1710.09412).

    Args:
        key: λ, one for the batch, is drawn from Beta(α, α) with it, and the partners by a
            permutation, in which an image may be its own.
        images: normalised [N, H, W, C].
        labels: int32 [N].
        alpha: α, above 0.

    Returns:
        λ · image + (1 - λ) · partner in the dtype of the images, with share λ.
    """
    keys = jax.random.split(key)
    share, partners = _beta(keys[0], alpha), _partners(keys[1], len(images))
    weight = share.astype(images.dtype)
    mixed = weight * images + (1 - weight) * images[partners]
    return Mixed(mixed, labels, labels[partners], share)


def cutmix(key: jax.Array, images: jax.Array, labels: jax.Array, alpha: float) -> Mixed:
    """Puts a box of another image into each (Yun et al. 2019, arXiv:1905.04899).

    λ is drawn from Beta(α, α). The box has √(1 - λ) of either side, rounded down, and its centre is
    any pixel, so that a part of it may lie outside; it is the same in all images of the batch.

    Args:
        key: λ, box and partners are drawn with it, the latter as for `mixup`.
        images: normalised [N, H, W, C].
        labels: int32 [N].
        alpha: α, above 0.

    Returns:
        Images of the same dtype; the share is that of the pixels outside the box, not λ.
    """
    keys = jax.random.split(key, 4)
    height, width = images.shape[1:3]
    side = jnp.sqrt(1 - _beta(keys[0], alpha))
    inside = _interval(keys[1], height, side)[:, None] & _interval(keys[2], width, side)[None, :]
    partners = _partners(keys[3], len(images))
    mixed = jnp.where(inside[None, :, :, None], images[partners], images)
    share = 1 - inside.sum(dtype=jnp.float32) / (height * width)
    return Mixed(mixed, labels, labels[partners], share)


def mixed_loss(loss: Callable[[jax.Array], jax.Array], mixed: Mixed) -> jax.Array:
    """Adds a loss by both sets of labels, each with its share.

    Args:
        loss: of labels int32 [N], a scalar.
        mixed: has the labels.
    """
    if mixed.others is None:
        return loss(mixed.labels)
    return mixed.share * loss(mixed.labels) + (1 - mixed.share) * loss(mixed.others)


def _beta(key: jax.Array, alpha: float) -> jax.Array:
    """Draws from Beta(α, α), float32 []."""
    return jax.random.beta(key, alpha, alpha, dtype=jnp.float32)


def _partners(key: jax.Array, count: int) -> jax.Array:
    """Draws which image is mixed into each, int32 [count]."""
    return jax.random.permutation(key, count)


def _interval(key: jax.Array, length: int, share: jax.Array) -> jax.Array:
    """Draws which positions along an axis the box covers, bool [length]."""
    side = jnp.floor(share * length).astype(jnp.int32)
    first = jax.random.randint(key, (), 0, length) - side // 2
    positions = jnp.arange(length)
    return (positions >= first) & (positions < first + side)
