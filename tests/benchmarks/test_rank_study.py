"""What is ranked beside what: scores of repeats and tables, combinations, baselines, floor."""

import numpy as np
import pandas as pd
import pytest
from scipy.stats import kendalltau, rankdata

from tenas_jax import spaces
from tenas_jax.benchmarks import Table
from tenas_jax.benchmarks.rank_study import (
    COMBINED,
    RANDOM,
    Study,
    scores_of,
    scores_of_table,
)
from tenas_jax.errors import UserError
from tenas_jax.scoring.combining import COMBINATIONS
from tenas_jax.scoring.scores import Score

SPACE = spaces.get("nas_bench_201")
ARCHS = [SPACE.to_string(SPACE.from_index(i)) for i in range(0, 15000, 500)]
K = len(ARCHS)
METRICS = ("condition_number", "linear_regions")
RNG = np.random.default_rng(0)
ACCURACY = RNG.random(K)
KAPPA = RNG.random((K, 3)) + 1
KAPPA[4, 2] = np.nan  # bad in the third repeat alone
REGIONS = RNG.integers(1, 9, (K, 3)).astype(float)


def accuracies(**columns) -> Table:
    return Table(pd.DataFrame({"arch": ARCHS, "test": ACCURACY, **columns}), SPACE)


def two_scores():
    flags = {name: ["ok"] * 3 for name in METRICS}
    scores = [
        Score({"condition_number": k, "linear_regions": r}, flags)
        for k, r in zip(KAPPA, REGIONS, strict=True)
    ]
    return scores_of(ARCHS, scores, METRICS, {"condition_number": 0.5, "linear_regions": 0.25})


def rows_of(study, scores):
    return {row.score: row.to_dict() for row in study.rows(scores)}


def test_every_score_combination_and_baseline_has_a_row():
    study = Study.of(ARCHS, accuracies(), ["test"], resamples=20)
    rows = rows_of(study, two_scores())
    assert list(rows) == [*METRICS, *COMBINED, "parameters", "multiply_adds", RANDOM]
    kappa = KAPPA.mean(1)
    expected = kendalltau(rankdata(-np.where(np.isnan(kappa), 99, kappa)), ACCURACY).statistic
    assert rows["condition_number"]["tau"] == pytest.approx(expected)
    assert rows["condition_number"]["bad"] == 1
    regions = kendalltau(REGIONS.mean(1), ACCURACY).statistic
    assert rows["linear_regions"]["tau"] == pytest.approx(regions)
    assert abs(rows[RANDOM]["tau"]) < 0.5
    assert rows["rank_sum"]["seconds"] == 0.75 and rows["parameters"]["seconds"] is None


def test_baselines_are_those_of_the_networks():
    study = Study.of(ARCHS, accuracies(), ["test"], resamples=20)
    convs = [arch.count("nor_conv_3x3") * 9 + arch.count("nor_conv_1x1") for arch in ARCHS]
    np.testing.assert_array_equal(rankdata(study.baselines["parameters"]), rankdata(convs))
    row = rows_of(study, two_scores())["parameters"]
    assert row["tau"] == pytest.approx(kendalltau(convs, ACCURACY).statistic)
    assert row["partial"] is None and row["note"]


def test_the_floor_picks_what_chance_picks_on_average():
    row = rows_of(Study.of(ARCHS, accuracies(), ["test"], resamples=20), two_scores())[RANDOM]
    assert row["rank_in_10_draws"] == pytest.approx((K + 1) / 2)
    assert row["precision_10"] == pytest.approx(10 / K)
    # The best of 10 of K drawn without replacement: (K + 1) / (10 + 1).
    assert row["best_rank_10"] == pytest.approx((K + 1) / 11)


def test_tau_by_repeats_averaged():
    study = Study.of(ARCHS, accuracies(), ["test"], resamples=20)
    rows = study.by_repeats(two_scores())
    taus = {(row["score"], row["repeats"]): row["tau"] for row in rows}
    assert {r for _, r in taus} == {1, 2, 3}
    for repeats in (1, 2):
        kappa = KAPPA[:, :repeats].mean(1)
        expected = kendalltau(-kappa, ACCURACY).statistic
        assert taus["condition_number", repeats] == pytest.approx(expected)
        expected = kendalltau(REGIONS[:, :repeats].mean(1), ACCURACY).statistic
        assert taus["linear_regions", repeats] == pytest.approx(expected)
    assert ("rank_sum", 3) in taus and (RANDOM, 1) not in taus


def test_the_joined_table():
    study = Study.of(ARCHS, accuracies(), ["test"], resamples=20)
    frame = study.frame(two_scores())
    names = ["arch", *METRICS, "parameters", "multiply_adds", "test"]
    assert list(frame.columns) == names and frame["arch"].tolist() == ARCHS
    np.testing.assert_array_equal(frame["condition_number"], KAPPA.mean(1))
    np.testing.assert_array_equal(frame["test"], ACCURACY)


def test_weights_add_a_combination():
    weights = {"condition_number": 1.0, "linear_regions": 0.0}
    study = Study.of(ARCHS, accuracies(), ["test"], resamples=20, weights=weights)
    rows = rows_of(study, two_scores())
    assert rows["weighted"]["tau"] == pytest.approx(rows["condition_number"]["tau"])
    assert set(COMBINED) | {"weighted"} == set(COMBINATIONS)


def test_scores_of_a_table_of_any_columns():
    table = accuracies(condition_number=KAPPA[:, 0], mine=REGIONS[:, 0], other=KAPPA[:, 1])
    assert list(scores_of_table(table).values) == ["condition_number"]
    scores = scores_of_table(table, ["mine", "-other", "condition_number"])
    assert scores.lower_is_better == {"other", "condition_number"} and scores.repeats == 1
    good = scores.goodness()
    np.testing.assert_array_equal(good["mine"], REGIONS[:, 0])
    np.testing.assert_array_equal(good["other"], -KAPPA[:, 1])
    rows = rows_of(Study.of(ARCHS, accuracies(), ["test"], resamples=20), scores)
    assert rows["other"]["tau"] == pytest.approx(kendalltau(-KAPPA[:, 1], ACCURACY).statistic)


def test_one_score_alone_is_not_combined():
    scores = scores_of_table(accuracies(mine=REGIONS[:, 0]), ["mine"])
    rows = rows_of(Study.of(ARCHS, accuracies(), ["test"], resamples=20), scores)
    assert list(rows) == ["mine", "parameters", "multiply_adds", RANDOM]


def test_a_constant_score_is_said_to_be_one():
    scores = scores_of_table(accuracies(same=np.ones(K)), ["same"])
    row = rows_of(Study.of(ARCHS, accuracies(), ["test"], resamples=20), scores)["same"]
    assert row["tau"] is None and row["rho"] is None and "constant" in row["note"]


@pytest.mark.parametrize(
    ("archs", "columns", "options", "words"),
    [
        (ARCHS[:9], ["test"], {}, "9"),
        (ARCHS, ["tset"], {}, "unknown column 'tset'.*'test'"),
        (ARCHS, [], {}, "--columns names none; valid: test"),
        (ARCHS, ["test"], {"combinations": ("rank_some",)}, "unknown combination 'rank_some'"),
        (ARCHS, ["test"], {"combinations": ("weighted",)}, "unknown combination 'weighted'"),
        ([SPACE.to_string(SPACE.from_index(7)), *ARCHS], ["test"], {}, "no architecture '"),
    ],
)
def test_mistakes_are_found_before_anything_is_scored(archs, columns, options, words):
    with pytest.raises(UserError, match=words):
        Study.of(archs, accuracies(), columns, **options)


def test_a_table_without_scores():
    with pytest.raises(UserError, match="no column of a metric .* it has test"):
        scores_of_table(accuracies())
    with pytest.raises(UserError, match="unknown column 'nope'"):
        scores_of_table(accuracies(), ["-nope"])
