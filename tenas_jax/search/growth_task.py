"""What the config of a growth must say beside the fields of a protocol."""

from collections.abc import Mapping
from typing import Any

from tenas_jax import spaces
from tenas_jax.errors import UserError, shorten
from tenas_jax.runs.tensorboard import check_tensorboard
from tenas_jax.scoring.presets import Protocol
from tenas_jax.search.growth import Growth
from tenas_jax.search.task import given_options
from tenas_jax.spaces.as_vit.grown import AsVitSizes
from tenas_jax.spaces.as_vit.sizes import split

SPACE, STRATEGY = "as_vit", "growth"
# Fields that say what is grown, and how far.
GROWTH = ("hidden", "depths", "scale", "ratios", "classes", "least", "most")
# Fields of a config that are not fields of a protocol.
TASK = ("space", "strategy", "topology", *GROWTH, "preset", "seed", "data", "split", "data_dir",
        "size", "limit", "tensorboard", "cpu_devices")  # fmt: skip
IGNORED = ("data_dir", "tensorboard", "cpu_devices")  # do not change what is asked for


def checked(config: Mapping[str, Any], searched: str | None = None) -> dict[str, Any]:
    """Returns a config that has all of `TASK`, its topology as the space writes it.

    Args:
        config: of `experiments.grow`.
        searched: the topology that a search came to, instead of the config's.

    Raises:
        UserError: a field is missing or of something else than a growth, a topology is none or not
            said, or there are two different ones.
    """
    for name in TASK:
        if name not in config:
            raise UserError(f"the config has no field {name!r}; valid: {', '.join(TASK)}")
    for name, valid in (("space", SPACE), ("strategy", STRATEGY)):
        if config[name] != valid:
            raise UserError(f"{name} is {shorten(config[name])}; a growth has {valid!r}")
    check_tensorboard(config["tensorboard"])
    config = dict(config)
    config |= given_options(config.pop("options", None))
    space, texts = spaces.get(SPACE), [t for t in (config["topology"], searched) if t]
    topologies = {space.to_string(space.parse(split(text)[0])) for text in texts}
    if not topologies:
        raise UserError("what is grown is not said: give --config.topology=… or --from_search=DIR")
    if len(topologies) > 1:
        raise UserError(f"config.topology is not what was found, {searched}; give one of the two")
    return {**config, "topology": topologies.pop()}


def prepared(config: Mapping[str, Any], protocol: Protocol) -> Growth:
    """Makes the growth of a checked config, in its first state.

    Raises:
        UserError: what `Growth` raises.
    """
    options = {name: config[name] for name in GROWTH if config[name] is not None or name == "least"}
    return Growth(AsVitSizes(config["topology"]), protocol.metrics, **options)
