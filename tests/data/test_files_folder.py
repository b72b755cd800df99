"""A folder of class folders: its order, splits, names, and what is refused."""

import os
import pathlib

import numpy as np
import pytest
from PIL import Image

from tenas_jax import data
from tenas_jax.data.files import _empty, _in_rounds
from tenas_jax.errors import UserError


def shades(root: pathlib.Path, **classes: dict[str, int]) -> pathlib.Path:
    """Writes root/CLASS/FILE, plain images of the given shade of grey, 4 high and 6 wide."""
    for name, files in classes.items():
        (root / name).mkdir(parents=True, exist_ok=True)
        for file, shade in files.items():
            image = Image.new("RGB", (6, 4), (shade,) * 3)
            image.save(root / name / file, "PNG" if file.lower().endswith("png") else "JPEG")
    return root


def numbered(root: pathlib.Path, counts: dict[str, int], first: int = 0) -> pathlib.Path:
    """As many images in each class as told; the k-th of class c has the shade 10 c + k."""
    return shades(
        root,
        **{
            name: {f"{k}.png": first + 10 * c + k for k in range(count)}
            for c, (name, count) in enumerate(counts.items())
        },
    )


def seen(images: data.Images) -> list[int]:
    """The shade of each image, which are all of one shade."""
    assert (images.images == images.images[:, :1, :1, :1]).all()
    return images.images[:, 0, 0, 0].tolist()


def test_what_is_read(tmp_path):
    shades(tmp_path, cat={"b.JPEG": 20, "a.png": 10}, ant={"z.Jpg": 30})
    (tmp_path / "cat" / "notes.txt").write_text("no image")
    (tmp_path / "cat" / "._b.JPEG").write_text("no image either")
    shades(tmp_path, **{".hidden": {"a.png": 0}})
    loaded = data.load(str(tmp_path))
    assert loaded.images.shape == (3, 4, 6, 3) and loaded.images.dtype == np.uint8
    assert loaded.label_names == ("ant", "cat") and loaded.classes == 2
    assert loaded.labels.dtype == np.int64 and loaded.labels.tolist() == [0, 1, 1]
    assert seen(loaded) == [30, 10, 20]
    assert loaded.name == str(tmp_path)


def test_links_are_followed_and_what_is_no_file_is_passed_over(tmp_path):
    root, elsewhere = tmp_path / "root", shades(tmp_path / "elsewhere", a={"1.png": 1})
    shades(root, b={"2.png": 2})
    (root / "a").symlink_to(elsewhere / "a")
    (root / "b" / "3.png").symlink_to(root / "b" / "2.png")
    (root / "b" / "folder.png").mkdir()
    os.mkfifo(root / "b" / "pipe.png")  # whoever opens it waits
    assert seen(data.load(root)) == [1, 2, 2]
    (root / "b" / "4.png").symlink_to(tmp_path / "gone.png")
    with pytest.raises(UserError, match=r"b/4\.png: No such file"):
        data.load(root)


def test_images_come_in_rounds_over_the_classes(tmp_path):
    numbered(tmp_path, {"a": 1, "b": 3, "c": 2})
    loaded = data.load(tmp_path)
    # Classes 0, 2, 1 in each round, as far as they go.
    assert seen(loaded) == [0, 20, 10, 21, 11, 12]
    assert loaded.labels.tolist() == [0, 2, 1, 2, 1, 1]
    for limit in range(1, 8):
        some = data.load(tmp_path, limit=limit)
        np.testing.assert_array_equal(some.images, loaded.images[:limit])
        assert some.label_names == ("a", "b", "c") and some.classes == 3


@pytest.mark.parametrize("classes", [1, 2, 7, 1000])
def test_any_beginning_of_a_round_is_spread_over_the_classes(classes):
    order = [label for label, _ in _in_rounds([["only.png"]] * classes)]
    assert sorted(order) == list(range(classes))
    for count in (1, 2, 5, 24, 100, 500):
        chosen = np.sort(order[:count])
        gaps = np.diff([*chosen, classes + chosen[0]])  # all the way round
        assert gaps.max() <= 2 * -(-classes // min(count, classes)) + 1


def test_splits(tmp_path):
    numbered(tmp_path / "train", {"a": 2, "b": 1, "c": 1})
    numbered(tmp_path / "val", {"a": 0, "b": 1, "c": 1}, first=100)
    (tmp_path / "val" / "a").rmdir()  # a split may lack a class
    train, test = data.load(tmp_path), data.load(tmp_path, "test")
    assert seen(train) == [0, 20, 10, 1]
    assert seen(test) == [120, 110] and test.labels.tolist() == [2, 1]
    assert train.label_names == test.label_names == ("a", "b", "c")
    assert test.name == str(tmp_path / "val")
    for split in ("val", "validation"):
        assert seen(data.load(tmp_path, split)) == seen(test)
    assert seen(data.load(tmp_path / "train")) == seen(train)
    with pytest.raises(UserError, match="no split 'dev'; its folders: train, val$"):
        data.load(tmp_path, "dev")
    with pytest.raises(UserError, match="no split 'test': its folders are the split 'train'$"):
        data.load(tmp_path / "train", "test")
    numbered(tmp_path / "val", {"d": 1})
    with pytest.raises(UserError, match="val has a class 'd' that .*train has not$"):
        data.load(tmp_path, "test")


@pytest.mark.parametrize(
    "others", [("val", "validation", "test"), ("validation", "test"), ("test",)]
)
def test_the_test_split_is_the_first_of_three_folders(tmp_path, others):
    for shade, name in enumerate(others):
        shades(tmp_path / name, a={"a.png": shade})
    assert seen(data.load(tmp_path, "test")) == [0]


def test_a_class_may_be_called_train(tmp_path):
    numbered(tmp_path, {"plane": 1, "train": 1})
    assert data.load(tmp_path).label_names == ("plane", "train")


def test_images_of_several_shapes_need_a_size(tmp_path):
    numbered(tmp_path, {"a": 1})
    Image.new("L", (300, 200), 50).save(tmp_path / "a" / "large.jpg")
    words = r"differ in shape \(such as \(4, 6, 3\) and \(200, 300, 3\)\): give a size"
    with pytest.raises(UserError, match=words):
        data.load(tmp_path)
    loaded = data.load(tmp_path, size=2)
    assert loaded.images.shape == (2, 2, 2, 3) and seen(loaded) == [0, 50]


def test_only_what_is_asked_for_is_read(tmp_path):
    numbered(tmp_path, {"a": 1, "b": 1})
    (tmp_path / "a" / "later.png").write_text("broken")
    assert len(data.load(tmp_path, limit=2)) == 2
    with pytest.raises(UserError, match=r"cannot read the image .*a/later\.png: "):
        data.load(tmp_path)


def test_what_is_no_folder_of_classes(tmp_path):
    file = tmp_path / "file"
    file.write_text("")
    flat = shades(tmp_path / "flat", train={"a.png": 0}) / "train"
    numbered(tmp_path / "hollow", {"a": 1, "b": 0})
    numbered(tmp_path / "imagenet" / "train", {"a": 1})
    shades(tmp_path / "imagenet", val={"a.png": 1})  # as ImageNet's archive unpacks
    (tmp_path / "empty").mkdir()
    for path, split, message in (
        (tmp_path / "missing", "train", "there is no folder .*missing$"),
        (file, "train", "file is no folder$"),
        (tmp_path / "empty", "train", "empty has no class folders"),
        (flat, "train", "train has no class folders: each class needs a folder"),
        (tmp_path / "hollow", "train", r"hollow/b holds no \.jpg, \.jpeg, \.png file$"),
        (tmp_path / "imagenet", "test", "imagenet/val has no class folders"),
    ):
        with pytest.raises(UserError, match=message) as error:
            data.load(path, split)
        assert "\n" not in str(error.value)
    for wrong in ({"size": 0}, {"limit": 0}):
        with pytest.raises(UserError, match="must be a whole number of at least 1"):
            data.load(tmp_path / "empty", **wrong)


def test_more_than_memory_holds_is_said(tmp_path, monkeypatch):
    def none_left(shape, dtype):
        raise MemoryError

    numbered(tmp_path, {"a": 2})
    monkeypatch.setattr(np, "empty", none_left)
    with pytest.raises(UserError, match="need 12 GiB: give a limit or a smaller size"):
        _empty(tmp_path, (2**20, 64, 64, 3))


def test_paths_and_names(tmp_path, monkeypatch):
    """A known name is no path, whatever lies here; what cannot be a name is one."""
    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv("HOME", str(tmp_path))
    numbered(tmp_path / "photos", {"mine": 1})
    numbered(tmp_path / "imagenet_resized" / "16x16", {"mine": 1})
    numbered(tmp_path / "my" / "own", {"mine": 1})
    as_text = ("./photos", "~/photos", "my/own", "my/own/", str(tmp_path / "my" / "own"))
    for path in (*as_text, *map(pathlib.Path, ("photos", "imagenet_resized/16x16"))):
        assert data.load(path).label_names == ("mine",), path
    assert data.load("photos", limit=1).label_names != ("mine",)
    with pytest.raises(UserError, match="dataset 'imagenet_resized/16x16' is not prepared"):
        data.load("imagenet_resized/16x16", data_dir=tmp_path / "none")
    with pytest.raises(UserError, match="unknown dataset 'my/other'; .*a folder of class folders"):
        data.load("my/other")
    with pytest.raises(UserError, match="there is no folder"):
        data.load("./cifar10")
