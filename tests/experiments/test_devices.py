"""What commands do with the machine: devices, cache, flags of processes."""

import os
from pathlib import Path
from types import SimpleNamespace

import jax
import pytest

from experiments import devices
from tenas_jax.errors import UserError


@pytest.fixture
def settings(monkeypatch) -> dict:
    """What is set in JAX's configuration, which stays as it is."""
    found = {}
    monkeypatch.setattr(jax, "config", SimpleNamespace(update=found.__setitem__))
    return found


@pytest.mark.parametrize(
    ("xla_flags", "count", "asked"),
    [
        ("", 2, {"jax_num_cpu_devices": 2}),
        ("", 9, {"jax_num_cpu_devices": 3}),  # no more than there are cores
        ("--xla_force_host_platform_device_count=8", 2, {}),
    ],
)
def test_devices_on_cpu(monkeypatch, settings, xla_flags, count, asked):
    monkeypatch.setattr(os, "sched_getaffinity", lambda _: {0, 1, 2}, raising=False)
    monkeypatch.setenv("XLA_FLAGS", xla_flags)
    devices.use_cpu_devices(count)
    assert settings == asked
    with pytest.raises(UserError, match="at least 1, not 0"):
        devices.use_cpu_devices(0)


def test_the_cache_is_in_the_users_folder_unless_jax_is_told_otherwise(
    monkeypatch, settings, tmp_path
):
    monkeypatch.delenv("JAX_COMPILATION_CACHE_DIR", raising=False)
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path / "cache"))
    devices.use_compilation_cache()
    folder = tmp_path / "cache" / "tenas_jax" / "xla"
    assert settings == {"jax_compilation_cache_dir": str(folder)} and folder.is_dir()
    settings.clear()
    monkeypatch.setenv("XDG_CACHE_HOME", "")
    monkeypatch.setenv("HOME", str(tmp_path))
    devices.use_compilation_cache()
    folder = tmp_path / ".cache" / "tenas_jax" / "xla"
    assert settings == {"jax_compilation_cache_dir": str(folder)} and folder.is_dir()
    settings.clear()
    monkeypatch.setenv("JAX_COMPILATION_CACHE_DIR", str(tmp_path))
    devices.use_compilation_cache()
    assert settings == {}


def test_without_a_place_for_a_cache_there_is_none(monkeypatch, settings, tmp_path):
    monkeypatch.delenv("JAX_COMPILATION_CACHE_DIR", raising=False)
    (tmp_path / "file").write_text("")
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path / "file"))
    devices.use_compilation_cache()
    assert settings == {}

    def homeless(path):
        raise RuntimeError("Could not determine home directory.")

    monkeypatch.setattr(Path, "expanduser", homeless)
    devices.use_compilation_cache()
    assert settings == {}


def test_an_abort_ends_with_a_clear_line(python):
    """As JAX's client aborts a process whose coordinator is gone, from a thread of its own."""
    code = (
        "import ctypes, threading, time\n"
        "from experiments import devices\n"
        "devices._say_when_aborted('first')\n"
        "devices._say_when_aborted(devices.LOST)\n"
        "threading.Thread(target=ctypes.CDLL(None).abort).start()\n"
        "time.sleep(60)\n"
    )
    done = python("-c", code)
    assert (done.returncode, done.stderr) == (1, f"error: {devices.LOST}\n")
