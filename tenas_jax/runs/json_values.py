"""Values as JSON: what Python and arrays become, how two values differ, reading a file."""

import json
import math
import os
import pathlib
from collections.abc import Iterator, Mapping

import jax
import numpy as np

from tenas_jax.errors import UserError
from tenas_jax.runs.files import read_bytes

_ABSENT = object()


def plain(value: object, where: str = "") -> object:
    """Gives `value` with arrays as lists, NumPy and JAX scalars as numbers, paths as strings.

    Raises:
        TypeError: for anything JSON has no form for, naming where it lies.
    """
    if value is None or isinstance(value, bool | int | str):
        return value
    if isinstance(value, float):
        return float(value)
    if hasattr(value, "to_dict"):
        value = value.to_dict()
    if isinstance(value, Mapping):
        for key in value:
            if not isinstance(key, str):  # JSON would turn it into a string in silence.
                raise TypeError(f"the key {key!r} of {where or 'the record'} is not a string")
        return {k: plain(v, f"{where}.{k}" if where else k) for k, v in value.items()}
    if isinstance(value, list | tuple):
        return [plain(v, f"{where}[{i}]") for i, v in enumerate(value)]
    if isinstance(value, os.PathLike):
        return os.fspath(value)
    if isinstance(value, np.generic | np.ndarray | jax.Array):
        array = np.asarray(value)
        # `kind` is "V" for bfloat16 and its like, which NumPy does not count as floats.
        if jax.numpy.issubdtype(array.dtype, np.floating):
            return array.astype(np.float64).tolist()
        if array.dtype.kind in "biuU":
            return array.tolist()
    raise TypeError(f"cannot write {where or 'the record'} as JSON: a {type(value).__name__}")


def finite(value: object) -> object:
    """Puts None for each NaN and infinity, which strict JSON has no form for, in a plain value."""
    if isinstance(value, dict):
        return {k: finite(v) for k, v in value.items()}
    if isinstance(value, list):
        return [finite(v) for v in value]
    return None if isinstance(value, float) and not math.isfinite(value) else value


def differences(old: object, new: object, ignore: tuple[str, ...], name: str = "") -> Iterator[str]:
    """Yields one phrase for each field in which two plain values differ.

    A field that is missing is the same as one that is null: configs get new fields, and null is
    what asks for nothing.

    Args:
        old: what was stored.
        new: what is asked for.
        ignore: dotted names of fields that, with all below them, may differ.
        name: the dotted name of the two values themselves.
    """
    if name in ignore:
        return
    if isinstance(old, dict) and isinstance(new, dict):
        for key in sorted(old.keys() | new.keys()):
            dotted = f"{name}.{key}" if name else key
            yield from differences(old.get(key, _ABSENT), new.get(key, _ABSENT), ignore, dotted)
    elif not _same(old, new):
        yield f"{name}: {_show(old)} there, {_show(new)} now"


def _same(old: object, new: object) -> bool:
    if old is _ABSENT or new is _ABSENT:
        return old is new or None in (old, new)
    if isinstance(old, bool) or isinstance(new, bool):
        return old is new
    # 1 and 1.0 are the same value, and so (by their text) are two NaN.
    return old == new or json.dumps(old) == json.dumps(new)


def _show(value: object) -> str:
    return "absent" if value is _ABSENT else json.dumps(value)


def read_object(path: pathlib.Path) -> dict | None:
    """Reads the JSON object that the file holds, None where there is no such file.

    Raises:
        UserError: the file holds something else, or cannot be read.
    """
    text = read_bytes(path)
    if text is None:
        return None
    try:
        value = json.loads(text)
    except ValueError as error:
        reason = error.msg if isinstance(error, json.JSONDecodeError) else "not UTF-8"
        raise UserError(f"cannot read {path}: not valid JSON ({reason})") from error
    if not isinstance(value, dict):
        raise UserError(f"cannot read {path}: not a JSON object")
    return value
