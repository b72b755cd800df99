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
import datetime
import fcntl
import importlib.metadata
import json
import math
import os
import pathlib
import platform
import subprocess
import sys
import uuid
from collections.abc import Callable, Iterator, Mapping
from typing import BinaryIO

import jax
import numpy as np
from absl import logging

from tenas_jax.errors import UserError

CONFIG = "config.json"
RECORDS = "records.jsonl"
CHECKPOINT = "checkpoint.json"
ENVIRONMENT = "environment.json"
LOCK = "lock"
TRUNCATED = RECORDS + ".truncated"

_OURS = (CONFIG, RECORDS, CHECKPOINT, ENVIRONMENT, LOCK, TRUNCATED)
# Written only after config.json: where they lie alone, the config they belong to was lost.
_NEEDS_CONFIG = (RECORDS, CHECKPOINT, TRUNCATED)
_ABSENT = object()


class Workdir:
    """The folder of one run; make one with `open` (to run) or `read` (to look).

    Only the writer changes files; for every other process the writing methods do nothing.
    """

    def __init__(self, path: pathlib.Path, config: dict, lock: int | None):
        self.path = path
        self.config = config
        self._lock = lock
        self._writer = lock is not None

    @classmethod
    def open(
        cls,
        path: str | os.PathLike,
        config: Mapping,
        *,
        ignore: tuple[str, ...] = (),
        writer: bool | None = None,
    ) -> "Workdir":
        """Start a run in `path`, or continue the one that is there.

        Args:
          path: the folder; it is created, with its parents, where it is missing.
          config: what the run does, as plain values, lists and dicts with string keys.
          ignore: dotted names of config fields (with all below them) that may differ from the
            stored config, such as `workdir`. The stored config stays as it was.
          writer: whether this process writes; by default process 0 of JAX does.

        Raises:
          UserError: the folder holds a run with another config (each differing field is named),
            is in use by another process, holds something else, or cannot be read or written.
            Another config, or something else in the folder, leaves all as it was.
        """
        path, config = _folder(path), plain(config)
        writer = jax.process_index() == 0 if writer is None else writer
        stored = _stored_config(path, config, ignore)
        if not writer:
            return cls(path, config if stored is None else stored, None)
        with _user_error("create", path):
            path.mkdir(parents=True, exist_ok=True)
        lock = _lock(path / LOCK)
        try:
            # Again, now that nobody else can write: another run may have begun in between.
            stored = _stored_config(path, config, ignore)
            _remove_temporaries(path)
            work = cls(path, config if stored is None else stored, lock)
            work.records()  # Mends the last line, so that nothing is appended to half of one.
            if stored is None:
                atomic_write_text(path / CONFIG, json.dumps(config, indent=2) + "\n")
            work._log_start()
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
        path = _folder(path)
        config = _read_json(path / CONFIG)
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
        if not self._may_write():
            return
        line = json.dumps(_finite(plain(record)), allow_nan=False).encode() + b"\n"
        path = self.path / RECORDS
        with _user_error("write", path), path.open("ab", buffering=0) as file:
            size = file.tell()
            try:
                _write_all(file, line)
                os.fsync(file.fileno())
            except BaseException:
                # Half a line would swallow the next record.
                with contextlib.suppress(OSError):
                    file.truncate(size)
                raise
            if size == 0:
                _sync_folder(self.path)

    def records(self) -> list[dict]:
        """All records, in the order in which they were appended.

        A last line that a crash left unfinished is moved to `records.jsonl.truncated`, with a
        warning; a process that does not write only skips it.

        Raises:
          UserError: another line is no JSON object, or the file cannot be read.
        """
        path = self.path / RECORDS
        try:
            with _user_error("read", path, but_missing=True):
                lines = path.read_bytes().split(b"\n")
        except FileNotFoundError:
            return []
        tail = lines.pop()  # Empty where the file ends, as it should, with a newline.
        found = [_parse_record(line) for line in lines]
        last = _parse_record(tail)
        if last is not None:  # Whole but for its newline: a prefix of an object is no object.
            found.append(last)
            self._mend(path, keep=None)
        elif tail or (found and found[-1] is None):
            if not tail:
                found.pop()
                tail = lines.pop() + b"\n"
            if None not in found:
                self._mend(path, keep=sum(len(line) + 1 for line in lines), tail=tail)
        if None in found:
            raise UserError(f"{path}, line {found.index(None) + 1}: not a JSON object")
        return found

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
        return _read_json(self.path / CHECKPOINT)

    def environment(self) -> list[dict]:
        """One entry for each start of the run: versions, devices, time.

        Raises:
          UserError: the file is damaged or cannot be read.
        """
        path = self.path / ENVIRONMENT
        starts = (_read_json(path) or {"starts": []}).get("starts")
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

    def _log_start(self) -> None:
        text = json.dumps({"starts": [*self.environment(), environment()]}, indent=2)
        atomic_write_text(self.path / ENVIRONMENT, text + "\n")

    def _mend(self, path: pathlib.Path, keep: int | None, tail: bytes = b"") -> None:
        """Cut the file back to its first `keep` bytes, or end its last line where `keep` is None.

        `tail` is what is cut off; it is put aside first, so that a crash here loses nothing.
        """
        if keep is not None:
            verb = "moved to " + TRUNCATED if self._lock is not None else "skipped"
            logging.warning("%s: the last line is not whole; %s", path, verb)
        if self._lock is None:
            return
        with _user_error("write", path):
            if keep is None:
                with path.open("ab") as file:
                    _write_synced(file, b"\n")
                return
            with (self.path / TRUNCATED).open("ab") as file:
                _write_synced(file, tail if tail.endswith(b"\n") else tail + b"\n")
            with path.open("r+b") as file:
                file.truncate(keep)
                os.fsync(file.fileno())


def atomic_write_bytes(path: str | os.PathLike, write_fn: Callable[[BinaryIO], object]) -> None:
    """Let `write_fn(file)` write the file `path`, which changes wholly or not at all.

    Raises:
      UserError: the file cannot be written.
    """
    path = pathlib.Path(path)
    temporary = path.with_name(f".{path.name}.{uuid.uuid4().hex}.tmp")
    with _user_error("write", path):
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
        _sync_folder(path.parent)


def atomic_write_text(path: str | os.PathLike, text: str) -> None:
    """Write `text` as UTF-8 to the file `path`, which changes wholly or not at all.

    Raises:
      UserError: the file cannot be written.
    """
    atomic_write_bytes(path, lambda file: file.write(text.encode()))


def plain(value: object, where: str = "") -> object:
    """`value` with arrays as lists, NumPy and JAX scalars as numbers, paths as strings.

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


def environment() -> dict:
    """What this process runs on: versions, devices, commit and the time."""
    device = jax.local_devices()[0]
    packages = ("jax", "jaxlib", "flax", "numpy", "neural-tangents")
    return {
        "started": datetime.datetime.now(datetime.UTC).isoformat(timespec="seconds"),
        "python": platform.python_version(),
        **{name.replace("-", "_"): _version(name) for name in packages},
        "tenas_jax": getattr(sys.modules["tenas_jax"], "__version__", _version("tenas_jax")),
        "backend": device.platform,
        "device_kind": device.device_kind,
        "device_count": jax.device_count(),
        "process_count": jax.process_count(),
        "platform": platform.platform(),
        **_git_state(pathlib.Path(__file__).parent),
    }


def _version(package: str) -> str | None:
    try:
        return importlib.metadata.version(package)
    except importlib.metadata.PackageNotFoundError:
        return None


def _git_state(folder: pathlib.Path) -> dict:
    """The commit `folder` is at and whether tracked files differ from it, None where unknown."""
    # Variables such as GIT_DIR, set inside a git hook, would point to another checkout.
    variables = {k: v for k, v in os.environ.items() if not k.startswith("GIT_")}

    def git(*arguments: str) -> str:
        command = ["git", "-C", str(folder), *arguments]
        return subprocess.run(
            command, env=variables, capture_output=True, text=True, timeout=10, check=True
        ).stdout.strip()

    try:
        # An installed copy may lie inside a checkout of something else: that commit says nothing.
        git("ls-files", "--error-unmatch", "__init__.py")
        changed = git("status", "--porcelain", "--untracked-files=no")
        return {"git_commit": git("rev-parse", "HEAD"), "git_changed": bool(changed)}
    except (OSError, ValueError, subprocess.SubprocessError):
        return {"git_commit": None, "git_changed": None}


def _folder(path: str | os.PathLike) -> pathlib.Path:
    text = os.fspath(path)
    if not text:
        raise UserError("the workdir is empty; give the path of a folder")
    if "://" in text:
        raise UserError(f"the workdir {text!r} is not a local folder")
    folder = pathlib.Path(text).expanduser()
    with _user_error("read", folder):
        # `stat`, as `exists` would take a path below a file for one that can be created.
        with contextlib.suppress(FileNotFoundError):
            folder.stat()
        if folder.exists() and not folder.is_dir():
            raise UserError(f"the workdir {folder} is a file, not a folder")
    return folder


def _stored_config(path: pathlib.Path, config: dict, ignore: tuple[str, ...]) -> dict | None:
    """The config of the run in `path`, None where there is none; raises if it is another one."""
    stored = _read_json(path / CONFIG)
    if stored is None:
        _refuse_foreign(path)
        return None
    differences = list(_differences(stored, config, ignore))
    if differences:
        raise UserError(
            f"the run in {path} has another config: {'; '.join(differences)}"
            " (use another workdir, or the config it was started with)"
        )
    return stored


def _refuse_foreign(path: pathlib.Path) -> None:
    """Raise where a folder without config.json holds anything but what an early crash leaves."""
    try:
        with _user_error("read", path, but_missing=True):
            names = sorted(entry.name for entry in path.iterdir())
    except FileNotFoundError:
        return
    for name in names:
        if name in _NEEDS_CONFIG:
            raise UserError(f"{path} holds {name} but no {CONFIG}: its config was lost")
        if name not in _OURS and not _is_temporary(name):
            raise UserError(f"{path} is not empty and holds no run (found {name})")


def _differences(old: object, new: object, ignore: tuple[str, ...], name: str = "") -> Iterator:
    """One phrase for each field in which two configs differ."""
    if name in ignore:
        return
    if isinstance(old, dict) and isinstance(new, dict):
        for key in sorted(old.keys() | new.keys()):
            dotted = f"{name}.{key}" if name else key
            yield from _differences(old.get(key, _ABSENT), new.get(key, _ABSENT), ignore, dotted)
    elif not _same(old, new):
        yield f"{name}: {_show(old)} there, {_show(new)} now"


def _same(old: object, new: object) -> bool:
    if old is _ABSENT or new is _ABSENT:
        return old is new
    if isinstance(old, bool) or isinstance(new, bool):
        return old is new
    # 1 and 1.0 are the same value, and so (by their text) are two NaN.
    return old == new or json.dumps(old) == json.dumps(new)


def _show(value: object) -> str:
    return "absent" if value is _ABSENT else json.dumps(value)


def _read_json(path: pathlib.Path) -> dict | None:
    try:
        with _user_error("read", path, but_missing=True):
            text = path.read_bytes()
    except FileNotFoundError:
        return None
    try:
        value = json.loads(text)
    except ValueError as error:
        reason = error.msg if isinstance(error, json.JSONDecodeError) else "not UTF-8"
        raise UserError(f"cannot read {path}: not valid JSON ({reason})") from error
    if not isinstance(value, dict):
        raise UserError(f"cannot read {path}: not a JSON object")
    return value


def _parse_record(line: bytes) -> dict | None:
    try:
        record = json.loads(line)
    except ValueError:  # Of which half a UTF-8 character is one.
        return None
    return record if isinstance(record, dict) else None


def _finite(value: object) -> object:
    if isinstance(value, dict):
        return {k: _finite(v) for k, v in value.items()}
    if isinstance(value, list):
        return [_finite(v) for v in value]
    return None if isinstance(value, float) and not math.isfinite(value) else value


def _lock(path: pathlib.Path) -> int:
    """An open descriptor that holds the lock; the system frees it when the process dies."""
    with _user_error("write", path):
        descriptor = os.open(path, os.O_RDWR | os.O_CREAT, 0o666)
    try:
        fcntl.flock(descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except BlockingIOError as error:
        os.close(descriptor)
        raise UserError(
            f"the workdir {path.parent} is in use by another process"
            " (or was not closed in this one)"
        ) from error
    except OSError as error:  # Some network file systems have no locks.
        logging.warning("%s: no lock (%s); start only one run here", path, error.strerror)
    return descriptor


def _is_temporary(name: str) -> bool:
    return name.endswith(".tmp") and any(name.startswith(f".{ours}.") for ours in _OURS)


def _remove_temporaries(path: pathlib.Path) -> None:
    """Remove what a writer that died while it wrote has left."""
    for entry in path.iterdir():
        if _is_temporary(entry.name):
            with contextlib.suppress(OSError):
                entry.unlink()


def _write_all(file: BinaryIO, data: bytes) -> None:
    """Write every byte to an unbuffered file, whose `write` may take only some."""
    view = memoryview(data)
    while view:
        view = view[file.write(view) :]


def _write_synced(file: BinaryIO, data: bytes) -> None:
    file.write(data)
    file.flush()
    os.fsync(file.fileno())


def _sync_folder(path: pathlib.Path) -> None:
    """Make a new name in the folder last, where the file system can."""
    with contextlib.suppress(OSError):
        descriptor = os.open(path, os.O_RDONLY)
        try:
            os.fsync(descriptor)
        finally:
            os.close(descriptor)


@contextlib.contextmanager
def _user_error(verb: str, path: pathlib.Path, but_missing: bool = False) -> Iterator[None]:
    """Turn a failure of the file system into one line; `but_missing` lets a missing file pass."""
    try:
        yield
    except OSError as error:
        if but_missing and isinstance(error, FileNotFoundError):
            raise
        raise UserError(f"cannot {verb} {path}: {error.strerror or error}") from error
