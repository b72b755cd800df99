"""One network for all topologies, or all sizes, against the network of each: exact in float64."""

import jax
import jax.numpy as jnp
import numpy as np
import pytest

from tenas_jax import spaces
from tenas_jax.errors import UserError
from tenas_jax.networks import Network
from tenas_jax.networks.as_vit.network import AsVit
from tenas_jax.networks.as_vit.scored import adapted, sizes_net, topologies_net
from tenas_jax.networks.layers.initialisers import initialiser
from tenas_jax.ntk import ntk
from tenas_jax.spaces.as_vit.grown import AsVitSizes
from tenas_jax.spaces.as_vit.sizes import Sizes

from .crop import crop

SPACE = spaces.get("as_vit")
SEED = "8,2,3|4,1,2|4,1,4|4,1,6|32"
# Each choice at its least and at its most, and between.
TOPOLOGIES = (
    "5,8,2|3,4,5|2,2,6|3,1,2|16",
    "8,4,6|2,2,3|4,1,2|2,1,4|64",
    "7,2,3|4,1,2|3,1,4|4,1,6|32",
)

pytestmark = pytest.mark.usefixtures("quick_compilation", "x64")


def random_params(network, images):
    """Weights of order one everywhere, biases and scales too."""
    shapes = jax.eval_shape(lambda: network.init(jax.random.key(0), images))
    rng = np.random.default_rng(1)
    return jax.tree.map(
        lambda leaf: jnp.asarray(rng.standard_normal(leaf.shape) / np.sqrt(leaf.shape[-1])), shapes
    )


def images(n=2):
    return jnp.asarray(np.random.default_rng(0).standard_normal((n, 32, 32, 3)))


features = jax.jit(lambda network, params, x: network(params, x))
kernel = jax.jit(lambda network, params, x: ntk(network, params, x, engine="jacobian"))


def exact(topology, sizes, params, module):
    """The network of one architecture, and what it takes of the padded one's parameters."""
    last = sizes.widths[-1]
    head = {
        "dense_0": {"kernel": jnp.zeros((last, last)), "bias": jnp.zeros(last)},
        "dense_1": {"kernel": jnp.zeros((last, 10)), "bias": jnp.zeros(10)},
    }
    norm = {"scale": jnp.ones(last), "bias": jnp.zeros(last)}
    own = crop(params, topology, sizes, module) | {"head": head, "norm": norm}
    return Network(AsVit(topology, sizes), options=(("output", "features"),)), own


def agree(network, module, params, topology, sizes, with_kernel):
    x = images()
    other, own = exact(topology, sizes, params, module)
    for norms in (True, False):
        got = features(network.replace(options=(("norms", norms),)), params, x)
        wanted = features(other.replace(options=(*other.options, ("norms", norms))), own, x)
        width = sizes.widths[-1]
        np.testing.assert_allclose(got[:, :width], wanted, rtol=1e-9, atol=1e-12)
        assert not got[:, width:].any()
    if with_kernel:
        np.testing.assert_allclose(
            kernel(network, params, x), kernel(other, own, x), rtol=1e-9, atol=1e-9
        )


@pytest.mark.parametrize("text", TOPOLOGIES)
def test_topologies(text):
    module, arch = topologies_net(Sizes(hidden=8)), SPACE.parse(text)
    network = Network(module, jnp.asarray(SPACE.to_mask(arch), float))
    params = random_params(network, images())
    first = text == TOPOLOGIES[0]
    agree(network, module, params, SPACE.topology(arch), Sizes(hidden=8), with_kernel=first)


@pytest.mark.parametrize("sizes", [Sizes((1, 2, 1, 2), 9), Sizes((2, 1, 2, 1), 5)])
def test_sizes(sizes):
    space = AsVitSizes(SEED)
    module = sizes_net(space.topology, Sizes((2, 2, 2, 2), 9))
    network = Network(module, jnp.asarray(space.to_mask(sizes), float))
    params = random_params(network, images())
    agree(network, module, params, space.topology, sizes, with_kernel=sizes.hidden == 5)


@pytest.mark.parametrize("rule", ["small_normal", "xavier_normal"])
def test_initial_weights_are_as_wide_as_those_of_the_architecture(rule):
    """Kernels that are drawn for the largest fans, and scaled: the standard deviations agree."""
    arch = SPACE.parse("4,2,2|2,1,2|2,1,2|2,1,2|16")
    module = topologies_net(Sizes(hidden=32), initialiser=rule)
    mask = jnp.asarray(SPACE.to_mask(arch), float)
    network, x = Network(module, mask), jnp.zeros((1, 32, 32, 3), jnp.float32)
    params = adapted(module, network.init(jax.random.key(0), x), mask)
    own = crop(params, SPACE.topology(arch), Sizes(hidden=32), module)
    fresh = Network(AsVit(SPACE.topology(arch), Sizes(hidden=32), initialiser=rule)).init(
        jax.random.key(1), x
    )
    for stage in ("layers_0", "layers_2"):
        for path in (
            ("downsample", "reduction"),
            ("blocks_0", "mlp", "fc1"),
            ("blocks_0", "attn", "qkv"),
        ):
            got, wanted = own[stage], fresh[stage]
            for name in path:
                got, wanted = got[name], wanted[name]
            assert np.std(got["kernel"]) == pytest.approx(float(np.std(wanted["kernel"])), rel=0.05)
    bound = 48**-0.5  # of 4 · 4 · 3 inputs
    for weight in own["patch_embed"]["proj"].values():
        assert 0.8 * bound < np.abs(weight).max() <= bound * (1 + 1e-6)


def test_scales_are_those_of_the_fans():
    assert initialiser("xavier_normal").scale(8, 24) == pytest.approx(0.25)
    assert initialiser("small_normal").scale(8, 24) == 0.02


def test_what_one_network_cannot_hold_is_refused():
    with pytest.raises(UserError, match="hidden is 12; valid: multiples of 8"):
        topologies_net(Sizes(hidden=12))
    with pytest.raises(UserError, match="fewer than its 8 heads"):
        topologies_net(Sizes(hidden=4))
    network = Network(topologies_net(Sizes(hidden=8)), jnp.asarray(SPACE.supernet(), float))
    with pytest.raises(UserError, match="S1 is 8, but"):
        jax.eval_shape(lambda: network.init(jax.random.key(0), jnp.zeros((1, 48, 48, 3))))
    with pytest.raises(UserError, match="output"):
        jax.eval_shape(
            lambda: network.replace(options=(("output", "logits"),)).init(
                jax.random.key(0), images()
            )
        )
