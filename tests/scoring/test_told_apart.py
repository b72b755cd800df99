"""What looks alike and is not: encodings, trees of inputs, settings and options, scores without."""

import flax.linen as nn
import jax
import jax.numpy as jnp
import numpy as np
import pytest

import tenas_jax
from tenas_jax import spaces
from tenas_jax.data import Images
from tenas_jax.errors import UserError
from tenas_jax.metrics import Batch, Probe
from tenas_jax.scoring.evaluator import Evaluator
from tenas_jax.scoring.presets import protocol

SPACE = spaces.get("nas_bench_201")


def evaluator(**options) -> Evaluator:
    pixels = np.random.default_rng(0).integers(0, 256, (8, 8, 8, 3), np.uint8)
    settings = protocol("reference", metrics=("linear_regions",), batch_size=4, network="testing")
    return Evaluator(SPACE, Images(pixels, np.arange(8) % 2, 2), settings, seed=0, **options)


def test_encodings_that_differ_have_keys_that_differ():
    one = evaluator(share_equal=False)
    assert one.key({"a": np.array(1), "b": np.array(12)}) != one.key(
        {"a": np.array(11), "b": np.array(2)}
    )
    assert one.key({"gain": np.array(0.25)}) != one.key({"gain": np.array(0.75)})
    assert one.key(SPACE.supernet()) == one.key(SPACE.supernet().copy())


def test_trees_of_inputs_are_told_apart_by_their_form():
    x = jnp.asarray(np.random.default_rng(0).normal(size=(3, 2)), jnp.float32)

    def model(params, inputs):
        return (inputs["a"] if "a" in inputs else 2 * inputs["b"]) @ params["kernel"]

    probe = Probe(model, {"kernel": jnp.ones((2, 1))}, Batch({"a": x}), engine="jacobian")
    plain, twice = probe.kernel({"a": x}), probe.kernel({"b": x})
    np.testing.assert_allclose(twice, 4 * plain, rtol=1e-6)


@pytest.mark.parametrize("given", [{"batch_size": 4}, {"repeats": 2}, {"norms": "on"}, None])
def test_settings_are_no_options_of_score(given):
    x, labels = jnp.eye(3)[:, :2], jnp.array([0, 1, 1])
    with pytest.raises(UserError, match="option of snip|options of snip"):
        tenas_jax.score(
            nn.Dense(2), jax.random.key(0), (x, labels), "snip", metric_options={"snip": given}
        )


def test_what_is_asked_is_looked_at_first():
    one = evaluator()
    with pytest.raises(UserError, match="has shape .*not "):
        next(one.score([np.ones((1, 6, 4))], 0))
    with pytest.raises(UserError, match="unknown metric of the protocol 'snip'"):
        next(one.score([SPACE.supernet()], 0, metrics=("snip",)))
    with pytest.raises(UserError, match="no metric is asked for"):
        next(one.score([SPACE.supernet()], 0, metrics=()))
    for options in ({"snip": None}, {"snip": 5}):
        with pytest.raises(UserError, match="options of snip are"):
            protocol("reference", options=options)
    for seed in (1.5, "1", None):
        with pytest.raises(UserError, match="the seed must be"):
            Evaluator(SPACE, one.data, one.protocol, seed=seed)
