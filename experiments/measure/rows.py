"""One row of a measurement: what a task cost in this process."""

from experiments.measure.cases import CASES
from experiments.measure.timing import peak_mib, timed
from experiments.measure.work import Task

# The fields of a row, in their order.
FIELDS = (
    "name",
    "space",
    "engine",
    "n",
    "k",
    "seconds_median",
    "seconds_min",
    "seconds_max",
    "compile_seconds",
    "peak_mib",
    "device",
)


def measure(task: Task) -> dict:
    """Does a task and says what it cost, in plain values.

    Peak memory is the process's, so a process should measure one task and no other.

    Returns:
        name: the case; space: its space.
        engine: of the kernel, None where there is none.
        n: images N of the kernel (for linear regions, patches).
        k: architectures that a run scored.
        seconds_median, seconds_min, seconds_max: of the timed runs, without compiling but where the
            case is cold, over k where it says the seconds of each.
        compile_seconds: from a function to a program, tracing included.
        peak_mib: see `timing.peak_mib`.
        device: its kind, and how many where more than one.

    Raises:
        UserError: the task cannot be done here, as where its engine is not installed.
    """
    case = CASES[task.case]
    work = case.prepare(task)
    timing = timed(work.run, task.repeats, warm_up=0 if case.cold else 1)
    share = timing.result if case.each else 1
    kind, count = work.devices[0].device_kind, len(work.devices)
    values = (
        task.case,
        task.space,
        work.engine,
        task.n,
        timing.result,
        timing.median / share,
        min(timing.seconds) / share,
        max(timing.seconds) / share,
        work.compile_seconds(),
        peak_mib(work.devices),
        kind if count == 1 else f"{count} x {kind}",
    )
    return dict(zip(FIELDS, values, strict=True))
