"""What a run runs on: versions of the packages, the devices, the commit of the code."""

import datetime
import importlib.metadata
import os
import pathlib
import platform
import subprocess
import sys

import jax


def environment() -> dict:
    """Says what this process runs on: versions, devices, commit and the time."""
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
        **git_state(pathlib.Path(__file__).parent),
    }


def _version(package: str) -> str | None:
    try:
        return importlib.metadata.version(package)
    except importlib.metadata.PackageNotFoundError:
        return None


def git_state(folder: pathlib.Path) -> dict:
    """Reads the commit `folder` is at, and whether tracked files differ; None where unknown."""
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
