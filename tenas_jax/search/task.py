"""What a search's config must say beside the fields of a protocol."""

import os
from collections.abc import Mapping
from typing import Any

from tenas_jax.errors import UserError, unknown
from tenas_jax.runs.tensorboard import check_tensorboard
from tenas_jax.runs.workdir import folder
from tenas_jax.search.budget import LIMITS, Budget
from tenas_jax.search.latency import LATENCIES, Stopwatch, read_size
from tenas_jax.spaces import Space

# Fields of a config that are not fields of a protocol.
TASK = ("space", "strategy", "strategy_options", "preset", "seed", "data", "split", "data_dir",
        "size", "limit", "benchmark_table", "tensorboard", "cpu_devices", "budget")  # fmt: skip
# Where things lie, what is shown and on how many devices does not change what is asked for.
IGNORED = ("benchmark_table", "data_dir", "tensorboard", "cpu_devices")
TIMED = {"batch": 1, "size": None}  # of the network that is timed: field -> default


def checked(config: Mapping[str, Any]) -> dict[str, Any]:
    """Returns a config that has all of `TASK`; but `budget` only where something is limited.

    So the config of a search without a budget is that of runs from before there were budgets.

    Raises:
        UserError: a field is missing, it asks for TensorBoard's files without their package, or its
            budget has an unknown field, or says how to measure a time that is not limited.
    """
    # Files from before there were those fields lack them.
    config = {"tensorboard": False, "budget": None, **config}
    for name in TASK:
        if name not in config:
            raise UserError(f"the config has no field {name!r}; valid: {', '.join(TASK)}")
    check_tensorboard(config["tensorboard"])
    config |= given_options(config.pop("options", None))
    budget = {**dict.fromkeys(LIMITS), **TIMED, **(config.pop("budget") or {})}
    for name, value in budget.items():
        if name not in (*LIMITS, *TIMED):
            raise unknown("field of budget", name, (*LIMITS, *TIMED))
        if name in TIMED and value != TIMED[name] and budget["milliseconds"] is None:
            raise UserError(f"budget.{name} is {value!r}, but budget.milliseconds sets no limit")
    limited = any(budget[name] is not None for name in LIMITS)
    return {**config, "budget": budget} if limited else config


def given_options(options: Mapping[str, Mapping[str, Any]] | None) -> dict[str, dict]:
    """Returns the field `options` of a config with what is given, if anything is."""
    named = {
        name: {option: value for option, value in own.items() if value is not None}
        for name, own in (options or {}).items()
    }
    given = {name: own for name, own in named.items() if own}
    return {"options": given} if given else {}


def budget_of(config: Mapping[str, Any], space: Space, workdir: str | os.PathLike) -> Budget | None:
    """Makes the budget of a config that `checked` gave; None where it has none.

    Times that the workdir holds are read; they are written once `Budget.keep` is called.

    Raises:
        UserError: a limit, batch or size that is none, or times that cannot be read.
    """
    if "budget" not in config:
        return None
    limits = {name: config["budget"][name] for name in LIMITS}
    if limits["milliseconds"] is None:
        return Budget(space, **limits)
    batch, size = config["budget"]["batch"], read_size(config["budget"]["size"])
    path = folder(workdir) / LATENCIES
    return Budget(space, **limits, stopwatch=Stopwatch(space, batch=batch, size=size, path=path))
