"""Mixed images and labels, against what each way of mixing may and must give."""

import jax
import jax.numpy as jnp
import numpy as np
import pytest

from tenas_jax.train.augmentation import Mixed, cutmix, mix, mixed_loss, mixup

pytestmark = pytest.mark.usefixtures("quick_compilation")
COUNT, HEIGHT, WIDTH = 6, 8, 10
KEYS = jax.random.split(jax.random.key(0), 400)
LABELS = np.arange(COUNT, dtype=np.int32)
# Every pixel of image i is 10 i, so that what a pixel is made of can be read from it.
IMAGES = np.repeat(10.0 * LABELS, HEIGHT * WIDTH * 2).reshape(COUNT, HEIGHT, WIDTH, 2)
IMAGES = IMAGES.astype(np.float32)


def drawn(way, *alphas):
    """Many batches, of a key each: fields of `Mixed` with an axis more, and the larger labels."""

    def run(key):
        mixed = way(key, jnp.asarray(IMAGES), jnp.asarray(LABELS), *alphas)
        return mixed, mixed.larger

    mixed, larger = jax.jit(jax.vmap(run))(KEYS)
    return jax.tree.map(np.asarray, mixed), np.asarray(larger)


@pytest.fixture(scope="module")
def sums(quick_compilation):
    return drawn(mixup, 0.4)


@pytest.fixture(scope="module")
def boxes(quick_compilation):
    return drawn(cutmix, 1.0)


def check_labels(mixed, larger):
    assert mixed.labels.dtype == mixed.others.dtype == np.int32
    assert (mixed.labels == LABELS).all()
    assert (np.sort(mixed.others, axis=1) == LABELS).all(), "the partners are a permutation"
    assert len({tuple(row) for row in mixed.others.tolist()}) > 100
    assert ((mixed.share >= 0) & (mixed.share <= 1)).all()
    own = mixed.share[:, None] >= 0.5
    assert (larger == np.where(own, mixed.labels, mixed.others)).all()
    assert (larger != mixed.labels).any() and (larger != mixed.others).any()


def test_mixup_is_the_weighted_sum_of_images_and_labels(sums):
    mixed, larger = sums
    check_labels(mixed, larger)
    expected = 10 * (mixed.share[:, None] * LABELS + (1 - mixed.share)[:, None] * mixed.others)
    images = mixed.images
    np.testing.assert_allclose(
        images, np.broadcast_to(expected[..., None, None, None], images.shape), atol=1e-4
    )


def test_the_weights_of_mixup_are_of_the_beta_distribution(sums):
    """Its mean is 1/2, its variance 1 / (4 (2 α + 1))."""
    share = sums[0].share
    assert share.mean() == pytest.approx(0.5, abs=0.06)
    assert share.var() == pytest.approx(1 / (4 * 1.8), rel=0.15)


def test_cutmix_replaces_one_box_and_its_share_is_the_area_left(boxes):
    mixed, larger = boxes
    check_labels(mixed, larger)
    sizes = set()
    for images, others, share in zip(mixed.images, mixed.others, mixed.share, strict=True):
        moved = others != LABELS
        if not moved.any():
            continue
        changed = (images != IMAGES)[moved]
        box = changed[0, :, :, 0]
        assert (changed == box[None, :, :, None]).all(), "one box for all images and channels"
        rows, columns = box.any(1), box.any(0)
        assert (box == rows[:, None] & columns[None]).all()
        assert np.diff(np.flatnonzero(rows)).max(initial=1) == 1  # no gaps
        partner = np.broadcast_to(10.0 * others[:, None, None, None], images.shape)
        assert (images == np.where(box[None, :, :, None], partner, IMAGES)).all()
        assert share == pytest.approx(1 - box.sum() / (HEIGHT * WIDTH), abs=1e-6)
        sizes.add((int(rows.sum()), int(columns.sum())))
    assert len(sizes) > 15 and (0, 0) in sizes


def test_the_side_of_a_box_is_the_root_of_what_is_replaced(monkeypatch):
    """λ = 0.75: half of either side where the box lies inside, 4 x 5 of 8 x 10 pixels."""
    monkeypatch.setattr("tenas_jax.train.augmentation._beta", lambda key, alpha: jnp.float32(0.75))
    shares = drawn(cutmix, 1.0)[0].share
    assert shares.min() == pytest.approx(1 - 20 / 80)
    # A centre in the corner leaves a quarter or more of the box: 2 x 3 pixels.
    assert shares.max() == pytest.approx(1 - 2 * 3 / 80)


def test_mixup_by_hand(monkeypatch):
    monkeypatch.setattr("tenas_jax.train.augmentation._beta", lambda key, alpha: jnp.float32(0.25))
    monkeypatch.setattr(
        "tenas_jax.train.augmentation._partners", lambda key, n: jnp.arange(n)[::-1]
    )
    mixed = mixup(KEYS[0], IMAGES[:2], LABELS[:2], 1.0)
    assert [float(image[0, 0, 0]) for image in mixed.images] == [7.5, 2.5]
    assert mixed.others.tolist() == mixed.larger.tolist() == [1, 0] and mixed.share == 0.25


def test_a_batch_has_one_way_or_the_other_with_chance_one_half():
    mixed, _ = drawn(mix, 0.4, 1.0)
    whole = (mixed.images == IMAGES) | (mixed.images == 10.0 * mixed.others[..., None, None, None])
    is_box = whole.all((1, 2, 3, 4))
    assert 0.4 < is_box.mean() < 0.6


@pytest.mark.parametrize(("alphas", "way"), [((0.4, 0), "mixup"), ((0, 0.7), "cutmix")])
def test_one_alone_is_that_one(alphas, way, monkeypatch):
    for name in ("mixup", "cutmix"):
        monkeypatch.setattr(
            f"tenas_jax.train.augmentation.{name}", lambda *args, n=name: (n, args[1:])
        )
    assert mix(KEYS[0], "images", "labels", *alphas) == (way, ("images", "labels", max(alphas)))


def test_the_dtype_of_images_is_kept():
    for way in (mixup, cutmix):
        mixed = jax.eval_shape(
            lambda w=way: w(KEYS[0], jnp.bfloat16(IMAGES), jnp.asarray(LABELS), 1.0)
        )
        assert mixed.images.dtype == jnp.bfloat16 and mixed.share.dtype == jnp.float32


def test_a_loss_is_shared_by_both_labels():
    mixed = Mixed(IMAGES, jnp.array([2, 3]), jnp.array([10, 20]), jnp.float32(0.75))
    assert mixed_loss(lambda labels: labels.sum(), mixed) == 0.75 * 5 + 0.25 * 30
    assert mixed_loss(lambda labels: labels.sum(), Mixed(IMAGES, jnp.array([2, 3]))) == 5
