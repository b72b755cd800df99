"""One step of training, against its formula for a linear network."""

import functools
import itertools

import flax.linen as nn
import jax
import jax.numpy as jnp
import numpy as np
import optax
import pytest
from jax.sharding import Mesh

from tenas_jax.scoring.draws import on_devices
from tenas_jax.train import Card, Recipe
from tenas_jax.train.augmentation import Mixed
from tenas_jax.train.step import AXIS, GOOD, batch_loss, initial_state, mean_loss, train_step

CLASSES, RATE, BATCH = 4, 0.1, 8


def recipe_of(**fields):
    plain = dict(epochs=2, batch_size=BATCH, learning_rate=RATE, flip=False, pad=0)
    return Recipe(**{**plain, **fields})


@pytest.fixture(scope="module")
def images(make_images):
    return make_images(12, side=4)


@pytest.fixture(scope="module")
def run(images, linear, quick_compilation):
    """`(recipe, devices, drop_path=0, steps=1) -> states`: plain SGD on the first images."""
    card = Card("nas_bench_201", "", {}, CLASSES, [], (4, 4, 3), images.mean, images.std)
    module = linear(CLASSES, auxiliary=True)

    @functools.cache
    def step_of(recipe, devices, rate):
        mesh = Mesh(np.array(jax.devices()[:devices]), (AXIS,))
        return train_step(module, recipe, optax.sgd(rate), card, mesh, steps_per_epoch=2), mesh

    def run(recipe, devices, drop_path=0.0, steps=1, scale=1.0, rate=RATE):
        step, mesh = step_of(recipe, devices, rate)
        params = {"dense": {"kernel": scale * start()}}
        sums = {"loss": np.float32(0), "correct": np.int32(0), "bad_step": np.int32(GOOD)}
        rest = {"step": np.int32(0), "opt_state": optax.sgd(rate).init(params), "sums": sums}
        state = {"weights": {"params": params, "batch_stats": {}}, "rest": rest}
        data = {"images": images.images, "labels": images.labels.astype(np.int32)}
        state, data, drop_path = on_devices((state, data, np.float32(drop_path)), mesh)
        key = jax.device_put(jax.random.key(0), drop_path.sharding)
        indices = on_devices(np.arange(BATCH, dtype=np.int32), mesh, AXIS)
        seen = []
        for _ in range(steps):
            state = step(state, data, indices, key, drop_path)
            seen.append(jax.tree.map(np.asarray, state))
        return seen

    return run


def start():
    return np.random.default_rng(0).normal(size=(3, CLASSES)).astype(np.float32)


def expected(images, smoothing=0.0, weight=0.0, share=0.0):
    """Loss, right answers and the kernel after a step; auxiliary logits are `share` x logits."""
    x, labels, kernel = images.normalised()[:BATCH].mean((1, 2)), images.labels[:BATCH], start()
    target = (1 - smoothing) * np.eye(CLASSES)[labels] + smoothing / CLASSES

    def loss_and_gradient(factor):
        logits = factor * x @ kernel
        p = np.exp(logits) / np.exp(logits).sum(1, keepdims=True)
        return -(target * np.log(p)).sum(1).mean(), factor * x.T @ (p - target) / BATCH

    loss, gradient = loss_and_gradient(1.0)
    more, more_gradient = loss_and_gradient(share)
    correct = ((x @ kernel).argmax(1) == labels).sum()
    return loss + weight * more, correct, kernel - RATE * (gradient + weight * more_gradient)


@pytest.mark.parametrize("devices", [1, 8])
@pytest.mark.parametrize(
    ("fields", "drop_path"),
    [
        ({}, 0.0),
        ({"label_smoothing": 0.3}, 0.0),
        # Its auxiliary logits are the drop path's rate times the others.
        ({"auxiliary_weight": 0.4, "drop_path": 0.9, "label_smoothing": 0.1}, 0.5),
    ],
)
def test_a_step_is_that_of_the_formula(run, images, fields, drop_path, devices):
    [state] = run(recipe_of(**fields), devices, drop_path)
    smoothing, weight = fields.get("label_smoothing", 0), fields.get("auxiliary_weight", 0)
    loss, correct, kernel = expected(images, smoothing, weight, drop_path)
    sums = state["rest"]["sums"]
    assert sums["loss"] == pytest.approx(loss, rel=1e-5)
    assert sums["correct"] == correct and sums["bad_step"] == GOOD and state["rest"]["step"] == 1
    trained = state["weights"]["params"]["dense"]["kernel"]
    np.testing.assert_allclose(trained, kernel, rtol=1e-5, atol=1e-6)
    assert np.abs(trained - start()).max() > 1e-3


def test_sums_start_anew_with_each_epoch(run):
    states = run(recipe_of(), 1, steps=3)
    losses = [state["rest"]["sums"]["loss"] for state in states]
    assert losses[1] > 1.5 * losses[0] > 0 and losses[2] < losses[0]


def test_the_first_loss_that_is_not_finite_is_remembered(run):
    states = run(recipe_of(), 1, steps=3, scale=1e38)
    assert [int(state["rest"]["sums"]["bad_step"]) for state in states] == [0, 0, 0]


def test_every_step_is_augmented_anew_and_alike_when_it_is_repeated(run):
    """At rate 0 nothing else changes; sums start anew at the third step."""
    recipe = recipe_of(flip=True, pad=2, cutout=2)
    first, second = (run(recipe, 1, steps=3, rate=0.0) for _ in range(2))
    for a, b in zip(first, second, strict=True):
        jax.tree.map(np.testing.assert_array_equal, a, b)
    sums = [float(state["rest"]["sums"]["loss"]) for state in first]
    losses = [sums[0], sums[1] - sums[0], sums[2]]
    assert min(abs(a - b) for a, b in itertools.combinations(losses, 2)) > 1e-3


def test_the_loss_of_smoothed_labels():
    logits = np.array([[2.0, 0.0, -1.0]], np.float32)
    log_p = logits[0] - np.log(np.exp(logits[0]).sum())
    loss = mean_loss(logits, np.array([1]), 0.3)
    assert loss == pytest.approx(-(0.1 * log_p[0] + 0.8 * log_p[1] + 0.1 * log_p[2]), rel=1e-6)


def test_the_loss_of_mixed_and_smoothed_labels_is_that_of_soft_ones():
    logits = np.array([[2.0, 0.0, -1.0], [0.5, -0.5, 1.0]], np.float32)
    mixed = Mixed(None, np.array([0, 2]), np.array([1, 2]), np.float32(0.75))
    soft = 0.9 * np.array([[0.75, 0.25, 0], [0, 0, 1]]) + 0.1 / 3
    log_p = logits - np.log(np.exp(logits).sum(1, keepdims=True))
    assert batch_loss(logits, mixed, 0.1) == pytest.approx(-(soft * log_p).sum(1).mean(), rel=1e-6)


@pytest.mark.parametrize("larger", [0.25, 0.75])
def test_a_step_on_mixed_images_is_that_of_the_formula(run, images, monkeypatch, larger):
    """Each image with the one before it; right answers count by the label of the larger share."""

    def mix(key, pixels, labels, *alphas):
        assert alphas == (0.2, 0.3)
        mixed = larger * pixels + (1 - larger) * jnp.roll(pixels, 1, axis=0)
        return Mixed(mixed, labels, jnp.roll(labels, 1), jnp.float32(larger))

    monkeypatch.setattr("tenas_jax.train.augmentation.mix", mix)
    # The function of a step is kept by its recipe, so that each share needs one of its own.
    recipe = recipe_of(mixup=0.2, cutmix=0.3, label_smoothing=0.1, weight_decay=larger)
    [state] = run(recipe, 1)
    x, labels = images.normalised()[:BATCH].mean((1, 2)), images.labels[:BATCH]
    x = larger * x + (1 - larger) * np.roll(x, 1, axis=0)
    own, other = np.eye(CLASSES)[labels], np.eye(CLASSES)[np.roll(labels, 1)]
    target = 0.9 * (larger * own + (1 - larger) * other) + 0.1 / CLASSES
    logits = x @ start()
    p = np.exp(logits) / np.exp(logits).sum(1, keepdims=True)
    sums = state["rest"]["sums"]
    assert sums["loss"] == pytest.approx(-(target * np.log(p)).sum(1).mean(), rel=1e-5)
    counted = labels if larger > 0.5 else np.roll(labels, 1)
    assert sums["correct"] == (logits.argmax(1) == counted).sum()
    kernel = start() - RATE * x.T @ (p - target) / BATCH
    trained = state["weights"]["params"]["dense"]["kernel"]
    np.testing.assert_allclose(trained, kernel, rtol=1e-5, atol=1e-6)


def test_every_step_is_mixed_anew_and_devices_agree(run):
    """At rate 0 nothing else changes; sums start anew at the third step."""
    recipe = recipe_of(mixup=0.4, cutmix=1.0)
    losses = []
    for devices in (1, 8):
        sums = [float(s["rest"]["sums"]["loss"]) for s in run(recipe, devices, steps=3, rate=0.0)]
        losses.append([sums[0], sums[1] - sums[0], sums[2]])
    assert min(abs(a - b) for a, b in itertools.combinations(losses[0], 2)) > 1e-3
    assert losses[0] == pytest.approx(losses[1], rel=1e-4)


@pytest.mark.parametrize("coarse", [1, 2])
def test_a_network_is_told_how_coarse_its_tokens_are(images, coarse):
    seen = []

    class Net(nn.Module):
        @nn.compact
        def __call__(self, images, train, drop_path=0.0, **tokens):
            seen.append(tokens)
            return nn.Dense(CLASSES)(images.mean((1, 2))), None

    card = Card("as_vit", "", {}, CLASSES, [], (4, 4, 3), images.mean, images.std)
    mesh, module, sgd = Mesh(np.array(jax.devices()[:1]), (AXIS,)), Net(), optax.sgd(RATE)
    state = jax.eval_shape(lambda key: initial_state(module, sgd, card, key), jax.random.key(0))
    step = train_step(module, recipe_of(), sgd, card, mesh, 2, coarse=coarse)
    data = {"images": images.images, "labels": images.labels.astype(np.int32)}
    seen.clear()
    jax.eval_shape(step, state, data, jnp.arange(BATCH), jax.random.key(0), jnp.float32(0))
    assert seen == [{} if coarse == 1 else {"coarse": 2}]
