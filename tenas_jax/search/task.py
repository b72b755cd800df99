"""What a search's config must say beside the fields of a protocol."""

from collections.abc import Mapping
from typing import Any

from tenas_jax.errors import UserError
from tenas_jax.summaries import check_tensorboard

# Fields of a config that are not fields of a protocol.
TASK = ("space", "strategy", "strategy_options", "preset", "seed", "data", "split", "data_dir",
        "size", "limit", "benchmark_table", "tensorboard", "cpu_devices")  # fmt: skip
# Where things lie, what is shown and on how many devices does not change what is asked for.
IGNORED = ("benchmark_table", "data_dir", "tensorboard", "cpu_devices")


def checked(config: Mapping[str, Any]) -> dict[str, Any]:
    """A config that has all of `TASK`.

    Raises:
        UserError: a field is missing, or it asks for TensorBoard's files without their package.
    """
    config = {"tensorboard": False, **config}  # files from before there was that field lack it
    for name in TASK:
        if name not in config:
            raise UserError(f"the config has no field {name!r}; valid: {', '.join(TASK)}")
    check_tensorboard(config["tensorboard"])
    return config
