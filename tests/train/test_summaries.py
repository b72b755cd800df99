"""What TensorBoard is given, as it lies on the disk."""

import resource
import struct
import threading

import pytest

from tenas_jax.errors import UserError
from tenas_jax.train.summaries import FOLDER, SCALARS, summaries

pytest.importorskip("tensorboardX")


def events(path):
    """The events of a file, each behind its length and followed by a checksum."""
    from tensorboardX.proto.event_pb2 import Event

    data, found = path.read_bytes(), []
    while data:
        (length,) = struct.unpack("<Q", data[:8])
        found.append(Event.FromString(data[12 : 12 + length]))
        data = data[16 + length :]
    return found


def record(step, **fields):
    return {**{name: 0.5 for name in SCALARS}, "step": step, **fields}


def test_each_record_is_on_the_disk_when_it_is_written(tmp_path):
    threads = threading.active_count()
    with summaries(tmp_path, True) as write:
        [path] = (tmp_path / FOLDER).iterdir()
        write(record(6, train_loss=1.25, test_top5=None))
        write(record(12))
        _, first, second = events(path)
        assert threading.active_count() == threads
    assert (first.step, second.step) == (6, 12)
    values = {value.tag: value.simple_value for value in first.summary.value}
    assert values.keys() == set(SCALARS.values()) - {"test/top5"}
    assert values["train/loss"] == 1.25
    assert len(second.summary.value) == len(SCALARS)


def test_a_full_disk_is_one_line(tmp_path):
    with summaries(tmp_path, True) as write:
        write(record(6))
        [path] = (tmp_path / FOLDER).iterdir()
        before = path.read_bytes()
        limits = resource.getrlimit(resource.RLIMIT_FSIZE)
        resource.setrlimit(resource.RLIMIT_FSIZE, (len(before), limits[1]))  # as if it were full
        try:
            with pytest.raises(UserError, match=f"cannot write {tmp_path}.*: File too large"):
                write(record(12))
        finally:
            resource.setrlimit(resource.RLIMIT_FSIZE, limits)
        assert path.read_bytes() == before


def test_none_are_written_unasked(tmp_path):
    with summaries(tmp_path, False) as write:
        write(record(6))
    assert list(tmp_path.iterdir()) == []
