"""Rewards by hand."""

import numpy as np
import pytest

from tenas_jax.search.reinforce import REWARDS, WINDOW, Change, Rank

METRICS = ("condition_number", "linear_regions")


def rewards(reward, rows):
    return [reward(dict(zip(METRICS, row, strict=True))) for row in rows]


def test_changes_relative_to_the_range_so_far():
    found = rewards(Change(METRICS, "rank_sum"), [(10.0, 5.0), (8.0, 5.0), (9.0, 9.0), (4.0, 7.0)])
    small = 1e-6
    wanted = [
        0.0,
        2 / (2 + small),  # κ fell by 2, the whole range; regions stayed
        -1 / (2 + small) + 4 / (4 + small),
        5 / (6 + small) - 2 / (4 + small),
    ]
    assert found == pytest.approx(wanted)


def test_the_range_is_of_the_last_ten():
    kappas = [100.0, *np.linspace(9, 1, 9), 2.0]
    reward = Change(("condition_number",), "rank_sum")
    found = [reward({"condition_number": kappa}) for kappa in kappas]
    assert found[9] == pytest.approx(1 / (99 + 1e-6))  # the tenth: 100 is still among them
    assert found[10] == pytest.approx(-1 / (8 + 1e-6)) and WINDOW == 10


def test_the_range_may_be_of_more():
    kappas = [100.0, *np.linspace(9, 1, 9), 2.0]
    reward = Change(("condition_number",), "rank_sum", window=20)
    found = [reward({"condition_number": kappa}) for kappa in kappas]
    assert found[10] == pytest.approx(-1 / (99 + 1e-6))  # the first of eleven still counts


def test_a_bad_value_is_the_worst_so_far():
    reward = Change(("condition_number",), "rank_sum")
    found = [reward({"condition_number": v}) for v in (np.nan, 3.0, 7.0, 5.0, np.nan, 5.0)]
    assert found[:2] == [0.0, 0.0]  # nothing to compare with
    assert found[2:] == pytest.approx([-1, 0.5, -0.5, 0.5], rel=1e-5)
    regions = Change(("linear_regions",), "rank_sum")
    found = [regions({"linear_regions": v}) for v in (4.0, 9.0, np.nan)]
    assert found == pytest.approx([0, 1, -1], rel=1e-5)


def test_ranks_among_all_so_far():
    found = rewards(Rank(METRICS, "rank_sum"), [(5.0, 5), (4.0, 6), (6.0, 1), (4.5, 5.5), (4.0, 6)])
    # The first has no other; then the best, the worst, the second of four, equal with the best.
    assert found == pytest.approx([0, 0.5, -0.5, 2 / 3 - 0.5, 3.5 / 4 - 0.5])


@pytest.mark.parametrize("name", REWARDS)
def test_resumed_it_goes_on_the_same(name):
    rng = np.random.default_rng(0)
    rows = [(float(a), float(b)) for a, b in rng.normal(size=(30, 2))]
    rows[4] = rows[17] = (np.nan, 2.0)
    whole = rewards(REWARDS[name](METRICS, "rank_sum"), rows)
    for told in range(len(rows)):
        again = REWARDS[name](METRICS, "rank_sum")
        again.recall(dict(zip(METRICS, row, strict=True)) for row in rows[:told])
        assert rewards(again, rows[told:]) == whole[told:]
    assert all(np.isfinite(whole))
