"""Images mixed with others of their batch, and labels with theirs, on the device they lie on."""

from collections.abc import Callable
from typing import NamedTuple

import jax
import jax.numpy as jnp


class Mixed(NamedTuple):
    """A batch each image of which is partly another one, or none of which is.

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
        """The label of each image's larger share, int32 [N]."""
        if self.others is None:
            return self.labels
        return jnp.where(self.share >= 0.5, self.labels, self.others)


def mix(
    key: jax.Array, images: jax.Array, labels: jax.Array, mixup_alpha: float, cutmix_alpha: float
) -> Mixed:
    """A batch mixed by the one way whose α is above 0, or by one of both, each with chance 1/2.

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
    """Sums of two images each (Zhang et al. 2017, arXiv:1710.09412).

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
    """Images in which a box is that of another (Yun et al. 2019, arXiv:1905.04899).

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
    """A loss by both sets of labels, each with its share.

    Args:
        loss: of labels int32 [N], a scalar.
        mixed: has the labels.
    """
    if mixed.others is None:
        return loss(mixed.labels)
    return mixed.share * loss(mixed.labels) + (1 - mixed.share) * loss(mixed.others)


def _beta(key: jax.Array, alpha: float) -> jax.Array:
    """Of Beta(α, α), float32 []."""
    return jax.random.beta(key, alpha, alpha, dtype=jnp.float32)


def _partners(key: jax.Array, count: int) -> jax.Array:
    """Which image is mixed into each, int32 [count]."""
    return jax.random.permutation(key, count)


def _interval(key: jax.Array, length: int, share: jax.Array) -> jax.Array:
    """Which places along an axis the box covers, bool [length]."""
    side = jnp.floor(share * length).astype(jnp.int32)
    first = jax.random.randint(key, (), 0, length) - side // 2
    places = jnp.arange(length)
    return (places >= first) & (places < first + side)
