"""The photographs: their labels, that splits share no pixel, and that nothing is downloaded."""

import hashlib
import socket

import numpy as np
import pytest

from tenas_jax import data
from tenas_jax.data import photos
from tenas_jax.errors import UserError


def test_no_network_and_same_every_time(monkeypatch):
    def refuse(*_, **__):
        raise AssertionError("tried to use the network")

    monkeypatch.setattr(socket, "socket", refuse)
    monkeypatch.setattr(socket, "getaddrinfo", refuse)
    loaded = data.load("photos", limit=64)
    assert loaded.images.shape == (64, 32, 32, 3) and loaded.images.dtype == np.uint8
    digest = hashlib.sha256(loaded.images.tobytes() + loaded.labels.tobytes()).hexdigest()
    assert digest.startswith("c02bca529a9d4896")


def test_default_counts_and_balance():
    for split, count in (("train", 4096), ("test", 1024)):
        loaded = data.load("photos", split)
        assert len(loaded) == count and loaded.classes == len(loaded.label_names) == 10
        sizes = np.bincount(loaded.labels, minlength=10)
        assert sizes.max() - sizes.min() <= 1
        assert len(set(loaded.labels[:40])) > 5  # shuffled
        assert loaded.name == "photos"


def test_limit_is_a_prefix_and_seeds_and_splits_differ():
    whole, part = photos.load("test", count=60), photos.load("test", count=60, limit=7)
    np.testing.assert_array_equal(whole.images[:7], part.images)
    np.testing.assert_array_equal(whole.labels[:7], part.labels)
    assert len(photos.load("test", count=5, limit=9)) == 5
    assert not np.array_equal(photos.load("test", count=60, seed=1).images, whole.images)


def _coded(file):
    """A stand-in for a photograph: red counts along the longer side, green is the label."""
    height, width = REAL[file][:-1].shape[:2]  # so that no side is as long as the other
    out = np.zeros((height, width, 3), np.uint8)
    distance = np.indices((height, width))[int(width >= height)]
    out[..., 0] = distance * 255 // max(height, width)
    out[..., 1] = list(photos.PHOTOS.values()).index(file)
    return out


REAL = {file: photos._read(file) for file in photos.PHOTOS.values()}


@pytest.mark.parametrize("turned", [False, True])
def test_splits_share_no_pixel_and_labels_are_the_photographs(monkeypatch, turned):
    turn = (lambda a: a.swapaxes(0, 1)) if turned else (lambda a: a)
    monkeypatch.setattr(photos, "_read", lambda file: turn(_coded(file)))
    train, test = photos.load("train", count=600), photos.load("test", count=300)
    for loaded in (train, test):
        np.testing.assert_array_equal(
            loaded.images[..., 1],
            np.broadcast_to(loaded.labels[:, None, None], loaded.images.shape[:3]),
        )
    for label in range(10):
        last = train.images[train.labels == label][..., 0].max()
        first = test.images[test.labels == label][..., 0].min()
        # A mean of the last train pixels stays below that of the first test pixels.
        assert 100 < last < first


def test_regions_are_all_of_the_photograph():
    for photo in REAL.values():
        train, test = photos._regions(photo)
        axis = int(photo.shape[1] >= photo.shape[0])
        np.testing.assert_array_equal(np.concatenate([train, test], axis), photo)


def test_patches_come_from_their_photograph_at_several_scales():
    loaded = photos.load("train", count=120)
    full = 0
    for image, label in zip(loaded.images, loaded.labels, strict=True):
        photo = REAL[photos.PHOTOS[loaded.label_names[label]]]
        hits = np.argwhere((photo == image[0, 0]).all(-1))
        full += any(np.array_equal(photo[r : r + 32, c : c + 32], image) for r, c in hits.tolist())
    assert 10 < full < 60  # about a quarter are at full scale, the rest are means


def test_patch_is_the_rounded_mean():
    region = np.arange(5 * 7 * 3, dtype=np.uint8).reshape(5, 7, 3)
    out = photos._patch(region, 2, 2, np.array([0.999, 0.999]))
    means = region[1:5, 3:7].reshape(2, 2, 2, 2, 3).mean(axis=(1, 3))
    np.testing.assert_array_equal(out, np.floor(means + 0.5))


def test_sizes_and_grey_photographs():
    assert photos.load("test", count=10, size=64).images.shape == (10, 64, 64, 3)
    grey = REAL["camera.png"]
    assert (grey[..., :1] == grey).all() and grey.shape == (512, 512, 3)


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        ({"split": "tset"}, "unknown split of photos 'tset' .did you mean 'test'"),
        ({"size": 4096}, "at most 128x128"),
        ({"size": 0}, "size must be"),
        ({"limit": 0}, "limit must be"),
    ],
)
def test_refused(arguments, message):
    with pytest.raises(UserError, match=message):
        data.load("photos", **arguments)


def test_missing_scikit_image_and_file(monkeypatch):
    with pytest.raises(UserError, match="has no .*nothing.png"):
        photos._read("nothing.png")
    monkeypatch.setattr(photos.importlib.util, "find_spec", lambda _: None)
    with pytest.raises(UserError, match="pip install scikit-image"):
        data.load("photos")
