"""What is to be known of a metric beside its formula, and whether data and a network suffice it."""

import inspect
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

import jax
import jax.numpy as jnp

from tenas_jax.errors import UserError, shorten, unknown
from tenas_jax.metrics.probe import Probe
from tenas_jax.networks.spec import NetworkSpec
from tenas_jax.ntk import NOT_FINITE, OK

# What a protocol may set of a metric beside the options of its function.
SETTINGS = ("network", "outputs", "norms", "initialiser", "batch_size", "repeats")

# need -> what it asks for, in words that follow "it needs"
NEEDS: dict[str, str] = {
    "targets": "labels: data, or a batch (inputs, targets), that has them",
    "two_classes": "labels of two classes at least",
    "held_out": "another batch: give validation=(inputs, targets), or data with enough examples",
    "logits": "a logit for each class, outputs [N, C]",
    "kernel": "at least 2 examples, whose kernel it takes",
    "relu": "a network with ReLUs or other piecewise linear activations",
    "float_inputs": "inputs that are floats: images or vectors, no tokens",
    "forward_mode": "a network that has derivatives in forward mode",
}


@dataclass(frozen=True)
class Metric:
    """Holds a metric's function and what is to be known of it.

    Attributes:
        fn: `(probe, *, options) -> scalar`, pure; or `-> (scalar, flag)` where a value can be bad
            in a way that is worth a word (see `tenas_jax.ntk.FLAGS`). Its keyword-only arguments
            are the metric's options, which a protocol sets by name.
        higher_is_better: the sign of what it says about trained accuracy.
        reference: author, year, arXiv number.
        spec: the network that it looks at; what is open is the protocol's or the space's.
        needs: names in `NEEDS`, checked before anything is compiled.
        batch_size: examples that it asks for; None for the protocol's.
        repeats: batches that its score is averaged over; None for the protocol's.
        option_checks: option -> what raises a `UserError` for a value that it does not take.
        mask_gradient: called as `fn`, for a network whose encoding is a mask: ∂ log m / ∂w, the
            derivative of the metric's logarithm in the weights w [cells, edges, operations] of the
            mask's operations (see `tenas_jax.metrics.weight_gradient`); None where it has none.
    """

    fn: Callable[..., Any]
    higher_is_better: bool
    reference: str
    spec: NetworkSpec = NetworkSpec()
    needs: tuple[str, ...] = ()
    batch_size: int | None = None
    repeats: int | None = None
    option_checks: Mapping[str, Callable[[Any], Any]] = field(default_factory=dict)
    mask_gradient: Callable[..., jax.Array] | None = None

    def __post_init__(self):
        for need in self.needs:
            if need not in NEEDS:
                raise unknown("need of a metric", need, NEEDS)

    @property
    def options(self) -> tuple[str, ...]:
        """Names the options of its function."""
        parameters = inspect.signature(self.fn).parameters.values()
        return tuple(p.name for p in parameters if p.kind is p.KEYWORD_ONLY)


def check_options(
    name: str, metric: Metric, options: Mapping[str, Any], settings: Sequence[str] = SETTINGS
) -> None:
    """Raises a `UserError` for an option that a metric does not have, or a value it does not take.

    Args:
        name: of the metric.
        metric: with its options.
        options: option -> value.
        settings: what is valid beside them.
    """
    if not isinstance(options, Mapping):
        raise UserError(f"options of {name} are {shorten(options)}; valid: names with values")
    valid = (*metric.options, *settings)
    for option, value in options.items():
        if option not in valid:
            raise unknown(f"option of {name}", option, valid)
        if option in metric.option_checks:
            metric.option_checks[option](value)
    for option in ("batch_size", "repeats"):
        value = options.get(option, 1)
        if isinstance(value, bool) or not isinstance(value, int) or value < 1:
            raise UserError(f"{option} of {name} must be at least 1, not {value!r}")


def check_needs(name: str, metric: Metric, offered: Mapping[str, bool], whose: str) -> None:
    """Raises a `UserError` that names the first need which is not met.

    Args:
        name: of the metric.
        metric: with its needs.
        offered: need -> whether it is met; what is not in it is not known, and passes.
        whose: what has not what is needed, in words.
    """
    for need in metric.needs:
        if not offered.get(need, True):
            raise UserError(f"{name} needs {NEEDS[need]}; {whose} does not meet it ({need})")


def measure(metric: Metric, probe: Probe, **options: Any) -> tuple[jax.Array, jax.Array]:
    """Computes a metric; pure, and to be traced.

    Returns:
        The value in the dtype that the metric gives it, NaN where it is bad, and the flag, int32, a
        number into `tenas_jax.ntk.FLAGS`.
    """
    out = metric.fn(probe, **options)
    if isinstance(out, tuple):
        return out
    finite = jnp.isfinite(out)
    flag = jnp.where(finite, OK, NOT_FINITE).astype(jnp.int32)
    if not jnp.issubdtype(jnp.result_type(out), jnp.inexact):
        return out, flag  # a count is finite, and stays exact
    return jnp.where(finite, out, jnp.nan), flag
