"""The workdir: the record of one run, from which the run can be resumed.

A workdir holds

- `config.json`: what the run was asked to do; a run only resumes under the same config;
- `records.jsonl`: one JSON object a line, append-only, such as one line a scored architecture;
- `checkpoint.json`: the strategy's state;
- `environment.json`: `{"starts": [...]}`, one entry each time the run was started, with the
  versions, the devices and the time;
- `lock`: held while a process writes here, so that two runs cannot.

`records.jsonl` is strict JSON: a NaN or an infinity is written as `null`, and the `flag` field of
that record says why the number is missing. `config.json` and `checkpoint.json` are read back by
this module alone and keep such numbers (as Python's `NaN` and `Infinity`), because a state that
came back different would not resume the same run.
"""

import contextlib
import json
import os
import pathlib
from collections.abc import Callable, Iterator, Mapping

import jax

from tenas_jax.errors import UserError, user_error
from tenas_jax.runs.environment import environment
from tenas_jax.runs.files import atomic_write_text, is_temporary, lock_file
from tenas_jax.runs.json_lines import ASIDE, append_object, iter_objects, read_objects
from tenas_jax.runs.json_values import differences, plain, read_object

CONFIG = "config.json"
RECORDS = "records.jsonl"
CHECKPOINT = "checkpoint.json"
ENVIRONMENT = "environment.json"
LOCK = "lock"
TRUNCATED = RECORDS + ASIDE

_OURS = (CONFIG, RECORDS, CHECKPOINT, ENVIRONMENT, LOCK, TRUNCATED)
# Written only after config.json: where they lie alone, the config they belong to was lost.
_NEEDS_CONFIG = (RECORDS, CHECKPOINT, TRUNCATED)


class Workdir:
    """The folder of one run; make one with `open` (to run) or `read` (to look).

    Only the writer changes files; for every other process the writing methods do nothing.
    """

    def __init__(self, path: pathlib.Path, config: dict, lock: int | None):
        self.path, self.config = path, config
        self._lock, self._writer = lock, lock is not None
        self._count, self._watchers = 0, []  # records in the file; see `watch`

    @classmethod
    def open(
        cls,
        path: str | os.PathLike,
        config: Mapping,
        *,
        ignore: tuple[str, ...] = (),
        added: Mapping | None = None,
        writer: bool | None = None,
    ) -> "Workdir":
        """Start a run in `path`, or continue the one that is there.

        Args:
          path: the folder; it is created, with its parents, where it is missing.
          config: what the run does, as plain values, lists and dicts with string keys.
          ignore: dotted names of config fields (with all below them) that may differ from the
            stored config, such as `workdir`. The stored config stays as it was.
          added: fields that configs from before they existed lack, with the values that say what
            was done then.
          writer: whether this process writes; by default process 0 of JAX does.

        Raises:
          UserError: the folder holds a run with another config (each differing field is named),
            is in use by another process, holds something else, or cannot be read or written.
            Another config, or something else in the folder, leaves all as it was.
        """
        path, config = folder(path), plain(config)
        writer = jax.process_index() == 0 if writer is None else writer
        stored = _stored_config(path, config, ignore, added)
        if not writer:
            return cls(path, config if stored is None else stored, None)
        with user_error("create", path):
            path.mkdir(parents=True, exist_ok=True)
        lock = lock_file(path / LOCK, f"the workdir {path}")
        try:
            # Again, now that nobody else can write: another run may have begun in between.
            stored = _stored_config(path, config, ignore, added)
            _remove_temporaries(path)
            work = cls(path, config if stored is None else stored, lock)
            # The end mends the last line, so that nothing is appended to half of one.
            work._count = sum(1 for _ in work.iter_records())
            if stored is None:
                atomic_write_text(path / CONFIG, json.dumps(config, indent=2) + "\n")
            starts = {"starts": [*work.environment(), environment()]}
            atomic_write_text(path / ENVIRONMENT, json.dumps(starts, indent=2) + "\n")
        except BaseException:
            os.close(lock)
            raise
        return work

    @classmethod
    def read(cls, path: str | os.PathLike) -> "Workdir":
        """A view of the run in `path` that never writes, even while the run goes on.

        Raises:
          UserError: `path` holds no run, or it cannot be read.
        """
        path = folder(path)
        config = read_object(path / CONFIG)
        if config is None:
            raise UserError(f"{path} holds no run (no {CONFIG})")
        return cls(path, config, None)

    @property
    def is_writer(self) -> bool:
        """Whether this process writes here."""
        return self._writer

    def append(self, record: Mapping) -> None:
        """Add one record; when this returns, it is on the disk.

        Raises:
          UserError: it cannot be written; the file is then as it was before.
          TypeError: the record holds something that is not a number, string, list or dict.
        """
        if self._may_write():
            append_object(self.path / RECORDS, record)
            self._count += 1
            for callback in list(self._watchers):
                callback(self._count - 1, record)

    def watch(self, callback: Callable[[int, Mapping], None]) -> Callable[[], None]:
        """Has `callback(number, record)` called after each append; returns what ends that.

        The number is the record's in the file, from 0, those of earlier starts counted.
        """
        self._watchers.append(callback)
        return lambda: self._watchers.remove(callback)

    def records(self) -> list[dict]:
        """All records, in the order in which they were appended.

        A last line that a crash left unfinished is moved to `records.jsonl.truncated`, with a
        warning; a process that does not write only skips it.

        Raises:
          UserError: another line is no JSON object, or the file cannot be read.
        """
        return read_objects(self.path / RECORDS, mend=self._lock is not None)

    def iter_records(self) -> Iterator[dict]:
        """`records`, one at a time: memory does not grow with their number."""
        return iter_objects(self.path / RECORDS, mend=self._lock is not None)

    def save_checkpoint(self, state: Mapping) -> None:
        """Replace the checkpoint; floats come back to the bit, arrays as lists, tuples as lists.

        Raises:
          UserError: it cannot be written; the former checkpoint is then still there.
          TypeError: the state holds something that is not a number, string, list or dict.
        """
        if self._may_write():
            atomic_write_text(self.path / CHECKPOINT, json.dumps(plain(state)) + "\n")

    def load_checkpoint(self) -> dict | None:
        """The state that was saved last, or None before the first.

        Raises:
          UserError: the file is damaged or cannot be read.
        """
        return read_object(self.path / CHECKPOINT)

    def environment(self) -> list[dict]:
        """One entry for each start of the run: versions, devices, time.

        Raises:
          UserError: the file is damaged or cannot be read.
        """
        path = self.path / ENVIRONMENT
        starts = (read_object(path) or {"starts": []}).get("starts")
        if not isinstance(starts, list):
            raise UserError(f"cannot read {path}: it has no list of starts")
        return starts

    def close(self) -> None:
        """Let other processes write here. Closing twice is fine."""
        if self._lock is not None:
            os.close(self._lock)
            self._lock = None

    def __enter__(self) -> "Workdir":
        return self

    def __exit__(self, *exception) -> None:
        self.close()

    def _may_write(self) -> bool:
        if self._writer and self._lock is None:
            raise RuntimeError(f"the workdir {self.path} was closed")
        return self._writer


def folder(path: str | os.PathLike) -> pathlib.Path:
    """The path of a workdir, `~` expanded; `UserError` if it is empty, remote or a file."""
    text = os.fspath(path)
    if not text:
        raise UserError("the workdir is empty; give the path of a folder")
    if "://" in text:
        raise UserError(f"the workdir {text!r} is not a local folder")
    folder = pathlib.Path(text).expanduser()
    with user_error("read", folder):
        # `stat`, as `exists` would take a path below a file for one that can be created.
        with contextlib.suppress(FileNotFoundError):
            folder.stat()
        if folder.exists() and not folder.is_dir():
            raise UserError(f"the workdir {folder} is a file, not a folder")
    return folder


def _stored_config(
    path: pathlib.Path, config: dict, ignore: tuple[str, ...], added: Mapping | None
) -> dict | None:
    """The config of the run in `path`, None where there is none; raises if it is another one."""
    stored = read_object(path / CONFIG)
    if stored is None:
        _refuse_foreign(path)
        return None
    differing = list(differences({**plain(added or {}), **stored}, config, ignore))
    if differing:
        raise UserError(
            f"the run in {path} has another config: {'; '.join(differing)}"
            " (use another workdir, or the config it was started with)"
        )
    return stored


def _refuse_foreign(path: pathlib.Path) -> None:
    """Raise where a folder without config.json holds anything but what an early crash leaves."""
    with user_error("read", path):
        try:
            names = sorted(entry.name for entry in path.iterdir())
        except FileNotFoundError:
            return
    for name in names:
        if name in _NEEDS_CONFIG:
            raise UserError(f"{path} holds {name} but no {CONFIG}: its config was lost")
        if name not in _OURS and not _our_temporary(name):
            raise UserError(f"{path} is not empty and holds no run (found {name})")


def _our_temporary(name: str) -> bool:
    return any(is_temporary(name, ours) for ours in _OURS)


def _remove_temporaries(path: pathlib.Path) -> None:
    """Remove what a writer that died while it wrote has left."""
    for entry in path.iterdir():
        if _our_temporary(entry.name):
            with contextlib.suppress(OSError):
                entry.unlink()
