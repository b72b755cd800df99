"""Files that a crash leaves whole, and failures of the file system as one line for the user."""

import contextlib
import errno
import fcntl
import os
import pathlib
import tempfile
import uuid
from collections.abc import Callable
from typing import BinaryIO

from absl import logging

from tenas_jax.errors import UserError, user_error


def atomic_write_bytes(path: str | os.PathLike, write_fn: Callable[[BinaryIO], object]) -> None:
    """Lets `write_fn(file)` write the file `path`, which changes wholly or not at all.

    Raises:
        UserError: the file cannot be written.
    """
    path = pathlib.Path(path)
    temporary = path.with_name(f".{path.name}.{uuid.uuid4().hex}.tmp")
    with user_error("write", path):
        try:
            with temporary.open("xb") as file:
                write_fn(file)
                file.flush()
                os.fsync(file.fileno())
            os.replace(temporary, path)
        except BaseException:
            with contextlib.suppress(OSError):
                temporary.unlink()
            raise
        sync_folder(path.parent)


def atomic_write_text(path: str | os.PathLike, text: str) -> None:
    """Writes `text` as UTF-8 to the file `path`, which changes wholly or not at all.

    Raises:
        UserError: the file cannot be written.
    """
    atomic_write_bytes(path, lambda file: file.write(text.encode()))


def make_writable(path: str | os.PathLike) -> None:
    """Makes the folder of a file that is written later, and finds out now whether it can be.

    Raises:
        UserError: it is a folder, or no file can be made there.
    """
    path = pathlib.Path(path)
    with user_error("write", path):
        if path.is_dir():
            raise IsADirectoryError(errno.EISDIR, os.strerror(errno.EISDIR))
        path.parent.mkdir(parents=True, exist_ok=True)
        with tempfile.TemporaryFile(dir=path.parent):
            pass


def is_temporary(name: str, target: str) -> bool:
    """Tells whether `name` is what an atomic write of `target` leaves when it is killed."""
    return name.startswith(f".{target}.") and name.endswith(".tmp")


def sync_folder(path: pathlib.Path) -> None:
    """Makes a new name in the folder last, where the file system can."""
    with contextlib.suppress(OSError):
        descriptor = os.open(path, os.O_RDONLY)
        try:
            os.fsync(descriptor)
        finally:
            os.close(descriptor)


def read_bytes(path: pathlib.Path) -> bytes | None:
    """Reads what the file holds, None where there is no such file.

    Raises:
        UserError: it cannot be read.
    """
    with user_error("read", path):
        try:
            return path.read_bytes()
        except FileNotFoundError:
            return None


def lock_file(path: pathlib.Path, owner: str) -> int:
    """Opens a descriptor that holds the lock `path`, which is freed when the process dies.

    Raises:
        UserError: another process holds it (the message says that `owner` is in use), or the file
          cannot be written.
    """
    with user_error("write", path):
        descriptor = os.open(path, os.O_RDWR | os.O_CREAT, 0o666)
    try:
        fcntl.flock(descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except BlockingIOError as error:
        os.close(descriptor)
        raise UserError(
            f"{owner} is in use by another process (or was not closed in this one)"
        ) from error
    except OSError as error:  # Some network file systems have no locks.
        logging.warning("%s: no lock (%s); start only one run here", path, error.strerror)
    return descriptor
