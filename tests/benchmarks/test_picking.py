"""What a score picks, against enumeration of every subset and every order of ties."""

import itertools

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from tenas_jax.benchmarks.ranking import best_rank_at, precision_at, rank_in_draws

# Few values, so that most tie; some columns of six and seven architectures.
COLUMNS = [
    ([1, 2, 3, 4, 5, 6], [1, 2, 3, 4, 5, 6]),
    ([6, 5, 4, 3, 2, 1], [1, 2, 3, 4, 5, 6]),
    ([1, 1, 2, 2, 2, 3], [2, 1, 1, 3, 3, 2]),
    ([1, 1, 1, 1, 1, 1], [1, 2, 3, 4, 5, 6]),
    ([1, 2, 3, 4, 5, 6], [1, 1, 1, 1, 1, 1]),
    ([0, 0, 0, 0, 5, 5], [3, 1, 2, 9, 0, 1]),
    ([3, 1, 3, 1, 2, 2], [2, 2, 0, 1, 0, 2]),
]
COLUMNS = [(np.array(x, float), np.array(y, float)) for x, y in COLUMNS]


def orders(values):
    """Every order of architectures, the largest first, that agrees with the values."""
    groups = [np.flatnonzero(values == v) for v in sorted(set(values), reverse=True)]
    for parts in itertools.product(*(itertools.permutations(group) for group in groups)):
        yield list(itertools.chain(*parts))


def mean_ranks(accuracy):
    """1 for the highest; by counting."""
    return [1 + sum(accuracy > a) + (sum(accuracy == a) - 1) / 2 for a in accuracy]


@pytest.mark.parametrize(("score", "accuracy"), COLUMNS)
@pytest.mark.parametrize("k", [1, 2, 3, 5, 6])
def test_the_best_k_against_all_orders_of_ties(score, accuracy, k):
    ranks = mean_ranks(accuracy)
    tops = [order[:k] for order in orders(score)]
    best = np.mean([min(ranks[i] for i in top) for top in tops])
    assert best_rank_at(k, score, accuracy) == pytest.approx(best)
    true = {frozenset(order[:k]): 0 for order in orders(accuracy)}  # all sets come equally often
    hits = np.mean([len(t & set(top)) / k for t in true for top in tops])
    assert precision_at(k, score, accuracy) == pytest.approx(hits)


@pytest.mark.parametrize(("score", "accuracy"), COLUMNS)
@pytest.mark.parametrize("draws", [1, 2, 3, 5, 6])
def test_random_draws_against_all_subsets(score, accuracy, draws):
    ranks, picked = np.array(mean_ranks(accuracy)), []
    for subset in map(list, itertools.combinations(range(len(score)), draws)):
        best = score[subset] == score[subset].max()
        picked.append(ranks[subset][best].mean())
    assert rank_in_draws(draws, score, accuracy) == pytest.approx(np.mean(picked))


def test_closed_forms_of_many():
    n = 15_625
    up = np.arange(n, dtype=float)
    same = np.ones(n)
    for k in (10, 100):
        assert precision_at(k, up, up) == best_rank_at(k, up, up) == 1
        assert precision_at(k, -up, up) == 0
        assert best_rank_at(k, -up, up) == n - k + 1
        assert precision_at(k, same, up) == pytest.approx(k / n)
        # The least of k numbers drawn from 1..n without replacement.
        assert best_rank_at(k, same, up) == pytest.approx((n + 1) / (k + 1))
        assert rank_in_draws(k, up, up) == pytest.approx((n + 1) / (k + 1))
        assert rank_in_draws(k, -up, up) == pytest.approx(n + 1 - (n + 1) / (k + 1))
        assert rank_in_draws(k, same, up) == pytest.approx((n + 1) / 2)
    assert rank_in_draws(n, up, up) == 1
    assert rank_in_draws(1, up, up) == pytest.approx((n + 1) / 2)


@given(st.data())
def test_only_the_order_counts_and_not_that_of_the_rows(data):
    n = data.draw(st.integers(2, 12))
    column = st.lists(st.integers(-4, 4).map(float), min_size=n, max_size=n).map(np.array)
    score, accuracy, k = data.draw(column), data.draw(column), data.draw(st.integers(1, n))
    turned = np.array(data.draw(st.permutations(range(n))))
    for function in (precision_at, best_rank_at, rank_in_draws):
        value = function(k, score, accuracy)
        assert function(k, np.exp(score), accuracy**3 + 5) == pytest.approx(value)
        assert function(k, score[turned], accuracy[turned]) == pytest.approx(value)
