"""What the commands share, by itself."""

import os
from types import SimpleNamespace

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

    assert status(lambda argv: None) == 0
    assert status(lambda argv: 3) == 3
    assert status(interrupted) == 130
    assert capsys.readouterr().err == "interrupted\n"
    assert status(mistaken) == 2
    assert capsys.readouterr().err == "error: two lines\n"
    assert status(lambda argv: None, "stray") == 2
    assert "'stray'" in capsys.readouterr().err


@pytest.mark.parametrize(
    ("xla_flags", "count", "asked"),
    [
        ("", 2, [2]),
        ("", 9, [3]),  # no more than there are cores
        ("--xla_force_host_platform_device_count=8", 2, []),
    ],
)
def test_devices_on_cpu(monkeypatch, xla_flags, count, asked):
    set_to = []
    config = SimpleNamespace(update=lambda name, value: set_to.append(value))
    monkeypatch.setattr(command, "jax", SimpleNamespace(config=config))
    monkeypatch.setattr(os, "sched_getaffinity", lambda _: {0, 1, 2}, raising=False)
    monkeypatch.setenv("XLA_FLAGS", xla_flags)
    command.use_cpu_devices(count)
    assert set_to == asked


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
