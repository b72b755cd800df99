"""Runs that die anywhere and go on: the same result, and the same files to the byte."""

import itertools
import json
import types
import zlib

import numpy as np
import pytest

from tenas_jax.metrics import metric
from tenas_jax.runs.workdir import Workdir
from tenas_jax.scoring.scores import Score
from tenas_jax.search import STRATEGIES
from tenas_jax.search.strategy import Request

from .toy import METRICS, build
from .walk import PER_ROUND, ROUNDS, SPACE, Counting, Killed, Walk, dying, files, run

pytestmark = pytest.mark.usefixtures("quick_starts", "counted_once")


@pytest.fixture
def whole(tmp_path) -> Walk:
    return run(tmp_path / "whole", Counting())


@pytest.mark.parametrize("dies_after", range(ROUNDS * PER_ROUND))
def test_killed_after_any_score_it_ends_the_same_and_scores_nothing_twice(
    whole, tmp_path, dies_after
):
    first, again = Counting(dies_after), Counting()
    with pytest.raises(Killed):
        run(tmp_path / "killed", first)
    assert len(Workdir.read(tmp_path / "killed").records()) == dies_after
    resumed = run(tmp_path / "killed", again)
    assert (resumed.state(), resumed.heard) == (whole.state(), whole.heard)
    assert first.calls + again.calls == ROUNDS * PER_ROUND
    assert files(tmp_path / "killed") == files(tmp_path / "whole")


@pytest.mark.parametrize("after", [False, True], ids=["before", "after"])
@pytest.mark.parametrize("number", range(ROUNDS * (PER_ROUND + 2)))
def test_killed_at_any_write_its_files_end_the_same(whole, tmp_path, number, after):
    with pytest.raises(Killed), dying(number, after=after):
        run(tmp_path / "killed", Counting())
    resumed = run(tmp_path / "killed", Counting())
    assert resumed.history == whole.history
    assert files(tmp_path / "killed") == files(tmp_path / "whole")


def test_a_line_of_a_round_that_was_cut_short_is_written_again(whole, tmp_path):
    with pytest.raises(Killed), dying(PER_ROUND, after=True):
        run(tmp_path / "killed", Counting())
    path = tmp_path / "killed" / "rounds.jsonl"
    path.write_bytes(path.read_bytes()[:-5])
    run(tmp_path / "killed", Counting())
    assert files(tmp_path / "killed") == files(tmp_path / "whole")


class Pacing(Walk):
    """A walk that scores everything in one draw, comes back to where it was, and tells nothing."""

    request = Request(draw=7)

    def __init__(self):
        super().__init__()
        del self.history

    def tell(self, scores):
        self.heard += [score.mean("m") for score in scores]
        self.start += 2
        self.round += 1

    def restore(self, state, past):
        self.round, self.start = state["round"], state["start"]
        asked = [SPACE.from_index(2 * r + i) for r in range(self.round) for i in range(PER_ROUND)]
        self.heard = [s.mean("m") for s in past.of([SPACE.to_mask(a) for a in asked], draw=7)]


def test_what_an_earlier_round_of_the_draw_scored_is_not_scored_again(tmp_path):
    counting = Counting()
    whole = run(tmp_path / "w", counting, strategy=Pacing())
    # Four of 0..3, then 4 and 5 new, then 6 and 7.
    assert counting.calls == PER_ROUND + 2 * (ROUNDS - 1)
    work = Workdir.read(tmp_path / "w")
    records = work.records()
    assert [r["round"] for r in records] == [0, 0, 0, 0, 1, 1, 2, 2]
    assert all(r["draw"] == 7 for r in records)
    first = [whole.heard[2], whole.heard[3]]
    assert whole.heard[4:6] == first  # as they were scored then, at another index
    assert work.rounds() == [] and not (tmp_path / "w" / "rounds.jsonl").exists()


@pytest.mark.parametrize("dies_after", range(8))
def test_one_draw_for_all_rounds_killed_anywhere_ends_the_same(tmp_path, dies_after):
    whole = run(tmp_path / "whole", Counting(), strategy=Pacing())
    with pytest.raises(Killed):
        run(tmp_path / "w", Counting(dies_after), strategy=Pacing())
    again = Counting()
    resumed = run(tmp_path / "w", again, strategy=Pacing())
    assert (resumed.state(), resumed.heard) == (whole.state(), whole.heard)
    assert again.calls == 8 - dies_after


class Drawn:
    """An evaluator whose numbers are drawn by a mask's form; some kernels are bad."""

    space, engine, key = SPACE, "none", staticmethod(SPACE.cache_key)
    protocol = types.SimpleNamespace(metrics=METRICS)

    def score(self, masks, draw, known, *, metrics, gradients):
        here = dict(known)
        for i, mask in enumerate(masks):
            key, new = self.key(mask), self.key(mask) not in here
            if new:
                here[key] = self._drawn(f"{key} {draw}", metrics, gradients)
            yield i, key, here[key], new

    def _drawn(self, word, metrics, gradients):
        values, flags, slopes = {}, {}, {}
        for name in metrics:
            rng = np.random.default_rng(zlib.crc32(f"{word} {name}".encode()))
            bad = [n == 0 and name == METRICS[0] for n in rng.integers(6, size=2)]
            values[name] = np.where(bad, np.nan, rng.random(2))
            flags[name] = ["singular" if b else "ok" for b in bad]
            if gradients and metric(name).mask_gradient is not None:
                slopes[name] = rng.normal(size=(2, *SPACE.mask_shape))
        return Score(values, flags, 0.25, slopes)


# strategy -> options of a search of few rounds
SMALL = {
    "random": [{"count": 6}],
    "reinforce": [{"steps": 6, "batch": 2}, {"steps": 6, "batch": 2, "reward": "rank"}],
    "evolution": [{"steps": 4, "population": 4, "tournament": 2, "batch": 2}],
    "local_search": [{"steps": 8, "batch": 3}],
    "nsga2": [{"steps": 4, "population": 4, "batch": 2, "costs": ("parameters",)}],
    "pruning": [{"per_round": 3}],
    "gradient_pruning": [{"per_round": 3}],
}
CASES = [(name, options) for name, several in SMALL.items() for options in several]


def test_every_strategy_is_killed_somewhere():
    assert set(SMALL) == set(STRATEGIES)


@pytest.mark.parametrize("after", [False, True], ids=["before", "after"])
@pytest.mark.parametrize(("name", "options"), CASES)
def test_every_strategy_killed_at_any_write_ends_the_same(tmp_path, name, options, after):
    def go(folder):
        return run(folder, Drawn(), strategy=build(name, **options))

    whole, wanted = go(tmp_path / "whole"), files(tmp_path / "whole")
    for number in itertools.count():
        folder = tmp_path / str(number)
        try:
            with dying(number, after=after):
                go(folder)
            break  # there are no more writes
        except Killed:
            again = go(folder)
        np.testing.assert_array_equal(again.result, whole.result)
        assert json.dumps(getattr(again, "history", None)) == json.dumps(
            getattr(whole, "history", None)
        )
        assert files(folder) == wanted
    assert number > len(wanted["records.jsonl"].splitlines())
