"""The evaluator on transformers, and on curves: same weights for all metrics, own norms."""

import functools

import jax
import jax.numpy as jnp
import numpy as np
import pytest

from tenas_jax import Evaluator, spaces
from tenas_jax.data import Images
from tenas_jax.errors import UserError
from tenas_jax.metrics import METRICS, Metric
from tenas_jax.networks import NetworkSpec
from tenas_jax.networks.as_vit.scored import blueprint, topologies_net
from tenas_jax.ntk import ENGINES
from tenas_jax.scoring import presets
from tenas_jax.spaces.as_vit.sizes import Sizes

AS_VIT = spaces.get("as_vit")
ARCHS = ("8,2,3|4,1,2|4,1,4|4,1,6|32", "5,4,2|2,2,5|3,2,3|2,1,2|64")
LENGTHS = ("length_distortion", "gauss_length", "extrinsic_curvature")
# Narrower than the network for tests, which has the width of published searches.
SMALL = {"scored": blueprint(functools.partial(topologies_net, Sizes(hidden=8)))}

pytestmark = pytest.mark.usefixtures("quick_compilation")


def scores(space, archs, networks=None, preset="as_vit", **overrides):
    pixels = np.random.default_rng(0).integers(0, 256, (8, 32, 32, 3), dtype=np.uint8)
    options = {name: {"curve_points": 3} for name in LENGTHS}
    for name, own in overrides.pop("options", {}).items():
        options[name] = options.get(name, {}) | own
    fields = {"repeats": 2, "batch_size": 3, "options": options, **overrides}
    protocol = presets.protocol(preset, **fields)
    one = {"devices": jax.devices()[:1], "networks": networks}
    evaluator = Evaluator(space, Images(pixels, np.arange(8) % 2, 2), protocol, seed=0, **one)
    encodings = [space.encode(space.parse(arch)) for arch in archs]
    return [score for _, _, score, _ in evaluator.score(encodings, 0)]


def test_both_engines_score_topologies_alike():
    metrics = ("condition_number",)
    one, other = (
        scores(AS_VIT, ARCHS, SMALL, engine=engine, metrics=metrics) for engine in ENGINES
    )
    for mine, theirs in zip(one, other, strict=True):
        assert mine.flags["condition_number"] == ["ok", "ok"]
        kappa = mine.values["condition_number"]
        np.testing.assert_allclose(kappa, theirs.values["condition_number"], rtol=2e-3)
        assert len(set(kappa)) == 2
    assert one[0].mean("condition_number") != one[1].mean("condition_number")


def test_kernel_and_curve_are_of_the_same_weights(monkeypatch):
    """Where the released program draws all anew when it switches norms."""

    def weights(probe):
        return sum(jnp.abs(leaf).sum() for leaf in jax.tree.leaves(probe.params))

    def outputs(probe):
        return jnp.abs(probe.outputs).sum()

    for norms in ("sample", "identity"):
        for fn in (weights, outputs):
            said = Metric(fn, True, "none", NetworkSpec(norms=norms))
            monkeypatch.setitem(METRICS, f"{fn.__name__}_{norms}", said)
    names = [
        f"{what}_{norms}" for what in ("weights", "outputs") for norms in ("sample", "identity")
    ]
    first, second = scores(AS_VIT, ARCHS, SMALL, metrics=tuple(names))
    for score in (first, second):
        with_norms, without, out, out_without = (score.values[name] for name in names)
        np.testing.assert_array_equal(with_norms, without)
        assert with_norms[0] != with_norms[1]  # drawn anew in a repeat
        assert not np.allclose(out, out_without, rtol=0.01)
    # Kernels of fewer pixels are drawn wider: the first projection has PyTorch's default.
    assert first.values[names[0]][0] != second.values[names[0]][0]


@pytest.mark.parametrize("norms", ["identity", "on"])
def test_lengths_of_convolutional_networks(norms):
    """By the preset without norms, by a protocol's option with the batch's statistics."""
    space = spaces.get("nas_bench_201")
    skips = "|skip_connect~0|+|none~0|skip_connect~1|+|none~0|none~1|skip_connect~2|"
    archs = skips, skips.replace("skip_connect", "nor_conv_3x3")
    options = {name: {"norms": norms} for name in LENGTHS} if norms != "identity" else {}
    fields = {"metrics": LENGTHS, "network": "testing", "options": options}
    first, second = scores(space, archs, **fields)
    for score in (first, second):
        assert all(score.flags[name] == ["ok", "ok"] for name in LENGTHS)
        assert all((score.values[name] > 0).all() for name in LENGTHS)
    assert all(first.mean(name) != second.mean(name) for name in LENGTHS)
    if norms == "on":  # as where no preset says otherwise
        own = {"initialiser": "small_normal", "redraw_weights": True, "augment": False}
        plain = scores(space, archs, preset="paper", **fields | {"options": {}}, **own)
        for name in LENGTHS:
            np.testing.assert_array_equal(plain[0].values[name], first.values[name])


def test_a_space_without_the_network_is_refused():
    with pytest.raises(UserError, match="condition_number: as_vit has no network 'scored'; it has"):
        scores(AS_VIT, ARCHS, {"other": SMALL["scored"]})
    with pytest.raises(UserError, match="linear_regions: as_vit has no network 'patch'; it has sc"):
        scores(AS_VIT, ARCHS, metrics=("linear_regions",))
    with pytest.raises(UserError, match="snip: the network 'scored' of as_vit has no outputs 'log"):
        scores(AS_VIT, ARCHS, metrics=("snip",))
