"""What weights belong to: the network, and the images that it was made for."""

import dataclasses
import json
import pathlib
from collections.abc import Mapping, Sequence
from typing import Any

import flax.linen as nn
import jax
import jax.numpy as jnp
import numpy as np

from tenas_jax import spaces
from tenas_jax.data import Images
from tenas_jax.errors import UserError, shorten
from tenas_jax.networks.trained import derived
from tenas_jax.runs.files import atomic_write_text
from tenas_jax.runs.json_values import plain, read_object
from tenas_jax.runs.workdir import Workdir
from tenas_jax.train.recipe import DTYPES

FILE = "card.json"  # in a workdir

# field of a card -> what messages call it
WORDS = {
    "space": "space",
    "arch": "architecture",
    "network": "network size",
    "classes": "number of classes",
    "label_names": "list of label names",
    "image_shape": "image size",
    "mean": "data set (channel means)",
    "std": "data set (channel deviations)",
}


@dataclasses.dataclass(frozen=True)
class Card:
    """Says what weights belong to; kept in the workdir and with every checkpoint.

    Attributes:
        space: name of the architecture's space.
        arch: the architecture as the space writes it.
        network: the size fields of the derived network.
        classes: how many.
        label_names: one a class.
        image_shape: (height, width, channels) of the images.
        mean: of each channel of the training images, of pixels from 0 to 1.
        std: likewise their standard deviation.
    """

    space: str
    arch: str
    network: Mapping[str, Any]
    classes: int
    label_names: Sequence[str]
    image_shape: Sequence[int]
    mean: Sequence[float]
    std: Sequence[float]

    @classmethod
    def of(cls, space: str, arch: str, network: Mapping[str, Any], images: Images) -> "Card":
        """Makes the card of an architecture, of any spelling, that is trained on these images.

        Raises:
            UserError: an unknown space, or a text that is no architecture of it.
        """
        own = spaces.get(space)
        return cls(
            space,
            own.to_string(own.parse(arch)),
            dict(network),
            images.classes,
            list(images.label_names),
            list(images.images.shape[1:]),
            images.mean.tolist(),
            images.std.tolist(),
        )

    def to_json(self) -> dict:
        """Returns a plain dict."""
        return plain(dataclasses.asdict(self))

    def module(self, dtype: str = "float32") -> nn.Module:
        """Makes the derived network.

        Args:
            dtype: of the computation, a name in `recipe.DTYPES`.

        Raises:
            UserError: a size field that the space's network does not have, or a bad value of one.
        """
        arch = spaces.get(self.space).parse(self.arch)
        return derived(self.space, arch, classes=self.classes, dtype=DTYPES[dtype], **self.network)

    def example(self, count: int = 2) -> jax.ShapeDtypeStruct:
        """Describes the shape and dtype of a batch of normalised images."""
        return jax.ShapeDtypeStruct((count, *self.image_shape), jnp.float32)

    def normalise(self, pixels: jax.Array, unit: float = 255.0) -> jax.Array:
        """Normalises pixels [..., C] from 0 to `unit` by the training images' moments: float32."""
        shape = (1,) * (pixels.ndim - 1) + (-1,)
        mean, std = (
            np.asarray(value, np.float32).reshape(shape) for value in (self.mean, self.std)
        )
        return (pixels.astype(jnp.float32) / unit - mean) / std

    def check_images(self, images: Images) -> None:
        """Raises a `UserError` for images of other classes or another size than the network's."""
        shape = tuple(images.images.shape[1:])
        if images.classes != self.classes:
            raise UserError(
                f"{images.name} has {images.classes} classes, the network {self.classes}"
            )
        if shape != tuple(self.image_shape):
            raise UserError(
                f"{images.name} has images of {_size(shape)}, the network takes those of "
                f"{_size(self.image_shape)}"
            )

    def check_same(self, fields: Mapping[str, Any], where: str) -> None:
        """Raises a `UserError` where any of these fields differs from this card's.

        Args:
            fields: of a card, all or some.
            where: what has the fields; it begins the message.
        """
        own = self.to_json()
        for name, there in plain(dict(fields)).items():
            if there != own[name]:
                raise UserError(
                    f"{where} is of another {WORDS[name]}: {shorten(there)} there, "
                    f"{shorten(own[name])} here"
                )

    def keep(self, workdir: Workdir) -> None:
        """Writes the card into a workdir, where predictions look for it.

        Raises:
            UserError: there is another one, as where a data set has changed under its name.
        """
        stored = read_object(workdir.path / FILE)
        if stored is not None:
            self.check_same(stored, f"the run in {workdir.path}")
        elif workdir.is_writer:
            atomic_write_text(workdir.path / FILE, json.dumps(self.to_json(), indent=2) + "\n")

    @classmethod
    def read(cls, workdir: pathlib.Path) -> "Card":
        """Reads the card that `keep` wrote.

        Raises:
            UserError: there is none, or it is damaged.
        """
        stored = read_object(workdir / FILE)
        if stored is None:
            raise UserError(f"{workdir} holds no training, or one that has not begun (no {FILE})")
        if stored.keys() != WORDS.keys():
            raise UserError(f"cannot read {workdir / FILE}: its fields are not {', '.join(WORDS)}")
        card = cls(**stored)
        if not card._is_sound():
            raise UserError(f"cannot read {workdir / FILE}: a value in it is damaged")
        return card

    def _is_sound(self) -> bool:
        """Says whether fields that were read from a file have the types and lengths of a card's."""
        numbers, lists = (self.mean, self.std), (self.image_shape, self.label_names)
        return (
            isinstance(self.space, str)
            and isinstance(self.arch, str)
            and isinstance(self.network, Mapping)
            and all(isinstance(value, list) for value in (*numbers, *lists))
            and len(self.image_shape) == 3
            and all(type(side) is int and side > 0 for side in self.image_shape)
            and len(self.label_names) == self.classes
            and all(len(value) == self.image_shape[2] for value in numbers)
            and all(isinstance(x, float | int) for value in numbers for x in value)
        )


def _size(shape: Sequence[int]) -> str:
    """Writes the sides of images: `32 x 32 x 3`."""
    return " x ".join(map(str, shape))
