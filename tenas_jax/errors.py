"""One way to tell a user what is wrong, and one way to look a name up."""

import contextlib
import difflib
import os
from collections.abc import Iterator, Mapping
from typing import TypeVar

T = TypeVar("T")


class UserError(ValueError):
    """Tells of a mistake in what the user asked for; its message is one clear line.

    The command line prints the message alone. Anything else that is raised is a defect of this
    library and keeps its traceback.
    """


def unknown(kind: str, name: object, valid) -> UserError:
    """Makes the error for a name that is not among the valid ones, with the nearest of them."""
    names = [str(v) for v in valid]
    near = difflib.get_close_matches(str(name), names, n=1, cutoff=0.6)
    hint = f" (did you mean {near[0]!r}?)" if near else ""
    return UserError(f"unknown {kind} {name!r}{hint}; valid: {', '.join(names)}")


def lookup(kind: str, table: Mapping[str, T], name: str) -> T:
    """`table[name]`, or a `UserError` that lists the valid names and the nearest one."""
    if name not in table:
        raise unknown(kind, name, table)
    return table[name]


def shorten(value: object) -> str:
    """`repr`, cut to what fits a line."""
    try:
        text = repr(value)
    except ValueError:  # a whole number of thousands of digits
        text = f"a long {type(value).__name__}"
    return text if len(text) <= 120 else f"{text[:117]}..."


@contextlib.contextmanager
def user_error(verb: str, path: str | os.PathLike) -> Iterator[None]:
    """Turn a failure of the file system into one line: "cannot `verb` `path`: ..."."""
    try:
        yield
    except OSError as error:
        raise UserError(f"cannot {verb} {path}: {error.strerror or error}") from error
