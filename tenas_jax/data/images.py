"""A labelled set of images in memory: what every data source gives and every metric takes."""

import dataclasses
import functools

import jax
import numpy as np

from tenas_jax.data import batches
from tenas_jax.data.dataset import Batch, positive
from tenas_jax.errors import UserError


@dataclasses.dataclass(frozen=True, eq=False)
class Images:
    """Holds images with one label each, checked once, here; it is a `Dataset`.

    Attributes:
        images: uint8 (0 to 255) or float32 (0 to 1), [N, H, W, C] with C = 1 or 3. Other floating
            types are converted to float32.
        labels: int64 [N], from 0 to classes - 1. Other integer types are converted.
        classes: the number of classes, which may exceed the number that occurs here.
        label_names: one name a class; left empty it becomes "0", "1", ...
        name: what error messages and reports call the data.

    Raises:
        UserError: anything else, NaN or infinite pixels, or an empty set.
    """

    images: np.ndarray
    labels: np.ndarray
    classes: int
    label_names: tuple[str, ...] = ()
    name: str = "images"

    def __post_init__(self) -> None:
        """Checks every field and converts it."""
        classes = positive(f"{self.name}: the number of classes", self.classes)
        images = _checked_images(self.name, np.asarray(self.images))
        labels = _checked_labels(self.name, np.asarray(self.labels), len(images), classes)
        names = tuple(str(n) for n in self.label_names) or tuple(map(str, range(classes)))
        if len(names) != classes:
            raise UserError(f"{self.name}: {len(names)} label names for {classes} classes")
        for field, value in zip(
            ("images", "labels", "classes", "label_names"),
            (images, labels, classes, names),
            strict=True,
        ):
            object.__setattr__(self, field, value)

    def __len__(self) -> int:
        """Returns the number of images."""
        return len(self.images)

    @property
    def example(self) -> jax.ShapeDtypeStruct:
        """Describes the input of one example: float32 [H, W, C]."""
        return jax.ShapeDtypeStruct(self.images.shape[1:], np.float32)

    def draw(
        self, n: int, rng: np.random.Generator, *, augment: bool = True, held_out: bool = False
    ) -> Batch:
        """Draws `n` distinct images, normalised, and their labels; see `Dataset.draw`.

        `augment` flips and crops as `batches.batch` says.
        """
        if not held_out:
            return _as_batch(*batches.batch(self, n, rng, augment=augment))
        first, second = batches.batch_and_validation(self, n, rng, augment=augment)
        return _as_batch(*first).replace(held_out=_as_batch(*second))

    def patches(self, n: int, rng: np.random.Generator, *, size: int = 3) -> np.ndarray:
        """Draws `n` small crops of one channel, float32 [n, size, size, 1]: `batches.patches`."""
        return batches.patches(self, n, rng, size=size)

    @functools.cached_property
    def _moments(self) -> tuple[np.ndarray, np.ndarray]:
        """Computes mean and deviation of each channel, float64 [C], of pixels from 0 to 1."""
        if self.images.dtype == np.uint8:
            return _byte_moments(self.images)
        axes = (0, 1, 2)
        mean = self.images.mean(axes, dtype=np.float64)
        return mean, self.images.std(axes, dtype=np.float64)

    @property
    def mean(self) -> np.ndarray:
        """Returns the mean of each channel, float32 [C], of pixels from 0 to 1."""
        return self._moments[0].astype(np.float32)

    @property
    def std(self) -> np.ndarray:
        """Returns the deviation of each channel, float32 [C]; that of a constant channel is 1."""
        std = self._moments[1].astype(np.float32)
        # A constant float channel may miss zero by rounding, which would blow that rounding up.
        return np.where(std > 1e-6, std, np.float32(1))

    def normalise(self, pixels: np.ndarray) -> np.ndarray:
        """Normalises raw pixels [..., C] of this set's type by its moments: float32 [..., C]."""
        unit = np.float32(255 if self.images.dtype == np.uint8 else 1)
        return (pixels.astype(np.float32) / unit - self.mean) / self.std

    def normalised(self) -> np.ndarray:
        """Normalises all images: mean 0, deviation 1 in each channel, float32 [N, H, W, C]."""
        return self.normalise(self.images)


def _as_batch(images: np.ndarray, labels: np.ndarray) -> Batch:
    """Returns a `Batch` of images and labels, int32 as JAX has them."""
    return Batch(images, labels.astype(np.int32))


def _checked_images(name: str, images: np.ndarray) -> np.ndarray:
    """Returns C-contiguous uint8 or float32 [N, H, W, C], or raises a `UserError`."""
    if images.ndim != 4:
        raise UserError(f"{name}: images must be [N, H, W, C], not of shape {images.shape}")
    if 0 in images.shape:
        raise UserError(f"{name}: there are no images (shape {images.shape})")
    if images.shape[-1] not in (1, 3):
        raise UserError(f"{name}: images must have 1 or 3 channels (last axis), not {images.shape}")
    if images.dtype == np.uint8:
        return np.ascontiguousarray(images)
    if not np.issubdtype(images.dtype, np.floating):
        raise UserError(f"{name}: images must be uint8 or float32, not {images.dtype}")
    with np.errstate(over="ignore"):  # what overflows becomes infinite and is refused below
        images = np.ascontiguousarray(images, dtype=np.float32)
    bad = int(np.count_nonzero(~np.isfinite(images)))
    if bad:
        raise UserError(f"{name}: {bad} of {images.size} pixels are NaN or infinite")
    return images


def _checked_labels(name: str, labels: np.ndarray, count: int, classes: int) -> np.ndarray:
    """Returns C-contiguous int64 [count] from 0 to classes - 1, or raises a `UserError`."""
    if labels.shape != (count,):
        raise UserError(f"{name}: {count} images need labels of shape ({count},): {labels.shape}")
    if not np.issubdtype(labels.dtype, np.integer):
        raise UserError(f"{name}: labels must be integers, not {labels.dtype}")
    low, high = int(labels.min()), int(labels.max())
    if low < 0 or high >= classes:
        raise UserError(
            f"{name}: labels must be from 0 to {classes - 1}; these go from {low} to {high}"
        )
    return np.ascontiguousarray(labels, dtype=np.int64)


def _byte_moments(images: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """Computes mean and deviation [C] of uint8 pixels over 255, by counting: exact, no copy."""
    values = np.arange(256) / 255
    counts = np.zeros((images.shape[-1], 256), np.int64)
    for start in range(0, len(images), 1024):  # counting makes an int64 copy, so a part at a time
        for channel, pixels in enumerate(np.moveaxis(images[start : start + 1024], -1, 0)):
            counts[channel] += np.bincount(pixels.ravel(), minlength=256)
    share = counts / counts.sum(axis=1, keepdims=True)
    mean = share @ values
    variance = np.sum(share * (values - mean[:, None]) ** 2, axis=1)
    return mean, np.sqrt(variance)
