"""The records of a training, one an epoch: how they are made, and read when it goes on."""

from collections.abc import Mapping
from typing import Any

import jax

from tenas_jax.errors import UserError
from tenas_jax.runs.workdir import Workdir
from tenas_jax.train.evaluate import Evaluation
from tenas_jax.train.recipe import Recipe
from tenas_jax.train.step import State


def epoch_record(
    state: State,
    recipe: Recipe,
    steps_per_epoch: int,
    *,
    evaluation: Evaluation | None,
    learning_rate: float,
    seconds: float,
    images: int,
    multiply_adds: Mapping[int, int],
) -> dict[str, Any]:
    """The record of the epoch that a state ends.

    `train_loss` is what was minimised, with smoothing, mixing and the auxiliary head's share, and
    `train_top1` that of augmented images, of mixed ones by the label of the larger share, both
    while the weights changed.

    Args:
        state: after the epoch's last step.
        recipe: of the training.
        steps_per_epoch: of the training.
        evaluation: after this epoch; None where there was none.
        learning_rate: of its last step.
        seconds: of this start alone where an epoch was begun in another.
        images: trained on in these seconds.
        multiply_adds: for one image by factor of coarse tokens, told where a recipe has any.
    """
    sums = jax.tree.map(float, state["rest"]["sums"])
    step = int(state["rest"]["step"])
    epoch = step // steps_per_epoch
    record = {
        "epoch": epoch,
        "step": step,
        "train_loss": sums["loss"] / steps_per_epoch,
        "train_top1": sums["correct"] / (steps_per_epoch * recipe.batch_size),
        "test_loss": evaluation.loss if evaluation else None,
        "test_top1": evaluation.top1 if evaluation else None,
        "test_top5": evaluation.top5 if evaluation else None,
        "learning_rate": learning_rate,
        "seconds": seconds,
        "images_per_second": images / seconds if seconds else None,
    }
    if recipe.coarse:
        factor = recipe.coarse_at(epoch - 1)
        record |= {"coarse": factor, "multiply_adds": multiply_adds[factor]}
    return record


def recorded_epochs(workdir: Workdir) -> set[int]:
    """The epochs that have a record.

    Raises:
        UserError: a record is none of a training's.
    """
    epochs = set()
    for line, record in enumerate(workdir.records(), 1):
        epoch, seconds = record.get("epoch"), record.get("seconds")
        if type(epoch) is not int or not isinstance(seconds, float | int):
            raise UserError(f"{workdir.path}: record {line} is damaged: no epoch, or no seconds")
        epochs.add(epoch)
    return epochs
