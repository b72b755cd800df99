"""What the derived networks refuse: sizes that make no network, and images that do not fit."""

from collections.abc import Sequence

import jax
import jax.numpy as jnp

from tenas_jax.errors import UserError, shorten

DTYPES = ("float32", "bfloat16")


def _whole(value: object) -> bool:
    return isinstance(value, int) and not isinstance(value, bool) and value >= 1


def _fraction(value: object) -> bool:
    return isinstance(value, int | float) and not isinstance(value, bool) and 0 <= value < 1


# field -> (test, what passes it)
FIELDS = {
    "classes": (_whole, "a whole number from 1"),
    "channels": (_whole, "a whole number from 1"),
    "depth": (_whole, "a whole number from 1"),
    "dropout": (_fraction, "a number from 0 to below 1"),
    "auxiliary": (lambda value: isinstance(value, bool), "True, False"),
}


def check_fields(module: object) -> None:
    """Raises a `UserError` where a module's `dtype` or a field in `FIELDS` has a wrong value.

    Args:
        module: has `dtype` and any of the fields.
    """
    for name, (passes, valid) in FIELDS.items():
        if hasattr(module, name) and not passes(getattr(module, name)):
            raise UserError(f"{name} is {shorten(getattr(module, name))}; valid: {valid}")
    try:
        dtype = jnp.dtype(module.dtype).name
    except TypeError:
        dtype = None
    if dtype not in DTYPES:
        raise UserError(f"dtype is {shorten(module.dtype)}; valid: {', '.join(DTYPES)}")


def check_images(shape: Sequence[int], multiple: int, least: int = 1) -> None:
    """Raises a `UserError` unless images are [N, H, W, C] and their sides fit a network.

    Args:
        shape: of the images.
        multiple: what height and width must be multiples of.
        least: what they must be at least.
    """
    if len(shape) != 4:
        raise UserError(f"images have shape {shape}; valid: (N, height, width, channels)")
    height, width = shape[1:3]
    if height % multiple or width % multiple or min(height, width) < least:
        larger = f" from {least}" if least > multiple else ""
        raise UserError(
            f"images of {height} x {width} do not fit this network; "
            f"valid: sides that are multiples of {multiple}{larger}"
        )


def check_drop_path(rate: float | jax.Array) -> None:
    """Raises a `UserError` where a Python number is no probability below 1."""
    if isinstance(rate, int | float) and not _fraction(rate):
        raise UserError(f"drop_path is {shorten(rate)}; valid: {FIELDS['dropout'][1]}")
