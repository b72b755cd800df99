"""What `Images` accepts, refuses and computes."""

import numpy as np
import pytest

from tenas_jax.data import Images
from tenas_jax.errors import UserError


def _images(shape=(4, 5, 6, 3), dtype=np.uint8, classes=2, **other):
    pixels = np.random.default_rng(0).integers(0, 256, shape).astype(dtype)
    if dtype != np.uint8:
        pixels = pixels / 255
    labels = np.arange(shape[0] if shape else 1) % 2
    return Images(**{"images": pixels, "labels": labels, "classes": classes, **other})


def test_types_are_converted_and_contiguous():
    data = _images(dtype=np.float64, labels=np.array([0, 1, 0, 1], np.int32)[::-1])
    assert data.images.dtype == np.float32 and data.labels.dtype == np.int64
    assert data.labels.tolist() == [1, 0, 1, 0]
    assert data.images.flags.c_contiguous and data.labels.flags.c_contiguous
    assert data.label_names == ("0", "1") and data.classes == 2 and len(data) == 4


def test_bytes_stay_bytes():
    assert _images().images.dtype == np.uint8


@pytest.mark.parametrize("count", [3, 1025])
def test_moments_of_bytes(count):
    data = _images((count, 4, 3, 3))
    unit = data.images.astype(np.float64) / 255
    for channel in range(3):
        np.testing.assert_allclose(data.mean[channel], unit[..., channel].mean(), rtol=1e-6)
        np.testing.assert_allclose(data.std[channel], unit[..., channel].std(), rtol=1e-6)
    assert data.mean.dtype == data.std.dtype == np.float32 and data.mean.shape == (3,)


def test_normalisation_by_hand():
    pixels = np.array([0, 255, 0, 255], np.uint8).reshape(2, 1, 2, 1)
    data = Images(pixels, np.array([0, 0]), 1)
    assert data.mean == [0.5] and data.std == [0.5]
    out = data.normalised()
    assert out.dtype == np.float32 and out.shape == (2, 1, 2, 1)
    assert out.ravel().tolist() == [-1, 1, -1, 1]


def test_float_images_are_not_divided_by_255():
    data = _images(dtype=np.float32)
    np.testing.assert_allclose(data.mean, _images().mean, rtol=1e-5)
    np.testing.assert_allclose(data.normalised(), _images().normalised(), atol=1e-5)


@pytest.mark.parametrize("value", [np.uint8(7), np.float32(0.1)])
def test_constant_channel_normalises_to_zero(value):
    data = Images(np.full((3, 8, 8, 1), value), np.zeros(3, int), 1)
    assert data.std == [1]
    np.testing.assert_allclose(data.normalised(), 0, atol=1e-6)


@pytest.mark.parametrize(
    ("other", "message"),
    [
        ({"images": np.zeros((4, 5, 6), np.uint8)}, r"must be \[N, H, W, C\]"),
        ({"images": np.zeros((4, 5, 6, 2), np.uint8)}, "1 or 3 channels"),
        ({"images": np.zeros((4, 3, 5, 6), np.uint8)}, "1 or 3 channels"),
        ({"images": np.zeros((0, 5, 6, 3), np.uint8)}, "no images"),
        ({"images": np.zeros((4, 5, 0, 3), np.uint8)}, "no images"),
        ({"images": np.zeros((4, 5, 6, 3), np.int32)}, "uint8 or float32, not int32"),
        ({"images": np.full((4, 1, 1, 1), np.nan)}, "4 of 4 pixels are NaN"),
        ({"images": np.full((4, 1, 1, 1), np.inf)}, "NaN or infinite"),
        ({"images": np.full((4, 1, 1, 1), 1e300)}, "NaN or infinite"),
        ({"labels": np.zeros(3, int)}, "4 images need labels"),
        ({"labels": np.zeros((4, 1), int)}, "4 images need labels"),
        ({"labels": np.zeros(4)}, "labels must be integers"),
        ({"labels": np.array([0, 1, 2, 0])}, "from 0 to 1; these go from 0 to 2"),
        ({"labels": np.array([0, -1, 1, 0])}, "from 0 to 1; these go from -1 to 1"),
        ({"classes": 0}, "number of classes"),
        ({"classes": 2.0}, "number of classes"),
        ({"label_names": ("one",)}, "1 label names for 2 classes"),
    ],
)
def test_refused(other, message):
    with pytest.raises(UserError, match=message) as error:
        _images(**other, name="mine")
    assert str(error.value).startswith("mine: ") and "\n" not in str(error.value)
