"""The loop: every score recorded at once, nothing scored twice, resumed from any point."""

import types

import numpy as np
import pytest

from tenas_jax import spaces
from tenas_jax.errors import UserError
from tenas_jax.runs.workdir import Workdir
from tenas_jax.scoring.evaluator import Score
from tenas_jax.search import search
from tenas_jax.search.strategy import Request

SPACE = spaces.get("nas_bench_201")
ROUNDS, PER_ROUND = 3, 4


class Walk:
    """A strategy of a few rounds whose masks depend on the scores it was told."""

    def __init__(self):
        self.round, self.start, self.heard = 0, 0, []

    @property
    def done(self) -> bool:
        return self.round == ROUNDS

    @property
    def result(self):
        return SPACE.from_index(self.start) if self.done else None

    def ask(self):
        return [SPACE.to_mask(SPACE.from_index(self.start + i)) for i in range(PER_ROUND)]

    def tell(self, scores):
        self.heard += [score.mean("m") for score in scores]
        self.start += 1 + int(self.heard[-1]) % 7
        self.round += 1

    def state(self):
        return {"round": self.round, "start": self.start, "heard": self.heard}

    def restore(self, state):
        self.round, self.start, self.heard = state["round"], state["start"], state["heard"]


class Killed(Exception):
    """Stands for the death of the process."""


class Counting:
    """An evaluator that scores by arithmetic, the last mask first, and dies after some scores."""

    space, engine = SPACE, "none"

    def __init__(self, dies_after: int | None = None):
        self.calls, self.dies_after = 0, dies_after

    def key(self, mask) -> str:
        return str(np.flatnonzero(mask).tolist())

    protocol = types.SimpleNamespace(metrics=("m",))

    def score(self, masks, draw, known, *, metrics, gradients):
        assert metrics == ("m",) and not gradients
        for i in reversed(range(len(masks))):
            key = self.key(masks[i])
            if key in known:
                yield i, key, known[key], False
                continue
            if self.calls == self.dies_after:
                raise Killed
            self.calls += 1
            value = float(np.flatnonzero(masks[i]).sum() * (draw + 1) + i)
            yield i, key, Score({"m": np.array([value])}, {"m": ["ok"]}, 0.5), True


def run(folder, evaluator, progress=None) -> Walk:
    strategy = Walk()
    with Workdir.open(folder, {"a": 1}) as workdir:
        search(strategy, evaluator, workdir, progress)
    return strategy


@pytest.fixture
def whole(tmp_path) -> Walk:
    return run(tmp_path / "whole", Counting())


def test_scores_are_told_in_the_order_of_the_masks_and_recorded_by_round(whole, tmp_path):
    first = [np.flatnonzero(mask).sum() + i for i, mask in enumerate(Walk().ask())]
    assert whole.heard[:PER_ROUND] == first
    records = Workdir.read(tmp_path / "whole").records()
    assert [r["round"] for r in records] == [r for r in range(ROUNDS) for _ in range(PER_ROUND)]
    assert records[-1]["m"] == [whole.heard[-PER_ROUND]]  # the first mask was scored last
    assert records[0]["description"] and records[0]["engine"] == "none"


@pytest.mark.parametrize("dies_after", range(ROUNDS * PER_ROUND))
def test_killed_after_any_score_it_ends_the_same_and_scores_nothing_twice(
    whole, tmp_path, dies_after
):
    dying, again = Counting(dies_after), Counting()
    with pytest.raises(Killed):
        run(tmp_path / "killed", dying)
    assert len(Workdir.read(tmp_path / "killed").records()) == dies_after
    resumed = run(tmp_path / "killed", again)
    assert resumed.state() == whole.state()
    assert dying.calls + again.calls == ROUNDS * PER_ROUND
    key = lambda r: (r["round"], r["key"])  # noqa: E731
    assert sorted(Workdir.read(tmp_path / "killed").records(), key=key) == sorted(
        Workdir.read(tmp_path / "whole").records(), key=key
    )


def test_a_finished_run_scores_nothing(whole, tmp_path):
    idle = Counting(dies_after=0)
    assert run(tmp_path / "whole", idle).state() == whole.state()


def test_progress_counts_up_to_the_round_s_size(tmp_path):
    seen = []
    run(tmp_path / "w", Counting(), lambda *numbers: seen.append(numbers))
    assert seen == [(r, n, PER_ROUND) for r in range(ROUNDS) for n in range(1, PER_ROUND + 1)]


def test_a_damaged_record_is_named(whole, tmp_path):
    with (tmp_path / "whole" / "records.jsonl").open("a") as file:
        file.write('{"round": 0, "key": "x"}\n')
    with pytest.raises(UserError, match="record 13 is damaged"):
        run(tmp_path / "whole", Counting())


@pytest.mark.parametrize("checkpoint", ["{}", '{"round": 1}'])
def test_a_damaged_checkpoint_is_named(whole, tmp_path, checkpoint):
    (tmp_path / "whole" / "checkpoint.json").write_text(checkpoint)
    with pytest.raises(UserError, match="checkpoint is damaged"):
        run(tmp_path / "whole", Counting())


def test_lost_records_are_not_taken_for_a_finished_search(whole, tmp_path):
    (tmp_path / "whole" / "records.jsonl").unlink()
    with pytest.raises(UserError, match="its records were lost"):
        run(tmp_path / "whole", Counting())


def test_a_record_is_of_its_mask_in_its_round_s_draw(whole, tmp_path):
    for n, record in enumerate(Workdir.read(tmp_path / "whole").records()):
        mask, place = np.array(record["mask"]), PER_ROUND - 1 - n % PER_ROUND  # the last first
        assert record["key"] == Counting().key(mask)
        assert record["description"] == SPACE.describe(mask)
        assert record["m"] == [np.flatnonzero(mask).sum() * (record["round"] + 1) + place]


@pytest.mark.parametrize("dies_after", [PER_ROUND, PER_ROUND + 1, ROUNDS * PER_ROUND - 1])
def test_a_resumed_run_begins_in_the_round_it_was_killed_in(tmp_path, dies_after):
    with pytest.raises(Killed):
        run(tmp_path / "w", Counting(dies_after))
    rounds = []
    strategy = run(tmp_path / "w", Counting(), lambda round_, *_: rounds.append(round_))
    assert rounds[0] == dies_after // PER_ROUND
    assert Workdir.read(tmp_path / "w").load_checkpoint() == strategy.state()


def test_a_finished_run_asks_nothing(whole, tmp_path):
    seen = []
    run(tmp_path / "whole", Counting(dies_after=0), lambda *numbers: seen.append(numbers))
    assert seen == []


class Pacing(Walk):
    """A walk that scores everything in one draw, and comes back to where it was."""

    request = Request(draw=7)

    def tell(self, scores):
        self.heard += [score.mean("m") for score in scores]
        self.start += 2
        self.round += 1


def paced(folder, evaluator) -> Pacing:
    strategy = Pacing()
    with Workdir.open(folder, {"a": 1}) as workdir:
        search(strategy, evaluator, workdir)
    return strategy


def test_what_an_earlier_round_of_the_draw_scored_is_not_scored_again(tmp_path):
    whole, counting = Pacing(), Counting()
    whole = paced(tmp_path / "w", counting)
    # Four of 0..3, then 4 and 5 new, then 6 and 7.
    assert counting.calls == PER_ROUND + 2 * (ROUNDS - 1)
    records = Workdir.read(tmp_path / "w").records()
    assert [r["round"] for r in records] == [0, 0, 0, 0, 1, 1, 2, 2]
    assert all(r["draw"] == 7 for r in records)
    first = [whole.heard[2], whole.heard[3]]
    assert whole.heard[4:6] == first  # as they were scored then, at another place


@pytest.mark.parametrize("dies_after", range(8))
def test_one_draw_for_all_rounds_killed_anywhere_ends_the_same(tmp_path, dies_after):
    whole = paced(tmp_path / "whole", Counting())
    with pytest.raises(Killed):
        paced(tmp_path / "w", Counting(dies_after))
    again = Counting()
    assert paced(tmp_path / "w", again).state() == whole.state()
    assert again.calls == 8 - dies_after


def test_other_metrics_of_the_same_draw_are_scored_apart(tmp_path):
    class Two(Walk):
        """The same masks by one metric, then by another."""

        @property
        def request(self):
            return Request(draw=0, metrics=("m",) if self.round % 2 == 0 else ("n",))

        def tell(self, scores):
            self.heard += [list(score.values) for score in scores]
            self.round += 1

    class Both(Counting):
        protocol = types.SimpleNamespace(metrics=("m", "n"))

        def score(self, masks, draw, known, *, metrics, gradients):
            for i, key, score, new in super().score(
                masks, draw, known, metrics=("m",), gradients=False
            ):
                if new:
                    values = {name: score.values["m"] for name in metrics}
                    score = Score(values, {name: ["ok"] for name in metrics}, 0.5)
                yield i, key, score, new

    evaluator, strategy = Both(), Two()
    with Workdir.open(tmp_path / "w", {"a": 1}) as workdir:
        search(strategy, evaluator, workdir)
    assert strategy.heard == [["m"]] * 4 + [["n"]] * 4 + [["m"]] * 4
    assert evaluator.calls == 8  # the third round knows what the first scored
