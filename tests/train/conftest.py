"""A tiny network, its images, and trainings that share what they compile."""

import flax.linen as nn
import jax
import numpy as np
import pytest

from tenas_jax.data import Images
from tenas_jax.networks.nas_bench_201 import trained as nas_bench_201
from tenas_jax.runs.listeners import Listener
from tenas_jax.runs.workdir import Workdir
from tenas_jax.train import Card, Recipe
from tenas_jax.train.checkpoints import FOLDER, Checkpoints
from tenas_jax.train.loop import Training

ARCH = "|skip_connect~0|+|none~0|skip_connect~1|+|skip_connect~0|none~1|nor_conv_1x1~2|"
OTHER = "|skip_connect~0|+|none~0|skip_connect~1|+|skip_connect~0|none~1|nor_conv_3x3~2|"


def images_of(count, seed=0, side=8, classes=4, name="tiny"):
    """Images whose class shows in their colour."""
    rng = np.random.default_rng(seed)
    labels = rng.permutation(np.arange(count) % classes)
    pixels = rng.integers(0, 100, (count, side, side, 3))
    pixels[np.arange(count), :, :, labels % 3] += 50 * (1 + labels[:, None, None] // 3)
    return Images(pixels.astype(np.uint8), labels, classes, name=name)


class Linear(nn.Module):
    """The mean colour, times a kernel [3, classes] without bias; with an auxiliary head if asked.

    When it is trained, its auxiliary logits are the others times the drop path's rate.
    """

    classes: int
    auxiliary: bool = False

    @nn.compact
    def __call__(self, images, train, drop_path=0.0):
        features = images.mean((1, 2))
        logits = nn.Dense(self.classes, use_bias=False, name="dense")(features)
        return logits, logits * drop_path if self.auxiliary and train else None


@pytest.fixture(scope="session")
def train_images():
    """24 images of 8 x 8 in 4 classes."""
    return images_of(24)


@pytest.fixture(scope="session")
def test_images():
    """10 others of the kind."""
    return images_of(10, seed=1)


@pytest.fixture(scope="session")
def make_images():
    """`(count, seed=0, side=8, classes=4, name="tiny") -> Images`."""
    return images_of


@pytest.fixture(scope="session")
def linear():
    """A class of networks that are counted by hand."""
    return Linear


@pytest.fixture(scope="session")
def make_card(train_images):
    """`(arch=..., **network) -> Card` for the tiny images."""

    def make(arch=ARCH, **network):
        return Card.of("nas_bench_201", arch, {"channels": 8, "depth": 1, **network}, train_images)

    return make


@pytest.fixture(scope="session")
def card(make_card):
    return make_card()


@pytest.fixture(scope="session")
def other_card(make_card):
    """Of another architecture."""
    return make_card(OTHER)


@pytest.fixture(scope="session")
def recipe():
    """Three epochs of six steps, with all that is random in a step but drop path."""
    return Recipe(
        epochs=3, batch_size=4, learning_rate=0.3, weight_decay=5e-4, pad=1, cutout=2,
        optimizer_options="momentum=0.9,nesterov=True",
    )  # fmt: skip


@pytest.fixture(scope="module")
def one_stage():
    """Networks of NAS-Bench-201 have one stage in place of three, and compile in a third."""
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(nas_bench_201, "STAGES", 1)
        yield


@pytest.fixture(scope="module")
def training(one_stage, quick_compilation, card, recipe, train_images, test_images):
    """On one device; what it compiles at its first run serves all others."""
    return Training(card, recipe, train_images, test_images, seed=3, devices=jax.devices()[:1])


class Heard(Listener):
    """Calls a function with what it hears of progress, and keeps the epochs that it hears of."""

    def __init__(self, progress):
        self.epochs, self._progress = [], progress

    def on_progress(self, what, done, total):
        number = int(what.removeprefix("epoch "))
        if self._progress is not None:
            self._progress(number, done, total)

    def on_epoch(self, record, epochs):
        self.epochs.append((record["epoch"], epochs))


@pytest.fixture(scope="session")
def run_in():
    """`(training, folder, progress=None, **options) -> (weights, evaluation, records)`.

    Runs or resumes it; `progress` is called with the epoch, the steps done, and of how many.
    """

    def run(training, folder, progress=None, **options):
        heard = Heard(progress)
        with (
            Workdir.open(folder, {}) as workdir,
            Checkpoints(folder / FOLDER, training.card) as checkpoints,
        ):
            known = [record.get("epoch") for record in workdir.records()]
            state, evaluation = training.run(workdir, checkpoints, heard, **options)
            records = workdir.records()
        new = [record["epoch"] for record in records if record["epoch"] not in known]
        assert heard.epochs == [(epoch, training.recipe.epochs) for epoch in new]
        return jax.tree.map(np.asarray, state), evaluation, records

    return run


@pytest.fixture(scope="module")
def whole(training, run_in, tmp_path_factory):
    """An uninterrupted run: `(folder, (state, evaluation, records))`."""
    folder = tmp_path_factory.mktemp("whole")
    return folder, run_in(training, folder)
