"""Batches, augmentation and patches, against images whose every pixel says where it is from."""

import jax
import numpy as np
import pytest

from tenas_jax.data import Images, batch, patches, resize
from tenas_jax.data.batches import PAD, batch_and_validation
from tenas_jax.errors import UserError

SIDE = 8


def _coded(count=6, channels=3):
    """Float images whose pixels are all different and none of them zero."""
    shape = (count, SIDE, SIDE, channels)
    pixels = np.arange(1, np.prod(shape) + 1, dtype=np.float32).reshape(shape) / np.prod(shape)
    return Images(pixels, np.arange(count), count)


def _raw(data, normalised):
    return normalised * data.std + data.mean


def _variants(image):
    """Every flip and crop of one image: {(flipped, top, left): pixels}."""
    out = {}
    for flipped in (False, True):
        padded = np.pad(image[:, ::-1] if flipped else image, ((PAD, PAD), (PAD, PAD), (0, 0)))
        for top in range(2 * PAD + 1):
            for left in range(2 * PAD + 1):
                crop = padded[top : top + SIDE, left : left + SIDE]
                out[flipped, top, left] = crop
    return out


def test_plain_batch_is_the_normalised_images():
    data = _coded()
    images, labels = batch(data, 6, np.random.default_rng(0), augment=False)
    assert sorted(labels) == list(range(6)) and list(labels) != list(range(6))
    np.testing.assert_array_equal(images, data.normalised()[labels])
    assert images.dtype == np.float32 and labels.dtype == np.int64
    assert images.flags.c_contiguous and labels.flags.c_contiguous


def test_batch_is_distinct_and_seeded():
    data = _coded(50)
    one, labels = batch(data, 20, np.random.default_rng(3))
    two, again = batch(data, 20, np.random.default_rng(3))
    assert len(set(labels)) == 20
    np.testing.assert_array_equal(one, two)
    np.testing.assert_array_equal(labels, again)
    assert list(batch(data, 20, np.random.default_rng(4))[1]) != list(labels)
    plain = batch(data, 20, np.random.default_rng(3), augment=False)
    np.testing.assert_array_equal(labels, plain[1])
    assert not np.array_equal(one, plain[0])


def test_augmented_images_are_flips_and_crops_of_the_labelled_image():
    data = _coded()
    rng = np.random.default_rng(1)
    seen = set()
    variants = [_variants(image) for image in data.images]
    for _ in range(60):
        images, labels = batch(data, 6, rng)
        assert images.dtype == np.float32 and images.shape == (6, SIDE, SIDE, 3)
        assert images.flags.c_contiguous
        for image, label in zip(_raw(data, images), labels, strict=True):
            match = [k for k, v in variants[label].items() if np.allclose(v, image, atol=1e-5)]
            assert len(match) == 1
            seen.add(match[0])
    for which, values in enumerate(((False, True), range(2 * PAD + 1), range(2 * PAD + 1))):
        assert {key[which] for key in seen} == set(values)
    assert 60 < len(seen)  # of 162: the three choices do not go together


def test_padding_is_a_raw_zero_pixel():
    data = Images(np.array([[[[51]]], [[[255]]]], np.uint8), np.array([0, 1]), 2)
    zero = -0.6 / 0.4
    drawn = [batch(data, 2, np.random.default_rng(s))[0] for s in range(500)]
    np.testing.assert_allclose(np.unique(np.round(drawn, 4)), [zero, -1, 1], rtol=1e-6)


@pytest.mark.parametrize("n", [0, -1, 7, 2.0, True])
def test_batch_size_is_checked(n):
    with pytest.raises(UserError, match="6 examples" if n == 7 else "at least 1"):
        batch(_coded(), n, np.random.default_rng(0))


def test_patches_are_windows_of_one_channel():
    pixels = np.random.default_rng(0).random((4, SIDE, SIDE, 3), np.float32)
    data = Images(pixels, np.arange(4), 4)
    both = np.stack([pixels, pixels[:, :, ::-1]], axis=1)
    padded = np.pad(both, ((0, 0), (0, 0), (PAD, PAD), (PAD, PAD), (0, 0)))
    # [image, flipped, top, left, channel, row, column]: every window that may be drawn
    windows = np.lib.stride_tricks.sliding_window_view(data.normalise(padded), (3, 3), (2, 3))
    out = patches(data, 200, np.random.default_rng(0))
    assert out.shape == (200, 3, 3, 1) and out.dtype == np.float32 and out.flags.c_contiguous
    seen = []
    for patch in out[..., 0]:
        hits = np.argwhere((np.abs(windows - patch) < 1e-4).all(axis=(-2, -1)))
        assert len(hits)
        seen += [hits[0]] if len(hits) == 1 else []  # padding alone is everywhere
    image, flipped, top, left, channel = np.array(seen).T
    assert set(image) == {0, 1, 2, 3} and set(flipped) == {0, 1} and set(channel) == {0, 1, 2}
    assert len(set(top)) > 8 and len(set(left)) > 8


def test_patches_use_each_image_once_if_there_are_enough():
    constant = np.broadcast_to(
        np.arange(1, 41, dtype=np.uint8)[:, None, None, None], (40, 16, 16, 1)
    )
    data = Images(constant, np.zeros(40, int), 1)
    out = patches(data, 40, np.random.default_rng(0), size=12)
    tops = np.rint(_raw(data, out).max(axis=(1, 2, 3)) * 255)
    assert sorted(tops) == list(range(1, 41))
    assert patches(data, 41, np.random.default_rng(0)).shape == (41, 3, 3, 1)


def test_patches_are_seeded_and_grey_works():
    data = _coded(4, channels=1)
    one, two, other = (patches(data, 9, np.random.default_rng(s), size=2) for s in (5, 5, 6))
    np.testing.assert_array_equal(one, two)
    assert not np.array_equal(one, other) and one.shape == (9, 2, 2, 1)


@pytest.mark.parametrize(("n", "size"), [(0, 3), (3, 0), (3, 9)])
def test_patches_are_checked(n, size):
    with pytest.raises(UserError, match="at least 1|do not fit"):
        patches(_coded(), n, np.random.default_rng(0), size=size)


@pytest.mark.parametrize("size", [1, 3, 7, 8, 16])
def test_resize_agrees_with_jax(size):
    images = np.random.default_rng(0).random((2, 7, 12, 3), np.float32)
    out = resize(images, size)
    expected = jax.image.resize(images, (2, size, size, 3), "bilinear", antialias=True)
    np.testing.assert_allclose(out, expected, atol=1e-5)
    assert out.dtype == np.float32 and out.flags.c_contiguous


def test_resize_by_hand():
    image = np.array([0.0, 0.0, 1.0, 1.0]).reshape(1, 1, 4, 1) * np.ones((1, 4, 1, 1))
    # Each new pixel is the triangle (1, 3, 3, 1) / 8 of four old ones; outside ones do not count.
    np.testing.assert_allclose(resize(image, 2)[0, 0, :, 0], [1 / 7, 6 / 7], rtol=1e-6)


@pytest.mark.parametrize("images", [np.zeros((2, 2, 1)), np.zeros((1, 2, 2, 1), np.uint8)])
def test_resize_is_checked(images):
    with pytest.raises(UserError, match="resize takes floating images"):
        resize(images, 4)


@pytest.mark.parametrize("augment", [False, True])
def test_a_validation_batch_has_other_examples_and_is_not_augmented(augment):
    data = _coded(13)
    first, second = batch_and_validation(data, 6, np.random.default_rng(3), augment=augment)
    alone = batch(data, 6, np.random.default_rng(3), augment=augment)
    for one, other in zip(first, alone, strict=True):
        np.testing.assert_array_equal(one, other)
    assert len({*first[1], *second[1]}) == 12
    np.testing.assert_array_equal(second[0], data.normalised()[second[1]])
    again = batch_and_validation(data, 6, np.random.default_rng(3), augment=augment)[1]
    np.testing.assert_array_equal(second[0], again[0])


def test_a_validation_batch_needs_examples_of_its_own():
    with pytest.raises(UserError, match="has 13 examples, not the 14 of a batch and a validation"):
        batch_and_validation(_coded(13), 7, np.random.default_rng(0))
    with pytest.raises(UserError, match="batch size"):
        batch_and_validation(_coded(13), 0, np.random.default_rng(0))
