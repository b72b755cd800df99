"""Commands as a user runs them, on tiny data, with a cache of the tests' own."""

import dataclasses
import itertools
import json
import os
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import numpy as np
import pytest

ROOT = Path(__file__).parents[2]


@pytest.fixture(scope="session", autouse=True)
def cache(tmp_path_factory) -> Iterator[Path]:
    """A cache folder that all processes of these tests share; the user's own is left alone."""
    with pytest.MonkeyPatch.context() as patch:
        folder = tmp_path_factory.mktemp("cache")
        patch.setenv("XDG_CACHE_HOME", str(folder))
        patch.setenv("JAX_PERSISTENT_CACHE_MIN_COMPILE_TIME_SECS", "0")
        patch.delenv("JAX_COMPILATION_CACHE_DIR", raising=False)
        yield folder


@pytest.fixture(scope="session")
def environment(cache) -> dict[str, str]:
    """Of a process that is started from here: one device, and programs that compile quickly."""
    return {
        **os.environ,
        "PYTHONPATH": str(ROOT),
        "XLA_FLAGS": "",
        "JAX_DISABLE_MOST_OPTIMIZATIONS": "true",
    }


@pytest.fixture(scope="session")
def tiny(tmp_path_factory) -> Path:
    """A data set of 32 images of 8 x 8 in 4 classes."""
    path = tmp_path_factory.mktemp("data") / "tiny.npz"
    images = np.random.default_rng(0).integers(0, 256, (32, 8, 8, 3), dtype=np.uint8)
    np.savez(path, images=images, labels=np.arange(32) % 4)
    return path


@dataclasses.dataclass(frozen=True)
class Done:
    """How a command ended."""

    returncode: int
    stdout: str
    stderr: str

    @property
    def mistake(self) -> str:
        """The error of a command that refused what it was asked for, all that it says there."""
        assert self.returncode == 2 and self.stderr.count("\n") == 1, self.stderr
        assert self.stderr.startswith("error: "), self.stderr
        return self.stderr


class Commands:
    """Starts commands as `python -m experiments.NAME` does, but quicker: see `forks.py`."""

    def __init__(self, environment: dict[str, str], folder: Path):
        self._folder, self._numbers = folder, itertools.count()
        self._server = subprocess.Popen(
            [sys.executable, Path(__file__).with_name("forks.py")],
            cwd=ROOT, env=environment, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True,
        )  # fmt: skip

    def ask(self, **request):
        """The answer of the process that forks."""
        self._server.stdin.write(json.dumps(request) + "\n")
        self._server.stdin.flush()
        answer = self._server.stdout.readline()
        assert answer, "the process that forks has ended"
        return json.loads(answer)

    def start(self, name: str, *arguments, small=True, dies_after=None) -> "Process":
        """A command that runs on.

        small: networks have one stage in place of three; what is tested is the same in any.
        dies_after: how many records it makes before it is killed.
        """
        stem = self._folder / str(next(self._numbers))
        files = {"out": f"{stem}.out", "err": f"{stem}.err"}
        arguments = [str(argument) for argument in arguments]
        options = {"small": small, "records": dies_after}
        pid = self.ask(module=f"experiments.{name}", arguments=arguments, **files, **options)
        return Process(self, pid, Path(files["out"]), Path(files["err"]))

    def run(self, name: str, *arguments, **options) -> Done:
        """A command from its start to its end."""
        return self.start(name, *arguments, **options).finish()

    def close(self) -> None:
        self._server.stdin.close()
        self._server.wait()
        self._server.stdout.close()


@dataclasses.dataclass
class Process:
    """A command that was started."""

    commands: Commands
    pid: int
    out: Path
    err: Path

    def finish(self, timeout: float = 400) -> Done:
        """Waits for its end; the test fails if that does not come."""
        status = self.commands.ask(wait=self.pid, seconds=timeout)
        if status is None:
            pytest.fail(f"still running after {timeout} s: {self.err.read_text()}")
        return Done(status, self.out.read_text(), self.err.read_text())


@pytest.fixture(scope="session")
def commands(environment, tmp_path_factory) -> Iterator[Commands]:
    """Starts the commands of `experiments/`."""
    started = Commands(environment, tmp_path_factory.mktemp("commands"))
    yield started
    started.close()


@pytest.fixture(scope="session")
def python(environment):
    """Runs Python in a process of its own: `python("-m", "experiments.search", ...)`."""

    def run(*arguments, **variables: str) -> Done:
        done = subprocess.run(
            [sys.executable, *map(str, arguments)],
            cwd=ROOT, env=environment | variables, capture_output=True, text=True, timeout=400,
        )  # fmt: skip
        return Done(done.returncode, done.stdout, done.stderr)

    return run
