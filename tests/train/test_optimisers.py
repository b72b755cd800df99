"""Optimisers by name, against the formulas of the recipes, and what is refused."""

import jax.numpy as jnp
import numpy as np
import optax
import pytest

from tenas_jax.errors import UserError
from tenas_jax.train.recipe import OPTIMISERS, Recipe, optimiser, schedule

STEPS = 8
RNG = np.random.default_rng(0)
START = RNG.normal(size=3)
GRADIENTS = RNG.normal(size=(STEPS, 3))


def recipe_of(**fields):
    return Recipe(**{"epochs": 4, "batch_size": 2, "learning_rate": 0.1, **fields})


def steps(recipe):
    """The parameters after each step along the fixed gradients."""
    transform = optimiser(recipe, STEPS)
    params = {"w": jnp.asarray(START, jnp.float32)}
    state, seen = transform.init(params), []
    for gradient in GRADIENTS:
        updates, state = transform.update({"w": jnp.asarray(gradient, jnp.float32)}, state, params)
        params = optax.apply_updates(params, updates)
        seen.append(np.asarray(params["w"]))
    return np.array(seen)


def cosine(step, rate=0.1):
    return rate * (1 + np.cos(np.pi * step / STEPS)) / 2


@pytest.mark.parametrize("nesterov", [True, False])
@pytest.mark.parametrize("clip", [None, 0.7])
def test_sgd_is_that_of_pytorch(nesterov, clip):
    """Gradients are clipped, decay is added, the velocity gathers them, the rate comes last."""
    options = {"momentum": 0.9, "nesterov": nesterov}
    fields = dict(weight_decay=0.05, clip_norm=clip, optimizer_options=options)
    w, velocity, expected = START.copy(), 0, []
    for step, g in enumerate(GRADIENTS):
        if clip is not None:
            g = g * min(1, clip / np.linalg.norm(g))
        g = g + 0.05 * w
        velocity = 0.9 * velocity + g
        w = w - cosine(step) * (g + 0.9 * velocity if nesterov else velocity)
        expected.append(w)
    assert clip is None or (np.linalg.norm(GRADIENTS, axis=1) > clip).any()
    np.testing.assert_allclose(steps(recipe_of(**fields)), expected, rtol=1e-5, atol=1e-6)


def test_adamw_decays_the_weights_themselves():
    m, v, w, expected = 0, 0, START.copy(), []
    for step, g in enumerate(GRADIENTS):
        m, v = 0.9 * m + 0.1 * g, 0.99 * v + 0.01 * g**2
        direction = m / (1 - 0.9 ** (step + 1)) / (np.sqrt(v / (1 - 0.99 ** (step + 1))) + 1e-8)
        w = w - cosine(step) * (direction + 0.05 * w)
        expected.append(w)
    fields = dict(optimizer="adamw", weight_decay=0.05, optimizer_options="b2=0.99")
    np.testing.assert_allclose(steps(recipe_of(**fields)), expected, rtol=1e-4, atol=1e-6)


def test_lion_goes_by_signs():
    weights = steps(recipe_of(optimizer="lion", weight_decay=0.0))
    moved = np.abs(np.diff(np.vstack([START, weights]), axis=0))
    np.testing.assert_allclose(moved, cosine(np.arange(STEPS))[:, None].repeat(3, 1), rtol=1e-3)


@pytest.mark.parametrize("name", OPTIMISERS)
def test_every_one_that_is_offered_makes_a_step(name):
    transform = optimiser(recipe_of(optimizer=name, weight_decay=0.01), STEPS)
    params = {"w": jnp.ones((4, 4))}
    updates, _ = transform.update({"w": jnp.ones((4, 4))}, transform.init(params), params)
    assert updates["w"].shape == (4, 4) and np.isfinite(updates["w"]).all()


def test_the_well_known_are_offered():
    assert {"sgd", "adam", "adamw", "lion", "rmsprop", "adagrad", "lamb", "lars"} <= set(OPTIMISERS)


def test_the_rate_rises_in_a_line_and_falls_along_a_cosine_to_zero():
    plain = schedule(recipe_of(), STEPS)
    np.testing.assert_allclose([plain(i) for i in range(9)], cosine(np.arange(9)), atol=1e-7)
    warm = schedule(recipe_of(warmup_epochs=1), STEPS)  # two steps
    np.testing.assert_allclose([warm(0), warm(1), warm(2)], [0, 0.05, 0.1], atol=1e-7)
    np.testing.assert_allclose([warm(5), warm(8)], [0.05, 0], atol=1e-7)


@pytest.mark.parametrize(
    ("fields", "words"),
    [
        ({"optimizer": "adamm"}, ["unknown optimizer 'adamm'", "did you mean 'adam'", "sgd"]),
        ({"optimizer": "lbfgs"}, ["'lbfgs' needs more than gradients", "valid: ", "sgd"]),
        ({"optimizer_options": "momentum='a'"}, ["sgd does not take {'momentum': 'a'}: "]),
        ({"optimizer": "adam", "optimizer_options": "b1=None"}, ["adam does not take"]),
        ({"warmup_epochs": 0.999, "epochs": 1}, ["warmup_epochs is 0.999: all"]),
        ({"optimizer_options": "momentun=0.9"}, ["momentun", "did you mean 'momentum'"]),
        ({"optimizer_options": "weight_decay=0.1"}, ["weight_decay is a field of the config"]),
        ({"optimizer_options": "momentum=f(2)"}, ["optimizer_options", "momentum=0.9"]),
        ({"optimizer_options": "0.9"}, ["optimizer_options", "NAME=VALUE"]),
        ({"optimizer_options": "momentum=0.9)+g("}, ["optimizer_options", "NAME=VALUE"]),
    ],
)
def test_what_is_refused(fields, words):
    with pytest.raises(UserError) as error:
        optimiser(recipe_of(**fields), STEPS)
    for word in words:
        assert word in str(error.value)
