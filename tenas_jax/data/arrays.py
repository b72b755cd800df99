"""Images from a NumPy `.npz` file."""

import dataclasses
import pathlib
import zipfile

import numpy as np

from tenas_jax.data.dataset import positive
from tenas_jax.data.images import Images
from tenas_jax.data.resizing import resize_raw
from tenas_jax.errors import UserError

MOST_CLASSES = 1_000_000


def load(
    path, split: str = "train", *, size: int | None = None, limit: int | None = None
) -> Images:
    """The `Images` of one split of a `.npz` file.

    Keys: `{split}_images` and `{split}_labels`, such as `test_images`; a file without splits
    holds `images` and `labels`, which are its "train" split. Optional: `label_names`. The
    classes are counted over the labels of every split, so that all splits agree.
    Raises `UserError` for a file that is missing or unreadable and for missing keys.
    """
    path = pathlib.Path(path).expanduser()
    if limit is not None:
        limit = positive("limit", limit)
    try:
        if path.is_file() and not zipfile.is_zipfile(path):
            raise UserError(f"cannot read {path}: it is no .npz file, as numpy.savez writes")
        with np.load(path, allow_pickle=False) as file:
            image_key, label_key = _keys(path, split, file.files)
            names = tuple(map(str, file["label_names"])) if "label_names" in file.files else ()
            every = [file[k] for k in file.files if k == "labels" or k.endswith("_labels")]
            images, labels = file[image_key][:limit], np.atleast_1d(file[label_key])
    except FileNotFoundError:
        raise UserError(f"there is no file {path}") from None
    except UserError:
        raise
    except (OSError, ValueError, EOFError, IndexError, TypeError, zipfile.BadZipFile) as error:
        raise UserError(f"cannot read {path} as an .npz file of plain arrays: {error}") from error
    checked = Images(
        images=images,
        labels=labels[:limit],
        classes=len(names) or _classes(every),
        label_names=names,
        name=str(path),
    )
    return dataclasses.replace(checked, images=resize_raw(checked.images, size))


def _keys(path: pathlib.Path, split: str, present: list[str]) -> tuple[str, str]:
    """The names of the split's two arrays, or a `UserError` with those that the file has."""
    wanted = (f"{split}_images", f"{split}_labels")
    plain = ("images", "labels")
    if set(wanted) <= set(present):
        return wanted
    if split == "train" and set(plain) <= set(present):
        return plain
    need = " and ".join(wanted) + (" (or images and labels)" if split == "train" else "")
    raise UserError(f"{path} needs the arrays {need}; it has: {', '.join(present) or 'none'}")


def _classes(labels: list[np.ndarray]) -> int:
    """One more than the greatest label; 1 where there is none, for `Images` to judge.

    Raises:
        UserError: it is beyond any number of classes, as where labels are no class numbers.
    """
    numbers = [a for a in labels if a.size and np.issubdtype(a.dtype, np.integer)]
    greatest = max((int(a.max()) for a in numbers), default=0)
    if greatest >= MOST_CLASSES:
        raise UserError(f"labels go up to {greatest}; valid: class numbers below {MOST_CLASSES}")
    return greatest + 1
