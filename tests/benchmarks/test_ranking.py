"""A row of statistics: perfect, reversed and by hand; bad scores, blanks, and the undefined."""

import json

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from scipy.stats import kendalltau, spearmanr

from tenas_jax.benchmarks.intervals import resamples
from tenas_jax.benchmarks.ranking import MIN_ROWS, Ranking, check_rows, rank
from tenas_jax.errors import UserError

FIELDS = (
    "score accuracy n bad tau tau_low tau_high rho rho_low rho_high r_ranks r_ranks_low "
    "r_ranks_high tau_top precision_10 precision_100 best_rank_10 best_rank_100 rank_in_10_draws "
    "rank_in_100_draws partial partial_low partial_high seconds note"
).split()
RNG = np.random.default_rng(0)
N = 240
Y = RNG.normal(size=N)
SIZE = Y + RNG.normal(size=N)
X = Y + SIZE + RNG.normal(size=N)


def ranked(goodness, accuracy, covariates=None, draws=20, **options) -> Ranking:
    covariates = {} if covariates is None else covariates
    some = resamples(len(accuracy), draws, 0)
    return rank(
        "mine", goodness, "test", accuracy, covariates=covariates, resamples=some, **options
    )


def test_a_perfect_score_and_its_reverse():
    up = np.arange(200.0)
    row = ranked(up**3, up, {"other": np.arange(200) % 7})
    names = ("tau", "rho", "r_ranks", "partial")
    ends = [f"{name}{end}" for name in names for end in ("", "_low", "_high")]
    for name in (*ends, "tau_top", "precision_10", "precision_100", "best_rank_10"):
        assert getattr(row, name) == pytest.approx(1), name
    assert (row.n, row.bad, row.note, row.best_rank_100) == (200, 0, None, 1)
    assert row.rank_in_10_draws == pytest.approx(201 / 11)
    row = ranked(-up, up, {"other": np.arange(200) % 7})
    for name in (*ends, "tau_top"):
        assert getattr(row, name) == pytest.approx(-1), name
    assert (row.precision_10, row.precision_100) == (0, 0)
    assert (row.best_rank_10, row.best_rank_100) == (191, 101)
    assert row.rank_in_100_draws == pytest.approx(201 - 201 / 101)


def test_a_swap_by_hand():
    """The best and the worst of 20 change places: 37 of 190 pairs turn round."""
    accuracy = np.arange(20.0)
    score = accuracy.copy()
    score[[0, 19]] = score[[19, 0]]
    row = ranked(score, accuracy, draws=500)
    assert row.tau == pytest.approx(1 - 2 * 37 / 190)
    assert row.rho == pytest.approx(1 - 6 * (2 * 19**2) / (20 * 399))
    assert -1 <= row.tau_low < row.tau < row.tau_high <= 1
    assert row.rho_low < row.rho < row.rho_high
    assert row.precision_10 == 0.9 and row.best_rank_10 == 2
    # Half of the draws hold the worst, and it is picked; else it is place 20 / 11 from rank 2.
    assert row.rank_in_10_draws == pytest.approx(0.5 * 20 + 0.5 * (1 + 20 / 11))


def test_rank_correlations_are_scipys_and_r_of_ranks_is_rho():
    score, accuracy = np.round(X), np.round(Y, 1)
    row = ranked(score, accuracy)
    assert row.tau == pytest.approx(kendalltau(score, accuracy).statistic)
    assert row.rho == pytest.approx(spearmanr(score, accuracy).statistic)
    assert (row.r_ranks, row.r_ranks_low, row.r_ranks_high) == pytest.approx(
        (row.rho, row.rho_low, row.rho_high)
    )
    top = accuracy >= np.sort(accuracy)[-24]
    assert row.tau_top == pytest.approx(kendalltau(score[top], accuracy[top]).statistic)


def test_what_size_alone_says_is_gone_where_size_is_held_fixed():
    echo = SIZE + 0.5 * RNG.normal(size=N)  # knows the accuracy by the size alone
    row = ranked(echo, Y, {"size": SIZE}, draws=300)
    assert row.rho > 0.5 and row.rho_low > 0.4
    assert row.partial_low < 0 < row.partial_high and abs(row.partial) < 0.15
    assert ranked(X, Y, {"size": SIZE}, draws=300).partial_low > 0.2


def test_bad_scores_rank_last_and_tie():
    score = X.copy()
    score[:7] = np.nan, np.inf, -np.inf, np.nan, np.nan, np.nan, np.nan
    row, instead = ranked(score, Y, {"size": SIZE}), np.where(np.arange(N) < 7, -99.0, X)
    assert row.bad == 7 and row.n == N
    assert {**row.to_dict(), "bad": 0} == ranked(instead, Y, {"size": SIZE}).to_dict()


def test_architectures_without_an_accuracy_are_left_out():
    accuracy, score = Y.copy(), X.copy()
    accuracy[::6], score[:2] = np.nan, np.nan
    kept = np.isfinite(accuracy)
    row = ranked(score, accuracy, {"size": SIZE})
    alone = ranked(score[kept], accuracy[kept], {"size": SIZE[kept]})
    assert (row.n, row.bad) == (alone.n, alone.bad) == (200, 1)
    for name in FIELDS:
        if not name.endswith(("_low", "_high")):  # by other resamples
            assert getattr(row, name) == getattr(alone, name), name
    assert row.tau_low == pytest.approx(alone.tau_low, abs=0.05)


def test_the_same_resamples_pair_the_comparisons():
    some = resamples(N, 50, 0)
    rows = [
        rank(name, goodness, "test", Y, covariates={"size": SIZE}, resamples=some).to_dict()
        for name, goodness in (("a", X), ("b", np.exp(X)), ("a", X))
    ]
    assert rows[0] == rows[2] == {**rows[1], "score": "a"}


def test_a_row_is_flat_json():
    row = ranked(X, Y, {"size": SIZE}, seconds=0.25).to_dict()
    assert list(row) == FIELDS and json.loads(json.dumps(row, allow_nan=False)) == row
    assert (row["score"], row["accuracy"], row["seconds"]) == ("mine", "test", 0.25)
    undefined = ranked(np.ones(N), Y, {"size": SIZE}).to_dict()
    assert list(undefined) == FIELDS and json.dumps(undefined, allow_nan=False)


CORRELATIONS = [f for f in FIELDS if f.startswith(("tau", "rho", "r_ranks", "partial"))]
PARTIAL = [f for f in FIELDS if f.startswith("partial")]
OF_100 = ["precision_100", "best_rank_100"]


@pytest.mark.parametrize(
    ("goodness", "accuracy", "covariates", "note", "undefined"),
    [
        (np.ones(N), Y, {"size": SIZE}, "constant score: no correlation", CORRELATIONS),
        (np.full(N, np.nan), Y, {"size": SIZE}, "constant score: no correlation", CORRELATIONS),
        (X, np.ones(N), {"size": SIZE}, "constant accuracy: no correlation", CORRELATIONS),
        (X, Y, {"mine": X, "size": SIZE}, "is itself held fixed", PARTIAL),
        (X, Y, {"double": X * 2}, "what is held fixed determines the score or", PARTIAL),
        (X, Y, {"truth": Y}, "what is held fixed determines the score or the accuracy", PARTIAL),
        (X, Y, {}, "nothing is held fixed", PARTIAL),
        (np.minimum(X, -5), Y, {"s": SIZE}, "constant score in the top 10 %", ["tau_top"]),
        (X, np.minimum(Y, 0), {"s": SIZE}, "constant accuracy in the top 10 %", ["tau_top"]),
        (X[:199], Y[:199], {"s": SIZE[:199]}, "fewer than 200 architectures: no best 100", OF_100),
        (
            X[:99],
            Y[:99],
            {"s": SIZE[:99]},
            "fewer than 10 architectures in the top 10 %; fewer than 200 architectures",
            [*OF_100, "tau_top", "rank_in_100_draws"],
        ),
    ],
)
def test_what_is_undefined_is_none_and_a_note_says_why(
    goodness, accuracy, covariates, note, undefined
):
    row = ranked(goodness, accuracy, covariates).to_dict()
    assert note in row["note"]
    nones = [name for name, value in row.items() if value is None]
    assert sorted(nones) == sorted([*undefined, "seconds"])


def test_the_fewest_rows():
    row = ranked(np.arange(10.0), np.arange(10.0), {"size": np.arange(10) % 3})
    assert (row.n, row.rank_in_10_draws, row.precision_10) == (10, 1, None)
    assert row.tau == pytest.approx(1)
    check_rows(MIN_ROWS)
    with pytest.raises(UserError, match="^9 architectures; to rank them takes at least 10$"):
        check_rows(9)
    with pytest.raises(UserError, match="^9 accuracies in column 'test'; .* at least 10$"):
        ranked(np.arange(20.0), np.where(np.arange(20) < 9, 1.0, np.nan))


@pytest.mark.parametrize(
    ("options", "words"),
    [
        ({"goodness": X[:-1]}, r"are of \[239, 240, 240, 240\] architectures"),
        ({"accuracy": Y[:-1]}, r"are of \[240, 239, 240, 240\] architectures"),
        ({"covariates": {"size": SIZE[1:]}}, r"are of \[240, 240, 239, 240\] architectures"),
        ({"resamples": resamples(N - 1, 3, 0)}, r"are of \[240, 240, 240, 239\] architectures"),
        ({"covariates": {"size": [np.nan, *SIZE[1:]]}}, "^size is held fixed, and is not known"),
    ],
)
def test_what_does_not_fit(options, words):
    whole = {
        "goodness": X,
        "accuracy": Y,
        "covariates": {"size": SIZE},
        "resamples": resamples(N, 3, 0),
    }
    with pytest.raises(UserError, match=words):
        rank("mine", accuracy_name="test", **{**whole, **options})


@settings(max_examples=30, deadline=None)
@given(st.data())
def test_monotone_maps_and_the_order_of_rows_change_nothing(data):
    n = data.draw(st.integers(MIN_ROWS, 30))
    column = st.lists(st.integers(-6, 6).map(float), min_size=n, max_size=n).map(np.array)
    score, accuracy, size = (data.draw(column) for _ in range(3))
    turned = np.array(data.draw(st.permutations(range(n))))
    row = ranked(score, accuracy, {"size": size}, draws=5).to_dict()
    mapped = ranked(np.exp(score), accuracy**3 - 1, {"size": size * 5}, draws=5).to_dict()
    assert mapped == row
    moved = ranked(score[turned], accuracy[turned], {"size": size[turned]}, draws=5).to_dict()
    for name, value in row.items():
        if not name.endswith(("_low", "_high")):  # the resamples are of other rows
            assert moved[name] == (pytest.approx(value) if isinstance(value, float) else value)
    for name in ("tau", "rho", "partial"):
        assert row[name] is None or -1 <= row[name] <= 1
