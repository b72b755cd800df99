"""The workdir: the record of one run, from which the run can be resumed.

A workdir holds

- `config.json`: what the run was asked to do; a run only resumes under the same config;
- `records.jsonl`: one JSON object a line, append-only, such as one line a scored architecture;
- `rounds.jsonl`: likewise, one line a round of a search: what its strategy tells of it;
- `checkpoint.json`: what else a run needs to go on, that the lines do not say;
- `environment.json`: `{"format": N, "starts": [...]}`, the number of the format that all these
  files have, and an entry each time the run was started, with versions, devices and time;
- `lock`: held while a process writes here, so that two runs cannot.

The lines are strict JSON: a NaN or an infinity is written as `null`, and a flag in the record says
why the number is missing. `config.json` and `checkpoint.json` are read back by this module alone
and keep such numbers (as Python's `NaN` and `Infinity`), because a state that came back different
would not resume the same run.
"""

import json
import os
import pathlib
from collections.abc import Iterator, Mapping

import jax

from tenas_jax.errors import UserError, user_error
from tenas_jax.runs.environment import environment
from tenas_jax.runs.files import atomic_write_text, lock_file
from tenas_jax.runs.json_lines import append_object, cut_objects, iter_objects, read_objects
from tenas_jax.runs.json_values import plain, read_object
from tenas_jax.runs.layout import (
    CHECKPOINT,
    CONFIG,
    ENVIRONMENT,
    FORMAT,
    LOCK,
    RECORDS,
    RESULT,
    ROUNDS,
    check_format,
    folder,
    remove_temporaries,
    stored_config,
)


class Workdir:
    """Keeps what a run records in its folder; make one with `open` (to run) or `read` (to look).

    Only the writer changes files; for every other process the writing methods do nothing.
    """

    def __init__(self, path: pathlib.Path, config: dict, lock: int | None):
        self.path, self.config = path, config
        self._lock, self._writer = lock, lock is not None

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
        """Starts a run in `path`, or continues the one that is there.

        Args:
            path: the folder; it is created, with its parents, where it is missing.
            config: what the run does, as plain values, lists and dicts with string keys.
            ignore: dotted names of config fields (with all below them) that may differ from the
              stored config, such as `workdir`. The stored config stays as it was.
            added: fields that configs from before they existed lack, with the values that say what
              was done then.
            writer: whether this process writes; by default process 0 of JAX does.

        Raises:
            UserError: the folder holds a run of another format or with another config (each
              differing field is named), is in use by another process, holds something else, or
              cannot be read or written. What is refused stays as it was.
        """
        path, config = folder(path), plain(config)
        writer = jax.process_index() == 0 if writer is None else writer
        stored = stored_config(path, config, ignore, added)
        if not writer:
            return cls(path, config if stored is None else stored, None)
        with user_error("create", path):
            path.mkdir(parents=True, exist_ok=True)
        lock = lock_file(path / LOCK, f"the workdir {path}")
        try:
            # Again, now that nobody else can write: another run may have begun in between.
            stored = stored_config(path, config, ignore, added)
            remove_temporaries(path)
            work = cls(path, config if stored is None else stored, lock)
            # Their ends mend the last lines, so that nothing is appended to half of one.
            for name in (RECORDS, ROUNDS):
                for _ in iter_objects(path / name, mend=True):
                    pass
            starts = {"format": FORMAT, "starts": [*work.environment(), environment()]}
            atomic_write_text(path / ENVIRONMENT, json.dumps(starts, indent=2) + "\n")
            if stored is None:
                atomic_write_text(path / CONFIG, json.dumps(config, indent=2) + "\n")
        except BaseException:
            os.close(lock)
            raise
        return work

    @classmethod
    def read(cls, path: str | os.PathLike) -> "Workdir":
        """Gives a view of the run in `path` that never writes, even while the run goes on.

        Raises:
            UserError: `path` holds no run, one of another format, or it cannot be read.
        """
        path = folder(path)
        config = read_object(path / CONFIG)
        if config is None:
            raise UserError(f"{path} holds no run (no {CONFIG})")
        check_format(path)
        return cls(path, config, None)

    @property
    def is_writer(self) -> bool:
        """Tells whether this process writes here."""
        return self._writer

    def append(self, record: Mapping) -> None:
        """Adds one record; when this returns, it is on the disk.

        Raises:
            UserError: it cannot be written; the file is then as it was before.
            TypeError: the record holds something that is not a number, string, list or dict.
        """
        if self._may_write():
            append_object(self.path / RECORDS, record)

    def records(self) -> list[dict]:
        """Reads all records, in the order in which they were appended.

        A last line that a crash left unfinished is moved to `records.jsonl.truncated`, with a
        warning; a process that does not write only skips it.

        Raises:
            UserError: another line is no JSON object, or the file cannot be read.
        """
        return list(self.iter_records())

    def iter_records(self) -> Iterator[dict]:
        """Reads as `records`, one at a time: memory does not grow with their number."""
        return iter_objects(self.path / RECORDS, mend=self._lock is not None)

    def append_round(self, entry: Mapping) -> None:
        """Adds the line of a round, as `append` does a record."""
        if self._may_write():
            append_object(self.path / ROUNDS, entry)

    def rounds(self) -> list[dict]:
        """Reads the lines of all rounds, as `records` does."""
        return read_objects(self.path / ROUNDS, mend=self._lock is not None)

    def cut_rounds(self, count: int) -> None:
        """Drops the lines of all rounds but the first `count`.

        Raises:
            UserError: the file cannot be written.
        """
        if self._may_write():
            cut_objects(self.path / ROUNDS, count)

    def save_checkpoint(self, state: Mapping) -> None:
        """Replaces the checkpoint; floats come back to the bit, arrays as lists, tuples as lists.

        Raises:
            UserError: it cannot be written; the former checkpoint is then still there.
            TypeError: the state holds something that is not a number, string, list or dict.
        """
        if self._may_write():
            atomic_write_text(self.path / CHECKPOINT, json.dumps(plain(state)) + "\n")

    def load_checkpoint(self) -> dict | None:
        """Reads the state that was saved last; None before the first.

        Raises:
            UserError: the file is damaged or cannot be read.
        """
        return read_object(self.path / CHECKPOINT)

    def environment(self) -> list[dict]:
        """Reads an entry for each start of the run: versions, devices, time.

        Raises:
            UserError: the file is damaged or cannot be read.
        """
        path = self.path / ENVIRONMENT
        starts = (read_object(path) or {"starts": []}).get("starts")
        if not isinstance(starts, list):
            raise UserError(f"cannot read {path}: it has no list of starts")
        return starts

    def close(self) -> None:
        """Lets other processes write here. Closing twice is fine."""
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


def searched_arch(workdir: str | os.PathLike, space: str) -> str:
    """Reads the result of a finished search, for the commands that go on from it.

    Args:
        workdir: of the search.
        space: what it must have searched.

    Returns:
        The architecture's string.

    Raises:
        UserError: `workdir` holds no search, one that is not finished, or one of another space.
    """
    record = Workdir.read(workdir)
    if "strategy" not in record.config:
        raise UserError(f"the run in {record.path} is no search")
    other = record.config.get("space")
    if other != space:
        raise UserError(f"the search in {record.path} is of {other}, the config's space is {space}")
    result = read_object(record.path / RESULT)
    if result is None or not isinstance(result.get("arch"), str):
        raise UserError(f"the search in {record.path} is not finished; start it again to go on")
    return result["arch"]
