"""Scores any model, in one call: Flax (linen and NNX), Equinox, or a plain function."""

import warnings
from collections.abc import Mapping, Sequence
from typing import Any

import jax
import jax.numpy as jnp
import numpy as np

from tenas_jax.data.dataset import Batch
from tenas_jax.errors import UserError
from tenas_jax.metrics import METRICS, Metric, Probe, check_needs, check_options, measure, metric
from tenas_jax.networks.adapters import as_model
from tenas_jax.networks.model import Model
from tenas_jax.ntk import FLAGS, OK
from tenas_jax.scoring.offers import offered_by

# What JAX says of a `jax.custom_vjp` in forward mode, and in a derivative of that.
NO_FORWARD = ("custom_vjp", "custom_lin")


def score(
    model: Any,
    params_or_key: Any,
    batch: Any,
    metrics: Sequence[str] | None = None,
    *,
    validation: tuple[Any, Any] | None = None,
    key: jax.Array | None = None,
    metric_options: Mapping[str, Mapping[str, Any]] | None = None,
    **options: Any,
) -> dict[str, float]:
    """Scores a network at initialisation, or at any parameters.

    Args:
        model: a Flax module (linen or NNX), an Equinox module (or a pair of one and its state) or
            a function `f(params, inputs)`, which gives outputs [N, ...] for inputs [N, ...]; what
            is done with each kind is said by `tenas_jax.networks.adapters.as_model`.
        params_or_key: for linen a key to draw parameters with, its parameters or all variables
            ({"params": ..., and perhaps "batch_stats": ...}); for NNX and Equinox None or others of
            the same names; for a function its parameters.
        batch: inputs, or a tuple of inputs and integer labels [N], or [N, T] for tokens. Inputs are
            float [N, ...], such as images [N, H, W, C] or vectors [N, D], or whole numbers [N, T],
            such as tokens.
        metrics: names in `tenas_jax.metrics.METRICS`, or one name; by default all whose needs the
            batch meets, but those that take derivatives in forward mode, which not every model has.
        validation: a second batch, inputs and labels, for metrics of how well the first
            generalises.
        key: for metrics and models that draw random numbers; `jax.random.key(0)` by default.
        metric_options: metric -> its options, such as `{"kernel_regression": {"ridge": 0.01}}`.
        **options: keyword arguments of the model's call, such as `train=True`.

    Returns:
        For each metric its value; NaN, with a warning that names the flag, where it is bad.

    Raises:
        UserError: an unknown metric, none or an option that one does not have; a batch that is
            empty, not finite or of a dtype that is no input; labels that are no integers or have
            no logit; a need of a metric that the batch does not meet; what is no model, one that
            cannot be run on such a batch, or one without forward mode where a metric needs it.
    """
    data = _batch(batch)
    if validation is not None:
        data = data.replace(held_out=_batch(validation))
    given = metric_options or {}
    for name, own in given.items():
        check_options(name, metric(name), own, settings=())
    asked = None if metrics is None else _asked(metrics)

    key = jax.random.key(0) if key is None else key
    static = tuple(sorted(options.items()))
    network, params = as_model(model, params_or_key, data.inputs, key=key, options=static)
    shape = jax.eval_shape(network, params, data.inputs).shape
    offered = {**offered_by(data), "logits": len(shape) == 2 and shape[1] > 1}
    chosen = {name: metric(name) for name in (_met(offered) if asked is None else asked)}
    for name, m in chosen.items():
        check_needs(name, m, offered, "this batch or network")
    if any("targets" in m.needs for m in chosen.values()):
        _check_targets(network, params, data)
    return {
        name: _value(name, m, (network, params, data, key), given.get(name, {}))
        for name, m in chosen.items()
    }


def _asked(metrics: Sequence[str]) -> list[str]:
    """Returns the names that are asked for, all of metrics that there are."""
    names = [metrics] if isinstance(metrics, str) else list(metrics)
    if not names:
        raise UserError(f"no metric is named; valid: {', '.join(METRICS)}")
    for name in names:
        metric(name)
    return names


def _met(offered: Mapping[str, bool]) -> list[str]:
    """Returns the names of the metrics all of whose needs are met, none in forward mode."""
    return [
        name
        for name, m in METRICS.items()
        if "forward_mode" not in m.needs and all(offered.get(need, True) for need in m.needs)
    ]


def _batch(batch: Any) -> Batch:
    """Takes inputs, or inputs and labels, or raises a `UserError`."""
    if isinstance(batch, tuple) and len(batch) != 2:
        raise UserError(f"a batch is inputs, or (inputs, labels), not a tuple of {len(batch)}")
    inputs, targets = batch if isinstance(batch, tuple) else (batch, None)
    inputs = _checked(inputs)
    return Batch(inputs, None if targets is None else _checked_targets(targets, inputs.shape))


def _checked(inputs: Any) -> jax.Array:
    """Returns inputs as an array, or raises a `UserError`."""
    try:
        inputs = jnp.asarray(inputs)
    except (TypeError, ValueError) as error:
        raise UserError(f"inputs must be an array, not a {type(inputs).__name__}") from error
    if inputs.ndim < 2 or inputs.shape[0] == 0:
        raise UserError(f"inputs must be a batch [N, ...] of at least one, not {inputs.shape}")
    if jnp.issubdtype(inputs.dtype, jnp.integer) and inputs.ndim == 2:
        return inputs
    if not jnp.issubdtype(inputs.dtype, jnp.floating):
        raise UserError(
            "inputs must be floating-point numbers, or whole ones [N, T], "
            f"not {inputs.dtype} of shape {inputs.shape}"
        )
    if not bool(jnp.isfinite(inputs).all()):
        raise UserError("inputs hold NaN or infinite values")
    return inputs


def _checked_targets(targets: Any, shape: tuple[int, ...]) -> jax.Array:
    """Returns labels as integers, one an input or one a position, or raises a `UserError`."""
    targets = np.asarray(targets)
    if targets.dtype.kind not in "iu" or targets.shape not in (shape[:1], shape[:2]):
        raise UserError(
            f"labels must be integers of shape {shape[:1]}, one an input, "
            f"not {targets.dtype} of shape {targets.shape}"
        )
    return jnp.asarray(targets)


def _check_targets(network: Model, params: Any, data: Batch) -> None:
    """Raises a `UserError` if a label has no logit, or logits are not one row a label."""
    logits = jax.eval_shape(lambda p, x: network(p, x), params, data.inputs).shape
    for batch in (data, data.held_out):
        if batch is None or batch.targets is None:
            continue
        if len(logits) != batch.targets.ndim + 1:
            raise UserError(f"labels {batch.targets.shape} need logits, not outputs {logits}")
        for label in np.unique(batch.targets):
            if not 0 <= label < logits[-1]:
                last = logits[-1] - 1
                raise UserError(f"labels must be from 0 to {last}, one a logit, not {label}")


def _value(name: str, m: Metric, given: tuple, options: Mapping[str, Any]) -> float:
    """Returns one metric's value, with a warning if it is flagged or not finite."""
    try:
        value, flag = jax.jit(lambda *args: measure(m, Probe(*args), **options))(*given)
    except (TypeError, NotImplementedError) as error:
        forward = "forward_mode" in m.needs
        if not forward or not any(word in str(error) for word in NO_FORWARD):
            raise
        raise UserError(
            f"{name} takes derivatives in forward mode, which the model has not: build it without "
            "hand-written derivatives (jax.custom_vjp), the networks of this package with "
            "form='plain'"
        ) from error
    if int(flag) != OK:
        what = "its kernel" if "kernel" in m.needs else "it"
        warnings.warn(f"{name} is bad: {what} is {FLAGS[int(flag)]}", stacklevel=4)
    return float(np.asarray(value))
