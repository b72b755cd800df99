"""What networks see: batches, the data they are drawn from, and images by name or path.

`load("photos")`, `load("mine.npz")`, `load("/my/folder")` give labelled images.
"""

import difflib
import functools
import os
from collections.abc import Callable

from tenas_jax.data import files, photos, tfds
from tenas_jax.data.batches import batch, patches
from tenas_jax.data.dataset import Batch, Dataset, cross_entropy
from tenas_jax.data.image_file import read_image
from tenas_jax.data.images import Images
from tenas_jax.data.resizing import resize
from tenas_jax.data.tokens import Tokens
from tenas_jax.errors import UserError

__all__ = [
    "ALIASES",
    "SOURCES",
    "Batch",
    "Dataset",
    "Images",
    "Tokens",
    "batch",
    "cross_entropy",
    "load",
    "patches",
    "read_image",
    "resize",
]


def _photos(split: str, *, data_dir=None, size=None, limit=None) -> Images:
    """Loads the photographs, which have no folder."""
    return photos.load(split, size=size, limit=limit)


# Name -> function of (split, *, data_dir, size, limit).
SOURCES: dict[str, Callable[..., Images]] = {
    "photos": _photos,
    "cifar10": functools.partial(tfds.load, "cifar10"),
    "cifar100": functools.partial(tfds.load, "cifar100"),
    "imagenet16": functools.partial(tfds.load, "imagenet_resized/16x16"),
    "imagenet": tfds.load_imagenet,
}
ALIASES = {
    "skimage": "photos",
    "cifar-10": "cifar10",
    "cifar-100": "cifar100",
    "imagenet-16": "imagenet16",
    "imagenet2012": "imagenet",
}


def load(
    name: str | os.PathLike,
    split: str = "train",
    *,
    data_dir: str | os.PathLike | None = None,
    size: int | None = None,
    limit: int | None = None,
) -> Images:
    """Loads the labelled images of one split of a dataset.

    Args:
        name: one of `SOURCES` or `ALIASES`; a path that ends with .npz, see `files.load_arrays`; a
            folder of class folders, see `files.load_folder`; or any other name that TensorFlow
            Datasets has prepared, such as "svhn_cropped". What starts with /, ~ or a dot, or is a
            `pathlib.Path`, is a path. Other text is a name if one is known, as
            "imagenet_resized/32x32" is, and else a folder below the current one.
        split: "train", "test" or what else the dataset has. "test" of ImageNet is its validation
            set.
        data_dir: the TensorFlow Datasets folder; the other sources have none.
        size: resize every image to [size, size]; required where images differ in size.
        limit: read at most the first so many examples, which saves decoding the rest. Those of a
            folder are spread over its classes.

    Raises:
        UserError: what is unknown, not prepared or no labelled images.
    """
    only_path, name = files.is_path(name), os.fspath(name)
    known = None if only_path else SOURCES.get(ALIASES.get(name, name))
    if data_dir is not None:
        data_dir = os.path.expanduser(data_dir)
    if known is None and name.endswith(".npz"):
        return files.load_arrays(name, split, size=size, limit=limit)
    if only_path:
        return files.load_folder(name, split, size=size, limit=limit)
    try:
        known = known or functools.partial(tfds.load, name)
        return known(split, data_dir=data_dir, size=size, limit=limit)
    except tfds.NoSuchDataset as error:
        if not os.path.isdir(name):
            raise _unknown(name, error.args[0]) from None
    return files.load_folder(name, split, size=size, limit=limit)


def _unknown(name: str, others: list[str]) -> UserError:
    """Makes an error like `errors.unknown` that suggests from hundreds of names, unlisted."""
    near = difflib.get_close_matches(name, [*SOURCES, *ALIASES], n=1)
    near = near or difflib.get_close_matches(name, others, n=1)
    hint = f" (did you mean {near[0]!r}?)" if near else ""
    return UserError(
        f"unknown dataset {name!r}{hint}; valid: {', '.join(SOURCES)}, a path that ends with .npz, "
        "a folder of class folders, or any name of TensorFlow Datasets that is prepared"
    )
