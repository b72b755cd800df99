"""Labelled images from TensorFlow Datasets, read as NumPy arrays without TensorFlow.

Only what is already prepared is read: nothing here downloads. TensorFlow Datasets is imported on
use, since that is slow.
"""

import contextlib
import functools
import io
import logging
import re
import warnings
from collections.abc import Iterator

import numpy as np

from tenas_jax.data.dataset import positive
from tenas_jax.data.images import Images
from tenas_jax.data.resizing import differ_in_shape, resize_raw
from tenas_jax.errors import UserError

CHUNK = 1024  # examples that are decoded at a time, if they are kept as they are
LARGE = 32  # the same where they are resized: they may be photographs of many sizes
# dataset/configuration:version. A community's namespace, "who:dataset", would reach the network.
NAME = r"[A-Za-z_]\w*(/[\w.-]+)?(:[\d.*]+)?"
# What else there is to say of a dataset that is not prepared.
PHOTOS = "; or use the dataset 'photos', which needs no download"
ADVICE = {
    "imagenet2012": " with ILSVRC2012_img_train.tar and ILSVRC2012_img_val.tar in its "
    "downloads/manual; or give, in place of the name, a folder that has train/CLASS/*.JPEG and "
    "val/CLASS/*.JPEG",
}


class NoSuchDataset(LookupError):
    """Says that TensorFlow Datasets knows no such name; `args[0]` lists those it does know."""


def load(
    name: str,
    split: str = "train",
    *,
    data_dir: str | None = None,
    size: int | None = None,
    limit: int | None = None,
) -> Images:
    """Loads the `Images` of one split, or of the first examples of it.

    Args:
        name: as TensorFlow Datasets spells it, such as "cifar10" or "imagenet_resized/16x16".
        split: also a slice, such as "train[:10%]".
        data_dir: where it is prepared; `$TFDS_DATA_DIR` or ~/tensorflow_datasets by default.
        size: resize every image to [size, size]; required where images differ in size.
        limit: of the examples.

    Raises:
        NoSuchDataset: the name is not known.
        UserError: what is not prepared in a format that can be read, another split, or data
            without labelled images.
    """
    if limit is not None:
        limit = positive("limit", limit)
    with _quiet():
        builder = _builder(name, data_dir)
        source = _source(builder, name, split, data_dir)
        image_key, label_key = _keys(builder.info, name)
        count = len(source) if limit is None else min(limit, len(source))
        images, labels = [], []
        chunk = CHUNK if size is None else LARGE
        for start in range(0, count, chunk):
            examples = source.__getitems__(list(range(start, min(start + chunk, count))))
            images.append(_stack(name, [e[image_key] for e in examples], size))
            labels += [int(e[label_key]) for e in examples]
    if not images:
        raise UserError(f"{name}: split {split!r} holds no examples")
    if len({part.shape[1:] for part in images}) > 1:
        raise differ_in_shape(name, [part.shape[1:] for part in images])
    kind = builder.info.features[label_key]
    return Images(
        images=np.concatenate(images),
        labels=np.asarray(labels, np.int64),
        classes=kind.num_classes,
        label_names=tuple(kind.names or ()),
        name=name,
    )


def load_imagenet(
    split: str = "train",
    *,
    data_dir: str | None = None,
    size: int | None = None,
    limit: int | None = None,
) -> Images:
    """Loads ImageNet (ILSVRC 2012) as `load` does, with a `size`, since no two images are alike.

    Its images called "test" have no labels, so "test" is "validation" here.
    """
    if size is None:
        raise UserError("the images of ImageNet differ in size: give a size to resize them to")
    split = re.sub(r"\btest\b", "validation", split)
    return load("imagenet2012", split, data_dir=data_dir, size=size, limit=limit)


@contextlib.contextmanager
def _quiet() -> Iterator[None]:
    """Keeps the library's remarks away, so that an error is one line and no warning is raised."""
    logger = logging.getLogger("absl")
    level = logger.level
    # Where it wants TensorFlow it says so on standard output.
    with warnings.catch_warnings(), contextlib.redirect_stdout(io.StringIO()):
        warnings.simplefilter("ignore")
        logger.setLevel(logging.ERROR)
        try:
            yield
        finally:
            logger.setLevel(level)


def _builder(name: str, data_dir: str | None):
    """Makes the builder of a dataset that is prepared."""
    try:
        import tensorflow_datasets as tfds
    except ImportError as error:
        raise UserError(
            f"dataset {name!r} needs TensorFlow Datasets ({error}): pip install "
            "tensorflow-datasets importlib_resources array_record; or use the dataset 'photos'"
        ) from None
    known = functools.partial(tfds.list_builders, with_community_datasets=False)
    if not re.fullmatch(NAME, name):
        raise NoSuchDataset(known())
    try:
        builder = tfds.builder(name, data_dir=data_dir)
    except tfds.core.DatasetNotFoundError:
        raise NoSuchDataset(known()) from None
    except ImportError as error:
        raise UserError(
            f"dataset {name!r} cannot be read without TensorFlow: {error.msg}"
        ) from None
    except (ValueError, AssertionError) as error:  # no such configuration or version
        reason = " ".join(str(error).split())[:300]
        raise UserError(f"dataset {name!r}: {reason}") from None
    if not builder.is_prepared():
        raise _unprepared(name, data_dir, f"is not prepared in {builder.data_dir}")
    return builder


def _source(builder, name: str, split: str, data_dir: str | None):
    """Opens the examples of a split, which can be read in any order."""
    splits = list(builder.info.splits)
    try:
        return builder.as_data_source(split)
    except NotImplementedError:
        raise _unprepared(
            name, data_dir, f"is prepared in {builder.data_dir} in a format that needs TensorFlow"
        ) from None
    except ValueError:
        raise UserError(
            f"dataset {name!r} has no split {split!r}; available: {', '.join(splits)}"
        ) from None


def _unprepared(name: str, data_dir: str | None, problem: str) -> UserError:
    """Makes the error for a dataset that is known but cannot be read, with the way to get it."""
    where = "" if data_dir is None else f", data_dir={str(data_dir)!r}"
    return UserError(
        f"dataset {name!r} {problem}; prepare it once where TensorFlow is installed: "
        f'python -c "import tensorflow_datasets as tfds; tfds.builder({name!r}, '
        f"file_format='array_record'{where}).download_and_prepare()\"{ADVICE.get(name, PHOTOS)}"
    )


def _keys(info, name: str) -> tuple[str, str]:
    """Finds the names of the image and of its class among a dataset's features."""
    import tensorflow_datasets as tfds

    features = dict(info.features.items()) if hasattr(info.features, "items") else {}
    # What the dataset itself calls input and target goes first: there may be several of each.
    names = [k for k in info.supervised_keys or () if isinstance(k, str)] + list(features)

    def first(kind):
        return next((k for k in names if isinstance(features.get(k), kind)), None)

    image, label = first(tfds.features.Image), first(tfds.features.ClassLabel)
    if image is None or label is None:
        raise UserError(f"dataset {name!r} has no labelled images; it has: {', '.join(features)}")
    return image, label


def _stack(name: str, images: list[np.ndarray], size: int | None) -> np.ndarray:
    """Stacks images [H, W, C] into one array [n, H, W, C], resized if `size` is given."""
    if size is not None:
        return np.concatenate([resize_raw(image[None], size) for image in images])
    shapes = [image.shape for image in images]
    if len(set(shapes)) > 1:
        raise differ_in_shape(name, shapes)
    return np.stack(images)
