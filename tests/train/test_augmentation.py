"""Random changes of images, against what each may and must give."""

import jax
import jax.numpy as jnp
import numpy as np
import pytest

from tenas_jax.train.augmentation import crop, cutout, flip
from tenas_jax.train.recipe import Recipe
from tenas_jax.train.step import augment

pytestmark = pytest.mark.usefixtures("quick_compilation")
KEY = jax.random.key(0)
IMAGES = np.random.default_rng(0).integers(1, 256, (40, 5, 4, 3), dtype=np.uint8)


def test_half_of_the_images_are_flipped_left_to_right():
    out = np.asarray(flip(KEY, IMAGES))
    assert out.dtype == np.uint8
    flipped = (out == IMAGES[:, :, ::-1]).all((1, 2, 3))
    same = (out == IMAGES).all((1, 2, 3))
    assert (flipped ^ same).all() and 8 < flipped.sum() < 32


@pytest.mark.parametrize("pad", [1, 2])
def test_a_crop_is_a_window_of_the_padded_image_and_all_windows_occur(pad):
    images = np.repeat(IMAGES, 10, axis=0)
    out = np.asarray(crop(KEY, images, pad))
    assert out.dtype == np.uint8 and out.shape == images.shape
    seen = set()
    for before, after in zip(images, out, strict=True):
        padded = np.pad(before, ((pad, pad), (pad, pad), (0, 0)))
        positions = [
            (i, j)
            for i, j in np.ndindex(2 * pad + 1, 2 * pad + 1)
            if (padded[i : i + 5, j : j + 4] == after).all()
        ]
        assert len(positions) == 1
        seen.update(positions)
    assert len(seen) == (2 * pad + 1) ** 2


def test_cutout_erases_one_square_that_may_be_cut_off():
    images = np.ones((300, 7, 6, 2), np.float32)
    erased = np.asarray(cutout(KEY, images, 4)) == 0
    assert (erased == erased[..., :1]).all()  # in all channels
    for square in erased[..., 0]:
        rows, columns = square.any(1), square.any(0)
        assert (square == rows[:, None] & columns[None]).all()
        assert 2 <= rows.sum() <= 4 and 2 <= columns.sum() <= 4  # its centre lies inside
    sizes = {(s.any(1).sum(), s.any(0).sum()) for s in erased[..., 0]}
    assert {(4, 4), (2, 4), (4, 2), (2, 2)} <= sizes


def test_nothing_is_changed_where_nothing_is_asked_for(card):
    assert crop(KEY, IMAGES, 0) is IMAGES
    assert cutout(KEY, IMAGES, 0) is IMAGES
    recipe = Recipe(epochs=1, batch_size=2, learning_rate=0.1, flip=False, pad=0)
    augmented = augment(KEY, jnp.asarray(IMAGES), card, recipe)
    expected = (IMAGES / 255.0 - np.array(card.mean)) / np.array(card.std)
    np.testing.assert_allclose(augmented, expected, rtol=1e-5, atol=1e-6)


def test_padding_is_black_and_the_erased_square_is_the_mean(card):
    """As in PyTorch's usual order: pad, normalise, erase."""
    black = -np.array(card.mean) / np.array(card.std)
    grey = np.full((64, 5, 5, 3), 255, np.uint8)
    recipe = Recipe(epochs=1, batch_size=2, learning_rate=0.1, pad=2, cutout=2)
    augmented = np.asarray(augment(KEY, jnp.asarray(grey), card, recipe))
    white = (1 - np.array(card.mean)) / np.array(card.std)
    kinds = [
        np.isclose(augmented, value, atol=1e-5).all(-1) for value in (black, white, np.zeros(3))
    ]
    assert sum(kinds).all() and all(kind.any() for kind in kinds)


def test_float_pixels_are_not_divided_by_255(card):
    recipe = Recipe(epochs=1, batch_size=2, learning_rate=0.1, flip=False, pad=0)
    as_bytes = augment(KEY, jnp.asarray(IMAGES), card, recipe)
    as_floats = augment(KEY, jnp.asarray(IMAGES / np.float32(255)), card, recipe)
    np.testing.assert_allclose(as_floats, as_bytes, rtol=1e-5, atol=1e-6)
