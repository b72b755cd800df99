"""What a metric asks of a network, and what a space can build for it."""

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field, replace
from typing import Any

import jax

from tenas_jax.errors import UserError, lookup, unknown
from tenas_jax.networks.model import Network, Params

OUTPUTS = ("logits", "features")
NORMS = ("on", "frozen", "sample", "identity")


@dataclass(frozen=True)
class NetworkSpec:
    """Says which network of a space is looked at; metrics of equal specs share everything.

    Attributes:
        name: of the network in the space's `NETWORKS`: `scored` (small), `patch` (thin, for tiny
            inputs), `published` (that of published scores), `testing` (tiny); None leaves it to the
            protocol.
        outputs: `logits` or `features`; None for the space's own.
        norms: `on` (batch statistics, which couple examples), `frozen` (statistics held constant),
            `sample` (of each example by itself), `identity` (none); None for the space's own.
        smooth: whether forward mode is wanted, which hand-written derivatives lack.
        initialiser: a name in `INITIALISERS`; None leaves it to the protocol.
    """

    name: str | None = None
    outputs: str | None = None
    norms: str | None = None
    smooth: bool = False
    initialiser: str | None = None

    def __post_init__(self):
        for part, valid in (("outputs", OUTPUTS), ("norms", NORMS)):
            value = getattr(self, part)
            if value is not None and value not in valid:
                raise unknown(f"{part} of a network", value, valid)


@dataclass(frozen=True)
class Blueprint:
    """Says how a space builds one of its networks, and what a spec may ask of it.

    Attributes:
        build: `(spec, classes) -> Network`, without an encoding; the spec's fields are all set.
        outputs: those that it has, its own first.
        norms: those that it has, its own first.
        patches: whether its inputs are small one-channel patches rather than whole images.
        images: whether its inputs are images [N, H, W, C].
        side_multiple: what the height and width of its images must be multiples of.
        relu: whether it has ReLUs.
        used: `(params, encoding) -> params-like`, 1 where an architecture has the parameter and 0
            where it has not; None where it has all.
        adapt: `(module, params, encoding, channels) -> params`, where the initial parameters of an
            architecture are not those that are drawn for all; None where they are.
    """

    build: Callable[[NetworkSpec, int], Network]
    outputs: tuple[str, ...] = ("logits",)
    norms: tuple[str, ...] = ("on",)
    patches: bool = False
    images: bool = True
    side_multiple: int = 1
    relu: bool = True
    used: Callable[[Params, Any], Params] | None = None
    adapt: Callable[..., Params] | None = None


@dataclass(frozen=True)
class Built:
    """Holds a network that a space has built for a spec; those of equal specs are equal.

    Attributes:
        spec: with all fields set.
        blueprint: what it was built by.
        network: without an encoding.
    """

    spec: NetworkSpec
    blueprint: Blueprint = field(compare=False)
    network: Network = field(compare=False)

    def of(self, encoding: jax.Array) -> Network:
        """Returns the network of an architecture, or of a supernet."""
        return self.network.replace(encoding=encoding)

    def used(self, params: Params, encoding: Any) -> Params | None:
        """Returns for each parameter whether an architecture has it, 1 or 0; None for all."""
        return None if self.blueprint.used is None else self.blueprint.used(params, encoding)

    def initial(self, params: Params, encoding: jax.Array, channels: int) -> Params:
        """Returns the initial parameters of an architecture.

        Args:
            params: as they were drawn for all architectures.
            encoding: of the architecture.
            channels: of the images.
        """
        if self.blueprint.adapt is None:
            return params
        return self.blueprint.adapt(self.network.module, params, encoding, channels)


def complete(
    spec: NetworkSpec,
    networks: Mapping[str, Blueprint],
    *,
    space: str,
    name: str = "scored",
    initialiser: str = "pytorch_default",
) -> NetworkSpec:
    """Sets the fields that a spec leaves open.

    Args:
        spec: what is asked for.
        networks: those of the space.
        space: its name, for messages.
        name: of the network where the spec leaves it open.
        initialiser: where the spec leaves it open.

    Raises:
        UserError: the space has no such network, or the network no such outputs or norms.
    """
    name = spec.name or name
    if name not in networks:
        raise UserError(f"{space} has no network {name!r}; it has {', '.join(networks)}")
    open_fields: dict[str, Any] = {"name": name, "initialiser": spec.initialiser or initialiser}
    for part in ("outputs", "norms"):
        valid = getattr(networks[name], part)
        asked = getattr(spec, part) or valid[0]
        if asked not in valid:
            raise UserError(
                f"the network {name!r} of {space} has no {part} {asked!r}; it has "
                f"{', '.join(valid)}"
            )
        open_fields[part] = asked
    return replace(spec, **open_fields)


def built(spec: NetworkSpec, networks: Mapping[str, Blueprint], classes: int) -> Built:
    """Builds the network of a spec whose fields are all set.

    Args:
        spec: as `complete` gives it.
        networks: those of the space.
        classes: outputs, where they are logits.
    """
    blueprint = lookup("network", networks, spec.name)
    return Built(spec, blueprint, blueprint.build(spec, classes))
