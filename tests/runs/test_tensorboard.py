"""What TensorBoard is given of a run, as it lies on the disk."""

import math
import resource
import struct
from types import SimpleNamespace

import numpy as np
import pytest

from tenas_jax.errors import UserError
from tenas_jax.runs.tensorboard import FOLDER, check_tensorboard, followed, recorded, summaries
from tenas_jax.runs.workdir import Workdir

pytest.importorskip("tensorboardX")


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


@pytest.fixture
def open_run(tmp_path):
    """Starts a run, and starts it again."""

    def open_run(**options) -> Workdir:
        return Workdir.open(tmp_path / "run", {"seed": 0}, **{"writer": True, **options})

    return open_run


@pytest.fixture
def no_tensorboard(monkeypatch):
    monkeypatch.setattr("importlib.util.find_spec", lambda name: None)


def test_without_its_package_it_is_one_line_and_nothing_is_written(tmp_path, no_tensorboard):
    message = r"^tensorboard needs tensorboardX: pip install 'tenas_jax\[tensorboard\]'$"
    with pytest.raises(UserError, match=message):
        check_tensorboard(True)
    with pytest.raises(UserError, match=message), summaries(tmp_path, True):
        pass
    check_tensorboard(False)
    with summaries(tmp_path, False) as write:
        write(0, {"a": 1.0})
    assert list(tmp_path.iterdir()) == []


def test_with_its_package_nothing_is_refused():
    check_tensorboard(True)


def test_scalars_are_on_the_disk_when_they_are_written(tmp_path):
    with summaries(tmp_path, True) as write:
        write(6, {"group/one": 0.25, "two": None, "three": -3})
        assert events(tmp_path) == [[(6, {"group/one": 0.25, "three": -3.0})]]
        write(7, {})
    assert events(tmp_path)[0][1:] == [(7, {})]


@pytest.mark.parametrize(
    ("value", "shown"),
    [
        (1.5, 1.5),
        (3, 3.0),
        (np.float32(0.5), 0.5),
        (np.int64(7), 7.0),
        ([1.0, 2.0, 6], 3.0),
        (np.array([1.0, 4.0]), 2.5),
        ((0.25,), 0.25),
        (True, None),
        ([True, False], None),
        (None, None),
        (math.nan, None),
        (-math.inf, None),
        (1e39, None),  # more than float32 holds
        ([1.0, None], None),
        ([1.0, math.nan], None),
        ([math.inf, -math.inf], None),
        ([1e308, 1e308], None),
        ([], None),
        ([[0, 1], [1, 0]], None),
        ([1, [2]], None),
        ("text", None),
        (["ok", "singular"], None),
        ({"condition_number": 1.0}, None),
        ([{"gain": 1.0}], None),
    ],
)
def test_of_a_record_its_numbers_are_shown(open_run, value, shown):
    with open_run() as work, recorded(work, True):
        work.append({"field": value, "round": 2})
    tags = {"score/round": 2.0} | ({} if shown is None else {"score/field": shown})
    assert events(work.path) == [[(0, tags)]]


def test_steps_go_on_over_starts(open_run):
    with open_run() as work:
        work.append({"x": 0.0})  # before events were wanted
        with recorded(work, True):
            work.append({"x": 1.0})
            work.append({"x": 2.0})
            assert events(work.path) == [[(1, {"score/x": 1.0}), (2, {"score/x": 2.0})]]
        work.append({"x": 3.0})  # no longer
    with open_run() as work, recorded(work, True) as write:
        work.append({"x": 4.0})
        write(9, {"round/y": 0.5})
    first, second = events(work.path)
    assert [step for step, _ in first] == [1, 2]
    assert second == [(4, {"score/x": 4.0}), (9, {"round/y": 0.5})]


@pytest.mark.parametrize(("wanted", "writer"), [(False, True), (True, False), (False, False)])
def test_none_are_written_unasked_or_by_other_processes(open_run, wanted, writer):
    with open_run(writer=writer) as work, recorded(work, wanted) as write:
        work.append({"x": 1.0})
        write(0, {"y": 1.0})
    assert work.path.exists() == writer and not (work.path / FOLDER).exists()


def test_a_full_disk_is_one_line_and_the_record_is_kept(open_run):
    with open_run() as work:
        with recorded(work, True):
            work.append({"x": 1.0})
            [path] = (work.path / FOLDER).iterdir()
            before = path.read_bytes()
            limits = resource.getrlimit(resource.RLIMIT_FSIZE)
            resource.setrlimit(resource.RLIMIT_FSIZE, (len(before), limits[1]))  # as if it were
            try:
                with pytest.raises(UserError, match=f"cannot write {work.path}.*{FOLDER}"):
                    work.append({"x": 2.0})
            finally:
                resource.setrlimit(resource.RLIMIT_FSIZE, limits)
            assert path.read_bytes() == before
        assert work.records() == [{"x": 1.0}, {"x": 2.0}]


class Rounds:
    """A strategy whose history grows, by each `tell`, by the entries that it is told."""

    def __init__(self, history: list):
        self.history, self.round, self.done, self.result = history, len(history), False, None

    def ask(self) -> list:
        return [self.round]

    def tell(self, scores: list) -> None:
        self.history += scores
        self.round += 1
        self.done = self.round == 4

    def restore(self, state: dict) -> None:
        self.history, self.round = state["history"], len(state["history"])


def test_each_round_is_written_when_it_is_told():
    plan, written = Rounds([]), []
    followed_plan = followed(plan, lambda step, scalars: written.append((step, scalars)))
    followed_plan.restore({"history": [{"round": 0, "κ": 9.0}]})
    assert (followed_plan.ask(), followed_plan.round, followed_plan.done) == ([1], 1, False)
    followed_plan.tell([{"round": 1, "condition_number": 4.5, "mask": [[1]], "pruned": []}])
    assert written == [(1, {"round/condition_number": 4.5})]
    assert plan.round == followed_plan.round == 2
    followed_plan.tell([{"best": None, "regions": 3}, {"regions": [4, 6]}])
    assert written[1:] == [(2, {"round/regions": 3.0}), (3, {"round/regions": 5.0})]
    followed_plan.tell([])  # no entry
    followed_plan.tell([0.5, "text"])  # none with fields
    assert len(written) == 3 and followed_plan.result is plan.result
    with pytest.raises(AttributeError):
        followed_plan.nothing  # noqa: B018


def test_a_strategy_without_a_history_is_left_alone():
    told, written = [], []
    plan = SimpleNamespace(done=False, tell=told.append)
    followed(plan, lambda *event: written.append(event)).tell([1, 2])
    assert told == [[1, 2]] and written == []
