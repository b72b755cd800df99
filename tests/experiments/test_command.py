"""What the commands share, by itself."""

import os

import jax
import pytest

from experiments import command
from tenas_jax.errors import UserError


def status(main, *arguments: str) -> int:
    with pytest.raises(SystemExit) as ended:
        command.main_without_traceback(main)(["program", *arguments])
    return ended.value.code


def test_exit_statuses(capsys):
    def mistaken(argv):
        raise UserError("two\nlines")

    def interrupted(argv):
        raise KeyboardInterrupt

    def lost(argv):
        raise jax.errors.JaxRuntimeError("UNKNOWN: Connection closed by peer")

    def too_large(argv):
        raise jax.errors.JaxRuntimeError("RESOURCE_EXHAUSTED: Out of memory\nallocating 9 bytes")

    assert status(too_large) == 1
    error = capsys.readouterr().err
    assert error.startswith("error: not enough memory; ") and error.count("\n") == 1
    assert status(lambda argv: None) == 0
    assert status(lambda argv: 3) == 3
    assert status(interrupted) == 130
    assert capsys.readouterr().err == "interrupted\n"
    assert status(mistaken) == 2
    assert capsys.readouterr().err == "error: two lines\n"
    with pytest.raises(jax.errors.JaxRuntimeError):  # a defect is not hidden
        command.main_without_traceback(lost)(["program"])
    assert status(lambda argv: None, "stray") == 2
    assert "'stray'" in capsys.readouterr().err


def test_a_lost_process_is_one_line_that_says_what_to_do(monkeypatch, capsys):
    def lost(argv):
        raise jax.errors.JaxRuntimeError("UNKNOWN: Gloo: Connection closed\nby peer")

    ended = []  # a process that failed does not wait for the others
    monkeypatch.setattr(jax.distributed, "is_initialized", lambda: True)
    monkeypatch.setattr(os, "_exit", ended.append)
    assert status(lost) == 1 and ended == [1]
    error = capsys.readouterr().err
    assert error.startswith("error: another process of this run has stopped; start all of them")
    assert error.endswith("(UNKNOWN: Gloo: Connection closed by peer)\n")

    def defect(argv):
        return 1 / 0

    assert status(defect) == 1 and ended == [1, 1]
    error = capsys.readouterr().err
    assert "ZeroDivisionError" in error and "another process" not in error


@pytest.mark.parametrize(
    ("value", "names"),
    [
        (None, None),
        ("a", ("a",)),
        (("a", "b"), ("a", "b")),
        (("a,b",), ("a", "b")),
        ((), ()),
    ],
)
def test_names_by_comma_or_tuple(value, names):
    assert command.names(value) == names


@pytest.mark.parametrize("written", [["--config={}"], ["--config", "{}"], ["--config={}:arg"]])
def test_a_config_file_is_found_however_it_is_given(tmp_path, written):
    path = tmp_path / "c.py"
    argv = ["program", *(word.format(path) for word in written)]
    missing = command._config_mistake(ValueError("x"), argv)
    assert missing == f"there is no config file {str(path)!r}"
    path.write_text("")
    assert "cannot use the config file" in command._config_mistake(NameError("x"), argv)
