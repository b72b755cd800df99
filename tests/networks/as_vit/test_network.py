"""The vision transformer: its parts by hand, its switches, its sizes, and what it refuses."""

import jax
import jax.numpy as jnp
import numpy as np
import pytest

from tenas_jax import spaces
from tenas_jax.errors import UserError
from tenas_jax.networks import Network
from tenas_jax.networks.as_vit.blocks import Norm, attend, grid, unfold, windows
from tenas_jax.networks.as_vit.network import AsVit, drop_rates
from tenas_jax.networks.as_vit.shapes import multiply_adds, parameters
from tenas_jax.spaces.as_vit.sizes import Sizes, split
from tenas_jax.tracing.programs import multiply_adds as traced_multiply_adds

SPACE = spaces.get("as_vit")
SEED = "8,2,3|4,1,2|4,1,4|4,1,6|32"
LARGE = "8,2,3,5|4,1,2,2|4,1,4,5|4,1,6,2|32,180"
SMALL = Sizes(hidden=8)

pytestmark = pytest.mark.usefixtures("quick_compilation")


def topology(text):
    return SPACE.topology(SPACE.parse(text))


def images(side=32, n=2):
    return jnp.asarray(np.random.default_rng(0).standard_normal((n, side, side, 3)), jnp.float32)


def run(network, params, x=None):
    return jax.jit(lambda params, x: network(params, x))(params, images() if x is None else x)


def shapes(module, side=32):
    return jax.eval_shape(module.init, jax.random.key(0), images(side))["params"]


@pytest.mark.parametrize(
    ("kernel", "stride"), [(k, stride) for stride in (2, 4) for k in range(stride, 9)]
)
def test_taps_are_those_of_a_padded_convolution(kernel, stride):
    x = np.random.default_rng(1).standard_normal((2, 8, 12, 3))
    before = (kernel - stride) // 2
    padded = np.zeros((2, 8 + kernel, 12 + kernel, 3))
    padded[:, before : before + 8, before : before + 12] = x
    got = np.asarray(unfold(jnp.asarray(x, jnp.float32), kernel, stride))
    assert got.shape == (2, 8 // stride, 12 // stride, kernel * kernel, 3)
    for row, column in np.ndindex(got.shape[1:3]):
        window = padded[:, row * stride :, column * stride :][:, :kernel, :kernel]
        np.testing.assert_allclose(
            got[:, row, column], window.reshape(2, -1, 3), rtol=1e-6, atol=1e-7
        )


@pytest.mark.parametrize("side", [7, 3])
def test_half_of_an_odd_grid_leaves_its_end_out(side):
    x = jnp.arange(side * side, dtype=jnp.float32).reshape(1, side, side, 1)
    got = unfold(x, 2, 2)
    assert got.shape == (1, side // 2, side // 2, 4, 1)
    np.testing.assert_array_equal(got[0, 0, 0, :, 0], [0, 1, side, side + 1])


def test_windows_are_neighbouring_tokens():
    x = jnp.arange(2 * 4 * 6, dtype=jnp.float32).reshape(2, 4, 6, 1)
    got = windows(x, 2)
    assert got.shape == (8, 6, 1)
    np.testing.assert_array_equal(got[1, :, 0], [3, 4, 5, 9, 10, 11])
    np.testing.assert_array_equal(grid(got, 2, 4, 6), x)


def test_attention_by_hand():
    rng = np.random.default_rng(0)
    q, k, v = (rng.standard_normal((3, 5, 2, 4)) for _ in range(3))
    got = attend(*(jnp.asarray(a, jnp.float32) for a in (q, k, v)))
    for n, head in np.ndindex(3, 2):
        scores = np.exp(q[n, :, head] @ k[n, :, head].T / 2)  # √4
        wanted = scores / scores.sum(1, keepdims=True) @ v[n, :, head]
        np.testing.assert_allclose(got[n, :, head], wanted, rtol=1e-4, atol=1e-5)


def test_the_norm_and_its_switch():
    x = jnp.asarray(np.random.default_rng(0).standard_normal((2, 3, 3, 8)) * 5 + 3, jnp.float32)
    weights = {"scale": jnp.arange(8.0), "bias": jnp.ones(8)}
    got = Norm().apply({"params": weights}, x)
    centred = np.asarray(x) - np.asarray(x).mean(-1, keepdims=True)
    wanted = centred / np.sqrt((centred**2).mean(-1, keepdims=True) + 1e-5) * np.arange(8) + 1
    np.testing.assert_allclose(got, wanted, rtol=1e-4, atol=1e-5)
    np.testing.assert_array_equal(Norm().apply({"params": weights}, x, False), x)


def test_norms_off_leaves_the_weights_alone():
    module = AsVit(topology(SEED), SMALL)
    on, off = (
        jax.eval_shape(lambda key, n=norms: module.init(key, images(), norms=n), jax.random.key(0))
        for norms in (True, False)
    )
    assert jax.tree.map(lambda a: (a.shape, a.dtype), on) == jax.tree.map(
        lambda a: (a.shape, a.dtype), off
    )
    params = Network(module).init(jax.random.key(0), images())
    outputs = [
        run(Network(module, options=(("output", "features"), ("norms", norms))), params)
        for norms in (True, False)
    ]
    assert outputs[0].shape == outputs[1].shape == (2, 64)
    assert not np.allclose(*outputs, rtol=0.1)


def test_coarse_tokens_are_those_of_every_other_pixel():
    module = AsVit(topology("8,2,3|4,1,2|4,1,4|4,1,6|32"), SMALL)
    params = Network(module).init(jax.random.key(0), images())
    coarse = run(Network(module, options=(("coarse", 2),)), params, images(64))
    fine = run(Network(module), params, images(64)[:, ::2, ::2])
    np.testing.assert_allclose(coarse, fine, rtol=1e-5, atol=1e-6)


def test_initial_weights_are_those_of_the_released_program():
    params = Network(AsVit(topology(SEED), Sizes())).init(jax.random.key(0), images())
    qkv = np.asarray(params["layers_3"]["blocks_0"]["attn"]["qkv"]["kernel"])
    assert qkv.std() == pytest.approx(0.02, rel=0.02) and abs(qkv).max() > 0.05  # not cut
    assert not params["layers_3"]["blocks_0"]["attn"]["qkv"]["bias"].any()
    for weight in params["patch_embed"]["proj"].values():  # uniform, fan in 8 · 8 · 3
        assert 0.8 * 192**-0.5 < abs(np.asarray(weight)).max() <= 192**-0.5
    assert (params["norm"]["scale"] == 1).all()


def test_published_parameter_counts():
    """At 224 x 224 and 1000 classes, by the closed form and by the network's own shapes."""
    for text, wanted in {
        "8,2,3,1|4,1,2,1|4,1,4,1|4,1,6,1|32,32": 2_319_624,
        LARGE: 87_580_820,
    }.items():
        seed, sizes = split(text)
        assert parameters(topology(seed), sizes, classes=1000) == wanted
        module = AsVit(topology(seed), sizes, classes=1000)
        counted = sum(leaf.size for leaf in jax.tree.leaves(shapes(module, 224)))
        assert counted == wanted


@pytest.mark.parametrize(
    ("text", "hidden"),
    [(SEED, 9), ("5,8,2|3,4,5|2,2,6|3,1,2|16", 8), ("4,4,6|2,2,3|3,1,5|2,1,4|64", 19)],
)
def test_counts_of_any_width(text, hidden):
    sizes = Sizes((1, 2, 1, 3), hidden)
    module = AsVit(topology(text), sizes, classes=7)
    counted = sum(leaf.size for leaf in jax.tree.leaves(shapes(module)))
    assert parameters(topology(text), sizes, classes=7) == counted
    for coarse, side in ((1, 32), (2, 64)):
        traced = jax.make_jaxpr(lambda p, x, c=coarse: module.apply({"params": p}, x, coarse=c))(
            shapes(module), images(side, 1)
        )
        closed = multiply_adds(topology(text), sizes, (side, side), classes=7, coarse=coarse)
        assert closed == traced_multiply_adds(traced.jaxpr)


def test_dropped_branches_are_more_the_deeper_they_are():
    assert drop_rates(0.3, 4) == pytest.approx([0, 0.1, 0.2, 0.3])
    assert drop_rates(0.0, 3) == [0, 0, 0] and drop_rates(0.5, 1) == [0]
    module = AsVit(topology(SEED), Sizes((1, 1, 1, 1), 8))
    params = Network(module).init(jax.random.key(0), images())
    dropped = jax.jit(
        lambda rate, key: module.apply(
            {"params": params}, images(), drop_path=rate, rngs={"drop_path": key}
        )
    )
    whole = run(Network(module), params)
    np.testing.assert_allclose(dropped(0.0, jax.random.key(1)), whole, rtol=1e-5, atol=1e-7)
    assert not np.array_equal(dropped(0.9, jax.random.key(1)), whole)


@pytest.mark.parametrize(
    ("text", "sizes", "words"),
    [
        (SEED, Sizes(hidden=3), "stage 1 has 3 channels, fewer than its 4 heads; .* from 4"),
        ("8,2,3|4,1,2|4,1,4|4,1,6|64", Sizes(hidden=7), "fewer than its 8 heads"),
        (SEED, Sizes(hidden=0), "hidden has 0"),
        (SEED, Sizes(hidden=8.5), "hidden has 8.5"),
        (SEED, Sizes((1, 1, 0, 1), 8), "depths has 0"),
        (SEED, Sizes((1, 1, 1), 8), "valid: 4 of them"),
        (SEED, Sizes((1, True, 1, 1), 8), "depths has True"),
    ],
)
def test_sizes_that_make_no_network(text, sizes, words):
    with pytest.raises(UserError, match=words):
        AsVit(topology(text), sizes)


def test_a_width_that_heads_do_not_divide_is_fine():
    module = AsVit(topology(SEED), Sizes(hidden=9))
    own = shapes(module)["layers_0"]["blocks_0"]["attn"]
    assert own["qkv"]["kernel"].shape == (9, 3 * 8) and own["proj"]["kernel"].shape == (8, 9)


@pytest.mark.parametrize(
    ("text", "shape", "options", "words"),
    [
        (SEED, (30, 32), {}, "images of 30 x 32 do not fit; valid: multiples of the stride 4"),
        (SEED, (64, 64), {"coarse": 3}, "multiples of the stride 12"),
        (SEED, (16, 32), {}, "too small: stage 4 has no token; valid: sides from 32"),
        (SEED, (32, 32), {"coarse": 2}, "stage 4 has no token; valid: sides from 64"),
        ("8,8,3|4,1,2|4,1,4|4,1,6|32", (48, 48), {}, "S1 is 8, but .* 12 x 12 tokens in stage 1"),
        ("8,2,3|4,4,2|4,1,4|4,1,6|32", (40, 40), {}, "S2 is 4, but .* 5 x 5 tokens in stage 2"),
        (SEED, (32, 32), {"output": "logit"}, "did you mean 'logits'"),
        (SEED, (32, 32), {"coarse": 0}, "coarse is 0"),
    ],
)
def test_images_that_do_not_fit(text, shape, options, words):
    x = jnp.zeros((1, *shape, 3))
    with pytest.raises(UserError, match=words):
        jax.eval_shape(lambda: AsVit(topology(text), SMALL).init(jax.random.key(0), x, **options))


def test_images_need_not_be_square():
    module = AsVit(topology(SEED), SMALL)
    out = jax.eval_shape(
        lambda: module.init_with_output(jax.random.key(0), jnp.zeros((3, 32, 64, 3)))[0]
    )
    assert out.shape == (3, 10)
