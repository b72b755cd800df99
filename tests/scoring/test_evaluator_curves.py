"""The evaluator on transformers, and on curves: same weights for all metrics, own networks."""

import functools

import jax
import jax.numpy as jnp
import numpy as np
import pytest

from tenas_jax import Evaluator, spaces
from tenas_jax.data import Images
from tenas_jax.errors import UserError
from tenas_jax.metrics import METRICS, Metric
from tenas_jax.networks import NasBench201, Variant
from tenas_jax.networks.as_vit.scored import adapted, topologies_net
from tenas_jax.ntk import ENGINES
from tenas_jax.scoring import presets
from tenas_jax.spaces.as_vit.sizes import Sizes

AS_VIT = spaces.get("as_vit")
ARCHS = ("8,2,3|4,1,2|4,1,4|4,1,6|32", "5,4,2|2,2,5|3,2,3|2,1,2|64")

pytestmark = pytest.mark.usefixtures("quick_compilation")


def data(side=32):
    pixels = np.random.default_rng(0).integers(0, 256, (8, side, side, 3), dtype=np.uint8)
    return Images(pixels, np.arange(8) % 2, 2)


def small_transformers():
    build = functools.partial(topologies_net, Sizes(hidden=8))
    return {
        "ntk": Variant(build, adapt=adapted),
        "curve": Variant(build, options=(("norms", False),), adapt=adapted),
    }


def scores(space, archs, networks, **overrides):
    protocol = presets.protocol("as_vit", repeats=2, batch_size=3, curve_points=3, **overrides)
    one = {"devices": jax.devices()[:1], "networks": networks}
    evaluator = Evaluator(space, data(), protocol, seed=0, **one)
    masks = [space.to_mask(space.parse(arch)) for arch in archs]
    return [score for _, _, score, _ in evaluator.score(masks, 0)]


def test_both_engines_score_topologies_alike():
    metrics = ("condition_number",)
    one, other = (
        scores(AS_VIT, ARCHS, small_transformers(), engine=engine, metrics=metrics)
        for engine in ENGINES
    )
    for mine, theirs in zip(one, other, strict=True):
        assert mine.flags["condition_number"] == ["ok", "ok"]
        kappa = mine.values["condition_number"]
        np.testing.assert_allclose(kappa, theirs.values["condition_number"], rtol=2e-3)
        assert len(set(kappa)) == 2
    assert one[0].mean("condition_number") != one[1].mean("condition_number")


def test_kernel_and_curve_are_of_the_same_weights(monkeypatch):
    """Where the released program draws all anew when it switches norms."""

    def total(network, params, batch, key):
        del network, batch, key
        return sum(jnp.abs(leaf).sum() for leaf in jax.tree.leaves(params))

    for name in ("ntk", "curve"):
        monkeypatch.setitem(METRICS, f"of_{name}", Metric(total, True, name, "a test"))
    names = ("of_ntk", "of_curve")
    first, second = scores(AS_VIT, ARCHS, small_transformers(), metrics=names)
    for found in (first, second):
        np.testing.assert_array_equal(found.values["of_ntk"], found.values["of_curve"])
        assert found.values["of_ntk"][0] != found.values["of_ntk"][1]  # drawn anew in a repeat
    # Kernels of fewer pixels are drawn wider: the first projection has PyTorch's default.
    assert first.values["of_ntk"][0] != second.values["of_ntk"][0]


def test_lengths_of_convolutional_networks():
    space = spaces.get("nas_bench_201")
    curve = Variant(functools.partial(NasBench201, stages=1, form="plain"), side_multiple=4)
    skips = "|skip_connect~0|+|none~0|skip_connect~1|+|none~0|none~1|skip_connect~2|"
    convolutions = skips.replace("skip_connect", "nor_conv_3x3")
    names = ("length_distortion", "gauss_length", "extrinsic_curvature")
    found = scores(space, [skips, convolutions], {"curve": curve}, metrics=names)
    for score in found:
        assert all(score.flags[name] == ["ok", "ok"] for name in names)
        assert all((score.values[name] > 0).all() for name in names)
    assert all(found[0].mean(name) != found[1].mean(name) for name in names)


def test_a_space_without_the_network_is_refused():
    with pytest.raises(UserError, match="condition_number needs a network 'ntk'.*it has curve"):
        scores(AS_VIT, ARCHS, {"curve": small_transformers()["curve"]})
