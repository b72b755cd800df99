"""Coarse tokens: stages by hand, what they save, and a training with them that is resumed."""

import dataclasses

import jax
import numpy as np
import pytest

from tenas_jax.errors import UserError
from tenas_jax.networks.trained import count_macs, derived
from tenas_jax.train import Card, Recipe, coarse
from tenas_jax.train.loop import Training

ARCH = "4,2,2|2,1,2|2,1,2|2,1,2|16"
pytestmark = pytest.mark.usefixtures("quick_compilation")


class Stopped(Exception):
    """What ends a training in mid-epoch here."""


def recipe_of(**fields):
    plain = dict(epochs=3, batch_size=4, learning_rate=1e-2, pad=2)
    return Recipe(**{**plain, **fields})


def test_the_factor_depends_on_the_epoch_alone():
    recipe = recipe_of(epochs=8, coarse=[[4, 2], [2, 3]])
    assert recipe.coarse == ((4, 2), (2, 3)) and hash(recipe)
    assert [recipe.coarse_at(epoch) for epoch in range(8)] == [4, 4, 2, 2, 2, 1, 1, 1]
    assert recipe_of().coarse == () and recipe_of().coarse_at(0) == 1


def test_what_is_saved_by_hand():
    """2 epochs of 10 images at 100, 1 at 400, where all 3 would be at 400."""
    assert coarse.trained({1: 400, 2: 100}, ((2, 2),), 3, 10) == (6000, pytest.approx(0.5))
    assert coarse.trained({1: 400}, (), 3, 10) == (12000, 0)


@pytest.mark.parametrize(
    ("value", "words"),
    [
        (2, "coarse is 2; valid: .factor, epochs. pairs"),
        ("((2, 1),)", "coarse is .*; valid: .factor, epochs. pairs"),
        ((2, 1), r"coarse is \(2, 1\); valid"),
        (((2,),), "coarse is .*; valid"),
        (((2, 1, 1),), "coarse is .*; valid"),
        (((2.0, 1),), "coarse is .*; valid"),
        (((2, True),), "coarse is .*; valid"),
        (((1, 1),), "coarse is .*factors from 2"),
        (((2, 0),), "coarse is .*; valid"),
        (((2, -1),), "coarse is .*; valid"),
        (((2, 1), (4, 1)), "whose factors do not fall"),
        (((2, 1), (2, 1)), "whose factors do not fall"),
        (((4, 2), (2, 1)), "coarse takes 3 epochs; valid: fewer than the 3 of the training"),
    ],
)
def test_stages_that_are_none(value, words):
    with pytest.raises(UserError, match=words):
        recipe_of(coarse=value)


def test_multiply_adds_are_those_of_each_factor():
    module = derived("as_vit", [[0] * 13], classes=3, hidden=8)
    counts = coarse.multiply_adds(module, (64, 64, 3), ((2, 1),))
    assert counts == {1: count_macs(module, (64, 64, 3)), 2: count_macs(module, (32, 32, 3))}
    assert list(coarse.multiply_adds(module, (32, 32, 3), ())) == [1]


@pytest.fixture(scope="module")
def images(make_images):
    """To train on and to evaluate on: 8 and 6 of 64 x 64, so that factor 2 fits."""
    return make_images(8, side=64), make_images(6, seed=1, side=64)


def training_of(images, space="as_vit", arch=ARCH, network=None, **fields):
    network = {"hidden": 8} if network is None else network
    card = Card.of(space, arch, network, images[0])
    return Training(card, recipe_of(**fields), *images, seed=5, devices=jax.devices()[:1])


def test_what_does_not_fit_is_refused_before_anything_is_written(images, make_images):
    small = make_images(8, side=32), make_images(6, seed=1, side=32)
    words = "coarse has factor 2: images of 32 x 32 are too small: stage 4 has no token"
    with pytest.raises(UserError, match=words):
        training_of(small, coarse=((2, 1),))
    training_of(small)
    with pytest.raises(UserError, match="factor 4: images of 64 x 64 are too small"):
        training_of(images, coarse=((4, 1), (2, 1)))
    split = ARCH.replace("2,1,2|2,1,2|2,1,2", "2,4,2|2,2,2|2,1,2")
    training_of(images, arch=split, coarse=((2, 1),))
    odd = make_images(8, side=72), make_images(6, seed=1, side=72)
    with pytest.raises(UserError, match="factor 2: S1 is 2, but images of 72 x 72 have 9 x 9"):
        training_of(odd, coarse=((2, 1),))
    net = "|none~0|+|none~0|none~1|+|none~0|none~1|nor_conv_1x1~2|"
    with pytest.raises(UserError, match="this network is no vision transformer; valid: ()"):
        training_of(images, "nas_bench_201", net, {"channels": 2, "depth": 1}, coarse=((2, 1),))


@pytest.fixture(scope="module")
def training(images, quick_compilation):
    """Three epochs of two steps, the first with coarse tokens."""
    return training_of(images, coarse=((2, 1),), drop_path=0.2, evaluate_every=3)


@pytest.fixture(scope="module")
def whole(training, run_in, tmp_path_factory):
    return run_in(training, tmp_path_factory.mktemp("coarse"))


def test_records_tell_factor_and_cost(training, whole):
    records = whole[2]
    fine, rough = (count_macs(training.card.module(), (s, s, 3)) for s in (64, 32))
    assert [(r["coarse"], r["multiply_adds"]) for r in records] == [
        (2, rough),
        (1, fine),
        (1, fine),
    ]
    assert training.multiply_adds == fine
    assert training.multiply_adds_trained == 8 * (rough + 2 * fine)
    saved = 1 - (rough + 2 * fine) / (3 * fine)
    assert training.multiply_adds_saved == pytest.approx(saved) and 0.2 < saved < 0.33
    assert all(np.isfinite(r["train_loss"]) for r in records)
    assert np.isfinite(whole[1].loss)


def test_one_program_is_compiled_for_each_factor(training, whole):
    assert sorted(training._programs._compiled) == [1, 2] and training.compile_seconds > 0


@pytest.mark.parametrize("step", [1, 3])
def test_stopped_in_either_stage_and_resumed_it_ends_the_same(
    training, whole, run_in, tmp_path, step
):
    def progress(epoch, done, total):
        if (epoch - 1) * total + done == step:
            raise Stopped

    with pytest.raises(Stopped):
        run_in(training, tmp_path, checkpoint_every=1, progress=progress)
    before = training.compile_seconds
    resumed = run_in(training, tmp_path)
    assert training.compile_seconds == before
    jax.tree.map(np.testing.assert_array_equal, resumed[0], whole[0])
    assert dataclasses.astuple(resumed[1])[:3] == dataclasses.astuple(whole[1])[:3]
    names = ("epoch", "train_loss", "train_top1", "test_loss", "coarse", "multiply_adds")
    records = [[[r[name] for name in names] for r in run[2]] for run in (resumed, whole)]
    assert records[0] == records[1]
