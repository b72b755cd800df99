"""Distinct patterns against brute force, and regions against geometry."""

import flax.linen as nn
import jax
import jax.numpy as jnp
import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from tenas_jax.errors import UserError
from tenas_jax.metrics import Batch, Probe, linear_regions
from tenas_jax.metrics.linear_regions import count_distinct, pack
from tenas_jax.networks import Network

KEY = jax.random.key(0)
pytestmark = pytest.mark.usefixtures("quick_compilation")
ROWS = 12
WIDTHS = [1, 2, 31, 32, 33, 63, 64, 65, 100, 200]

count = jax.jit(lambda patterns, key: count_distinct(pack(patterns, key)))


@st.composite
def patterns(draw):
    """Rows that repeat, or differ in a bit or two."""
    width = draw(st.sampled_from(WIDTHS))
    rng = np.random.default_rng(draw(st.integers(0, 99)))
    base = rng.random((2, width)) < 0.5
    rows = base[draw(st.lists(st.integers(0, 1), min_size=ROWS, max_size=ROWS))]
    for _ in range(draw(st.integers(0, ROWS))):
        rows[draw(st.integers(0, ROWS - 1)), draw(st.integers(0, width - 1))] ^= True
    return rows


@settings(max_examples=100, deadline=None)
@given(patterns(), st.integers(0, 9))
def test_distinct_rows_equal_brute_force(rows, seed):
    wanted = len(np.unique(rows, axis=0))
    assert count(jnp.asarray(rows), jax.random.key(seed)) == wanted


def test_one_row_and_all_rows():
    assert count(jnp.ones((1, 9), bool), KEY) == 1
    rows = np.unpackbits(np.arange(256, dtype=np.uint8)[:, None], axis=1).astype(bool)
    assert count(jnp.asarray(rows), KEY) == 256
    assert count(jnp.asarray(np.concatenate([rows, rows[:100]])), KEY) == 256


@pytest.mark.parametrize("width", [1, 32, 64])
def test_narrow_patterns_are_their_own_words(width):
    rows = np.random.default_rng(0).random((20, width)) < 0.5
    words = pack(jnp.asarray(rows), KEY)
    assert words.dtype == jnp.uint32 and words.shape == (20, 2)
    bits = (np.asarray(words)[:, :, None] >> np.arange(32, dtype=np.uint32)) & 1
    np.testing.assert_array_equal(bits.reshape(20, 64)[:, :width], rows)
    assert not bits.reshape(20, 64)[:, width:].any()


def test_wide_patterns_are_hashed_by_random_parities():
    """Parities are linear over bits, and any one bit flips half of them."""
    width = 200
    bits = np.eye(width, dtype=bool)
    rng = np.random.default_rng(0)
    some = rng.random((10, width)) < 0.5
    words = np.asarray(pack(jnp.asarray(np.concatenate([bits, some])), KEY))
    single, mixed = words[:width], words[width:]
    for row, word in zip(some, mixed, strict=True):
        np.testing.assert_array_equal(np.bitwise_xor.reduce(single[row], axis=0), word)
    flipped = np.bitwise_count(single).sum(1)
    assert abs(flipped.mean() / 64 - 0.5) < 5 * 0.5 / np.sqrt(width * 64)
    assert 10 < flipped.min() and flipped.max() < 54
    # each of the 64 parities has a subset of its own
    columns = (single[:, :, None] >> np.arange(32, dtype=np.uint32)) & 1
    assert len(np.unique(columns.reshape(width, 64), axis=1).T) == 64
    again = np.asarray(pack(jnp.asarray(bits), KEY))
    np.testing.assert_array_equal(again, single)
    other = np.asarray(pack(jnp.asarray(bits), jax.random.key(1)))
    assert (other != single).any(1).all()


def one_layer(params, x):
    """A hidden layer of ReLUs, whose hyperplanes cut the plane of inputs."""
    directions, offsets = params
    return nn.relu(x.reshape(len(x), -1) @ directions + offsets[None])


def regions_of(params, points, **options):
    """The points as images of one pixel."""
    images = jnp.asarray(points, jnp.float32).reshape(len(points), 1, 1, -1)
    run = jax.jit(lambda p, x: linear_regions(Probe(one_layer, p, Batch(x), KEY), **options))
    return run(jax.tree.map(jnp.float32, params), images)


def test_thresholds_cut_a_line():
    """k thresholds make k + 1 intervals, of which the batch sees those it reaches."""
    params = (np.array([[1.0, 2.0, -1.0]]), np.array([-0.25, -1.0, 0.8]))  # at 0.25, 0.5, 0.8
    points = np.linspace(0, 1, 101)
    assert regions_of(params, points) == 4
    assert regions_of(params, points[:49]) == 2
    assert regions_of(params, points[:10]) == 1


def test_lines_in_general_position_cut_a_plane():
    """k lines, all of whose crossings lie in the square: 1 + k + k (k - 1) / 2 regions."""
    # x = 0, y = 0, x + y = 0.3, x - y = 0.5
    directions = np.array([[1.0, 0, 1, 1], [0, 1.0, 1, -1]])
    offsets = np.array([0, 0, -0.3, -0.5])
    side = np.linspace(-1, 1, 80)
    points = np.stack(np.meshgrid(side, side), -1).reshape(-1, 2)
    for k in range(1, 5):
        params = (directions[:, :k], offsets[:k])
        assert regions_of(params, points, pass_size=1600) == 1 + k + k * (k - 1) // 2
    # repeated, the lines cut no more, and the pattern is hashed
    params = (np.tile(directions, 20), np.tile(offsets, 20))
    assert regions_of(params, points, pass_size=1600) == 11


def test_passes_have_statistics_of_their_own():
    def normed(params, x):
        flat = x.reshape(len(x), -1)
        return nn.relu(flat - flat.mean(keepdims=True)) + nn.relu(flat - 5)

    probe = Probe(normed, None, Batch(jnp.asarray([0.0, 1, 10, 11]).reshape(4, 1, 1, 1)), KEY)
    # about one mean: off off on on, twice; about means of 0.5 and 10.5: off on off on
    assert linear_regions(probe, pass_size=4) == 2
    assert linear_regions(probe) == 2
    assert linear_regions(probe, pass_size=2) == 4


def test_passes_must_divide_the_batch():
    params, batch = (jnp.ones((1, 1)), jnp.zeros(1)), Batch(jnp.ones((10, 1, 1, 1)))
    with pytest.raises(UserError, match="10 inputs do not divide into passes of 4"):
        linear_regions(Probe(one_layer, params, batch, KEY), pass_size=4)


class Masked(nn.Module):
    """ReLUs of which a mask switches some off."""

    @nn.compact
    def __call__(self, x, mask):
        y = nn.Dense(5, use_bias=False)(x.reshape(len(x), -1))
        return nn.relu(y * mask[None])


def test_vmap_over_parameters_and_masks_is_a_loop():
    angles = np.linspace(0, 2 * np.pi, 600, endpoint=False)
    circle = np.stack([np.cos(angles), np.sin(angles)], -1)
    images = jnp.asarray(circle, jnp.float32).reshape(600, 1, 1, 2)
    masks = jnp.asarray([[1, 1, 1, 1, 1], [1, 1, 0, 0, 0], [0, 0, 0, 0, 0.0]])
    params = [Network(Masked(), masks[0]).init(jax.random.key(k), images) for k in range(2)]

    def one(p, mask):
        probe = Probe(Network(Masked(), mask), p, Batch(images), KEY)
        return linear_regions(probe, pass_size=300)

    stacked = jax.tree.map(lambda *a: jnp.stack(a), *params)
    counts = jax.jit(jax.vmap(jax.vmap(one, (None, 0)), (0, None)))(stacked, masks)
    single = jax.jit(one)
    np.testing.assert_array_equal(counts, [[single(p, m) for m in masks] for p in params])
    # k lines through the origin: 2k wedges; without any, one
    np.testing.assert_array_equal(counts, [[10, 4, 1]] * 2)


def shapes_in(jaxpr):
    """The shapes of all values in a program, at any depth."""
    for eqn in jaxpr.eqns:
        yield from (v.aval.shape for v in eqn.outvars)
        for value in jax.tree.leaves(list(eqn.params.values())):
            inner = getattr(value, "jaxpr", value)
            if hasattr(inner, "eqns"):
                yield from shapes_in(inner)


@pytest.mark.parametrize("width", [36, 128])
def test_memory_is_linear_in_the_number_of_samples(width):
    samples = 997
    params = (jnp.ones((2, width)), jnp.zeros(width))
    x = jnp.ones((samples, 1, 1, 2))

    def pairs(f):
        shapes = list(shapes_in(jax.make_jaxpr(f)(params, x).jaxpr))
        assert any(samples in shape for shape in shapes)
        return [s for s in shapes if s.count(samples) > 1 or np.prod(s) >= samples**2]

    assert not pairs(lambda p, x: linear_regions(Probe(one_layer, p, Batch(x), KEY)))
    assert pairs(jax.jit(lambda p, x: one_layer(p, x) @ one_layer(p, x).T))  # it would be seen
