"""Growth by made-up scores: its candidates, its choices, its limits, and what it refuses."""

import json

import numpy as np
import pytest

from tenas_jax.errors import UserError
from tenas_jax.networks.as_vit.shapes import parameters
from tenas_jax.scoring.scores import Score
from tenas_jax.search.growth import Growth, choose
from tenas_jax.search.strategy import Past
from tenas_jax.spaces.as_vit.grown import AsVitSizes
from tenas_jax.spaces.as_vit.sizes import Sizes

SEED = "8,2,3|4,1,2|4,1,4|4,1,6|32"
SPACE = AsVitSizes(SEED)
METRICS = ("condition_number", "length_distortion")
MILLION = 1_000_000


def growth(**options):
    return Growth(
        SPACE, METRICS, **{"scale": 1, "classes": 10, "least": None, "most": MILLION} | options
    )


def score(kappa, length):
    values = {"condition_number": kappa, "length_distortion": length}
    return Score(
        {name: np.array([value]) for name, value in values.items()},
        {name: ["ok" if np.isfinite(value) else "singular"] for name, value in values.items()},
        0.1,
    )


def tell(strategy, best=0):
    """Scores in which one candidate is best."""
    count = len(strategy.ask())
    strategy.tell([score(1.0 if at == best else 2.0 + at, 1.0) for at in range(count)])


def count(sizes, **options):
    return parameters(SPACE.topology, sizes, **options)


def test_candidates_are_one_block_and_every_width():
    masks = growth(hidden=100, most=10**9).ask()
    found = [SPACE.from_mask(mask) for mask in masks]
    deeper = [(2, 1, 1, 1), (1, 2, 1, 1), (1, 1, 2, 1), (1, 1, 1, 2)]
    assert found == [Sizes(d, w) for d in deeper for w in (105, 110, 115, 120)]


def test_equal_widths_are_tried_once():
    """8 · 1.05 = 8.4, 8.8, 9.2 and 9.6 round to 8, 9, 9 and 10."""
    found = [SPACE.from_mask(mask).hidden for mask in growth().ask()]
    assert found == [8, 9, 10] * 4


def test_a_step_takes_the_best_and_tells_what_it_knew():
    strategy = growth()
    tell(strategy, best=4)
    assert strategy.sizes == Sizes((1, 2, 1, 1), 9) and strategy.round == 1
    (step,) = strategy.history
    assert step["string"] == "8,2,3,1|4,1,2,2|4,1,4,1|4,1,6,1|32,9"
    assert step["sizes"] == [1, 2, 1, 1, 9] and step["chosen"] == 4 and step["rank_sum"] == 0
    assert step["parameters"] == count(strategy.sizes, classes=10)
    assert step["condition_number"] == 1.0 and step["length_distortion"] == 1.0
    assert len(step["candidates"]) == 12 and step["candidates"][4]["rank_sum"] == 0
    assert step["candidates"][0]["condition_number"] == 2.0


def test_what_is_grown_is_wider_than_what_is_scored():
    strategy = growth(scale=4, most=10 * MILLION, classes=1000)
    tell(strategy, best=2)
    (step,) = strategy.history
    assert SPACE.from_mask(strategy.space.to_mask(strategy.sizes)).hidden == 10
    assert step["sizes"] == [2, 1, 1, 1, 40] and step["string"].endswith("|32,40")
    assert step["parameters"] == count(Sizes((2, 1, 1, 1), 40), classes=1000)


def test_it_grows_up_to_the_limit():
    strategy = growth()
    while not strategy.done:
        assert all(count(SPACE.from_mask(m), classes=10) <= MILLION for m in strategy.ask())
        tell(strategy, best=len(strategy.ask()) - 1)
    assert strategy.result == strategy.sizes and strategy.ask() == []
    sizes = [step["parameters"] for step in strategy.history]
    assert sizes == sorted(sizes) and 0.5 * MILLION < sizes[-1] <= MILLION


def test_it_ends_once_it_is_large_enough():
    strategy = growth(least=300_000)
    while not strategy.done:
        tell(strategy)
    *before, last = [step["parameters"] for step in strategy.history]
    assert all(size < 300_000 for size in before) and last >= 300_000


def test_a_saved_state_goes_on_alike():
    whole = growth()
    tell(whole, best=3)
    half = growth()
    state, rounds = json.loads(json.dumps([whole.state(), whole.history]))
    half.restore(state, Past(rounds))
    for strategy in (whole, half):
        tell(strategy, best=1)
    assert half.state() == whole.state() and half.round == 2
    assert half.history == whole.history and "history" not in half.state()
    np.testing.assert_array_equal(half.ask(), whole.ask())


def test_ranks_are_summed():
    kappa, length = np.array([3.0, 1.0, 2.0]), np.array([1.0, 2.0, 3.0])
    best, sums = choose({"condition_number": kappa, "length_distortion": length})
    assert best == 1 and sums.tolist() == [2 + 2, 0 + 1, 1 + 0]


def test_equal_sums_are_told_apart_by_what_differs_most():
    """Both candidates have the sum 1; lengths differ by 9/10 of the largest, κ by 1/2."""
    kappa, length = np.array([1.0, 2.0]), np.array([1.0, 10.0])
    best, sums = choose({"condition_number": kappa, "length_distortion": length})
    assert sums.tolist() == [1, 1] and best == 1  # the longer one
    kappa, length = np.array([1.0, 20.0]), np.array([9.0, 10.0])
    assert choose({"condition_number": kappa, "length_distortion": length})[0] == 0  # the lower κ


def test_a_bad_score_ranks_last():
    kappa, length = np.array([np.nan, 5.0, 4.0]), np.array([3.0, 2.0, 1.0])
    best, sums = choose({"condition_number": kappa, "length_distortion": length})
    assert sums.tolist() == [2 + 0, 1 + 1, 0 + 2] and best == 0  # by length, 2/3 against 1/5
    strategy = growth()
    strategy.tell([score(np.nan, 1.0) for _ in strategy.ask()])
    assert strategy.history[0]["condition_number"] is None
    json.dumps([strategy.state(), strategy.history], allow_nan=False)


@pytest.mark.parametrize(
    ("options", "words"),
    [
        ({"most": 1000}, "most is 1000, but the smallest larger network has 1"),
        ({"hidden": 3}, "fewer than its 4 heads"),
        ({"hidden": 8.0}, "hidden has 8.0"),
        ({"depths": (1, 1, 1)}, "valid: 4 of them"),
        ({"scale": 0}, "scale is 0"),
        ({"classes": 0}, "classes is 0"),
        ({"least": 2 * MILLION}, "most is 1000000; valid: whole numbers from 2000000"),
        ({"least": 0}, "least is 0"),
        ({"ratios": (0.1, -0.1)}, "ratio of growth is -0.1"),
        ({"ratios": (True,)}, "ratio of growth is True"),
        ({"ratios": ()}, "ratios are none"),
    ],
)
def test_what_is_refused(options, words):
    with pytest.raises(UserError, match=words):
        growth(**options)
