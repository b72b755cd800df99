"""TensorFlow Datasets: real CIFAR-10 where there is some, and small sets made here."""

import io
import subprocess
import sys

import numpy as np
import pytest

from tenas_jax import data
from tenas_jax.errors import UserError

HEIGHTS = (6, 7, 8)


def test_cifar10(tfds_dir):
    loaded = data.load("cifar-10", data_dir=tfds_dir, limit=1100)
    assert loaded.images.shape == (1100, 32, 32, 3) and loaded.images.dtype == np.uint8
    assert (
        loaded.classes == 10 and set(loaded.labels) == set(range(10)) and loaded.name == "cifar10"
    )
    # The data set's published statistics; 1,100 images come this close.
    np.testing.assert_allclose(loaded.mean, [0.4914, 0.4822, 0.4465], atol=0.02)
    np.testing.assert_allclose(loaded.std, [0.247, 0.243, 0.262], atol=0.02)
    few = data.load("cifar10", data_dir=tfds_dir, limit=3)
    np.testing.assert_array_equal(few.images, loaded.images[:3])
    assert len(data.load("cifar10", "train[10:15]", data_dir=tfds_dir)) == 5
    small = data.load("cifar10", "test", data_dir=tfds_dir, limit=3, size=16)
    assert small.images.shape == (3, 16, 16, 3)


def test_cifar10_errors(tfds_dir):
    for split in ("nope", "train[:"):
        with pytest.raises(UserError, match="no split '.*'; available: train, test$"):
            data.load("cifar10", split, data_dir=tfds_dir)
    with pytest.raises(UserError, match="limit must be"):
        data.load("cifar10", data_dir=tfds_dir, limit=0)


@pytest.fixture(scope="module")
def made(tmp_path_factory):
    """A TFDS folder with images of several heights, and with numbers that have no images."""
    tfds = pytest.importorskip("tensorflow_datasets")
    image_module = pytest.importorskip("PIL.Image")

    def builder(name, features, examples, **settings):
        def info(self):
            return self.dataset_info_from_configs(
                features=tfds.features.FeaturesDict(features), supervised_keys=None
            )

        members = {
            "VERSION": tfds.core.Version("1.0.0"),
            "_info": info,
            "_split_generators": lambda self, _: {"train": self._generate_examples()},
            "_generate_examples": lambda self: enumerate(examples),
            "__module__": __name__,
            "pkg_dir_path": folder,
        }
        made = type(name, (tfds.core.GeneratorBasedBuilder,), members)
        made(data_dir=str(folder), **settings).download_and_prepare()

    def png(height):
        out = io.BytesIO()
        image_module.fromarray(np.full((height, 5, 3), height * 10, np.uint8)).save(out, "PNG")
        out.seek(0)
        return out

    folder = tmp_path_factory.mktemp("tfds")
    label = tfds.features.ClassLabel(names=["six", "seven", "eight"])
    features = {"picture": tfds.features.Image(shape=(None, None, 3)), "kind": label}
    examples = [{"picture": png(h), "kind": h - 6} for h in HEIGHTS]
    numbers = {"number": tfds.features.Scalar(np.int64)}
    builder("TenasVaried", features, examples, file_format="array_record")
    builder("TenasNumbers", numbers, [{"number": 1}], file_format="array_record")
    return str(folder)


@pytest.fixture(scope="module")
def small_imagenet(tmp_path_factory) -> str:
    """A TFDS folder with what `imagenet2012` says of itself, but five images in two splits."""
    tfds = pytest.importorskip("tensorflow_datasets")
    from PIL import Image

    official = tfds.builder_cls("imagenet2012")
    source = tmp_path_factory.mktemp("images")

    def examples(self, first, count):
        for i in range(first, first + count):
            path = source / f"{i}.png"  # a JPEG of one shade is off by one here and there
            Image.new("RGB", (10 + i, 8), (20 * i,) * 3).save(path)
            yield i, {"image": str(path), "label": 7 * i, "file_name": path.name}

    members = {
        "_split_generators": lambda self, _: {
            "train": self._generate_examples(0, 3),
            "validation": self._generate_examples(3, 2),
        },
        "_generate_examples": examples,
        "__module__": __name__,
        "pkg_dir_path": official.pkg_dir_path,
    }
    folder = str(tmp_path_factory.mktemp("imagenet"))
    made = type("Imagenet2012", (official,), members, skip_registration=True)
    made(data_dir=folder, file_format="array_record").download_and_prepare()
    return folder


def test_imagenet_of_tfds(small_imagenet):
    train = data.load("imagenet", data_dir=small_imagenet, size=4)
    assert train.images.shape == (3, 4, 4, 3) and train.classes == 1000
    assert sorted(train.labels) == [0, 7, 14] and train.label_names[:2] == (
        "n01440764",
        "n01443537",
    )
    assert train.images[:, 0, 0, 0].tolist() == [20 * label // 7 for label in train.labels]
    for name, split in (("imagenet2012", "test"), ("imagenet", "validation")):
        test = data.load(name, split, data_dir=small_imagenet, size=4)
        assert sorted(test.labels) == [21, 28]
    assert len(data.load("imagenet", "test[:1]", data_dir=small_imagenet, size=4)) == 1


def test_imagenet_needs_a_size_and_says_where_it_comes_from(tmp_path):
    with pytest.raises(UserError, match="ImageNet differ in size: give a size to resize them to"):
        data.load("imagenet")
    with pytest.raises(UserError) as error:
        data.load("imagenet", data_dir=tmp_path, size=32)
    for words in ("tfds.builder('imagenet2012', ", "ILSVRC2012_img_val.tar", "train/CLASS/*.JPEG"):
        assert words in str(error.value)
    assert "\n" not in str(error.value) and list(tmp_path.iterdir()) == []


def test_images_of_several_sizes_need_a_size(made):
    with pytest.raises(UserError, match="differ in shape .*give a size"):
        data.load("tenas_varied", data_dir=made)
    loaded = data.load("tenas_varied", data_dir=made, size=4)
    assert loaded.images.shape == (3, 4, 4, 3) and loaded.images.dtype == np.uint8
    assert loaded.label_names == ("six", "seven", "eight")
    expected = (loaded.labels + 6)[:, None, None, None] * 10
    np.testing.assert_array_equal(loaded.images, np.broadcast_to(expected, loaded.images.shape))
    assert sorted(loaded.labels) == [0, 1, 2]


def test_data_without_labelled_images(made):
    with pytest.raises(UserError, match="no labelled images; it has: number"):
        data.load("tenas_numbers", data_dir=made)


def test_not_prepared_says_how_to_and_downloads_nothing(tmp_path, capfd):
    with pytest.raises(UserError) as error:
        data.load("cifar100", data_dir=tmp_path)
    message = str(error.value)
    assert "\n" not in message and "'cifar100' is not prepared in" in message
    assert (
        "tfds.builder('cifar100', file_format='array_record', "
        f"data_dir={str(tmp_path)!r}).download_and_prepare()" in message
    )
    assert "'photos'" in message
    assert list(tmp_path.iterdir()) == []
    assert capfd.readouterr() == ("", "")


@pytest.mark.parametrize(
    ("name", "message"),
    [
        ("cifar11", r"unknown dataset 'cifar11' \(did you mean 'cifar10'\?\); valid: photos, "),
        ("svhn_croped", r"did you mean 'svhn_cropped'\?"),
        ("", "unknown dataset '';"),
        ("some where/else", "unknown dataset 'some where/else'"),
        ("huggingface:cifar10", "unknown dataset 'huggingface:cifar10'"),
        ("imagenet_resized/17x17", "dataset 'imagenet_resized/17x17': .*17x17 not found"),
        ("cifar10:9.9.9", "dataset 'cifar10:9.9.9': .*cannot be loaded at version"),
    ],
)
def test_unknown_names(name, message, tmp_path):
    with pytest.raises(UserError, match=message) as error:
        data.load(name, data_dir=tmp_path)
    assert "\n" not in str(error.value) and len(str(error.value)) < 500
    assert list(tmp_path.iterdir()) == []


def test_without_tensorflow_datasets(monkeypatch):
    monkeypatch.setitem(sys.modules, "tensorflow_datasets", None)
    with pytest.raises(UserError, match="needs TensorFlow Datasets .*pip install"):
        data.load("cifar10")


def test_aliases_lead_to_sources():
    assert set(data.ALIASES.values()) <= set(data.SOURCES)
    assert not set(data.ALIASES) & set(data.SOURCES)
    assert data.load("skimage", limit=1).name == "photos"


def test_import_is_light(tfds_dir):
    code = f"""
import sys
import tenas_jax.data
heavy = {{"tensorflow", "tensorflow_datasets", "skimage", "PIL"}}
assert not heavy & set(sys.modules), heavy & set(sys.modules)
tenas_jax.data.load("cifar10", data_dir={tfds_dir!r}, limit=2)
assert "tensorflow" not in sys.modules
"""
    subprocess.run([sys.executable, "-W", "error", "-c", code], check=True)


def test_a_dataset_that_needs_tensorflow_is_one_line(monkeypatch, capsys, tmp_path):
    import tensorflow_datasets

    def builder(name, data_dir):
        print("a banner")
        raise ModuleNotFoundError("No module named 'tensorflow'")

    monkeypatch.setattr(tensorflow_datasets, "builder", builder)
    with pytest.raises(UserError, match="'coco' cannot be read without TensorFlow: No module"):
        data.load("coco", data_dir=tmp_path)
    assert capsys.readouterr().out == ""
