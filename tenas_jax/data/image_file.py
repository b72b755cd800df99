"""One image file, whatever its kind of pixels, as RGB."""

import os
import pathlib
import warnings
from typing import TYPE_CHECKING

import numpy as np

from tenas_jax.errors import UserError

if TYPE_CHECKING:
    from PIL import Image

SUFFIXES = (".jpg", ".jpeg", ".png")


def is_image_name(name: str) -> bool:
    """Says whether a file of this name is taken for an image: `SUFFIXES`, any case, not hidden."""
    return name.lower().endswith(SUFFIXES) and not name.startswith(".")


def read_image(path: str | os.PathLike) -> np.ndarray:
    """Reads the pixels of an image file, uint8 [H, W, 3].

    Grey pixels get three equal channels and CMYK ones are converted; what is transparent lies on
    white. Of 16 bits the upper 8 are kept. The content says which format it is, not the name: one
    of ImageNet's JPEG files is a PNG. Of several images in a file the first counts. A camera's note
    of which side is up is not heeded, as the usual readers of data sets do not either.

    Raises:
        UserError: the file, which is named, cannot be read, is cut short or is no image.
    """
    from PIL import Image  # slow to import, and not needed by the other sources

    path = pathlib.Path(path).expanduser()
    try:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")  # remarks on odd metadata, which is not used
            with Image.open(path) as image:
                return np.array(_rgb(image))
    except Exception as error:  # Pillow raises a dozen types for broken files
        reason = getattr(error, "strerror", None) or str(error) or type(error).__name__
        raise UserError(f"cannot read the image {path}: {' '.join(reason.split())}") from error


def _rgb(image: "Image.Image") -> "Image.Image":
    """Converts a Pillow image to mode RGB."""
    from PIL import Image

    if image.mode.startswith("I"):  # Pillow itself would cut these off at 255
        return Image.fromarray((np.asarray(image) >> 8).astype(np.uint8)).convert("RGB")
    if image.mode in ("LA", "PA", "RGBA") or "transparency" in image.info:
        image = image.convert("RGBA")
        return Image.alpha_composite(Image.new("RGBA", image.size, "white"), image).convert("RGB")
    return image.convert("RGB")
