"""Bilinear resizing, the same on every machine and with no image library."""

import numpy as np

from tenas_jax.data.dataset import positive
from tenas_jax.errors import UserError


def _weights(old: int, new: int) -> np.ndarray:
    """Computes the share of each old pixel in each new one, float32 [new, old].

    The triangle widens when shrinking, so that every old pixel counts (antialiasing).
    """
    scale = old / new
    centre = (np.arange(new) + 0.5) * scale - 0.5
    away = np.abs(np.arange(old) - centre[:, None]) / max(scale, 1.0)
    weights = np.maximum(0.0, 1.0 - away)
    return (weights / weights.sum(axis=1, keepdims=True)).astype(np.float32)


def resize(images: np.ndarray, size: int) -> np.ndarray:
    """Resizes floating images [N, H, W, C] to float32 [N, size, size, C], bilinear, antialiased.

    Images that are not square lose their proportions, as in the downsampled ImageNet sets.

    Raises:
        UserError: another rank or type, or a size below 1.
    """
    size = positive("size", size)
    if images.ndim != 4 or not np.issubdtype(images.dtype, np.floating):
        raise UserError(
            f"resize takes floating images [N, H, W, C], not {images.dtype} {images.shape}"
        )
    count, height, width, channels = images.shape
    out = np.ascontiguousarray(images, dtype=np.float32)
    if height != size:
        out = _weights(height, size) @ out.reshape(count, height, width * channels)
        out = out.reshape(count, size, width, channels)
    if width != size:
        out = _weights(width, size) @ out
    return np.ascontiguousarray(out)


def resize_raw(images: np.ndarray, size: int | None) -> np.ndarray:
    """Resizes images [N, H, W, C] in their own type; uint8 is rounded. None leaves them alone."""
    if size is None or images.shape[1:3] == (positive("size", size),) * 2:
        return images
    if images.dtype != np.uint8:
        return resize(images, size)
    return np.clip(np.rint(resize(images.astype(np.float32), size)), 0, 255).astype(np.uint8)


def differ_in_shape(name: str, shapes: list[tuple]) -> UserError:
    """Makes the error for images of several shapes that no size was given for."""
    low, high = min(shapes), max(shapes)
    return UserError(
        f"the images of {name!r} differ in shape (such as {low} and {high}): "
        "give a size to resize them to"
    )
