"""Strict settings for every test, and where the optional data lies.

Eight CPU devices are forced before JAX starts, so that code for many devices runs on any machine.
"""

import os

os.environ["XLA_FLAGS"] = (
    os.environ.get("XLA_FLAGS", "") + " --xla_force_host_platform_device_count=8"
)
os.environ.setdefault("JAX_PLATFORMS", "cpu")

import pathlib

import jax
import pytest

jax.config.update("jax_numpy_rank_promotion", "raise")


def _shared(*parts: str) -> pathlib.Path:
    """A path in the folder of development data, which lies beside the checkout."""
    root = os.environ.get("TENAS_JAX_DATA", pathlib.Path(__file__).parents[2] / "shared" / "data")
    return pathlib.Path(root).joinpath(*parts)


@pytest.fixture
def tfds_dir() -> str:
    """A TFDS directory that holds CIFAR-10; the test is skipped where there is none."""
    path = _shared("tfds")
    if not (path / "cifar10").is_dir():
        pytest.skip(f"no CIFAR-10 under {path} (set TENAS_JAX_DATA)")
    return str(path)


@pytest.fixture
def accuracy_table() -> str:
    """The NAS-Bench-201 accuracy table; the test is skipped where there is none."""
    path = _shared("nas_bench_201", "accuracy.csv")
    if not path.is_file():
        pytest.skip(f"no accuracy table at {path} (set TENAS_JAX_DATA)")
    return str(path)


@pytest.fixture
def x64():
    """Float64 for the length of one test."""
    with jax.enable_x64(True):
        yield


@pytest.fixture(scope="module")
def quick_compilation():
    """XLA without most optimisations: for tests whose time is compiling programs that run once."""
    before = jax.config.read("jax_disable_most_optimizations")
    jax.config.update("jax_disable_most_optimizations", True)
    yield
    jax.config.update("jax_disable_most_optimizations", before)
