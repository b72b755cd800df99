"""What a run's listeners make of what they hear: lines of progress, and events on the disk."""

import math
import resource
import struct
import threading

import numpy as np
import pytest

from tenas_jax.errors import UserError
from tenas_jax.runs.listeners import EPOCH_TAGS, Bars, Events, Listener, Listeners, listening
from tenas_jax.runs.tensorboard import FOLDER, EventFile, check_tensorboard
from tenas_jax.runs.workdir import Workdir


class Seen(Listener):
    """Keeps what it hears."""

    def __init__(self):
        self.heard, self.closed = [], 0

    def on_progress(self, what, done, total):
        self.heard.append(("progress", what, done, total))

    def on_score(self, number, record):
        self.heard.append(("score", number, record))

    def on_round(self, number, entry):
        self.heard.append(("round", number, entry))

    def on_epoch(self, record, epochs):
        self.heard.append(("epoch", record, epochs))

    def close(self):
        self.closed += 1


def say_everything(listener):
    listener.on_progress("round 0", 1, 2)
    listener.on_score(3, {"a": 1})
    listener.on_round(4, {"b": 1})
    listener.on_epoch({"epoch": 1}, 9)


def test_a_listener_hears_and_does_nothing():
    with Listener() as listener:
        say_everything(listener)


def test_several_hear_the_same_in_their_order():
    first, second = Seen(), Seen()
    with Listeners(first, second) as both:
        say_everything(both)
        assert first.closed == second.closed == 0
    assert first.heard == second.heard and len(first.heard) == 4
    assert first.heard[0] == ("progress", "round 0", 1, 2)
    assert first.heard[1:3] == [("score", 3, {"a": 1}), ("round", 4, {"b": 1})]
    assert first.closed == second.closed == 1


def epoch(number, **fields):
    named = {name: 0.5 for name in EPOCH_TAGS}
    return {**named, "epoch": number, "step": 6 * number, "seconds": 2.0, **fields}


def test_a_line_of_progress_is_called_what_it_is_of(capsys):
    with Bars("architecture") as bars:
        bars.on_progress("scoring", 2, 4)
        bars.on_progress("scoring", 4, 4)
    shown = capsys.readouterr()
    assert shown.out == "" and "scoring: 100%" in shown.err and "4/4" in shown.err
    assert "architecture" in shown.err and "round" not in shown.err
    with Bars() as bars:
        bars.on_progress("round 0", 1, 3)
        bars.on_progress("round 1", 2, 3)
    shown = capsys.readouterr().err
    assert "round 0:" in shown and "1/3" in shown and "round 1:" in shown and "2/3" in shown


def test_an_epoch_s_line_is_put_in_place_of_its_progress(capsys):
    with Bars("step") as bars:
        bars.on_progress("epoch 1", 6, 6)
        bars.on_epoch(epoch(1, train_loss=1.25, test_top1=0.75), 2)
        bars.on_progress("epoch 2", 6, 6)
        bars.on_epoch(epoch(2, test_top1=None), 2)
    shown = capsys.readouterr().err.replace("\r", "\n").splitlines()
    told = [line for line in shown if "of 2" in line]
    assert told == [
        "epoch 1 of 2: training loss 1.2500, test top-1 75.00 %, 2.0 s",
        "epoch 2 of 2: training loss 0.5000, 2.0 s",
    ]
    last = shown.index(told[0])
    assert shown[last - 1].strip() == ""  # what was drawn there is wiped out


def test_what_is_not_shown_is_not_drawn(capsys):
    with Bars(shown=False) as bars:
        bars.on_progress("round 0", 1, 3)
        bars.on_epoch(epoch(1), 2)
    assert capsys.readouterr() == ("", "")


def events(workdir) -> list[list[tuple[int, dict[str, float]]]]:
    """Of each start the events: (step, {tag: value}).

    In a file each is behind its length and a checksum, and followed by a checksum.
    """
    from tensorboardX.proto.event_pb2 import Event

    starts = []
    for path in sorted((workdir / FOLDER).iterdir()):  # their names hold the time
        data, found = path.read_bytes(), []
        while data:
            (length,) = struct.unpack("<Q", data[:8])
            found.append(Event.FromString(data[12 : 12 + length]))
            data = data[16 + length :]
        assert found[0].file_version == "brain.Event:2"
        starts.append(
            [(e.step, {v.tag: v.simple_value for v in e.summary.value}) for e in found[1:]]
        )
    return starts


def test_without_its_package_it_is_one_line_and_nothing_is_written(run, monkeypatch):
    monkeypatch.setattr("importlib.util.find_spec", lambda name: None)
    before = sorted(run.path.iterdir())
    message = r"^tensorboard needs tensorboardX: pip install 'tenas_jax\[tensorboard\]'$"
    with pytest.raises(UserError, match=message):
        check_tensorboard(True)
    with pytest.raises(UserError, match=message):
        Events(run)
    with pytest.raises(UserError, match=message):
        listening(run, tensorboard=True)
    check_tensorboard(False)
    with listening(run, tensorboard=False) as listener:
        listener.on_round(0, {"a": 1.0})
    assert sorted(run.path.iterdir()) == before


@pytest.fixture
def written(run):
    """A run's listener for TensorBoard, and what it wrote."""
    pytest.importorskip("tensorboardX")
    with Events(run) as listener:
        yield listener, lambda: events(run.path)


def test_scalars_are_on_the_disk_when_they_are_written(tmp_path):
    pytest.importorskip("tensorboardX")
    threads, file = threading.active_count(), EventFile(tmp_path)
    assert list(tmp_path.iterdir()) == []
    file.write(6, {"group/one": 0.25, "two": None, "three": -3})
    assert events(tmp_path) == [[(6, {"group/one": 0.25, "three": -3.0})]]
    file.write(7, {})
    assert events(tmp_path)[0][1:] == [(7, {})] and threading.active_count() == threads
    file.close()
    file.close()


def score(values, **beside):
    return {"scores": {"κ": {"values": values, "flags": []}}, "seconds": 0.5, **beside}


@pytest.mark.parametrize(
    ("values", "shown"),
    [
        ([1.5], 1.5),
        ([1.0, 2.0, 6], 3.0),
        ([None], None),
        ([1.0, None], None),
        ([1e39], None),  # more than float32 holds
        ([1e308, 1e308], None),
    ],
)
def test_of_a_score_the_means_are_shown(written, values, shown):
    listener, found = written
    listener.on_score(5, score(values, round=2, draw=7, key="x", arch="y", encoding=[[1]]))
    tags = {"score/seconds": 0.5, "score/round": 2.0}
    assert found() == [[(5, tags | ({} if shown is None else {"score/κ": shown}))]]


def test_a_metric_may_have_the_name_of_a_field(written):
    listener, found = written
    listener.on_score(0, {"scores": {"seconds": {"values": [8.0, 9.0]}}, "seconds": 0.5})
    assert found() == [[(0, {"score/seconds": 8.5})]]


@pytest.mark.parametrize(
    ("value", "shown"),
    [
        (1.5, 1.5),
        (3, 3.0),
        (np.float32(0.5), 0.5),
        (np.int64(7), 7.0),
        (True, None),
        (None, None),
        (math.nan, None),
        (-math.inf, None),
        (1e39, None),
        ([1.0, 2.0], None),
        ([[0, 1], [1, 0]], None),
        ("text", None),
        ({"condition_number": 1.0}, None),
    ],
)
def test_of_a_round_the_numbers_are_shown(written, value, shown):
    listener, found = written
    listener.on_round(4, {"round": 4, "field": value, "other": 2})
    tags = {"round/other": 2.0} | ({} if shown is None else {"round/field": shown})
    assert found() == [[(4, tags)]]


def test_an_epoch_s_numbers_have_names_of_their_own(written):
    listener, found = written
    listener.on_epoch(epoch(1, train_loss=1.25, test_top5=None), 2)
    listener.on_epoch(epoch(2), 2)
    [[(first, values), (second, others)]] = found()
    assert (first, second) == (6, 12)
    assert values.keys() == set(EPOCH_TAGS.values()) - {"test/top5"}
    assert values["train/loss"] == 1.25 and len(others) == len(EPOCH_TAGS)


def test_each_start_has_a_file_and_none_where_nothing_is_heard(tmp_path):
    pytest.importorskip("tensorboardX")
    for start in range(3):
        with Workdir.open(tmp_path, {}, writer=True) as work, Events(work) as listener:
            if start != 1:
                listener.on_round(start, {"y": 0.5})
    assert [[step for step, _ in found] for found in events(tmp_path)] == [[0], [2]]


@pytest.mark.parametrize(("wanted", "writer"), [(False, True), (True, False), (False, False)])
def test_none_are_written_unasked_or_by_other_processes(tmp_path, wanted, writer, capsys):
    pytest.importorskip("tensorboardX")
    with (
        Workdir.open(tmp_path, {}, writer=writer) as work,
        listening(work, tensorboard=wanted) as listener,
    ):
        listener.on_round(0, {"y": 1.0})
        listener.on_progress("round 0", 1, 2)
    assert not (tmp_path / FOLDER).exists()
    assert ("round 0" in capsys.readouterr().err) == writer


def test_what_a_command_listens_with_draws_and_writes(run, capsys):
    pytest.importorskip("tensorboardX")
    with listening(run, tensorboard=True, unit="step") as listener:
        listener.on_progress("round 0", 1, 2)
        listener.on_round(0, {"y": 1.0})
    assert events(run.path) == [[(0, {"round/y": 1.0})]] and "step" in capsys.readouterr().err


def test_a_full_disk_is_one_line(run, written):
    listener, _ = written
    listener.on_round(0, {"x": 1.0})
    [path] = (run.path / FOLDER).iterdir()
    before = path.read_bytes()
    limits = resource.getrlimit(resource.RLIMIT_FSIZE)
    resource.setrlimit(resource.RLIMIT_FSIZE, (len(before), limits[1]))  # as if it were full
    try:
        with pytest.raises(UserError, match=f"cannot write {run.path}.*{FOLDER}: File too large"):
            listener.on_round(1, {"x": 1.0})
    finally:
        resource.setrlimit(resource.RLIMIT_FSIZE, limits)
    assert path.read_bytes() == before
