"""The vision transformer as training calls it: sizes, tokens, dropping, and what it refuses."""

import re

import jax
import jax.numpy as jnp
import pytest

from tenas_jax import spaces
from tenas_jax.errors import UserError
from tenas_jax.networks.as_vit.network import AsVit
from tenas_jax.networks.counts import count, count_macs
from tenas_jax.networks.trained import derived
from tenas_jax.spaces.as_vit.sizes import Sizes

SPACE = spaces.get("as_vit")
ARCH = SPACE.parse("4,2,2|2,1,2|2,1,2|2,1,2|16")
SIZE = dict(classes=3, depths=[1, 1, 1, 1], hidden=8)
KEY = jax.random.key(0)

pytestmark = pytest.mark.usefixtures("quick_compilation")


def test_it_is_the_network_that_is_scored_and_drops_nothing_but_in_training():
    """By the text of its program, so that nothing is compiled."""
    network = AsVit(SPACE.topology(ARCH), Sizes((1, 1, 1, 1), 8), 3, dtype=jnp.float32)
    module, images = (
        derived("as_vit", ARCH, **SIZE),
        jax.ShapeDtypeStruct((2, 32, 32, 3), "float32"),
    )
    weights = jax.eval_shape(lambda x: module.init(KEY, x, train=False), images)
    inner = {"params": weights["params"]["network"]}
    rngs = {"drop_path": jax.random.key(1)}

    def text(module, weights, **call):
        run = lambda v, x: module.apply(v, x, rngs=rngs, **call)  # noqa: E731
        # A key is that of a module's name, which is another one's part.
        return re.sub(r"\b\d+:u32", "KEY", str(jax.make_jaxpr(run)(weights, images)))

    plain = text(network, inner)
    assert "random_bits" not in plain
    assert text(module, weights, train=True) == plain
    assert text(module, weights, train=False, drop_path=0.9) == plain
    dropped = text(module, weights, train=True, drop_path=0.9)
    assert dropped == text(network, inner, drop_path=0.9) and "random_bits" in dropped


def test_coarse_tokens_have_the_same_weights_and_at_most_a_quarter_of_the_arithmetic():
    module, image = derived("as_vit", ARCH, **SIZE), jnp.zeros((1, 64, 64, 3))
    shapes = [
        jax.tree.map(
            lambda leaf: leaf.shape,
            jax.eval_shape(lambda n=n: module.init(KEY, image, train=False, coarse=n)),
        )
        for n in (1, 2)
    ]
    assert shapes[0] == shapes[1]
    macs = [count_macs(module, (64, 64, 3), coarse=n) for n in (1, 2)]
    # Attention within windows is a sixteenth, all else of tokens a quarter; the head stays.
    head = 64 * 64 + 64 * 3
    assert 4 < (macs[0] - head) / (macs[1] - head) < 16
    assert count_macs(module, (64, 64, 3)) == macs[0]
    assert macs[1] == count_macs(module, (32, 32, 3))


def test_counts_by_hand():
    """K 4, 2, 2, 2 and E 2 with 8, 16, 32 and 64 channels on grids of 8, 4, 2 and 1 a side."""
    macs = parameters = 0
    before = 3
    for width, side, split, kernel in ((8, 8, 2, 4), (16, 4, 1, 2), (32, 2, 1, 2), (64, 1, 1, 2)):
        tokens, taps = side * side, kernel**2 * before
        macs += tokens * taps * width
        macs += tokens * (3 + 1 + 2 + 2) * width**2  # q, k, v; projection; the MLP's two layers
        macs += 2 * tokens * (tokens // split**2) * width  # attention
        # The first kernel has a bias and a norm behind it, the others a norm of their taps.
        parameters += taps * width + (2 * taps if side < 8 else width + 2 * width)
        parameters += 8 * width**2 + (3 + 1 + 2 + 1) * width + 2 * 2 * width  # a block, its norms
        before = width
    macs += 64 * 64 + 64 * 3
    parameters += 2 * 64 + (64 * 64 + 64) + (64 * 3 + 3)
    counts = count(derived("as_vit", ARCH, **SIZE), (32, 32, 3))
    assert (counts.macs, counts.parameters) == (macs, parameters)


def test_as_vit_large_is_of_the_published_size():
    arch, size = SPACE.parse_sized("8,2,3,5|4,1,2,2|4,1,4,5|4,1,6,2|32,180")
    counts = count(derived("as_vit", arch, classes=1000, **size), (224, 224, 3))
    assert counts.parameters == 87_580_820
    assert counts.macs == 22_357_813_760


def test_depths_of_a_list_make_the_same_module():
    one, same = (derived("as_vit", ARCH, classes=3, depths=d) for d in ([1, 2, 1, 1], (1, 2, 1, 1)))
    assert one == same and hash(one) == hash(same)
    assert one != derived("as_vit", ARCH, classes=3)


@pytest.mark.parametrize(
    ("size", "words"),
    [
        (dict(depths=3), "depths are 3; valid: 4 whole numbers"),
        (dict(depths="1111"), "depths are '1111'; valid: 4 whole numbers"),
        (dict(depths=[1, 1, 1]), "depths are .1, 1, 1.; valid: 4 of them"),
        (dict(depths=[1, 1, 1, 0]), "depths has 0; valid: whole numbers from 1"),
        (dict(depths=[1, 1, 1, 1.5]), "depths has 1.5; valid: whole numbers from 1"),
        (dict(hidden=0), "hidden has 0; valid: whole numbers from 1"),
        (dict(hidden=True), "hidden has True; valid: whole numbers from 1"),
        (dict(hidden="8"), "hidden has '8'; valid: whole numbers from 1"),
        (dict(hidden=1), "stage 1 has 1 channels, fewer than its 2 heads; valid: .* from 2"),
        (dict(classes=0), "classes is 0; valid"),
        (dict(dtype="float16"), "dtype is 'float16'; valid: float32, bfloat16"),
        (dict(channels=8), "unknown size field of as_vit 'channels'.*valid: depths, hidden"),
    ],
)
def test_sizes_that_make_no_network_are_refused(size, words):
    with pytest.raises(UserError, match=words):
        derived("as_vit", ARCH, **{"classes": 3} | size)


@pytest.mark.parametrize(
    ("shape", "call", "words"),
    [
        ((64, 64, 3), {}, "valid: .N, height, width, channels."),
        ((1, 30, 32, 3), {}, "images of 30 x 32 do not fit; valid: multiples of the stride 4"),
        ((1, 16, 16, 3), {}, "stage 4 has no token; valid: sides from 32"),
        ((1, 32, 32, 3), {"coarse": 2}, "stage 4 has no token; valid: sides from 64"),
        ((1, 64, 64, 3), {"coarse": 0}, "coarse is 0; valid: whole numbers from 1"),
        ((1, 64, 64, 3), {"drop_path": 1.0}, "drop_path is 1.0"),
    ],
)
def test_images_and_calls_that_do_not_fit_are_refused(shape, call, words):
    module = derived("as_vit", ARCH, **SIZE)
    with pytest.raises(UserError, match=words):
        jax.eval_shape(lambda: module.init(KEY, jnp.zeros(shape), train=False, **call))
