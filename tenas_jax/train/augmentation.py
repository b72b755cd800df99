"""Random changes of training images, on the device that they lie on."""

import jax
import jax.numpy as jnp


def flip(key: jax.Array, images: jax.Array) -> jax.Array:
    """Each of [N, H, W, C] flipped left to right with chance 1/2, dtype kept."""
    flipped = jax.random.bernoulli(key, shape=(len(images), 1, 1, 1))
    return jnp.where(flipped, images[:, :, ::-1], images)


def crop(key: jax.Array, images: jax.Array, pad: int) -> jax.Array:
    """A random window of each image, after `pad` zeros were put around it.

    Args:
        key: where the windows lie is drawn with it, every place equally likely.
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
    """Zeros in a square of each image (DeVries and Taylor 2017, arXiv:1708.04552).

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
    """For each image which places along one axis the square covers, bool [count, length]."""
    first = jax.random.randint(key, (count, 1), 0, length) - side // 2
    places = jnp.arange(length)[None, :]
    return (places >= first) & (places < first + side)
