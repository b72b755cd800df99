"""The loop: what it asks, records and tells, and what it says of damaged files."""

import types

import numpy as np
import pytest

from tenas_jax.errors import UserError
from tenas_jax.runs.workdir import Workdir
from tenas_jax.scoring.scores import Score
from tenas_jax.search.strategy import Request

from .walk import PER_ROUND, ROUNDS, SPACE, Counting, Killed, Seen, Walk, files, run


@pytest.fixture
def whole(tmp_path) -> Walk:
    return run(tmp_path / "whole", Counting())


def test_scores_are_told_in_the_order_of_the_masks_and_recorded_by_round(whole, tmp_path):
    first = [np.flatnonzero(mask).sum() + i for i, mask in enumerate(Walk().ask())]
    assert whole.heard[:PER_ROUND] == first
    work = Workdir.read(tmp_path / "whole")
    records = work.records()
    assert [r["round"] for r in records] == [r for r in range(ROUNDS) for _ in range(PER_ROUND)]
    assert [r["scores"]["m"]["values"] for r in records] == [[value] for value in whole.heard]
    assert work.rounds() == whole.history and len(whole.history) == ROUNDS
    assert work.load_checkpoint() == {
        "done": True, "records": ROUNDS * PER_ROUND, "rounds": ROUNDS, "state": whole.state()
    }  # fmt: skip


def test_a_finished_run_scores_nothing_and_tells_nothing(whole, tmp_path):
    idle, seen, before = Counting(dies_after=0), Seen(), files(tmp_path / "whole")
    again = run(tmp_path / "whole", idle, seen)
    assert again.state() == whole.state() and again.history == whole.history
    assert not seen.progress and not seen.scores and not seen.rounds
    assert files(tmp_path / "whole") == before


def test_who_listens_hears_of_each_score_and_each_round(tmp_path):
    seen = Seen()
    strategy = run(tmp_path / "w", Counting(), seen)
    assert seen.progress == [
        (f"round {r}", n, PER_ROUND) for r in range(ROUNDS) for n in range(1, PER_ROUND + 1)
    ]
    assert seen.scores == [(n, n // PER_ROUND) for n in range(ROUNDS * PER_ROUND)]
    assert seen.rounds == list(enumerate(strategy.history))


@pytest.mark.parametrize("dies_after", [PER_ROUND, PER_ROUND + 1, ROUNDS * PER_ROUND - 1])
def test_a_resumed_run_begins_in_the_round_it_was_killed_in(tmp_path, dies_after):
    with pytest.raises(Killed):
        run(tmp_path / "w", Counting(dies_after))
    seen = Seen()
    strategy = run(tmp_path / "w", Counting(), seen)
    assert seen.progress[0][0] == f"round {dies_after // PER_ROUND}"
    assert seen.scores[0][0] == dies_after
    assert [number for number, _ in seen.rounds] == list(range(dies_after // PER_ROUND, ROUNDS))
    assert Workdir.read(tmp_path / "w").load_checkpoint()["state"] == strategy.state()


def test_a_damaged_record_is_named(whole, tmp_path):
    with (tmp_path / "whole" / "records.jsonl").open("a") as file:
        file.write('{"round": 0, "key": "x"}\n')
    with pytest.raises(UserError, match="records.jsonl, line 13: a record is not a whole score"):
        run(tmp_path / "whole", Counting())


@pytest.mark.parametrize(
    "checkpoint",
    ["{}", '{"records": 1}', '{"records": 1, "rounds": 1, "state": {"round": 1}}',
     '{"records": 1, "rounds": "x", "state": {}}', '{"records": 1, "rounds": 1, "state": 3}'],
)  # fmt: skip
def test_a_damaged_checkpoint_is_named(whole, tmp_path, checkpoint):
    (tmp_path / "whole" / "checkpoint.json").write_text(checkpoint)
    with pytest.raises(UserError, match="checkpoint is damaged"):
        run(tmp_path / "whole", Counting())


@pytest.mark.parametrize("name", ["records", "rounds"])
def test_lost_lines_are_not_taken_for_a_finished_search(whole, tmp_path, name):
    path = tmp_path / "whole" / f"{name}.jsonl"
    for lines in (path.read_bytes().splitlines(keepends=True)[:-1], []):
        path.write_bytes(b"".join(lines))
        with pytest.raises(UserError, match=f"its {name} were lost"):
            run(tmp_path / "whole", Counting())
    path.unlink()
    with pytest.raises(UserError, match=f"its {name} were lost"):
        run(tmp_path / "whole", Counting())


def test_a_record_is_of_its_mask_in_its_round_s_draw(whole, tmp_path):
    for n, record in enumerate(Workdir.read(tmp_path / "whole").records()):
        mask = np.array(record["encoding"])
        assert record["key"] == Counting().key(mask) and record["engine"] == "none"
        assert record["arch"] == SPACE.describe(mask) and record["draw"] == record["round"]
        value = np.flatnonzero(mask).sum() * (record["round"] + 1) + n % PER_ROUND
        assert record["scores"] == {"m": {"values": [value], "flags": ["ok"]}}


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

    evaluator = Both()
    strategy = run(tmp_path / "w", evaluator, strategy=Two())
    assert strategy.heard == [["m"]] * 4 + [["n"]] * 4 + [["m"]] * 4
    assert evaluator.calls == 8  # the third round knows what the first scored
