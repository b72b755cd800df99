"""The recorder: each score recorded once, in order and at once, and read back the same."""

import json
from types import SimpleNamespace

import numpy as np
import pytest

from tenas_jax import spaces
from tenas_jax.errors import UserError
from tenas_jax.runs.listeners import Listener
from tenas_jax.runs.workdir import Workdir
from tenas_jax.scoring.recorder import Recorder, recorded
from tenas_jax.scoring.scores import Score

SPACE = spaces.get("nas_bench_201")
NAMES = ("seconds", "flags", "arch", "draw")  # metrics may have any name
MASKS = [SPACE.to_mask(SPACE.from_index(i)) for i in (4, 0, 9, 7, 0, 2)]


class Backwards:
    """An evaluator whose scores come in the order that a test names; equal masks share one."""

    space, engine = SPACE, "made up"
    protocol = SimpleNamespace(metrics=NAMES)

    def __init__(self, *order, dies_after=None):
        self.order, self.asked, self.dies_after = order, [], dies_after

    def key(self, mask):
        return str(SPACE.index(SPACE.from_mask(mask)))

    def score(self, masks, draw, known, *, metrics, gradients):
        here = dict(known)
        for i in self.order or range(len(masks)):
            key, new = self.key(masks[i]), self.key(masks[i]) not in here
            if new:
                if len(self.asked) == self.dies_after:
                    raise KeyboardInterrupt
                self.asked.append((key, draw, tuple(metrics), gradients))
                value = int(key) / 3 + draw
                values = {name: np.array([value, np.nan]) for name in metrics}
                slopes = {n: np.full((2, 1, 6, 5), value) for n in metrics if gradients}
                flags = {name: ["ok", "singular"] for name in metrics}
                here[key] = Score(values, flags, 0.25, slopes)
            yield i, key, here[key], new


class Told(Listener):
    def __init__(self, work):
        self.work, self.scores, self.progress = work, [], []

    def on_score(self, number, record):
        assert self.work.records()[number] == json.loads(json.dumps(record))  # it is on the disk
        self.scores.append(number)

    def on_progress(self, *heard):
        self.progress.append(heard)


@pytest.fixture
def work(tmp_path):
    with Workdir.open(tmp_path / "run", {}, writer=True) as work:
        yield work


def test_a_record_says_what_was_scored_and_reads_back(work):
    told = Told(work)
    recorder = Recorder(Backwards(), work, told)
    assert recorder.recall() == []
    scores = recorder.score_all("here", MASKS, 2, round=5)
    assert [s.values["seconds"][0] for s in scores] == [n / 3 + 2 for n in (4, 0, 9, 7, 0, 2)]
    assert told.progress == [("here", n, 6) for n in range(1, 7)]
    assert told.scores == [0, 1, 2, 3, 4] and recorder.count == 5
    first = work.records()[0]
    assert list(first) == [
        "arch",
        "encoding",
        "draw",
        "key",
        "round",
        "engine",
        "scores",
        "seconds",
    ]
    assert first["encoding"] == MASKS[0].tolist() and first["draw"] == 2 and first["round"] == 5
    assert first["scores"]["arch"] == {"values": [4 / 3 + 2, None], "flags": ["ok", "singular"]}
    records = list(recorded(work.iter_records(), work.path))
    assert [record.key for record in records] == ["4", "0", "9", "7", "2"]
    for record, mask, score in zip(records[:4], MASKS, scores, strict=False):
        np.testing.assert_array_equal(record.encoding, mask)
        assert record.arch == SPACE.describe(mask) and (record.draw, record.round) == (2, 5)
        assert record.score.flags == score.flags and record.score.seconds == 0.25
        assert list(record.score.values) == list(NAMES)
        for name in NAMES:
            np.testing.assert_array_equal(record.score.values[name], score.values[name])


@pytest.mark.parametrize("order", [(), (5, 3, 1, 2, 4, 0), (1, 4, 0, 2, 3, 5)])
def test_whatever_order_they_come_in_they_are_given_and_recorded_in_theirs(work, order):
    recorder = Recorder(Backwards(*order), work)
    recorder.recall()
    values = [s.values["draw"][0] for s in recorder.score(MASKS)]
    assert values == [n / 3 for n in (4, 0, 9, 7, 0, 2)]
    keys = [record["key"] for record in work.records()]
    assert sorted(keys, key=["4", "0", "9", "7", "2"].index) == keys and len(keys) == 5


@pytest.mark.parametrize("dies_after", range(5))
def test_what_is_recorded_is_not_scored_again(work, dies_after):
    first, again = Backwards(dies_after=dies_after), Backwards()
    recorder = Recorder(first, work)
    recorder.recall()
    with pytest.raises(KeyboardInterrupt):
        list(recorder.score(MASKS))
    assert len(work.records()) == dies_after
    recorder = Recorder(again, work)
    assert len(recorder.recall()) == dies_after
    assert [s.values["draw"][0] for s in recorder.score(MASKS)] == [
        n / 3 for n in (4, 0, 9, 7, 0, 2)
    ]
    assert first.asked + again.asked == [(key, 0, NAMES, False) for key in "40972"]
    list(recorder.score(MASKS[:2]))
    assert len(again.asked) == 5 - dies_after  # nor in the same start


def test_another_draw_and_other_metrics_are_other_scores(work):
    evaluator = Backwards()
    recorder = Recorder(evaluator, work)
    recorder.recall()
    for draw, metrics in ((0, ("flags",)), (0, ("arch",)), (1, ("arch",)), (1, ("arch",))):
        list(recorder.score(MASKS[:1], draw, metrics=metrics, gradients=draw == 1))
    assert [(draw, names) for _, draw, names, _ in evaluator.asked] == [
        (0, ("flags",)), (0, ("arch",)), (1, ("arch",))
    ]  # fmt: skip
    [*_, last] = recorded(work.iter_records(), work.path)
    assert last.draw == 1 and list(last.score.values) == ["arch"]
    assert (last.score.gradients["arch"] == 4 / 3 + 1).all()


def test_without_recalling_nothing_is_known_and_counting_goes_on(work):
    told, evaluator = Told(work), Backwards()
    for start in (0, 2):
        recorder = Recorder(evaluator, work, told, count=start)
        list(recorder.score(MASKS[:2]))
        assert recorder.count == start + 2
    assert told.scores == [0, 1, 2, 3] and len(evaluator.asked) == 4


@pytest.mark.parametrize(
    ("field", "value", "words"),
    [
        ("key", None, "encoding, draw or key is none"),
        ("draw", "x", "encoding, draw or key is none"),
        ("draw", True, "encoding, draw or key is none"),
        ("encoding", [["a"]], "encoding, draw or key is none"),
        ("encoding", [[1], [1, 2]], "inhomogeneous"),
        ("scores", {}, "not a whole score"),
        ("seconds", "x", "not a whole score"),
    ],
)
def test_a_damaged_record_is_named_by_its_line(work, field, value, words):
    recorder = Recorder(Backwards(), work)
    list(recorder.score(MASKS[:1]))
    [record] = work.records()
    for damaged in (record | {field: value}, {k: v for k, v in record.items() if k != field}):
        lines = recorded([record, damaged], work.path)
        next(lines)
        with pytest.raises(UserError, match="records.jsonl, line 2: ") as caught:
            next(lines)
        if field in damaged:
            assert words in str(caught.value)
        assert "\n" not in str(caught.value)
