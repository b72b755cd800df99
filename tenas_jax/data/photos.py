"""Labelled patches of photographs that come with scikit-image: real images with no download.

The label is the photograph. Only PNG files inside the installed package are read: scikit-image's
own loaders may fetch from the network, and JPEG decoders differ in the last bit.
"""

import importlib.util
import pathlib

import numpy as np

from tenas_jax.data.dataset import positive
from tenas_jax.data.images import Images
from tenas_jax.errors import UserError, unknown

# Label name -> file. All are at least 300 pixels high and 384 wide.
PHOTOS = {
    "astronaut": "astronaut.png",
    "brick": "brick.png",
    "camera": "camera.png",
    "cat": "chelsea.png",
    "coffee": "coffee.png",
    "coins": "coins.png",
    "grass": "grass.png",
    "gravel": "gravel.png",
    "motorcycle": "motorcycle_left.png",
    "tissue": "ihc.png",
}
COUNTS = {"train": 4096, "test": 1024}
MAX_SCALE = 4  # a patch shows up to 4 x 4 pixels of the photograph as one


def load(
    split: str = "train",
    *,
    size: int | None = None,
    count: int | None = None,
    limit: int | None = None,
    seed: int = 0,
) -> Images:
    """Cuts patches uint8 [count, size, size, 3], labelled by photograph, the same every time.

    Args:
        split: "train" patches lie in the first two thirds of each photograph's longer side, "test"
            patches in the last third, so no pixel is in both.
        size: side of a patch, 32 by default.
        count: patches in the whole split, 4096 or 1024 by default, as evenly over the labels as
            can be.
        limit: make only the first `limit` of them.
        seed: of what is cut where.

    Raises:
        UserError: another split, a size that no photograph has room for, or scikit-image is not
            installed.
    """
    if split not in COUNTS:
        raise unknown("split of photos", split, COUNTS)
    size = positive("size", 32 if size is None else size)
    count = positive("count", COUNTS[split] if count is None else count)
    wanted = count if limit is None else min(count, positive("limit", limit))
    regions = [_regions(_read(file)) for file in PHOTOS.values()]
    # One limit for both splits, so that both show the photographs at the same scales.
    room = min(min(part.shape[:2]) for pair in regions for part in pair)
    if size > room:
        raise UserError(f"photos have patches of at most {room}x{room}, not {size}x{size}")
    # What is drawn depends on the whole split, not on how much of it is wanted.
    index = list(COUNTS).index(split)
    rng = np.random.default_rng([seed, index])
    labels = rng.permutation(np.arange(count) % len(PHOTOS))
    scales = rng.integers(1, min(MAX_SCALE, room // size) + 1, size=count)
    corners = rng.random((count, 2))
    out = np.empty((wanted, size, size, 3), np.uint8)
    for i in range(wanted):
        out[i] = _patch(regions[labels[i]][index], size, int(scales[i]), corners[i])
    return Images(out, labels[:wanted].copy(), len(PHOTOS), tuple(PHOTOS), "photos")


def _read(file: str) -> np.ndarray:
    """Reads a photograph as uint8 [H, W, 3]; grey ones get three equal channels."""
    spec = importlib.util.find_spec("skimage")
    if spec is None:
        raise UserError("the photos need scikit-image: pip install scikit-image")
    from PIL import Image  # slow to import, and not needed by the other sources

    path = pathlib.Path(spec.submodule_search_locations[0]) / "data" / file
    if not path.is_file():
        raise UserError(f"this scikit-image has no {path}; the photos were tested with 0.26")
    with Image.open(path) as image:
        return np.asarray(image.convert("RGB"))


def _regions(photo: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """Cuts a photograph across its longer side into a train and a test part."""
    height, width = photo.shape[:2]
    if height > width:
        cut = height - height // 3
        return photo[:cut], photo[cut:]
    cut = width - width // 3
    return photo[:, :cut], photo[:, cut:]


def _patch(region: np.ndarray, size: int, scale: int, corner: np.ndarray) -> np.ndarray:
    """Cuts the patch at a corner (two shares of the room), averaged over scale x scale pixels.

    The mean is rounded in whole numbers, so it is the same to the bit everywhere.
    """
    side = size * scale
    top, left = (int(p * (s - side + 1)) for p, s in zip(corner, region.shape[:2], strict=True))
    window = region[top : top + side, left : left + side].astype(np.int32)
    sums = window.reshape(size, scale, size, scale, 3).sum(axis=(1, 3))
    return ((sums + scale * scale // 2) // (scale * scale)).astype(np.uint8)
