"""What a command does with the machine before it computes: devices, processes, memory, cache."""

import ctypes
import os
import pathlib
import re
import sys

import jax
from absl import flags

from tenas_jax.errors import UserError

FLAGS = flags.FLAGS
PATIENCE = 120  # seconds to wait for the other processes
LOST = "another process of this run has stopped; start all of them again, and the run resumes"


def define_process_flags() -> None:
    """Defines flags of a run that several processes share, see `join_processes`."""
    flags.DEFINE_bool("distributed", False, "Whether this is one of several processes of a run.")
    flags.DEFINE_string("coordinator", None, "HOST:PORT of process 0; a TPU pod knows its own.")
    flags.DEFINE_integer("processes", None, "How many processes there are.", lower_bound=1)
    flags.DEFINE_integer("process", None, "Which one this is, from 0.", lower_bound=0)


def prepare(cpu_devices: int) -> None:
    """Sets up this process; it must come before any computation."""
    use_cpu_devices(cpu_devices)
    keep_freed_memory()
    use_compilation_cache()


def use_cpu_devices(count: int) -> None:
    """Lets candidates be scored side by side on CPU.

    One candidate keeps little more than one core busy, since XLA runs many of its operations on one
    thread. Accelerators are not affected, nor a count that XLA_FLAGS already forces.
    """
    forced = "xla_force_host_platform_device_count" in os.environ.get("XLA_FLAGS", "")
    cores = len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count()
    if count < 1:
        raise UserError(f"cpu_devices must be at least 1, not {count}")
    if not forced:
        jax.config.update("jax_num_cpu_devices", max(1, min(count, cores)))


def keep_freed_memory() -> None:
    """Lets the C library keep what is freed for the next allocation, where it is glibc.

    XLA's CPU client frees its buffers after every program. By default glibc gives large ones back
    to the kernel at once and gets them again, zeroed page by page: a sixth of a search's time.
    """
    mallopt = getattr(ctypes.CDLL(None), "mallopt", None)
    if mallopt is not None:
        mmap_max, trim_threshold, arena_max = -4, -1, -8  # M_… of malloc.h
        for option, value in ((mmap_max, 0), (trim_threshold, 2**31 - 1), (arena_max, 1)):
            mallopt(option, value)


def use_compilation_cache() -> None:
    """Keeps compiled programs in the user's cache folder, so that a second run starts at once.

    JAX's own settings come first: JAX_COMPILATION_CACHE_DIR names another folder, and
    JAX_ENABLE_COMPILATION_CACHE=false turns it off. A folder that cannot be made is done without.
    """
    if "JAX_COMPILATION_CACHE_DIR" in os.environ:
        return
    base = os.environ.get("XDG_CACHE_HOME") or "~/.cache"
    try:
        folder = pathlib.Path(base).expanduser() / "tenas_jax" / "xla"
        folder.mkdir(parents=True, exist_ok=True)
        usable = os.access(folder, os.W_OK)
    except (OSError, RuntimeError):  # the second where there is no home
        usable = False
    if usable:
        jax.config.update("jax_compilation_cache_dir", str(folder))


def join_processes() -> None:
    """Joins the other processes of a `--distributed` run, and waits until all are there.

    Raises:
        UserError: flags that do not fit together, or processes that cannot be joined.
    """
    # The flags: all three of them, or none on a pod that knows.
    given = {name: FLAGS[name].value for name in ("coordinator", "processes", "process")}
    named = [name for name, value in given.items() if value is not None]
    if not FLAGS.distributed:
        if named:
            raise UserError(f"--{named[0]} goes with --distributed")
        return
    absent = [name for name in given if name not in named]
    if named and absent:
        raise UserError(f"--{absent[0]} is missing: give --coordinator, --processes, --process")
    if named and not re.fullmatch(r".+:\d+", FLAGS.coordinator):
        raise UserError(f"--coordinator must be HOST:PORT, not {FLAGS.coordinator!r}")
    if named and FLAGS.process >= FLAGS.processes:
        raise UserError(f"--process={FLAGS.process} must be below --processes={FLAGS.processes}")
    # The others, which may be late or never come.
    jax.config.update("jax_cpu_collectives_implementation", "gloo")
    where = FLAGS.coordinator or "this pod"
    print(f"waiting for the other processes of {where}", file=sys.stderr)
    _say_when_aborted(f"the other processes of {where} did not come in {PATIENCE} s")
    try:
        jax.distributed.initialize(
            FLAGS.coordinator,
            FLAGS.processes,
            FLAGS.process,
            initialization_timeout=PATIENCE,
            heartbeat_timeout_seconds=20,
        )
    except (RuntimeError, ValueError) as error:
        text = str(error).splitlines()[0]
        raise UserError(f"cannot join the other processes: {text}") from error
    _say_when_aborted(LOST)


def leave(status: int) -> None:
    """Ends the process. One of several that failed does not wait for the others to come along."""
    if status and jax.distributed.is_initialized():
        sys.stdout.flush()
        sys.stderr.flush()
        os._exit(status)
    sys.exit(status)


def _say_when_aborted(message: str) -> None:
    """Writes one clear last line where JAX's client ends the process, as it does without process 0.

    It calls `abort` from a thread of its own, which no handler of Python's can speak for.
    """
    signature = ctypes.CFUNCTYPE(None, ctypes.c_int)

    def say(_: int) -> None:
        os.write(2, f"error: {message}\n".encode())
        os._exit(1)

    handler = signature(say)
    ctypes.CDLL(None).signal(6, handler)  # SIGABRT
    _say_when_aborted.handler = handler  # as long as the process lives
