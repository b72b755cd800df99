"""The contract of data: batches, what images and tokens draw, and the loss that serves both."""

import jax
import jax.numpy as jnp
import numpy as np
import pytest

from tenas_jax.data import Batch, Dataset, Images, Tokens, cross_entropy
from tenas_jax.data.batches import PAD, patches
from tenas_jax.errors import UserError

N, SIDE, T, V = 13, 6, 5, 7


def _images():
    pixels = np.random.default_rng(0).integers(0, 256, (N, SIDE, SIDE, 3)).astype(np.uint8)
    return Images(pixels, np.arange(N) % 4, 4)


def _tokens(**fields):
    return Tokens(**{"tokens": np.arange(N * T).reshape(N, T) % V, "vocabulary": V, **fields})


def _same(one, other):
    assert jax.tree.structure(one) == jax.tree.structure(other)
    for left, right in zip(jax.tree.leaves(one), jax.tree.leaves(other), strict=True):
        assert left.dtype == right.dtype
        np.testing.assert_array_equal(left, right)


# --- batches


def test_a_batch_is_a_tree_that_knows_its_length():
    batch = Batch({"x": jnp.ones((3, 2)), "y": jnp.ones((3, 4))}, held_out=Batch(jnp.ones((5, 2))))
    assert len(batch) == 3 and len(batch.held_out) == 5
    doubled = jax.jit(lambda b: jax.tree.map(lambda leaf: 2 * leaf, b))(batch)
    assert doubled.targets is None and doubled.weights is None
    np.testing.assert_array_equal(doubled.inputs["y"], 2 * np.ones((3, 4)))
    np.testing.assert_array_equal(doubled.held_out.inputs, 2 * np.ones((5, 2)))


@pytest.mark.parametrize("data", [_images(), _tokens(targets=np.arange(N), classes=N)])
@pytest.mark.parametrize("held_out", [False, True])
def test_what_is_drawn_is_as_the_data_says(data, held_out):
    assert isinstance(data, Dataset) and not isinstance(data.name, Dataset)
    batch = data.draw(6, np.random.default_rng(3), augment=False, held_out=held_out)
    _same(batch, data.draw(6, np.random.default_rng(3), augment=False, held_out=held_out))
    for part in (batch, batch.held_out) if held_out else (batch,):
        assert len(part) == 6 and part.inputs.shape == (6, *data.example.shape)
        assert part.inputs.dtype == data.example.dtype and part.targets.dtype == np.int32
        assert part.targets.min() >= 0 and part.targets.max() < data.classes
    assert (batch.held_out is not None) == held_out
    # The first batch does not depend on whether there is a second.
    alone = data.draw(6, np.random.default_rng(3), augment=False)
    _same(alone, batch.replace(held_out=None))


@pytest.mark.parametrize("data", [_images(), _tokens()])
@pytest.mark.parametrize(
    ("n", "held_out", "message"),
    [
        (N + 1, False, "has 13 examples, not the 14 of a batch"),
        (7, True, "has 13 examples, not the 14 of a batch and a validation batch"),
        (0, True, "batch size must be a whole number of at least 1, not 0"),
        (2.0, False, "batch size must be a whole number of at least 1, not 2.0"),
    ],
)
def test_more_than_there_is(data, n, held_out, message):
    with pytest.raises(UserError, match=message) as error:
        data.draw(n, np.random.default_rng(0), augment=False, held_out=held_out)
    assert "\n" not in str(error.value)


# --- images


@pytest.mark.parametrize("augment", [False, True])
def test_images_are_drawn_with_the_same_random_numbers_as_ever(augment):
    """Step by step as scores of the past drew them: their records must stay reachable."""
    data, rng = _images(), np.random.default_rng(5)
    chosen = rng.choice(N, 6, replace=False)
    raw = data.images[chosen]
    if augment:
        flip = rng.random(6) < 0.5
        padded = np.zeros((6, SIDE + 2 * PAD, SIDE + 2 * PAD, 3), np.uint8)
        padded[:, PAD:-PAD, PAD:-PAD] = np.where(flip[:, None, None, None], raw[:, :, ::-1], raw)
        top, left = (rng.integers(2 * PAD + 1, size=6) for _ in range(2))
        crops = zip(padded, top, left, strict=True)
        raw = np.stack([image[t : t + SIDE, x : x + SIDE] for image, t, x in crops])
    others = rng.choice(np.setdiff1d(np.arange(N), chosen), 6, replace=False)

    labels = data.labels.astype(np.int32)
    expected = Batch(data.normalise(raw), labels[chosen])
    second = Batch(data.normalised()[others], labels[others])
    _same(data.draw(6, np.random.default_rng(5), augment=augment), expected)
    both = data.draw(6, np.random.default_rng(5), augment=augment, held_out=True)
    _same(both, expected.replace(held_out=second))


def test_patches_of_images_are_those_of_the_function():
    data = _images()
    ours = data.patches(9, np.random.default_rng(2))
    assert ours.shape == (9, 3, 3, 1) and ours.dtype == np.float32
    np.testing.assert_array_equal(ours, patches(data, 9, np.random.default_rng(2)))


# --- tokens


def test_types_of_tokens_are_converted():
    weights = np.ones((N, T), np.float64)
    data = _tokens(tokens=np.zeros((N, T), np.uint8), targets=np.ones((N, T), int), weights=weights)
    assert data.tokens.dtype == data.targets.dtype == np.int32 and data.weights.dtype == np.float32
    assert data.classes == data.vocabulary == V and len(data) == N
    assert data.example == jax.ShapeDtypeStruct((T,), np.int32)
    assert _tokens().classes == V and _tokens().targets is None


def test_targets_and_weights_go_with_their_sequence():
    tokens = np.repeat(np.arange(N)[:, None] % V, T, axis=1)
    targets = np.arange(N * T).reshape(N, T) % 3
    data = _tokens(tokens=tokens, targets=targets, weights=targets / 2, classes=3)
    batch = data.draw(6, np.random.default_rng(1), augment=True, held_out=True)
    rng = np.random.default_rng(1)
    chosen = rng.choice(N, 6, replace=False)
    assert len({*chosen, *rng.choice(np.setdiff1d(np.arange(N), chosen), 6, replace=False)}) == 12
    np.testing.assert_array_equal(batch.inputs[:, 0], chosen % V)
    np.testing.assert_array_equal(batch.targets, targets[chosen])
    np.testing.assert_array_equal(batch.weights, (targets / 2)[chosen].astype(np.float32))
    assert batch.held_out.weights.shape == (6, T)


def test_random_tokens_are_followed_by_their_targets():
    data = Tokens.random(40, 8, 5, seed=3)
    assert data.tokens.shape == data.targets.shape == (40, 8) and data.vocabulary == 5
    assert set(data.tokens.ravel()) == set(range(5))
    np.testing.assert_array_equal(data.tokens[:, 1:], data.targets[:, :-1])
    np.testing.assert_array_equal(data.tokens, Tokens.random(40, 8, 5, seed=3).tokens)
    assert not np.array_equal(data.tokens, Tokens.random(40, 8, 5, seed=4).tokens)
    with pytest.raises(UserError, match="the length must be a whole number"):
        Tokens.random(40, 0, 5, seed=3)


@pytest.mark.parametrize(
    ("fields", "message"),
    [
        ({"tokens": np.full((N, T), -1)}, "tokens must be from 0 to 6; these go from -1 to -1"),
        ({"tokens": np.full((N, T), V)}, "tokens must be from 0 to 6; these go from 7 to 7"),
        ({"tokens": np.full((N, T), 2**32)}, "tokens must be from 0 to 6"),
        ({"tokens": np.zeros((N, T))}, "tokens must be integers, not float64"),
        ({"tokens": np.zeros(N, int)}, r"tokens must be \[N, T\]"),
        ({"tokens": np.zeros((0, T), int)}, r"tokens must be \[N, T\]"),
        ({"tokens": np.zeros((N, 0), int)}, r"tokens must be \[N, T\]"),
        ({"vocabulary": 0}, "the vocabulary must be a whole number"),
        ({"targets": np.zeros((N, T - 1), int)}, r"targets must be of shape \(13,\) or \(13, 5\)"),
        ({"targets": np.zeros(N, int)}, "give the number of classes"),
        ({"targets": np.full(N, 3), "classes": 3}, "targets must be from 0 to 2"),
        ({"targets": np.zeros((N, T))}, "targets must be integers"),
        ({"targets": np.zeros((N, T), int), "classes": 0}, "number of classes must be"),
        ({"weights": np.ones((N, T))}, "weights are of targets, and there are none"),
        ({"targets": np.zeros((N, T), int), "weights": np.ones(N)}, r"weights must be of shape"),
        ({"targets": np.zeros((N, T), int), "weights": np.full((N, T), -1)}, "not negative"),
        ({"targets": np.zeros((N, T), int), "weights": np.full((N, T), np.nan)}, "finite"),
    ],
)
def test_tokens_that_are_none(fields, message):
    with pytest.raises(UserError, match=message) as error:
        _tokens(**fields, name="mine")
    assert str(error.value).startswith("mine: ") and "\n" not in str(error.value)


# --- the loss


def test_cross_entropy_by_hand():
    logits = jnp.log(jnp.array([[0.2, 0.3, 0.5], [0.1, 0.8, 0.1]]))
    loss = cross_entropy(logits, jnp.array([2, 0]))
    np.testing.assert_allclose(loss, -np.log([0.5, 0.1]), rtol=1e-5)
    positions = cross_entropy(logits[None], jnp.array([[2, 0]]))
    np.testing.assert_allclose(positions, [-np.log([0.5, 0.1]).mean()], rtol=1e-5)
    weighted = cross_entropy(logits[None], jnp.array([[2, 0]]), jnp.array([[3.0, 1.0]]))
    np.testing.assert_allclose(weighted, [-np.log([0.5, 0.1]) @ [0.75, 0.25]], rtol=1e-5)


def test_padding_has_no_part_in_the_loss_and_its_gradient():
    logits = jax.random.normal(jax.random.key(0), (3, T, V))
    targets = jax.random.randint(jax.random.key(1), (3, T), 0, V)
    weights = jnp.array([[1.0] * T, [1.0, 1.0, 0.0, 0.0, 0.0], [0.0] * T])
    padded = jnp.where(weights == 0, -100, targets)
    loss = cross_entropy(logits, padded, weights)
    expected = [cross_entropy(logits[:1], targets[:1])[0]]
    expected += [cross_entropy(logits[1:2, :2], targets[1:2, :2])[0], 0.0]
    np.testing.assert_allclose(loss, expected, rtol=1e-6)
    gradient = jax.grad(lambda x: cross_entropy(x, padded, weights).sum())(logits)
    norms = jnp.abs(gradient).sum(-1)
    np.testing.assert_array_equal(norms == 0, weights == 0)
    assert jnp.isfinite(gradient).all()


def test_one_target_an_example_may_be_padding_too():
    logits, targets = jnp.zeros((2, 4)), jnp.array([1, -1])
    loss = cross_entropy(logits, targets, jnp.array([1.0, 0.0]))
    np.testing.assert_allclose(loss, [np.log(4), 0], rtol=1e-6)


def test_the_loss_has_32_bits_at_least(x64):
    targets = jnp.zeros(2, jnp.int32)
    for dtype, expected in (("bfloat16", "float32"), ("float32", "float32"), ("float64",) * 2):
        logits = jnp.ones((2, 3), dtype)
        assert cross_entropy(logits, targets).dtype == expected
        assert cross_entropy(logits, targets, jnp.ones(2)).dtype == expected


@pytest.mark.parametrize(
    ("targets", "weights", "message"),
    [
        (jnp.zeros((2, T), int), None, r"logits \(2, 7\) need targets of shape \(2,\)"),
        (jnp.zeros(3, int), None, r"logits \(2, 7\) need targets of shape \(2,\), not \(3,\)"),
        (jnp.zeros(2), None, "targets must be integers, not float32"),
        (jnp.zeros(2, int), jnp.ones((2, 1)), r"weights must be of the targets' shape \(2,\)"),
    ],
)
def test_losses_that_there_are_not(targets, weights, message):
    with pytest.raises(UserError, match=message):
        cross_entropy(jnp.zeros((2, V)), targets, weights)
