"""Random batches of images, and of the tiny patches that linear regions are counted on."""

from typing import TYPE_CHECKING

import numpy as np

from tenas_jax.data.dataset import choose, choose_others, positive
from tenas_jax.errors import UserError

if TYPE_CHECKING:
    from tenas_jax.data.images import Images

PAD = 4  # pixels of zeros on each side before a random crop, as is usual for CIFAR


def _augment(raw: np.ndarray, rng: np.random.Generator) -> np.ndarray:
    """Flips raw pixels [n, H, W, C], each with chance 1/2, and crops them anew after padding."""
    count, height, width, _ = raw.shape
    flip = rng.random(count) < 0.5
    raw = np.where(flip[:, None, None, None], raw[:, :, ::-1], raw)
    padded = np.pad(raw, ((0, 0), (PAD, PAD), (PAD, PAD), (0, 0)))
    return _crop(padded, rng, height, width)


def _crop(images: np.ndarray, rng: np.random.Generator, height: int, width: int) -> np.ndarray:
    """Cuts a random [height, width] window out of each image, all positions equally likely."""
    count = len(images)
    top = rng.integers(images.shape[1] - height + 1, size=count)
    left = rng.integers(images.shape[2] - width + 1, size=count)
    rows = top[:, None] + np.arange(height)
    columns = left[:, None] + np.arange(width)
    return images[np.arange(count)[:, None, None], rows[:, :, None], columns[:, None, :]]


def batch(
    images: "Images", n: int, rng: np.random.Generator, *, augment: bool = True
) -> tuple[np.ndarray, np.ndarray]:
    """Draws `n` distinct examples: normalised float32 [n, H, W, C] and labels int64 [n].

    Args:
        images: what they are drawn from.
        n: how many.
        rng: what is drawn with. The same state picks the same examples with and without `augment`.
        augment: whether each image is flipped left to right with chance 1/2, padded with 4 pixels
            of zeros and cropped back to its size at random. The result is then normalised with the
            mean and deviation of all of `images`, so the padding becomes -mean / std.

    Raises:
        UserError: `n` exceeds the number of images.
    """
    chosen = choose(images, n, rng)
    return _examples(images, chosen, rng if augment else None)


def batch_and_validation(
    images: "Images", n: int, rng: np.random.Generator, *, augment: bool = True
) -> tuple[tuple[np.ndarray, np.ndarray], tuple[np.ndarray, np.ndarray]]:
    """Draws what `batch` gives, and `n` further examples, which are not augmented.

    The first is the one that `batch` draws from the same state of `rng`.

    Raises:
        UserError: there are fewer than 2 `n` examples.
    """
    chosen = choose(images, n, rng, held_out=True)
    first = _examples(images, chosen, rng if augment else None)
    return first, _examples(images, choose_others(images, chosen, rng), None)


def _examples(
    images: "Images", chosen: np.ndarray, rng: np.random.Generator | None
) -> tuple[np.ndarray, np.ndarray]:
    """Returns normalised images and labels by number, augmented by `rng` if there is one."""
    raw = images.images[chosen]
    if rng is not None:
        raw = _augment(raw, rng)
    return np.ascontiguousarray(images.normalise(raw)), images.labels[chosen]


def patches(images: "Images", n: int, rng: np.random.Generator, *, size: int = 3) -> np.ndarray:
    """Draws `n` small one-channel crops for counting linear regions: float32 [n, size, size, 1].

    Each comes from another image, drawn with replacement only if `n` exceeds their number. The
    image is augmented as in `batch`, cropped at random, and one channel, drawn anew for each
    patch, is kept and normalised with that channel's own mean and deviation. (TE-NAS's released
    program draws one channel for a whole batch; over many batches the two agree.)

    Raises:
        UserError: `size` exceeds a side of the images.
    """
    n, size = positive("the number of patches", n), positive("the patch size", size)
    count, height, width, channels = images.images.shape
    if size > min(height, width):
        raise UserError(f"patches of {size}x{size} do not fit into {height}x{width} images")
    chosen = rng.choice(count, n, replace=n > count)
    raw = _crop(_augment(images.images[chosen], rng), rng, size, size)
    channel = rng.integers(channels, size=n)
    # Normalised before the channel is taken, since each channel has its own mean and deviation.
    crops = images.normalise(raw)
    kept = np.take_along_axis(crops, channel[:, None, None, None], axis=3)
    return np.ascontiguousarray(kept)
