"""Checkpoints, and files that are written whole or not at all."""

import math
import os

import numpy as np
import pytest

from tenas_jax.errors import UserError
from tenas_jax.runs import files


def contents(path):
    return {p.name: p.read_bytes() for p in sorted(path.iterdir())}


def test_floats_come_back_to_the_bit(run):
    rng = np.random.default_rng(0)
    bits = rng.integers(0, 2**63, 500, dtype=np.uint64).view(np.float64)
    values = [0.1, -0.0, 5e-324, 1.7976931348623157e308, math.inf, -math.inf, *bits]
    run.save_checkpoint({"v": values, "f32": np.float32(0.1), "nan": math.nan, "n": 2**70})
    state = run.load_checkpoint()
    numbers = [v for v in values if not math.isnan(v)]
    back = [v for v in state["v"] if not math.isnan(v)]
    assert np.array(back).tobytes() == np.array(numbers).tobytes()
    assert len(state["v"]) == len(values) and math.isnan(state["nan"])
    assert np.float32(state["f32"]) == np.float32(0.1) and state["n"] == 2**70


@pytest.mark.parametrize("step", ["write_fn", "fsync", "replace"])
def test_a_crash_in_a_write_leaves_the_old_file(tmp_path, monkeypatch, step):
    path = tmp_path / "file"
    files.atomic_write_text(path, "old")

    def crash(*arguments):
        raise KeyboardInterrupt

    def write(file):
        file.write(b"half of the n")
        if step == "write_fn":
            crash()

    if step != "write_fn":
        monkeypatch.setattr(os, step, crash)
    with pytest.raises(KeyboardInterrupt):
        files.atomic_write_bytes(path, write)
    assert contents(tmp_path) == {"file": b"old"}


def test_atomic_writes_write(tmp_path):
    path = tmp_path / "file"
    files.atomic_write_text(path, "é")
    assert path.read_bytes() == "é".encode()
    files.atomic_write_bytes(str(path), lambda file: file.write(b"\0\xff"))
    assert contents(tmp_path) == {"file": b"\0\xff"}
    (tmp_path / "plain").write_text("")
    assert path.stat().st_mode == (tmp_path / "plain").stat().st_mode
    with pytest.raises(UserError, match=r"cannot write .*none/file: No such file"):
        files.atomic_write_text(tmp_path / "none" / "file", "x")


def test_a_failed_checkpoint_leaves_the_old_one(run, monkeypatch):
    run.save_checkpoint({"round": 1})

    def fail(*names):
        raise OSError(28, "No space left on device")

    monkeypatch.setattr(os, "replace", fail)
    with pytest.raises(UserError, match="cannot write .*checkpoint.json: No space left"):
        run.save_checkpoint({"round": 2})
    with pytest.raises(TypeError, match=r"state\.x"):
        run.save_checkpoint({"state": {"x": object()}})
    assert run.load_checkpoint() == {"round": 1}
