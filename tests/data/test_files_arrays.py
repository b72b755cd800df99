"""Images from .npz files."""

import numpy as np
import pytest

from tenas_jax import data
from tenas_jax.errors import UserError

PIXELS = np.random.default_rng(0).integers(0, 256, (6, 4, 4, 3), np.uint8)


@pytest.fixture
def save(tmp_path):
    def write(**arrays):
        path = tmp_path / "mine.npz"
        np.savez(path, **arrays)
        return path

    return write


def test_plain(save):
    path = save(images=PIXELS, labels=[0, 1, 2, 0, 1, 2], label_names=["a", "b", "c"])
    loaded = data.load(path)
    np.testing.assert_array_equal(loaded.images, PIXELS)
    assert loaded.labels.tolist() == [0, 1, 2, 0, 1, 2] and loaded.label_names == ("a", "b", "c")
    assert loaded.name == str(path) and loaded.classes == 3
    assert len(data.load(str(path), limit=2)) == 2


def test_splits_agree_on_the_classes(save):
    path = save(
        train_images=PIXELS[:4],
        train_labels=[0, 1, 0, 1],
        test_images=PIXELS[4:],
        test_labels=[4, 0],
    )
    train, test = data.load(path), data.load(path, "test")
    assert train.classes == test.classes == data.load(path, limit=1).classes == 5
    np.testing.assert_array_equal(test.images, PIXELS[4:])
    assert test.labels.tolist() == [4, 0]
    with pytest.raises(UserError, match="valid_images and valid_labels; it has: train_images"):
        data.load(path, "valid")


def test_resized(save):
    path = save(images=np.full((2, 4, 6, 1), 9, np.uint8), labels=[0, 0])
    loaded = data.load(path, size=3)
    assert loaded.images.dtype == np.uint8
    np.testing.assert_array_equal(loaded.images, np.full((2, 3, 3, 1), 9))
    floats = data.load(save(images=PIXELS / 255, labels=[0] * 6), size=8)
    assert floats.images.shape == (6, 8, 8, 3) and floats.images.dtype == np.float32


@pytest.mark.parametrize(
    ("arrays", "split", "message"),
    [
        ({"x": [1], "labels": [0]}, "train", r"\(or images and labels\); it has: x, labels"),
        ({"images": PIXELS, "labels": [0] * 6}, "test", "needs the arrays test_images"),
        ({"images": PIXELS, "labels": [0] * 5}, "train", "6 images need labels"),
        ({"images": PIXELS[0], "labels": [0] * 4}, "train", r"must be \[N, H, W, C\]"),
        ({"images": 1, "labels": 0}, "train", "plain arrays"),
        ({"images": PIXELS, "labels": np.array([None] * 6)}, "train", "plain arrays"),
    ],
)
def test_refused(save, arrays, split, message):
    with pytest.raises(UserError, match=message):
        data.load(save(**arrays), split)


def test_unreadable_files(tmp_path):
    with pytest.raises(UserError, match="there is no file"):
        data.load(tmp_path / "none.npz")
    (tmp_path / "text.npz").write_text("hello")
    with pytest.raises(UserError, match="cannot read"):
        data.load(tmp_path / "text.npz")
    with open(tmp_path / "single.npz", "wb") as file:
        np.save(file, PIXELS)
    with pytest.raises(UserError, match="cannot read"):
        data.load(tmp_path / "single.npz")


@pytest.mark.parametrize("largest", [10**6, 2**63 + 5])
def test_labels_that_are_no_class_numbers_are_refused(save, largest):
    labels = np.array([0, 1, 2, 0, 1, largest], np.uint64)
    with pytest.raises(UserError, match=f"go up to {largest}"):
        data.load(save(images=PIXELS, labels=labels))


def test_a_single_label_is_not_one_a_picture(save):
    with pytest.raises(UserError, match=r"6 images need labels of shape \(6,\)"):
        data.load(save(images=PIXELS, labels=3))


def test_another_file_under_the_name_is_said(tmp_path):
    path = tmp_path / "x.npz"
    np.save(tmp_path / "x.npy", PIXELS)
    for content in (b"hello", (tmp_path / "x.npy").read_bytes()):
        path.write_bytes(content)
        with pytest.raises(UserError, match="it is no .npz file"):
            data.load(path)
