"""A training as a config asks for it: architectures, fields, other data in an old workdir."""

import dataclasses
import json

import numpy as np
import pytest

from configs import train_photos
from tenas_jax.errors import UserError
from tenas_jax.runs.workdir import Workdir
from tenas_jax.train import Card, task

ARCH = "|none~0|+|none~0|none~1|+|none~0|none~1|nor_conv_1x1~2|"
OTHER = "|none~0|+|none~0|none~1|+|none~0|none~1|nor_conv_3x3~2|"


def config(**fields):
    return {**train_photos.get_config().to_dict(), "arch": ARCH, **fields}


def search(folder, result, **fields):
    with Workdir.open(folder, {"strategy": "pruning", "space": "nas_bench_201", **fields}):
        pass
    if result is not None:
        (folder / "result.json").write_text(json.dumps(result))
    return folder


def test_an_architecture_comes_from_config_or_search(tmp_path):
    searched = search(tmp_path / "search", {"arch": ARCH})
    assert task.checked(config())["arch"] == ARCH
    assert task.checked(config(arch=None), searched)["arch"] == ARCH
    assert task.checked(config(), searched)["arch"] == ARCH
    with pytest.raises(UserError, match="is not what was found in .*; give one of the two"):
        task.checked(config(arch=OTHER), searched)
    with pytest.raises(UserError, match="give --config.arch=ARCH or --from_search=DIR"):
        task.checked(config(arch=None))


def test_searches_that_give_none(tmp_path):
    for folder, words in [
        (tmp_path / "none", "holds no run"),
        (search(tmp_path / "unfinished", None), "is not finished; start it again"),
        (search(tmp_path / "odd", {"best": 3}), "is not finished"),
        (search(tmp_path / "darts", {"arch": "x"}, space="darts"), "is of darts, the config's"),
    ]:
        with pytest.raises(UserError, match=words):
            task.checked(config(arch=None), str(folder))
    with Workdir.open(tmp_path / "training", {"space": "nas_bench_201"}):
        pass
    with pytest.raises(UserError, match="is no search"):
        task.checked(config(arch=None), tmp_path / "training")


@pytest.mark.parametrize(
    ("fields", "words"),
    [
        ({"batchsize": 3}, "unknown config field 'batchsize' (did you mean 'batch_size'?)"),
        ({"checkpoint_every": 0}, "checkpoint_every is 0; valid: whole numbers from 1, None"),
        ({"arch": "|nor_conv_9x9~0|"}, "nor_conv_9x9"),
        ({"space": "nasbench"}, "unknown space 'nasbench'"),
        ({"learning_rate": -1.0}, "learning_rate is -1.0"),
        ({"network": 3}, "network is 3; valid: size fields"),
        ({"network": {"classes": 4}}, "unknown size field of nas_bench_201 'classes'"),
        ({"network": {"arch": 4}}, "unknown size field of nas_bench_201 'arch'"),
    ],
)
def test_bad_fields(fields, words):
    with pytest.raises(UserError) as error:
        task.checked(config(**fields))
    assert words in str(error.value)


TOPOLOGY = "8,2,3|4,1,2|4,1,4|4,1,6|32"
SIZED, SIZES = "8,2,3,5|4,1,2,2|4,1,4,5|4,1,6,2|32,180", {"depths": [5, 2, 5, 2], "hidden": 180}


def as_vit(**fields):
    return config(**{"space": "as_vit", "arch": SIZED, "network": {}, **fields})


def test_sizes_of_a_string_become_fields_of_the_network(tmp_path):
    searched = search(tmp_path / "search", {"arch": SIZED}, space="as_vit")
    for arch, workdir, network in [
        (SIZED, None, {}),
        (SIZED, None, {"hidden": 180}),
        (SIZED, None, {"depths": (5, 2, 5, 2), "hidden": 180}),
        (None, searched, {}),
        ("", searched, {}),  # what a config file says, taken back
        (SIZED.replace("|", " | "), searched, {}),
    ]:
        fields = task.checked(as_vit(arch=arch, network=network), workdir)
        assert fields["arch"] == TOPOLOGY and fields["network"] == SIZES
    fields = task.checked(as_vit(arch=TOPOLOGY, network={"hidden": 16}))
    assert fields["arch"] == TOPOLOGY and fields["network"] == {"hidden": 16}
    assert task.checked(config(network={"channels": 3}))["network"] == {"channels": 3}


def test_sizes_that_contradict(tmp_path):
    other, plain = (
        SIZED.replace("180", "90"),
        search(tmp_path / "plain", {"arch": TOPOLOGY}, space="as_vit"),
    )
    searched = search(tmp_path / "search", {"arch": SIZED}, space="as_vit")
    for fields, workdir, words in [
        ({"network": {"hidden": 16}}, None, "says that hidden is 180, config.network 16; give one"),
        ({"network": {"depths": [1, 2, 5, 2]}}, None, r"depths is .5, 2, 5, 2., config.network .1"),
        ({"network": {"depths": 5}}, None, "depths is .*, config.network 5; give one"),
        ({"arch": other}, searched, "config.arch is not what was found in"),
        ({}, plain, "config.arch is not what was found in"),
        ({"arch": ""}, None, "give --config.arch=ARCH or --from_search=DIR"),
        ({"arch": "8,2,3,5|4,1,2|4,1,4|4,1,6|32"}, None, "has some sizes and not all"),
        ({"network": {"channels": 3}}, None, "unknown size field of as_vit 'channels'"),
    ]:
        with pytest.raises(UserError, match=words):
            task.checked(as_vit(**fields), workdir)


def test_missing_fields():
    for name in ("seed", "epochs"):
        fields = config()
        del fields[name]
        with pytest.raises(UserError, match=f"no field '{name}'"):
            task.checked(fields)


def test_tensorboard_needs_its_package(monkeypatch):
    monkeypatch.setattr("importlib.util.find_spec", lambda name: None)
    with pytest.raises(UserError, match=r"pip install 'tenas_jax\[tensorboard\]'"):
        task.checked(config(tensorboard=True))
    task.checked(config())


def test_a_size_that_the_network_does_not_have(train_images, test_images):
    for network, words in [
        ({"chanels": 3}, "'chanels' .did you mean 'channels'"),
        ({"channels": 0}, "channels is 0; valid: a whole number from 1"),
    ]:
        with pytest.raises(UserError, match=words):
            fields = task.checked(config(network=network, batch_size=8))
            task.prepared(fields, train_images, test_images)


def test_other_data_under_the_name_of_the_old_is_refused(train_images, make_images, tmp_path):
    """As where an `x.npz` was written anew: the workdir's config is the same."""

    def card(images):
        return Card.of("nas_bench_201", ARCH, {"channels": 2}, images)

    with Workdir.open(tmp_path, {}) as record:
        card(train_images).keep(record)
        card(train_images).keep(record)
        darker = dataclasses.replace(train_images, images=train_images.images // 2)
        named = dataclasses.replace(train_images, label_names=("a", "b", "c", "d"))
        for images, words in [
            (make_images(24, classes=3), "another number of classes: 4 there, 3 here"),
            (make_images(24, side=12), r"another image size: \[8, 8, 3\] there, \[12, 12, 3\]"),
            (darker, "another data set .channel means."),
            (named, "another list of label names"),
        ]:
            with pytest.raises(UserError, match=f"the run in {tmp_path} is of {words}"):
                card(images).keep(record)
        assert Card.read(tmp_path).to_json() == card(train_images).to_json()


def test_splits_and_limits_are_those_of_the_config(tmp_path):
    pixels = np.arange(10, dtype=np.uint8).reshape(10, 1, 1, 1) * np.ones((1, 4, 4, 3), np.uint8)
    arrays = {"train_images": pixels, "val_images": pixels[::-1].copy()}
    labels = {"train_labels": np.arange(10) % 2, "val_labels": np.arange(10) % 2}
    np.savez(tmp_path / "x.npz", **arrays, **labels)
    both = task.load_images(
        config(data=str(tmp_path / "x.npz"), test_split="val", limit=6, test_limit=3, size=None)
    )
    first = [images.images[:, 0, 0, 0].tolist() for images in both]
    assert first == [[0, 1, 2, 3, 4, 5], [9, 8, 7]]
