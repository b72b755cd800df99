"""The policy: what it draws, its gradient and its entropy."""

import jax
import jax.numpy as jnp
import numpy as np
import pytest

from tenas_jax import spaces
from tenas_jax.errors import UserError
from tenas_jax.search import policy

NB201, DARTS = spaces.get("nas_bench_201"), spaces.get("darts")
by_space = pytest.mark.parametrize("space", [NB201, DARTS], ids=lambda space: space.name)


def logits_of(space, seed=0, scale=1.0):
    rng = np.random.default_rng(seed)
    return (scale * rng.normal(size=space.mask_shape)).astype(np.float32)


@by_space
def test_it_starts_nearly_uniform(space):
    logits = policy.initial_logits(space, np.random.default_rng(0))
    assert logits.dtype == np.float32 and logits.shape == space.mask_shape
    assert logits.std() == pytest.approx(1e-3, rel=0.3)
    choices = len(space.operations) - (space.inputs_per_node is not None)
    assert policy.entropy(space, logits) == pytest.approx(np.log(choices), abs=1e-5)


@by_space
def test_operations_are_drawn_as_often_as_their_probability_says(space):
    logits, rng = logits_of(space), np.random.default_rng(1)
    archs = np.array([policy.sample(space, logits, rng) for _ in range(3000)])
    for arch in archs[:50]:
        space.check(arch)
    p = policy.probabilities(space, logits)
    assert p.sum(-1) == pytest.approx(np.ones(p.shape[:2]))
    # An edge that is always there: the first of DARTS's first node, and all of NAS-Bench-201.
    for cell in range(space.cells):
        shares = np.bincount(archs[:, cell, 0], minlength=len(space.operations)) / len(archs)
        np.testing.assert_allclose(shares, p[cell, 0], atol=4 * np.sqrt(0.25 / len(archs)))
    if space is DARTS:
        assert (p[..., 0] == 0).all()


def test_two_edges_a_node_are_drawn_by_the_logits_of_their_operations():
    """One operation is all but certain on each edge, so the edges' shares are known."""
    logits = np.zeros(DARTS.mask_shape, np.float32)
    into = [i for i, (target, _) in enumerate(DARTS.edges) if target == 3]  # three edges
    logits[..., 2] = 20
    logits[0, into, 2] = 20 + np.log([1.0, 2.0, 5.0])
    rng = np.random.default_rng(0)
    archs = np.array([policy.sample(DARTS, logits, rng) for _ in range(4000)])
    left_out = [(archs[:, 0, edge] == 0).mean() for edge in into]
    # Without replacement, by weights a, b, c of sum 1: the third is left out with a b (1/(1-a) +
    # 1/(1-b)).
    w = np.array([1, 2, 5]) / 8
    wanted = [w[j] * w[k] * (1 / (1 - w[j]) + 1 / (1 - w[k])) for j, k in ((1, 2), (0, 2), (0, 1))]
    np.testing.assert_allclose(left_out, wanted, atol=0.03)
    assert sum(wanted) == pytest.approx(1)


@by_space
def test_the_gradient_is_that_of_the_chosen_operations_log_probability(space):
    logits = logits_of(space)
    arch = policy.sample(space, logits, np.random.default_rng(3))

    def log_probability(logits):
        if space is DARTS:
            logits = logits.at[..., 0].set(-1e9)
        logs = jax.nn.log_softmax(logits)
        own = jnp.take_along_axis(logs, jnp.asarray(arch, int)[..., None], -1)[..., 0]
        return (own * jnp.asarray(arch != 0, float)).sum() if space is DARTS else own.sum()

    wanted = jax.grad(log_probability)(jnp.asarray(logits))
    np.testing.assert_allclose(policy.gradient(space, logits, arch), wanted, atol=1e-6)


def test_entropy_by_hand():
    logits = np.full(NB201.mask_shape, -50.0)
    logits[..., 1] = 0
    assert 0 <= policy.entropy(NB201, logits) < 1e-12 < policy.COLLAPSED
    logits[0, 0, 2] = 0  # one of six edges has two choices
    assert policy.entropy(NB201, logits) == pytest.approx(np.log(2) / 6)


@by_space
def test_a_certain_policy_still_draws(space):
    logits = np.zeros(space.mask_shape, np.float32)
    logits[..., 3] = 1e4
    arch = policy.sample(space, logits, np.random.default_rng(0))
    assert set(np.unique(arch)) <= {0, 3}
    space.check(arch)


@pytest.mark.parametrize("value", [np.nan, np.inf, -np.inf])
def test_logits_that_are_none(value):
    logits = np.zeros(NB201.mask_shape)
    logits[0, 0, 0] = value
    with pytest.raises(UserError, match="logits are not finite: take a smaller learning rate"):
        policy.sample(NB201, logits, np.random.default_rng(0))
