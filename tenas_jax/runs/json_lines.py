"""An append-only file with one JSON object a line, which survives a crash in any write.

A crash can leave the last line unfinished. Whoever writes the file mends it first: the unfinished
line is moved to a file beside it, whose name ends in `ASIDE`, so that nothing is lost and nothing
is appended to half a line.
"""

import contextlib
import json
import os
import pathlib
from collections.abc import Iterator, Mapping
from typing import BinaryIO

from absl import logging

from tenas_jax.errors import UserError, user_error
from tenas_jax.runs.files import sync_folder
from tenas_jax.runs.json_values import finite, plain

ASIDE = ".truncated"


def append_object(path: pathlib.Path, value: Mapping) -> None:
    """Adds one line; when this returns, it is on the disk. NaN and infinities become `null`.

    Raises:
        UserError: it cannot be written; the file is then as it was before.
        TypeError: the value holds something that is not a number, string, list or dict.
    """
    _append(path, json.dumps(finite(plain(value)), allow_nan=False).encode() + b"\n")


def read_objects(path: pathlib.Path, *, mend: bool) -> list[dict]:
    """Reads `iter_objects` as a list."""
    return list(iter_objects(path, mend=mend))


def iter_objects(path: pathlib.Path, *, mend: bool) -> Iterator[dict]:
    """Reads the objects of all lines, one in memory at a time; none where there is no such file.

    Args:
        path: the file.
        mend: after the last line, move an unfinished one aside, and end a whole one that lacks its
          newline; else the file stays as it is. An unfinished line is skipped with a warning either
          way.

    Raises:
        UserError: another line is no JSON object, or the file cannot be read.
    """
    whole, line, bad = 0, b"\n", None  # whole: bytes of the lines before a bad one
    with user_error("read", path):
        try:
            file = path.open("rb")
        except FileNotFoundError:
            return
        with file:
            for number, line in enumerate(file, 1):
                if bad is not None:
                    raise UserError(f"{path}, line {number - 1}: not a JSON object")
                value = _parse(line)
                if value is None:
                    bad = line
                    continue
                whole += len(line)
                yield value
    if bad is not None:
        where = f"moved to {path.name}{ASIDE}" if mend else "skipped"
        logging.warning("%s: the last line is not whole; %s", path, where)
        if mend:
            _move_aside(path, bad.removesuffix(b"\n"), keep=whole)
    elif mend and not line.endswith(b"\n"):  # whole: a prefix of an object is no object
        _append(path, b"\n")


def cut_objects(path: pathlib.Path, count: int) -> None:
    """Cuts a file, if there is one, back to its first `count` lines.

    Raises:
        UserError: it cannot be written.
    """
    with user_error("write", path):
        try:
            file = path.open("r+b")
        except FileNotFoundError:
            return
        with file:
            for _ in range(count):
                file.readline()
            file.truncate(file.tell())
            os.fsync(file.fileno())


def _parse(line: bytes) -> dict | None:
    try:
        value = json.loads(line)
    except ValueError:  # Of which half a UTF-8 character is one.
        return None
    return value if isinstance(value, dict) else None


def _move_aside(path: pathlib.Path, tail: bytes, keep: int) -> None:
    """Cuts the file back to `keep` bytes; `tail` is saved first, so that a crash loses nothing."""
    _append(path.with_name(path.name + ASIDE), tail + b"\n")
    with user_error("write", path), path.open("r+b") as file:
        file.truncate(keep)
        os.fsync(file.fileno())


def _append(path: pathlib.Path, data: bytes) -> None:
    """Adds all of `data` to the file, down to the disk, or nothing."""
    with user_error("write", path), path.open("ab", buffering=0) as file:
        size = file.tell()
        try:
            _write_all(file, data)
            os.fsync(file.fileno())
        except BaseException:
            # Half a line would swallow the next one.
            with contextlib.suppress(OSError):
                file.truncate(size)
            raise
        if size == 0:
            sync_folder(path.parent)


def _write_all(file: BinaryIO, data: bytes) -> None:
    """Writes every byte to an unbuffered file, whose `write` may take only some."""
    view = memoryview(data)
    while view:
        view = view[file.write(view) :]
