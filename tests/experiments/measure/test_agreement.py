"""What is said of estimates beside exact gains, by hand."""

import numpy as np
import pytest

from experiments.measure.agreement import agreement, compared
from tenas_jax import spaces
from tenas_jax.errors import UserError
from tenas_jax.runs.workdir import Workdir
from tenas_jax.scoring.scores import Score
from tenas_jax.search import Pruning, search

SPACE = spaces.get("nas_bench_201")
KAPPA = "condition_number"


def test_tau_repeats_and_the_same_first():
    exact = np.array([[1.0, 2, 3, 4], [1.0, 2, 4, 3]])
    found = compared(np.array([1.0, 2, 4, 3]), exact, ["a", "a", "b", "b"])
    # Means 1 2 3.5 3.5: of six pairs one is tied there, none disagrees: 5 / sqrt(6 · 5).
    assert found["tau"] == pytest.approx(5 / np.sqrt(30))
    assert found["repeats"] == pytest.approx(4 / 6)
    assert found["same"] == 1.0  # in a the second is first; in b of equals the first
    found = compared(np.array([2.0, 1, 4, 3]), exact[:1], ["a", "a", "b", "b"])
    assert found["repeats"] is None and found["same"] == 0.0
    worst = np.array([[1.0, -np.inf, 3, 2]])
    assert compared(np.array([2.0, 1, 4, 3]), worst, "aabb")["tau"] == 1.0


class Additive:
    """An evaluator whose log κ is linear in the weights: estimates rank as exact gains do."""

    space, engine, key = SPACE, "none", staticmethod(SPACE.cache_key)

    def __init__(self):
        self.slopes = 0.1 * np.random.default_rng(0).normal(size=SPACE.mask_shape)
        self.protocol = type("P", (), {"metrics": (KAPPA,)})()

    def score(self, masks, draw, known=None, *, metrics=None, gradients=False):
        for i, mask in enumerate(masks):
            weights = mask / np.maximum(mask.sum(-1, keepdims=True), 1)
            kappa = np.exp((self.slopes * weights).sum()) * np.array([1.0, 2.0])
            slopes = {KAPPA: np.stack([self.slopes] * 2)} if gradients else {}
            yield i, self.key(mask), Score({KAPPA: kappa}, {KAPPA: ["ok", "ok"]}, 0.5, slopes), True


@pytest.fixture
def finished(tmp_path):
    """A search by pruning, and its records."""
    evaluator, plan = Additive(), Pruning(SPACE, [KAPPA])
    with Workdir.open(tmp_path / "w", {"a": 1}) as work:
        search(plan, evaluator, work)
    return evaluator, Workdir.read(tmp_path / "w")


def test_rounds_of_a_search(finished):
    rows = list(agreement(*finished))
    assert [(row["round"], row["removals"]) for row in rows] == [(0, 24), (1, 18), (2, 12)]
    for row in rows:
        assert row["metric"] == KAPPA and row["same"] == 1.0
        assert row["tau"] == pytest.approx(1) and row["repeats"] == pytest.approx(1)
        assert row["exact_seconds"] == 0.5 * (row["removals"] + 1)
        assert row["gradient_seconds"] == 0.5


def test_a_search_that_is_not_finished_or_no_pruning(finished, tmp_path):
    evaluator, work = finished
    with Workdir.open(tmp_path / "other", {"a": 1}) as other:
        with pytest.raises(UserError, match="holds no finished search by pruning"):
            next(agreement(evaluator, other))
        other.save_checkpoint({"done": True})
        other.append_round({"round": 0, "best": 1})
        with pytest.raises(UserError, match="holds no finished search by pruning"):
            next(agreement(evaluator, other))
