"""The loop of a training: it learns, records, resumes to the bit, and stops where it must."""

import dataclasses
import shutil

import jax
import jax.numpy as jnp
import numpy as np
import pytest

from tenas_jax.errors import UserError
from tenas_jax.runs.workdir import Workdir
from tenas_jax.train.checkpoints import FOLDER, Checkpoints
from tenas_jax.train.loop import Training
from tenas_jax.train.step import GOOD

pytestmark = pytest.mark.usefixtures("one_stage", "quick_compilation")
TIMES = ("seconds", "images_per_second")


class Stopped(Exception):
    """What ends a training in mid-epoch here."""


def stop_at(step, per_epoch=6):
    def progress(epoch, done, total):
        assert total == per_epoch
        if (epoch - 1) * total + done == step:
            raise Stopped

    return progress


def without_times(records):
    return [{k: v for k, v in record.items() if k not in TIMES} for record in records]


def assert_same(outcome, expected):
    """States, evaluations and records, to the bit."""
    jax.tree.map(np.testing.assert_array_equal, outcome[0], expected[0])
    assert dataclasses.astuple(outcome[1])[:3] == dataclasses.astuple(expected[1])[:3]
    assert without_times(outcome[2]) == without_times(expected[2])


def test_a_training_learns_and_records_every_epoch(training, whole):
    _, (state, evaluation, records) = whole
    assert training.steps_per_epoch == 6 and training.steps == 18
    assert [(r["epoch"], r["step"]) for r in records] == [(1, 6), (2, 12), (3, 18)]
    assert records[-1]["train_loss"] < records[0]["train_loss"]
    assert evaluation.loss < 0.7 < np.log(4) and evaluation.loss < 1
    last = records[-1]
    assert (last["test_loss"], last["test_top1"]) == (evaluation.loss, evaluation.top1)
    assert last["test_top5"] == 1 and evaluation.confusion.sum() == 10
    rates = [0.3 * (1 + np.cos(np.pi * (step - 1) / 18)) / 2 for step in (6, 12, 18)]
    assert [r["learning_rate"] for r in records] == pytest.approx(rates, rel=1e-5)
    assert all(0 <= r["train_top1"] <= 1 and r["images_per_second"] > 0 for r in records)
    assert state["rest"]["step"] == 18 and state["rest"]["sums"]["bad_step"] == GOOD
    assert training.compile_seconds > 0


def test_a_finished_one_is_only_evaluated_again(training, whole, run_in, tmp_path):
    folder = shutil.copytree(whole[0], tmp_path / "again")
    assert_same(run_in(training, folder, progress=stop_at(18)), whole[1])


@pytest.mark.parametrize(
    ("step", "every", "expected"),
    [
        (10, 4, [8, 6]),  # in mid-epoch, two steps after a checkpoint
        (8, 4, [6, 4]),  # in mid-epoch, before the checkpoint of this step
        (12, None, [6]),  # at the end of an epoch, before its checkpoint
        (3, None, []),  # before there is any
    ],
)
def test_stopped_and_resumed_it_ends_the_same(
    training, whole, run_in, tmp_path, step, every, expected
):
    with pytest.raises(Stopped):
        run_in(training, tmp_path, checkpoint_every=every, progress=stop_at(step))
    with Checkpoints(tmp_path / FOLDER, training.card, read_only=True) as checkpoints:
        kept = checkpoints.steps()
    assert kept == expected
    seen = []
    outcome = run_in(training, tmp_path, progress=lambda *at: seen.append(at))
    assert_same(outcome, whole[1])
    first = (seen[0][0] - 1) * 6 + seen[0][1]
    assert first == max(expected, default=0) + 1, "it went on behind the newest checkpoint"


def test_a_damaged_checkpoint_costs_the_steps_since_the_one_before(
    training, whole, run_in, tmp_path, caplog
):
    with pytest.raises(Stopped):
        run_in(training, tmp_path, progress=stop_at(14))
    kernels = sorted((tmp_path / FOLDER / "12" / "weights").rglob("*"))
    largest = max((p for p in kernels if p.is_file()), key=lambda p: p.stat().st_size)
    largest.write_bytes(largest.read_bytes()[:-50])
    seen = []
    assert_same(run_in(training, tmp_path, progress=lambda *at: seen.append(at)), whole[1])
    assert seen[0] == (2, 1, 6)
    assert "step 12" in caplog.text and "cannot be read" in caplog.text


def test_a_loss_that_is_not_finite_stops_it(training, run_in, tmp_path):
    """The checkpoint of step 6 gets a kernel that is finite and too large."""
    with pytest.raises(Stopped):
        run_in(training, tmp_path, progress=stop_at(7))
    with Checkpoints(tmp_path / FOLDER, training.card) as checkpoints:
        _, state = checkpoints.newest(**training.initial())
        state["weights"]["params"]["classifier"]["dense"]["kernel"] += np.float32(3e38)
        checkpoints.save(8, state)
        checkpoints.wait()
    with pytest.raises(UserError) as error:
        run_in(training, tmp_path)
    words = "the loss is not finite in step 7, epoch 2; the checkpoint of step 8 is kept"
    assert words in str(error.value)
    with Checkpoints(tmp_path / FOLDER, training.card) as checkpoints:
        assert checkpoints.steps() == [8, 6]


def test_a_test_loss_that_is_not_finite_stops_it_and_drops_those_weights(
    training, whole, run_in, tmp_path, monkeypatch
):
    tmp_path = shutil.copytree(whole[0], tmp_path / "run")  # with checkpoints of steps 12 and 18
    evaluate = training._evaluate
    monkeypatch.setattr(
        training,
        "_evaluate",
        lambda *args: dataclasses.replace(evaluate(*args), loss=float("inf")),
    )
    with pytest.raises(UserError) as error:
        run_in(training, tmp_path)
    words = "the test loss is not finite after step 18, epoch 3; the checkpoint of step 12 is kept"
    assert words in str(error.value)
    with Checkpoints(tmp_path / FOLDER, training.card) as checkpoints:
        assert checkpoints.steps() == [12]


@pytest.mark.parametrize("line", ['{"epoch": "a", "seconds": 1}', '{"e": 1}', '{"epoch": 1}'])
def test_records_that_are_no_trainings_are_refused(training, run_in, tmp_path, line):
    Workdir.open(tmp_path, {}).close()
    tmp_path.joinpath("records.jsonl").write_text(line + "\n")
    with pytest.raises(UserError, match="record 1 is damaged"):
        run_in(training, tmp_path)


def test_it_diverges_at_a_rate_that_is_too_high(
    card, recipe, train_images, test_images, run_in, tmp_path
):
    recipe = dataclasses.replace(recipe, learning_rate=1e30)
    training = Training(card, recipe, train_images, test_images, seed=0, devices=jax.devices()[:1])
    with pytest.raises(UserError, match=r"not finite (in|after) step [1-6]\b.*there is no"):
        run_in(training, tmp_path)
    assert not (tmp_path / "records.jsonl").exists()


@pytest.fixture(scope="module")
def spread(card, recipe, train_images, test_images):
    """The same training on four devices, in bfloat16 where asked for."""

    def make(**fields):
        changed = dataclasses.replace(recipe, **fields)
        devices = jax.devices()[:4]
        return Training(card, changed, train_images, test_images, seed=3, devices=devices)

    return make


def test_four_devices_do_what_one_does(spread, whole, run_in, tmp_path):
    """But for rounding, which steps amplify."""
    first, (state, evaluation, records) = whole[1][2][0], run_in(spread(), tmp_path)
    assert records[0]["train_loss"] == pytest.approx(first["train_loss"], rel=1e-4)
    assert records[0]["train_top1"] == first["train_top1"]
    for a, b in zip(jax.tree.leaves(state), jax.tree.leaves(whole[1][0]), strict=True):
        np.testing.assert_allclose(a, b, rtol=0.02, atol=5e-3)
    assert evaluation.loss == pytest.approx(whole[1][1].loss, rel=0.02)


def test_bfloat16_keeps_float32_weights_and_learns(spread, run_in, tmp_path):
    training = spread(dtype="bfloat16")
    state, evaluation, records = run_in(training, tmp_path)
    assert {leaf.dtype for leaf in jax.tree.leaves(state["weights"])} == {jnp.dtype("float32")}
    assert records[-1]["train_loss"] < records[0]["train_loss"] and evaluation.loss < 1


def test_every_epoch_has_another_order_without_repeats(training):
    first, second = training._order(0), training._order(1)
    assert first.shape == (6, 4) and first.dtype == np.int32
    for order in (first, second):
        assert sorted(order.ravel()) == list(range(24))
    assert (first != second).any()
    np.testing.assert_array_equal(first, training._order(0))


def test_what_does_not_fit_is_refused_at_once(
    card, recipe, train_images, test_images, make_images, other_card
):
    def training(train=train_images, test=test_images, seed=0, devices=1, **fields):
        changed = dataclasses.replace(recipe, **fields)
        return Training(card, changed, train, test, seed=seed, devices=jax.devices()[:devices])

    for mistake, words in [
        (dict(batch_size=25), "tiny has 24 images, not the 25 of a batch"),
        (dict(batch_size=6, devices=4), "batch_size is 6; valid: multiples of 4"),
        (dict(seed=-1), "the seed is -1; valid: from 0 to 4294967295"),
        (dict(seed=True), "the seed is True"),
        (dict(optimizer="sdg"), "did you mean 'sgd'"),
        (dict(test=make_images(8, classes=3)), "tiny has 3 classes, the network 4"),
        (dict(train=make_images(8, side=12)), "images of 12 x 12 x 3, the network takes those of"),
    ]:
        with pytest.raises(UserError) as error:
            training(**mistake)
        assert words in str(error.value)
