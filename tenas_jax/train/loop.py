"""The loop of a training: steps, evaluations, records and checkpoints, resumed where it was."""

import time
from collections.abc import Sequence

import jax
import numpy as np
from jax.sharding import Mesh, NamedSharding, PartitionSpec

from tenas_jax.data import Images
from tenas_jax.errors import UserError, shorten
from tenas_jax.runs.listeners import Listener
from tenas_jax.runs.workdir import Workdir
from tenas_jax.scoring.draws import on_devices
from tenas_jax.train import coarse
from tenas_jax.train.card import Card
from tenas_jax.train.checkpoints import Checkpoints
from tenas_jax.train.evaluate import Evaluation, epoch_record, evaluator, recorded_epochs
from tenas_jax.train.recipe import Recipe, optimiser, schedule
from tenas_jax.train.step import AXIS, GOOD, Programs, State, initial_state

LOOK_EVERY = 20  # steps between two looks at the loss on accelerators, which work ahead


class Training:
    """Runs one network's training, from its first step or from a checkpoint.

    What a step does depends on the seed and on its own number alone: a training that was killed and
    goes on from a checkpoint ends with the same weights, to the bit on the same devices (on GPUs
    where XLA is told to be deterministic).

    Attributes:
        card: the network that is trained.
        recipe: how.
        steps_per_epoch: whole batches that the training images give.
        steps: of the whole training.
        multiply_adds: of the network for one image.
        multiply_adds_trained: forward, for all images that the whole training sees.
        multiply_adds_saved: the share that coarse tokens save of what they would be without any.
    """

    def __init__(
        self,
        card: Card,
        recipe: Recipe,
        train: Images,
        test: Images,
        *,
        seed: int,
        devices: Sequence[jax.Device] | None = None,
    ):
        """Prepares a training; nothing is compiled yet.

        Args:
            card: the network, made for the training images.
            recipe: how to train it.
            train: what it is trained on.
            test: what it is evaluated on.
            seed: of weights, order and augmentation.
            devices: what to spread batches over; all there are by default.

        Raises:
            UserError: images that do not fit the network, with coarse tokens too, or a network that
                has no tokens to be coarse; a batch that is larger than the data or that the devices
                cannot share; a bad seed, an unknown optimiser.
        """
        self.card, self.recipe = card, recipe
        self._train, self._test, self._seed = train, test, seed
        self._mesh = Mesh(np.array(devices or jax.devices()), (AXIS,))
        self._check()
        self.steps_per_epoch = len(train) // recipe.batch_size
        self.steps = self.steps_per_epoch * recipe.epochs
        self._optimiser = optimiser(recipe, self.steps)
        self._schedule = schedule(recipe, self.steps)
        self._module = card.module(recipe.dtype)
        self._by_factor = coarse.multiply_adds(self._module, card.image_shape, recipe.coarse)
        self.multiply_adds = self._by_factor[1]
        self.multiply_adds_trained, self.multiply_adds_saved = coarse.trained(
            self._by_factor, recipe.coarse, recipe.epochs, self.steps_per_epoch * recipe.batch_size
        )
        self._evaluate = evaluator(self._module, card, self._mesh, recipe.batch_size)
        self._look_every = 1 if self._mesh.devices.flat[0].platform == "cpu" else LOOK_EVERY
        self._programs = Programs(
            self._module, recipe, self._optimiser, card, self._mesh, self.steps_per_epoch
        )

    @property
    def compile_seconds(self) -> float:
        """Seconds spent compiling steps so far."""
        return self._programs.compile_seconds

    def initial(self) -> State:
        """Returns the state before the first step, on all devices."""
        key = jax.random.fold_in(jax.random.key(self._seed), 0)
        state = initial_state(self._module, self._optimiser, self.card, key)
        return on_devices(state, self._mesh)

    def run(
        self,
        workdir: Workdir,
        checkpoints: Checkpoints,
        listener: Listener | None = None,
        *,
        checkpoint_every: int | None = None,
    ) -> tuple[State, Evaluation]:
        """Trains to the end, from the newest checkpoint that is whole.

        Every epoch becomes one line of the workdir's records, once, however often it is begun.

        Args:
            workdir: open, to be written to.
            checkpoints: of the card.
            listener: hears of progress and epochs.
            checkpoint_every: steps between two checkpoints; None: only at the end of each epoch.

        Returns:
            The last state, and how well it does on the test images.

        Raises:
            UserError: a loss or a weight that is not finite, or a checkpoint that cannot be
                written, belongs to another network, or cannot be read and has none before it.
        """
        listener = listener or Listener()
        state, step = self._resume(checkpoints)
        train, test = self._on_devices(self._train), self._on_devices(self._test)
        recorded = recorded_epochs(workdir)
        evaluation, seconds, images = None, 0.0, 0
        while True:
            if step and step % self.steps_per_epoch == 0:
                epoch = step // self.steps_per_epoch
                if self._is_evaluated(epoch):
                    evaluation = self._evaluate(state["weights"], test)
                    self._look_at(evaluation, step, checkpoints)
                if epoch not in recorded:
                    record = self._record(state, step, evaluation, seconds, images)
                    workdir.append(record)
                    listener.on_epoch(record, self.recipe.epochs)
            if step == self.steps:
                checkpoints.wait()
                return state, evaluation
            begun, first = time.perf_counter() - self.compile_seconds, step
            state, step = self._epoch(state, step, train, checkpoints, listener, checkpoint_every)
            seconds = time.perf_counter() - begun - self.compile_seconds
            images = (step - first) * self.recipe.batch_size
            checkpoints.save(step, state)  # written while the network is evaluated

    def _resume(self, checkpoints: Checkpoints) -> tuple[State, int]:
        """Returns the newest state that was saved, or the first one; and its step."""
        state = self.initial()
        newest = checkpoints.newest(**state)
        if newest is None:
            return state, 0
        return on_devices(newest[1], self._mesh), newest[0]

    def _epoch(
        self,
        state: State,
        step: int,
        data: dict,
        checkpoints: Checkpoints,
        listener: Listener,
        every: int | None,
    ) -> tuple[State, int]:
        """Goes on to the end of an epoch; returns the state and the step then."""
        epoch, done = divmod(step, self.steps_per_epoch)
        replicated = NamedSharding(self._mesh, PartitionSpec())
        key = jax.random.fold_in(jax.random.key(self._seed), 1)
        key = jax.device_put(key, replicated)
        rate = on_devices(np.float32(self.recipe.drop_path_at(epoch)), self._mesh)
        factor = self.recipe.coarse_at(epoch)
        for indices in self._order(epoch)[done:]:
            args = (state, data, on_devices(indices, self._mesh, AXIS), key, rate)
            state = self._programs.step(factor, *args)
            step, done = step + 1, done + 1
            last = done == self.steps_per_epoch
            due = bool(every) and step % every == 0 and not last
            if last or due or step % self._look_every == 0:
                self._look(state, checkpoints)
                listener.on_progress(f"epoch {epoch + 1}", done, self.steps_per_epoch)
            if due:
                checkpoints.save(step, state)
        return state, step

    def _order(self, epoch: int) -> np.ndarray:
        """Draws which images each step of an epoch takes, int32 [steps_per_epoch, batch_size]."""
        order = np.random.default_rng([self._seed, epoch]).permutation(len(self._train))
        size = (self.steps_per_epoch, self.recipe.batch_size)
        return order[: size[0] * size[1]].reshape(size).astype(np.int32)

    def _look(self, state: State, checkpoints: Checkpoints) -> None:
        """Waits for the state; `UserError` if a loss was not finite."""
        bad = int(state["rest"]["sums"]["bad_step"])
        if bad != GOOD:
            checkpoints.wait()
            raise UserError(
                f"the loss is not finite in step {bad + 1}, epoch "
                f"{bad // self.steps_per_epoch + 1}; {_kept(checkpoints)}"
            )

    def _look_at(self, evaluation: Evaluation, step: int, checkpoints: Checkpoints) -> None:
        """`UserError` if the test loss is not finite; the checkpoint of such weights is dropped."""
        if not np.isfinite(evaluation.loss):
            checkpoints.remove(step)
            raise UserError(
                f"the test loss is not finite after step {step}, epoch "
                f"{step // self.steps_per_epoch}; {_kept(checkpoints)}"
            )

    def _is_evaluated(self, epoch: int) -> bool:
        return epoch % self.recipe.evaluate_every == 0 or epoch == self.recipe.epochs

    def _record(
        self, state: State, step: int, evaluation: Evaluation | None, seconds: float, images: int
    ) -> dict:
        """Makes the line of an epoch that ends with `step`."""
        evaluated = self._is_evaluated(step // self.steps_per_epoch)
        return epoch_record(
            state,
            self.recipe,
            self.steps_per_epoch,
            evaluation=evaluation if evaluated else None,
            learning_rate=float(self._schedule(step - 1)),
            seconds=seconds,
            images=images,
            multiply_adds=self._by_factor,
        )

    def _on_devices(self, images: Images) -> dict:
        """Raw images and int32 labels, on every device."""
        raw = {"images": images.images, "labels": images.labels.astype(np.int32)}
        return on_devices(raw, self._mesh)

    def _check(self) -> None:
        """Raises for what would fail at the first step."""
        size, devices = self.recipe.batch_size, self._mesh.size
        self.card.check_images(self._train)
        self.card.check_images(self._test)
        if size > len(self._train):
            raise UserError(
                f"{self._train.name} has {len(self._train)} images, not the {size} of a batch"
            )
        if size % devices:
            raise UserError(
                f"batch_size is {size}; valid: multiples of {devices}, the number of devices"
            )
        seed = self._seed
        if not isinstance(seed, int) or isinstance(seed, bool) or not 0 <= seed < 2**32:
            raise UserError(f"the seed is {shorten(seed)}; valid: from 0 to {2**32 - 1}")


def _kept(checkpoints: Checkpoints) -> str:
    steps = checkpoints.steps()
    words = f"the checkpoint of step {steps[0]} is kept" if steps else "there is no checkpoint"
    return f"{words} (a lower learning_rate may help)"
