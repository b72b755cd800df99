"""A space that has no cells, no masks and no numbers: what an evaluator asks of any space."""

import dataclasses

import flax.linen as nn
import jax
import jax.numpy as jnp
import numpy as np
import pytest

from tenas_jax.data import Images, Tokens
from tenas_jax.errors import UserError
from tenas_jax.networks import Blueprint, Network
from tenas_jax.runs.workdir import Workdir
from tenas_jax.scoring.evaluator import Evaluator
from tenas_jax.scoring.presets import protocol
from tenas_jax.scoring.recorder import Recorder
from tenas_jax.spaces import Space

WIDTHS = (4, 8, 16)


class Wide(nn.Module):
    """Runs a hidden layer of the width that an encoding chooses."""

    classes: int

    @nn.compact
    def __call__(self, inputs, encoding):
        if jnp.issubdtype(inputs.dtype, jnp.integer):
            inputs = nn.Embed(11, 4, name="embed")(inputs)
        x = jnp.tanh(nn.Dense(max(WIDTHS))(inputs.reshape(len(inputs), -1)))
        used = jnp.arange(max(WIDTHS)) < encoding["width"]
        return nn.Dense(self.classes)(x * used.reshape(1, -1) * encoding["gain"])


NETWORKS = {"scored": Blueprint(lambda spec, classes: Network(Wide(classes)), images=False)}


class Widths(Space):
    """Chooses a width."""

    name = "widths"
    networks = NETWORKS

    def parse(self, string):
        return np.array(WIDTHS.index(int(string)))

    def to_string(self, arch):
        return str(WIDTHS[int(arch)])

    canonical = to_string

    def encode(self, arch):
        return {"width": np.array(WIDTHS[int(arch)]), "gain": np.array(1)}

    def example(self):
        return self.encode(len(WIDTHS) - 1)

    def sample(self, rng, n=None):
        return rng.integers(len(WIDTHS), size=n)

    def neighbours(self, arch):
        return [other for other in range(len(WIDTHS)) if other != arch]

    def cache_key(self, encoding):
        return str(int(encoding["width"]))

    def describe(self, encoding):
        return self.cache_key(encoding)


def images() -> Images:
    pixels = np.random.default_rng(0).integers(0, 256, (16, 4, 4, 3), np.uint8)
    return Images(pixels, np.arange(16) % 3, 3)


def scores(data, metrics, widths=("4", "16"), **options):
    settings = protocol("reference", metrics=metrics, batch_size=6, repeats=2, augment=False)
    devices = jax.devices()[:2]
    evaluator = Evaluator(Widths(), data, settings, seed=0, devices=devices, **options)
    encodings = [evaluator.space.encode(evaluator.space.parse(width)) for width in widths]
    return {i: score for i, _, score, _ in evaluator.score(encodings, 0)}


@pytest.mark.parametrize("share_equal", [True, False])
def test_encodings_may_be_trees(share_equal):
    found = scores(images(), ("condition_number",), ("4", "16", "4"), share_equal=share_equal)
    kappas = [found[i].mean("condition_number") for i in range(3)]
    assert np.isfinite(kappas).all() and kappas[0] == kappas[2] != kappas[1]


def test_what_was_recorded_is_not_scored_again(tmp_path):
    settings = protocol("reference", metrics=("snip",), batch_size=6, repeats=1, augment=False)
    settings = dataclasses.replace(settings, options={"snip": {"batch_size": 6}})
    evaluator = Evaluator(Widths(), images(), settings, seed=0, devices=jax.devices()[:1])
    asked = [evaluator.space.encode(index) for index in (0, 2)]
    with Workdir.open(tmp_path, {}) as workdir:
        first = list(Recorder(evaluator, workdir).score(asked))
    with Workdir.open(tmp_path, {}) as workdir:
        recorder = Recorder(evaluator, workdir)
        read = recorder.recall()
        again = list(recorder.score(asked))
        assert len(workdir.records()) == 2
    assert [score.mean("snip") for score in again] == [score.mean("snip") for score in first]
    assert [record.arch for record in read] == ["4", "16"]
    assert [int(record.encoding["width"]) for record in read] == [4, 16]


def test_tokens_are_scored_too():
    """κ of a small token model, through the same evaluator."""
    tokens = Tokens.random(24, 5, 11, seed=0)
    [score] = scores(tokens, ("condition_number",), ("16",)).values()
    assert score.flags == {"condition_number": ["ok", "ok"]}
    assert (score.values["condition_number"] > 1).all()
    with pytest.raises(UserError, match=r"length_distortion needs inputs that are floats"):
        scores(tokens, ("length_distortion",))


def test_a_space_without_networks_is_refused_in_one_line():
    class Bare(Widths):
        networks = None

    settings = protocol("reference", metrics=("condition_number",), batch_size=6)
    with pytest.raises(UserError, match="widths has no networks that are scored") as caught:
        Evaluator(Bare(), images(), settings, seed=0)
    assert "\n" not in str(caught.value)


def test_a_network_that_the_space_has_not_is_refused():
    with pytest.raises(UserError, match="widths has no network 'patch'; it has scored"):
        scores(images(), ("linear_regions",))
