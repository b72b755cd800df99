"""What can be measured, by name, and which rows that makes."""

from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace

from experiments.measure import work
from experiments.measure.work import Task, Work
from tenas_jax import data, spaces
from tenas_jax.errors import UserError, lookup
from tenas_jax.networks import blueprints
from tenas_jax.scoring.presets import protocol


@dataclass(frozen=True)
class Case:
    """Describes something whose cost is measured.

    Attributes:
        prepare: makes a task of it ready.
        space: a name in `tenas_jax.spaces.SPACES`.
        engines: of the kernel, a row for each.
        sizes: its n, where that is not for the user to choose.
        counts: its k, where it takes one; it is then measured at the smallest n alone.
        across: what its rows differ in: `n`, `k`, or None where there is one row.
        cpu_devices: how many devices it has on CPU; on accelerators it may take all.
        each: whether its seconds are those of one architecture, a share of the run's.
        cold: whether it is run once, compiling included, rather than after a run to warm up.
        remark: what its seconds are of, in a few words.
    """

    prepare: Callable[[Task], Work]
    space: str = "nas_bench_201"
    engines: tuple[str, ...] = ("auto",)
    sizes: tuple[int, ...] | None = None
    counts: tuple[int, ...] = (1,)
    across: str | None = "n"
    cpu_devices: int = 2
    each: bool = False
    cold: bool = False
    remark: str = ""


PATCHES = protocol(work.PRESET).setting("linear_regions", "batch_size")

KERNEL = Case(
    work.condition_number,
    engines=("jacobian", "neural_tangents"),
    cpu_devices=1,
    remark="a network",
)
REGIONS = Case(
    work.linear_regions,
    sizes=(PATCHES,),
    across=None,
    cpu_devices=1,
    remark=f"a network, {PATCHES:,} patches",
)
# of the kernel in a search of DARTS's space: configs/tenas_darts_cifar10.py, ..._imagenet.py
DARTS_SIZES = (14, 24)

CASES: dict[str, Case] = {
    "condition_number": KERNEL,
    "linear_regions": REGIONS,
    "darts_condition_number": replace(KERNEL, space="darts", sizes=DARTS_SIZES),
    "darts_linear_regions": replace(REGIONS, space="darts"),
    "side_by_side": Case(work.side_by_side, each=True, remark="a network of many"),
    "evaluator": Case(
        work.evaluator, counts=(1, 4, 16, 64), across="k", remark="K networks, the smallest N"
    ),
    "pruning_round": Case(work.pruning_round, remark="the first round"),
    "search": Case(work.whole_search, cold=True, remark="all, compiling too"),
}


def tasks(names: Sequence[str], sizes: Sequence[int], *, side: int, repeats: int) -> list[Task]:
    """Plans the rows to measure, in the order of the names, small ones first.

    Args:
        names: of cases.
        sizes: images N of the kernel.
        side: of the images, in pixels.
        repeats: timed runs; a case that is cold has one.

    Raises:
        UserError: no names or sizes, an unknown case, fewer images than a kernel's condition needs
            or more than there are, a side that a network or the photographs cannot have.
    """
    if not names or not sizes:
        raise UserError(f"no {'sizes' if names else 'cases'} are named")
    chosen = {name: lookup("case", CASES, name) for name in names}
    if min(sizes) < 2:  # a condition number's
        raise UserError(f"sizes must be at least 2, not {min(sizes)}")
    for case in chosen.values():
        multiple = blueprints(spaces.get(case.space))["scored"].side_multiple
        if side % multiple:
            raise UserError(f"the side must be a multiple of {multiple}, not {side}")
    photos = data.load("photos", size=side, limit=max(sizes))
    if len(photos) < max(sizes):
        raise UserError(f"there are {len(photos)} photos, not the {max(sizes)} of a batch")
    planned = []
    for name, case in chosen.items():
        own = case.sizes or sorted(set(sizes))
        own = own[:1] if case.across == "k" else own
        for engine in case.engines:
            for n in own:
                for k in case.counts:
                    times = 1 if case.cold else repeats
                    planned.append(Task(name, case.space, engine, n, k, side, times))
    return planned
