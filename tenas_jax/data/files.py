"""Images from a user's own files: a NumPy `.npz`, or a folder that has a folder for each class.

Folders are as ImageNet is unpacked.
"""

import dataclasses
import itertools
import os
import pathlib
import zipfile
from collections.abc import Iterator

import numpy as np

from tenas_jax.data.dataset import positive
from tenas_jax.data.image_file import SUFFIXES, is_image_name, read_image
from tenas_jax.data.images import Images
from tenas_jax.data.resizing import differ_in_shape, resize_raw
from tenas_jax.errors import UserError, user_error

MOST_CLASSES = 1_000_000
# Split -> the folders that may hold it, the first that is there.
SPLITS = {
    "train": ("train",),
    "test": ("val", "validation", "test"),
    "validation": ("validation", "val"),
    "val": ("val", "validation"),
}


def is_path(name: str | os.PathLike) -> bool:
    """Says whether a name can only be a path, and no dataset's: it starts with /, ~ or a dot."""
    return not isinstance(name, str) or name.startswith(("/", "~", "."))


def load_arrays(
    path: str | os.PathLike, split: str = "train", *, size: int | None = None,
    limit: int | None = None,
) -> Images:  # fmt: skip
    """Loads the `Images` of one split of a `.npz` file.

    Args:
        path: its keys are `{split}_images` and `{split}_labels`, such as `test_images`; a file
            without splits holds `images` and `labels`, which are its "train" split. Optional:
            `label_names`. The classes are counted over the labels of every split, so that all
            splits agree.
        split: which.
        size: resize every image to [size, size].
        limit: read only the first so many.

    Raises:
        UserError: a file that is missing or unreadable, or lacks keys.
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
        classes=len(names) or _count_classes(every),
        label_names=names,
        name=str(path),
    )
    return dataclasses.replace(checked, images=resize_raw(checked.images, size))


def _keys(path: pathlib.Path, split: str, present: list[str]) -> tuple[str, str]:
    """Names the split's two arrays, or raises a `UserError` with those that the file has."""
    wanted = (f"{split}_images", f"{split}_labels")
    plain = ("images", "labels")
    if set(wanted) <= set(present):
        return wanted
    if split == "train" and set(plain) <= set(present):
        return plain
    need = " and ".join(wanted) + (" (or images and labels)" if split == "train" else "")
    raise UserError(f"{path} needs the arrays {need}; it has: {', '.join(present) or 'none'}")


def _count_classes(labels: list[np.ndarray]) -> int:
    """Returns one more than the greatest label; 1 where there is none, for `Images` to judge.

    Raises:
        UserError: it is beyond any number of classes, as where labels are no class numbers.
    """
    numbers = [a for a in labels if a.size and np.issubdtype(a.dtype, np.integer)]
    greatest = max((int(a.max()) for a in numbers), default=0)
    if greatest >= MOST_CLASSES:
        raise UserError(f"labels go up to {greatest}; valid: class numbers below {MOST_CLASSES}")
    return greatest + 1


def load_folder(
    path: str | os.PathLike, split: str = "train", *, size: int | None = None,
    limit: int | None = None,
) -> Images:  # fmt: skip
    """Loads the `Images`, uint8 RGB, of one split of a folder of class folders.

    A class is called by its folder and labelled by its rank among the sorted names; those of
    `train`, where there is one, hold for every split. A split may lack classes, but a class
    folder without images is refused, as it mostly comes from unpacking that did not end.
    The order is always the same: the first file of each class, then the second of each, and so
    on; and within such a round the classes come so that any beginning of it is spread evenly over
    the sorted names. So the first `limit` images show as many classes, as equally, as can be.

    Args:
        path: has `train/CLASS/*.JPEG` and `val/CLASS/*.JPEG`, or just `CLASS/*.JPEG`, which is then
            its "train" split. Read are files that end with .jpg, .jpeg or .png in any case; hidden
            files and folders are passed over.
        split: the folder of that name; "test" is `val`, `validation` or `test`, whichever is there.
        size: resize every image to [size, size], one at a time; required where they differ in
            shape.
        limit: read only the first so many.

    Raises:
        UserError: a folder that is missing or not of this form, an image that cannot be read
            (naming it), or images that differ in shape where there is no `size`.
    """
    root = pathlib.Path(path).expanduser()
    size = None if size is None else positive("size", size)
    limit = None if limit is None else positive("limit", limit)
    folder, names = _split_folder(root, split)
    files = list(itertools.islice(_in_rounds(_files(folder, names)), limit))
    images = _read(folder, [folder / names[label] / file for label, file in files], size)
    labels = np.array([label for label, _ in files])
    return Images(images, labels, len(names), tuple(names), str(folder))


def _split_folder(root: pathlib.Path, split: str) -> tuple[pathlib.Path, list[str]]:
    """Finds the folder of a split, and the names of all classes."""
    if not root.is_dir():
        raise UserError(f"{root} is no folder" if root.exists() else f"there is no folder {root}")
    folders = _folders(root)
    # A class may be called "train" too: only a folder of folders is a split.
    known = dict.fromkeys(name for names in SPLITS.values() for name in names)
    present = [name for name in known if name in folders and _folders(root / name)]
    if not present:
        if split != "train":
            raise UserError(f"{root} has no split {split!r}: its folders are the split 'train'")
        return root, _class_names(root)
    wanted = SPLITS.get(split, ())
    # Without class folders it is no split, but worth saying so, as of ImageNet's flat `val`.
    matches = [n for n in wanted if n in present] or [n for n in wanted if n in folders]
    if not matches:
        raise UserError(f"{root} has no split {split!r}; its folders: {', '.join(present)}")
    folder = root / matches[0]
    names = _class_names(root / "train" if "train" in present else folder)
    strange = sorted(set(_class_names(folder)) - set(names))
    if strange:
        raise UserError(f"{folder} has a class {strange[0]!r} that {root / 'train'} has not")
    return folder, names


def _folders(path: pathlib.Path) -> list[str]:
    """Lists the sorted names of the folders in `path`, hidden ones aside."""
    with user_error("read", path), os.scandir(path) as entries:
        return sorted(e.name for e in entries if e.is_dir() and not e.name.startswith("."))


def _class_names(path: pathlib.Path) -> list[str]:
    """Lists the class folders; `UserError` if there are none."""
    names = _folders(path)
    if not names:
        raise UserError(f"{path} has no class folders: each class needs a folder of its images")
    return names


def _files(folder: pathlib.Path, names: list[str]) -> list[list[str]]:
    """Lists the sorted names of each class's image files; none where its folder is missing."""
    present, files = set(_folders(folder)), []
    for name in names:
        own = []
        if name in present:
            path = folder / name
            with user_error("read", path), os.scandir(path) as entries:
                # A link that leads nowhere stays: it is an image that cannot be read.
                own = sorted(
                    e.name
                    for e in entries
                    if is_image_name(e.name) and (e.is_file() or e.is_symlink())
                )
            if not own:
                raise UserError(f"the class folder {path} holds no {', '.join(SUFFIXES)} file")
        files.append(own)
    return files


def _in_rounds(files: list[list[str]]) -> Iterator[tuple[int, str]]:
    """Yields (label, file) of every image: one of each class a round, while it has any left."""
    bits = max(1, (len(files) - 1).bit_length())
    # Numbers by their reversed bits: 0, 4, 2, 6, 1, 5, 3, 7. Any beginning is spread evenly.
    order = sorted(range(len(files)), key=lambda label: int(f"{label:0{bits}b}"[::-1], 2))
    for r in range(max(map(len, files))):
        yield from ((c, files[c][r]) for c in order if r < len(files[c]))


def _read(folder: pathlib.Path, paths: list[pathlib.Path], size: int | None) -> np.ndarray:
    """Reads all images, uint8 [N, H, W, 3]; no more than one is in memory besides."""
    out = None
    for i, path in enumerate(paths):
        image = resize_raw(read_image(path)[None], size)[0]
        if out is None:
            out = _empty(folder, (len(paths), *image.shape))
        if image.shape != out.shape[1:]:
            raise differ_in_shape(str(folder), [out.shape[1:], image.shape])
        out[i] = image
    return out


def _empty(folder: pathlib.Path, shape: tuple) -> np.ndarray:
    """Takes memory for images; `UserError` where there is not enough."""
    try:
        return np.empty(shape, np.uint8)
    except MemoryError:
        gib = np.prod(shape, dtype=float) / 2**30
        raise UserError(
            f"the images of {folder} need {gib:.0f} GiB: give a limit or a smaller size"
        ) from None
