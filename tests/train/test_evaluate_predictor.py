"""Prediction with what was trained, and where it cannot be had."""

import json

import jax
import numpy as np
import pytest
from PIL import Image

from tenas_jax.errors import UserError
from tenas_jax.runs.workdir import Workdir
from tenas_jax.train import Card
from tenas_jax.train.checkpoints import FOLDER, Checkpoints
from tenas_jax.train.evaluate import Predictor, fit
from tenas_jax.train.step import initial_weights

pytestmark = pytest.mark.usefixtures("one_stage", "quick_compilation")
GENOTYPE = (
    "Genotype(normal=[('skip_connect', 0), ('skip_connect', 1), ('skip_connect', 0),"
    " ('skip_connect', 1), ('skip_connect', 0), ('skip_connect', 1), ('skip_connect', 0),"
    " ('skip_connect', 1)], normal_concat=[2, 3, 4, 5], reduce=[('max_pool_3x3', 0),"
    " ('max_pool_3x3', 1), ('max_pool_3x3', 0), ('max_pool_3x3', 1), ('max_pool_3x3', 0),"
    " ('max_pool_3x3', 1), ('max_pool_3x3', 0), ('max_pool_3x3', 1)],"
    " reduce_concat=[2, 3, 4, 5])"
)


def trained(folder, card, bias=(), dtype="float32"):
    """A workdir with first weights, of which the classifier's bias is given."""
    config = {name: getattr(card, name) for name in ("space", "arch", "network")}
    weights = initial_weights(card.module(dtype), card, jax.random.key(0))
    if len(bias):
        dense = weights["params"]["classifier"]["dense"]
        dense |= {"kernel": 0 * dense["kernel"], "bias": np.float32(bias)}
    with Workdir.open(folder, {**config, "dtype": dtype}) as record:
        card.keep(record)
        with Checkpoints(folder / FOLDER, card) as checkpoints:
            checkpoints.save(7, {"weights": weights, "rest": {"step": np.int32(7)}})
            checkpoints.wait()
    return folder


@pytest.fixture(scope="module")
def biased(one_stage, card, tmp_path_factory):
    """It says the same of every image."""
    return trained(tmp_path_factory.mktemp("biased"), card, np.log([1, 4, 2, 3]))


def image(folder, height, width):
    pixels = np.random.default_rng(0).integers(0, 256, (height, width, 3), dtype=np.uint8)
    Image.fromarray(pixels).save(folder / "image.png")
    return pixels, folder / "image.png"


def test_the_likeliest_classes_come_first(biased, tmp_path):
    predictor = Predictor(biased)
    _, path = image(tmp_path, 50, 31)
    assert predictor.step == 7
    names, shares = zip(*predictor.predict(path), strict=True)
    assert names == ("1", "3", "2", "0")
    assert shares == pytest.approx([0.4, 0.3, 0.2, 0.1])
    assert [name for name, _ in predictor.predict(path, top=2)] == ["1", "3"]


@pytest.mark.parametrize("dtype", ["float32", "bfloat16"])
def test_probabilities_are_those_of_the_network(card, train_images, tmp_path, dtype):
    predictor = Predictor(trained(tmp_path, card, dtype=dtype))
    module = card.module(dtype)
    weights = initial_weights(module, card, jax.random.key(0))
    logits, _ = module.apply(weights, train_images.normalised()[:3], train=False)
    shares = predictor.probabilities(train_images.images[:3])
    tolerance = 1e-5 if dtype == "float32" else 0.01
    np.testing.assert_allclose(shares, jax.nn.softmax(logits), rtol=tolerance, atol=1e-6)
    assert shares.std(0).max() > 1e-4, "images differ"


def test_a_network_with_an_auxiliary_head(make_images, tmp_path):
    """Its weights are kept, and prediction needs none of them."""
    network = {"channels": 2, "depth": 3, "auxiliary": True}
    card = Card.of("darts", GENOTYPE, network, make_images(4, side=32))
    predictor = Predictor(trained(tmp_path, card))
    assert "auxiliary" in predictor._weights["params"]


def test_images_are_fitted_to_the_network(card, make_card):
    pixels = np.random.default_rng(0).integers(0, 256, (8, 8, 3), dtype=np.uint8)
    assert fit(pixels, card) is pixels
    large = pixels.repeat(2, 0).repeat(3, 1)
    assert fit(large, card).shape == (8, 8, 3) and fit(large, card).dtype == np.uint8
    grey = Card(**{**card.to_json(), "image_shape": (8, 8, 1)})
    expected = np.rint(pixels.astype(float).mean(-1, keepdims=True))
    np.testing.assert_array_equal(fit(pixels, grey), expected)
    oblong = Card(**{**card.to_json(), "image_shape": (8, 12, 3)})
    with pytest.raises(UserError, match="8 x 8; this network.* not square, takes 8 x 12 alone"):
        fit(pixels, oblong)
    assert fit(pixels.repeat(2, 1)[:, :12], oblong).shape == (8, 12, 3)


def test_a_network_that_has_diverged_predicts_nothing(one_stage, card, tmp_path):
    predictor = Predictor(trained(tmp_path / "run", card))
    predictor._weights = jax.tree.map(lambda leaf: leaf + np.float32(1e30), predictor._weights)
    _, path = image(tmp_path, 8, 8)
    with pytest.raises(UserError, match="of step 7 gives no finite probabilities"):
        predictor.predict(path)


@pytest.mark.parametrize(
    ("field", "value"),
    [("image_shape", "abc"), ("mean", [0.5]), ("classes", 7), ("arch", None), ("network", 3)],
)
def test_a_damaged_card_is_one_line(card, tmp_path, field, value):
    path = trained(tmp_path / "run", card)
    (path / "card.json").write_text(json.dumps({**card.to_json(), field: value}))
    with pytest.raises(UserError, match="card.json: a value in it is damaged"):
        Predictor(path)


@pytest.mark.parametrize("dtype", ["foo", [1], None])
def test_a_damaged_dtype_is_one_line(card, tmp_path, dtype):
    path = trained(tmp_path / "run", card)
    config = json.loads((path / "config.json").read_text())
    (path / "config.json").write_text(json.dumps({**config, "dtype": dtype}))
    with pytest.raises(UserError, match="the config in .* is damaged: dtype is"):
        Predictor(path)


def test_a_training_of_the_first_format_is_one_line(card, tmp_path):
    path = trained(tmp_path / "run", card)
    (path / "environment.json").write_text('{"starts": []}')
    (path / "records.jsonl").write_text('{"epoch": 1, "seconds": 1.0}\n')
    with pytest.raises(UserError, match="is of format 1, which tenas_jax 0.1.0 reads"):
        Predictor(path)


def test_what_holds_no_training(card, biased, tmp_path):
    with Workdir.open(tmp_path / "search", {"strategy": "pruning"}):
        pass
    with pytest.raises(UserError, match="holds no run"):
        Predictor(tmp_path / "none")
    with pytest.raises(UserError, match="holds no training, or one that has not begun"):
        Predictor(tmp_path / "search")
    with Workdir.open(tmp_path / "early", {}) as record:
        card.keep(record)
    with pytest.raises(UserError, match="the config in .* is of another space"):
        Predictor(tmp_path / "early")
    (tmp_path / "early" / "card.json").write_text("{}")
    with pytest.raises(UserError, match="card.json: its fields are not space, arch"):
        Predictor(tmp_path / "early")
    with pytest.raises(UserError, match="cannot read the image .*/missing.png"):
        Predictor(biased).predict(tmp_path / "missing.png")


def test_weights_of_another_architecture_are_refused(card, other_card, tmp_path):
    """As where checkpoints were copied from another workdir."""
    trained(tmp_path / "one", card), trained(tmp_path / "two", other_card)
    (tmp_path / "one" / FOLDER).rename(tmp_path / "away")
    (tmp_path / "two" / FOLDER).rename(tmp_path / "one" / FOLDER)
    with pytest.raises(UserError, match="checkpoint of step 7 in .* is of another architecture"):
        Predictor(tmp_path / "one")
    config = json.loads((tmp_path / "two" / "config.json").read_text())
    (tmp_path / "two" / "config.json").write_text(json.dumps({**config, "arch": card.arch}))
    with pytest.raises(UserError, match="the config in .* is of another architecture"):
        Predictor(tmp_path / "two")
