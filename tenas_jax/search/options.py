"""Checks of options that several strategies take."""

from typing import Any

from tenas_jax.errors import UserError, lookup
from tenas_jax.scoring.combining import COMBINATIONS


def whole_number(name: str, value: Any, least: int = 1) -> int:
    """A whole number from `least`, or a `UserError` that names the option."""
    if type(value) is not int or value < least:
        raise UserError(f"{name} is {value!r}; valid: whole numbers from {least}")
    return value


def combination_name(name: str) -> str:
    """A name in `COMBINATIONS` of one that takes no weights, or a `UserError`."""
    lookup("combination", {n: how for n, how in COMBINATIONS.items() if n != "weighted"}, name)
    return name
