"""Checkpoints: what comes back, what is kept, and every kind of damage."""

import contextlib
import resource
import shutil

import jax.numpy as jnp
import numpy as np
import pytest

from tenas_jax.errors import UserError
from tenas_jax.train.checkpoints import Checkpoints, checksum


def state_of(step, dtype=np.float32):
    """Small arrays that differ by step, and none that a file system would compress away."""
    rng = np.random.default_rng(step)
    kernel = rng.normal(size=(40, 30)).astype(np.float32)
    return {
        "weights": {"params": {"dense": {"kernel": kernel}}, "batch_stats": {}},
        "rest": {"step": np.int32(step), "velocity": jnp.asarray(kernel[:2], dtype)},
    }


def same(restored, expected):
    return checksum(restored) == checksum(expected)


def save(folder, card, *steps):
    with Checkpoints(folder, card) as checkpoints:
        for step in steps:
            checkpoints.save(step, state_of(step))
        checkpoints.wait()


def load(folder, card, **options):
    with Checkpoints(folder, card, **options) as checkpoints:
        return checkpoints.newest(**state_of(0)), checkpoints.steps()


@pytest.fixture(scope="module")
def saved(card, tmp_path_factory):
    """A folder with the checkpoints of steps 20 and 30."""
    folder = tmp_path_factory.mktemp("saved") / "checkpoints"
    save(folder, card, 10, 20, 30)
    return folder


@pytest.fixture
def folder(saved, tmp_path):
    """A copy that may be damaged."""
    return shutil.copytree(saved, tmp_path / "checkpoints")


def test_what_was_saved_comes_back_to_the_bit_and_two_are_kept(saved, card):
    (step, restored), steps = load(saved, card)
    assert step == 30 and steps == [30, 20]
    assert same(restored, state_of(30)) and not same(restored, state_of(20))
    assert all(
        isinstance(leaf, np.ndarray) for leaf in restored["weights"]["params"]["dense"].values()
    )


def test_half_of_it_can_be_read_alone(saved, card):
    with Checkpoints(saved, card, read_only=True) as checkpoints:
        step, restored = checkpoints.newest(weights=state_of(0)["weights"])
    assert step == 30 and list(restored) == ["weights"]
    assert same(restored["weights"], state_of(30)["weights"])


def test_bfloat16_comes_back(card, tmp_path):
    state = state_of(1, jnp.bfloat16)
    with Checkpoints(tmp_path / "c", card) as checkpoints:
        checkpoints.save(1, state)
        _, restored = checkpoints.newest(**state)
    assert restored["rest"]["velocity"].dtype == jnp.bfloat16 and same(restored, state)


def test_what_is_saved_may_change_at_once(card, tmp_path):
    state = state_of(1)
    with Checkpoints(tmp_path / "c", card) as checkpoints:
        checkpoints.save(1, state)
        state["weights"]["params"]["dense"]["kernel"][:] = 0
        checkpoints.wait()
        assert same(checkpoints.newest(**state)[1], state_of(1))


def test_there_is_none_at_first(card, tmp_path):
    assert load(tmp_path / "new", card) == (None, [])
    with pytest.raises(UserError, match="there is no checkpoint in"):
        Checkpoints(tmp_path / "none", card, read_only=True)
    assert not (tmp_path / "none").exists()


def largest(folder):
    return max((p for p in folder.rglob("*") if p.is_file()), key=lambda p: p.stat().st_size)


def flip_a_bit(path):
    data = bytearray(path.read_bytes())
    data[len(data) // 2] ^= 4
    path.write_bytes(data)


# name -> what is done to the folder of one step
DAMAGE = {
    "a bit of the weights": lambda step: flip_a_bit(largest(step / "weights")),
    "half of the weights": lambda step: largest(step / "weights").write_bytes(
        largest(step / "weights").read_bytes()[:100]
    ),
    "no optimiser's state": lambda step: shutil.rmtree(step / "rest"),
    "an empty description": lambda step: (step / "about" / "metadata").write_text(""),
    "another description": lambda step: (step / "about" / "metadata").write_text("{}"),
    "nothing at all": lambda step: [
        shutil.rmtree(item) for item in step.iterdir() if item.is_dir()
    ],
}


@pytest.mark.parametrize("kind", DAMAGE)
def test_a_damaged_one_is_passed_over_and_written_again(kind, folder, card, caplog, capfd):
    DAMAGE[kind](folder / "30")
    (step, restored), steps = load(folder, card)
    assert step == 20 and same(restored, state_of(20))
    [warning] = [r.getMessage() for r in caplog.records if r.levelname == "WARNING"]
    assert f"the checkpoint of step 30 in {folder} cannot be read: " in warning
    assert len(warning.splitlines()) == 1 and "Traceback" not in capfd.readouterr().err
    assert steps == [20], "the training would not write step 30 again"
    save(folder, card, 30)
    assert load(folder, card)[0][0] == 30


def test_whoever_only_reads_leaves_a_damaged_one(folder, card):
    DAMAGE["a bit of the weights"](folder / "30")
    (step, _), steps = load(folder, card, read_only=True)
    assert step == 20 and steps == [30, 20] and (folder / "30").is_dir()


def test_where_none_can_be_read_all_stay(folder, card):
    for step in ("20", "30"):
        DAMAGE["half of the weights"](folder / step)
    with pytest.raises(UserError, match="no checkpoint in .* can be read; move it away"):
        load(folder, card)
    assert (folder / "20").is_dir() and (folder / "30").is_dir()


def test_what_a_killed_writer_left_is_no_checkpoint(folder, card):
    """Orbax gives a folder its name when all is written."""
    half = folder / "40.orbax-checkpoint-tmp"
    shutil.copytree(folder / "30" / "about", half / "about")
    assert load(folder, card, read_only=True)[0][0] == 30
    assert half.exists(), "another process may be writing it"
    (step, _), steps = load(folder, card)
    assert step == 30 and steps == [30, 20]
    save(folder, card, 40)
    (step, restored), steps = load(folder, card)
    assert step == 40 and steps == [40, 30] and same(restored, state_of(40))
    assert not half.exists()


def test_one_of_another_architecture_is_refused(folder, card, other_card, make_card):
    with pytest.raises(UserError) as error:
        load(folder, other_card)
    for word in ("step 30", "another architecture", card.arch, other_card.arch):
        assert word in str(error.value)
    with pytest.raises(UserError, match="is of another network size: .*'channels': 8.*3"):
        load(folder, make_card(channels=3))
    assert load(folder, card)[0][0] == 30, "nothing was removed"


def test_numbers_that_are_not_finite_are_not_saved(folder, card):
    state = state_of(40)
    state["weights"]["params"]["dense"]["kernel"][3, 4] = np.nan
    with Checkpoints(folder, card) as checkpoints:
        with pytest.raises(UserError) as error:
            checkpoints.save(40, state)
        assert checkpoints.steps() == [30, 20]
        checkpoints.save(40, state_of(40))
        state["rest"] = state_of(50)["rest"]
        with pytest.raises(UserError, match="after step 50; the checkpoint of step 40 is kept"):
            checkpoints.save(50, state)  # not the one before it
    words = "weights/params/dense/kernel is not finite after step 40; the checkpoint of step 30"
    assert words in str(error.value)


@contextlib.contextmanager
def largest_file(size):
    """No file may grow beyond so many bytes, as if the disk were full then."""
    limits = resource.getrlimit(resource.RLIMIT_FSIZE)
    resource.setrlimit(resource.RLIMIT_FSIZE, (size, limits[1]))
    try:
        yield
    finally:
        resource.setrlimit(resource.RLIMIT_FSIZE, limits)


def test_a_full_disk_is_one_line_and_the_last_stays(folder, card, capfd):
    with Checkpoints(folder, card) as checkpoints, largest_file(1000):
        with pytest.raises(UserError) as error:
            checkpoints.save(40, state_of(40))
            checkpoints.wait()
    message = str(error.value)
    assert message.startswith(f"cannot write the checkpoint of step 40 in {folder}: ")
    assert "the checkpoint of step 30 is kept" in message and "\n" not in message
    assert "Traceback" not in capfd.readouterr().err
    (step, restored), steps = load(folder, card)
    assert step == 30 and steps == [30, 20] and same(restored, state_of(30))


def test_one_that_is_removed_leaves_the_others(folder, card):
    with Checkpoints(folder, card) as checkpoints:
        checkpoints.remove(10)  # which there is not
        checkpoints.remove(30)
        assert checkpoints.steps() == [20]


def test_a_folder_that_cannot_be_made(card, tmp_path):
    (tmp_path / "file").write_text("")
    with pytest.raises(UserError, match="file is no folder of checkpoints"):
        Checkpoints(tmp_path / "file", card)
    with pytest.raises(UserError, match="cannot create"):
        Checkpoints(tmp_path / "file" / "checkpoints", card)
