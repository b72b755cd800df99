"""Checkpoints of a training: written while it goes on, whole or not at all, the newest two kept.

A checkpoint is Orbax's, a folder named by its step with three items: `weights` and `rest`, the two
halves of a training's state, and `about`, a JSON object with the card and a checksum of each half.
By themselves, Orbax and TensorStore miss a flipped bit in an array.

Orbax logs every save and every failure, the latter with its traceback, and reads that are left
over after the first failed one print theirs. A user who is told in one line is better served.
"""

import contextlib
import errno
import functools
import io
import logging
import os
import pathlib
import re
import time
import zlib
from collections.abc import Iterator, Mapping
from typing import Any

import jax
import jax.numpy as jnp
import numpy as np
import orbax.checkpoint as ocp
from absl import logging as absl_logging
from orbax.checkpoint import checkpoint_managers

from tenas_jax.errors import UserError, user_error
from tenas_jax.train.card import Card

FOLDER = "checkpoints"  # in a workdir
WEIGHTS, REST, ABOUT = "weights", "rest", "about"
KEPT = 2
SETTLE = 0.2  # seconds for Orbax's other reads to end after one has failed
LONGEST = 120  # letters of a reason


class Checkpoints:
    """Writes and reads the checkpoints in a folder, of weights that belong to one card."""

    def __init__(self, path: str | os.PathLike, card: Card, *, read_only: bool = False):
        """Opens a folder; nothing is read yet.

        Args:
            path: the folder; it is made where it is missing, unless it is only read.
            card: what the weights belong to.
            read_only: whether nothing is ever written here, as while another process trains.

        Raises:
            UserError: the folder cannot be made, or there is none to read.
        """
        self.path, self._card, self._read_only = pathlib.Path(path).absolute(), card, read_only
        self._saving: int | None = None
        if self.path.exists() and not self.path.is_dir():
            raise UserError(f"{self.path} is no folder of checkpoints")
        if read_only and not self.path.is_dir():
            raise UserError(f"there is no checkpoint in {self.path}")
        # An object of its own, since other folders may be open too.
        self._quiet = functools.partial(_not_of_orbax)
        logging.getLogger("absl").addFilter(self._quiet)
        try:
            options = ocp.CheckpointManagerOptions(
                preservation_policy=checkpoint_managers.LatestN(KEPT),
                cleanup_tmp_directories=not read_only,
                read_only=read_only,
            )
            with user_error("create", self.path):
                self._manager = ocp.CheckpointManager(self.path, options=options)
        except BaseException:
            logging.getLogger("absl").removeFilter(self._quiet)
            raise

    def steps(self) -> list[int]:
        """Lists the steps that there are checkpoints of, the newest first."""
        return sorted(self._manager.all_steps(), reverse=True)

    def save(self, step: int, state: Mapping[str, Any]) -> None:
        """Begins to write a checkpoint, as soon as the one before is written.

        Args:
            step: how many were done; where it has a checkpoint already, nothing happens.
            state: `{"weights": ..., "rest": ...}`; it may change when this returns.

        Raises:
            UserError: a number is not finite, or the one before or this one cannot be written. The
                last that was written stays.
        """
        self.wait()
        if step in self.steps():
            return
        host = {item: jax.tree.map(np.array, state[item]) for item in (WEIGHTS, REST)}
        self._saving = step
        self._check_finite(host, step)
        checksums = {item: checksum(tree) for item, tree in host.items()}
        with self._failures():
            self._manager.save(
                step,
                args=ocp.args.Composite(
                    weights=ocp.args.StandardSave(host[WEIGHTS]),
                    rest=ocp.args.StandardSave(host[REST]),
                    about=ocp.args.JsonSave({"card": self._card.to_json(), "checksums": checksums}),
                ),
            )

    def wait(self) -> None:
        """Returns when what was saved last is on the disk.

        Raises:
            UserError: it cannot be written.
        """
        with self._failures():
            self._manager.wait_until_finished()

    def remove(self, step: int) -> None:
        """Drops the checkpoint of a step, if there is one, once it is written."""
        self.wait()
        if step in self.steps():
            self._manager.delete(step)

    def newest(self, **templates: Any) -> tuple[int, dict[str, Any]] | None:
        """Reads the newest checkpoint that is whole, None where there is none at all.

        One that cannot be read is passed over with a warning. When an older one was read, it is
        removed, unless this object only reads: the training will write that step once more.

        Args:
            **templates: for each item that is wanted, `weights`, `rest` or both, a tree of arrays
                or of their shapes.

        Returns:
            The step, and for each item a tree of NumPy arrays.

        Raises:
            UserError: it belongs to another card, or there are some, but none can be read.
        """
        damaged = []
        for step in self.steps():
            try:
                with _muted():
                    items = self._read(step, templates)
            except UserError:
                raise
            except Exception as error:  # damage has no type of its own
                words = "the checkpoint of step %d in %s cannot be read: %s"
                absl_logging.warning(words, step, self.path, _reason(error))
                damaged.append(step)
                continue
            if not self._read_only:
                for other in damaged:
                    self._manager.delete(other)
            return step, items
        if damaged:
            raise UserError(
                f"no checkpoint in {self.path} can be read; move it away to train from the start"
            )
        return None

    def close(self) -> None:
        """Ends the writing; closing twice is fine. Only `wait` says whether it went well."""
        with contextlib.suppress(Exception), _muted():
            self._manager.close()
        logging.getLogger("absl").removeFilter(self._quiet)

    def __enter__(self) -> "Checkpoints":
        """Returns itself."""
        return self

    def __exit__(self, *exception) -> None:
        """Closes the folder."""
        self.close()

    def _read(self, step: int, templates: Mapping[str, Any]) -> dict[str, Any]:
        """Reads items of one checkpoint, compared with their checksums."""
        args = ocp.args
        about = self._manager.restore(step, args=args.Composite(about=args.JsonRestore()))[ABOUT]
        where = f"the checkpoint of step {step} in {self.path}"
        self._card.check_same(about["card"], where)
        shapes = jax.tree.map(lambda leaf: np.empty(leaf.shape, leaf.dtype), dict(templates))
        wanted = {item: args.StandardRestore(tree) for item, tree in shapes.items()}
        stored = self._manager.restore(step, args=args.Composite(**wanted))
        for item in templates:
            if checksum(stored[item]) != about["checksums"][item]:
                raise ValueError(f"{item} differ from their checksum")
        return {item: stored[item] for item in templates}

    def _check_finite(self, host: Mapping[str, Any], step: int) -> None:
        """Raises a `UserError` where an array of floats has a NaN or an infinity."""
        for path, leaf in jax.tree_util.tree_leaves_with_path(host):
            if jnp.issubdtype(leaf.dtype, jnp.floating) and not np.isfinite(leaf).all():
                name = jax.tree_util.keystr(path, simple=True, separator="/")
                raise UserError(
                    f"{name} is not finite after step {step}; {self._kept()} in {self.path}"
                )

    @contextlib.contextmanager
    def _failures(self) -> Iterator[None]:
        """Turns a failure of the file system while a checkpoint is written into a `UserError`."""
        try:
            with _muted():
                yield
        except Exception as error:
            words = _system_error(error)
            if words is None:
                raise
            raise UserError(
                f"cannot write the checkpoint of step {self._saving} in {self.path}: {words}; "
                f"{self._kept()}"
            ) from error

    def _kept(self) -> str:
        """Says which checkpoint is there still."""
        steps = [step for step in self.steps() if step != self._saving]
        return f"the checkpoint of step {steps[0]} is kept" if steps else "there is none before"


def checksum(tree: Any) -> int:
    """Computes a CRC-32 of the arrays of a tree, with their names, types and shapes."""
    total = 0
    for path, leaf in jax.tree_util.tree_leaves_with_path(tree):
        array = np.ascontiguousarray(leaf)
        head = f"{jax.tree_util.keystr(path)} {array.dtype} {np.shape(leaf)}"
        total = zlib.crc32(array.tobytes(), zlib.crc32(head.encode(), total))
    return total


def _not_of_orbax(record: logging.LogRecord) -> bool:
    """Says whether a record comes from elsewhere: a filter, for absl's logger."""
    return f"{os.sep}orbax{os.sep}" not in record.pathname


@contextlib.contextmanager
def _muted() -> Iterator[None]:
    """Keeps what Orbax's threads print about a failure off standard error."""
    with contextlib.redirect_stderr(io.StringIO()):
        try:
            yield
        except BaseException:
            time.sleep(SETTLE)
            raise


def _system_error(error: BaseException) -> str | None:
    """Returns the file system's words, "No space left on device"; None if it was not that."""
    seen: BaseException | None = error
    while seen is not None:
        if isinstance(seen, OSError):
            return seen.strerror or os.strerror(seen.errno or errno.EIO)
        # TensorStore has no types of exceptions, but names the number at the end of its text.
        code = re.search(r"os_error_code='(\d+)'", str(seen))
        if code:
            return os.strerror(int(code[1]))
        seen = seen.__cause__ or seen.__context__
    return None


def _reason(error: BaseException) -> str:
    """Says why a checkpoint cannot be read, in a few words."""
    words = _system_error(error) or " ".join(f"{type(error).__name__}: {error}".split())
    return words if len(words) <= LONGEST else f"{words[:LONGEST]}..."
