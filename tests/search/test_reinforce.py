"""REINFORCE: one step by hand, what it learns, and how it ends."""

import numpy as np
import pytest

from tenas_jax.errors import UserError
from tenas_jax.scoring.scores import Score
from tenas_jax.search import policy

from .toy import METRICS, SPACES, Toy, build, run

SPACE = SPACES["nas_bench_201"]


def told(plan, rows):
    names = plan.metrics
    plan.tell(
        [
            Score({n: np.array([v]) for n, v in zip(names, row, strict=True)},
                  {n: ["ok"] for n in names})
            for row in rows
        ]
    )  # fmt: skip


def test_steps_by_hand():
    """Adam's first steps have the size of the rate in the direction of each gradient's sign."""
    plan = build("reinforce", metrics=("condition_number",), learning_rate=0.1)
    start = plan.logits.copy()
    plan.ask()
    told(plan, [(5.0,)])
    # The first reward is 0, and so is the baseline: nothing is learned.
    np.testing.assert_array_equal(plan.logits, start)
    [mask] = plan.ask()
    arch = SPACE.from_mask(mask)
    log_gradient = policy.gradient(SPACE, start, arch)
    told(plan, [(3.0,)])
    # κ fell by the whole range: r = 1. The baseline has it, debiased: (0.9 · 0 + 0.1) / 0.19.
    advantage = 2 / (2 + 1e-6) * (1 - 0.1 / 0.19)
    ascent = advantage * log_gradient
    first, second = 0.1 * ascent, 0.001 * ascent**2  # after a first gradient of zero
    step = (first / (1 - 0.9**2)) / (np.sqrt(second / (1 - 0.999**2)) + 1e-8)
    np.testing.assert_allclose(plan.logits, start + 0.1 * step, rtol=1e-4, atol=1e-6)
    assert (plan.logits[0, np.arange(6), arch[0]] > start[0, np.arange(6), arch[0]]).all()
    assert plan.history[-1]["reward"] == pytest.approx(2 / (2 + 1e-6))


def test_a_reward_is_relative_to_the_window_that_is_asked_for():
    plan = build("reinforce", metrics=("condition_number",), window=2)
    for kappa in (100.0, 3.0, 2.0):
        plan.ask()
        told(plan, [(kappa,)])
    assert plan.history[-1]["reward"] == pytest.approx(1 / (1 + 1e-6))  # the 100 is forgotten


def test_a_batch_is_the_mean_of_its_gradients():
    plan = build("reinforce", metrics=("condition_number",), batch=3, momentum=0.0, seed=1)
    start = plan.logits.copy()
    forms = {SPACE.cache_key(mask) for mask in plan.ask()}
    assert len(forms) == 3  # an equal form would have the value of the first
    told(plan, [(5.0,), (3.0,), (4.0,)])
    # With momentum 0 the baseline is the reward itself: no advantage, nothing learned.
    np.testing.assert_array_equal(plan.logits, start)
    assert plan.steps == 3 and plan.history[-1]["reward"] == pytest.approx((0 + 1 - 0.5) / 3)


def test_rates_by_space():
    from tenas_jax.search import reinforce

    assert (reinforce.LEARNING_RATE, reinforce.LEARNING_RATE_EDGES) == (0.04, 0.07)
    steps = {}
    for space in SPACES:
        plan = build("reinforce", space, metrics=("condition_number",))
        start = plan.logits.copy()
        for kappa in (5.0, 3.0):
            plan.ask()
            told(plan, [(kappa,)])
        steps[space] = np.abs(plan.logits - start).max()
    assert steps["darts"] / steps["nas_bench_201"] == pytest.approx(0.07 / 0.04, rel=1e-3)


def test_the_policy_moves_towards_what_is_rewarded():
    """By rank, of a score of the number of 3x3 convolutions, they become likelier on each edge."""
    plan = build("reinforce", metrics=("linear_regions",), reward="rank", steps=400)

    def scores(masks):
        count = [float((SPACE.from_mask(mask) == 3).sum()) for mask in masks]
        return [Score({"linear_regions": np.array([c])}, {"linear_regions": ["ok"]}) for c in count]

    run(plan, scores)
    p = policy.probabilities(SPACE, plan.logits)[0, :, 3]
    assert (p > 0.6).all()
    assert plan.history[-1]["entropy"] < 0.8 * plan.history[0]["entropy"]


def test_a_policy_that_has_collapsed_ends_the_search():
    plan = build("reinforce", learning_rate=30.0, reward="rank", batch=2)
    toy = Toy(SPACE)
    run(plan, toy)
    assert plan.collapsed and plan.steps < 500
    assert plan.history[-1]["entropy"] < policy.COLLAPSED
    assert plan.state()["own"]["collapsed"] and plan.result is not None


@pytest.mark.parametrize(
    ("options", "words"),
    [
        ({"learning_rate": 0.0}, "learning_rate is 0.0; valid: finite numbers above 0"),
        ({"learning_rate": -1.0}, "learning_rate is -1.0"),
        ({"learning_rate": float("inf")}, "learning_rate is inf"),
        ({"learning_rate": float("nan")}, "learning_rate is nan"),
        ({"learning_rate": "fast"}, "learning_rate is 'fast'; valid: finite numbers above 0"),
        ({"learning_rate": True}, "learning_rate is True"),
        ({"momentum": "0.9"}, "momentum is '0.9'"),
        ({"momentum": 1.0}, "momentum is 1.0; valid: from 0 to less than 1"),
        ({"momentum": -0.1}, "momentum is -0.1"),
        ({"window": 1}, "window is 1; valid: whole numbers from 2"),
        ({"reward": "changes"}, "unknown reward 'changes'.*did you mean 'change'"),
    ],
)
def test_options_that_are_none(options, words):
    with pytest.raises(UserError, match=words):
        build("reinforce", **options)


def test_a_rate_that_breaks_the_policy_is_one_line():
    plan = build("reinforce", learning_rate=1e39, reward="rank")
    with pytest.raises(UserError, match="not finite: take a smaller learning rate"):
        run(plan, Toy(SPACE))
    assert METRICS == plan.metrics
