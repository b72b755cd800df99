"""What lies in a workdir: the files' names, their format, and whether a folder is a run's."""

import contextlib
import os
import pathlib
from collections.abc import Mapping

from tenas_jax.errors import UserError, user_error
from tenas_jax.runs.files import is_temporary
from tenas_jax.runs.json_lines import ASIDE
from tenas_jax.runs.json_values import differences, plain, read_object

CONFIG = "config.json"
RECORDS = "records.jsonl"
ROUNDS = "rounds.jsonl"
CHECKPOINT = "checkpoint.json"
ENVIRONMENT = "environment.json"
RESULT = "result.json"  # of a run that is finished; whoever ends it writes it
LOCK = "lock"
FORMAT = 2  # of all files; in environment.json, which is written before config.json

# Written only after config.json: where they lie alone, the config they belong to was lost.
_NEEDS_CONFIG = (RECORDS, ROUNDS, CHECKPOINT, RECORDS + ASIDE, ROUNDS + ASIDE)
_OURS = (CONFIG, ENVIRONMENT, LOCK, *_NEEDS_CONFIG)


def folder(path: str | os.PathLike) -> pathlib.Path:
    """Gives the path of a workdir, `~` expanded; `UserError` if it is empty, remote or a file."""
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


def stored_config(
    path: pathlib.Path, config: dict, ignore: tuple[str, ...], added: Mapping | None
) -> dict | None:
    """Reads the config of the run in `path`, None where there is none.

    Args:
        path: of the workdir.
        config: plain values, which the stored ones must equal.
        ignore: see `Workdir.open`.
        added: see there.

    Raises:
        UserError: they differ, the run is of another format, or the folder is no run's.
    """
    stored = read_object(path / CONFIG)
    if stored is None:
        _refuse_foreign(path)
        return None
    check_format(path)
    differing = list(differences({**plain(added or {}), **stored}, config, ignore))
    if differing:
        raise UserError(
            f"the run in {path} has another config: {'; '.join(differing)}"
            " (use another workdir, or the config it was started with)"
        )
    return stored


def check_format(path: pathlib.Path) -> None:
    """Raises a `UserError` where the run in `path` has files of another format than `FORMAT`."""
    # The first format had no number; nor have files by hand, in which nothing is recorded yet.
    begun = any((path / name).exists() for name in (RECORDS, CHECKPOINT))
    number = (read_object(path / ENVIRONMENT) or {}).get("format", 1 if begun else FORMAT)
    if number != FORMAT:
        reader = "tenas_jax 0.1.0" if number == 1 else "another version of tenas_jax"
        raise UserError(
            f"the run in {path} is of format {number}, which {reader} reads; this version reads "
            f"format {FORMAT}: use another workdir"
        )


def _refuse_foreign(path: pathlib.Path) -> None:
    """Raises where a folder without config.json holds anything but what an early crash leaves."""
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


def remove_temporaries(path: pathlib.Path) -> None:
    """Removes what a writer that died while it wrote has left."""
    for entry in path.iterdir():
        if _our_temporary(entry.name):
            with contextlib.suppress(OSError):
                entry.unlink()
