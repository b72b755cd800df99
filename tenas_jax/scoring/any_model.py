"""Scores any model, in one call: Flax (linen and NNX), Equinox, or a plain function."""

import warnings
from collections.abc import Sequence
from typing import Any

import jax
import jax.numpy as jnp
import numpy as np

from tenas_jax.errors import UserError
from tenas_jax.metrics import METRICS, Batch, Metric, metric
from tenas_jax.networks.adapters import as_model
from tenas_jax.ntk import FLAGS, NOT_FINITE, OK

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
    **options: Any,
) -> dict[str, float]:
    """Scores a network at initialisation, or at any parameters.

    Args:
        model: a Flax module (linen or NNX), an Equinox module (or a pair of one and its state) or
            a function `f(params, inputs)`, which gives logits [N, C] for inputs [N, ...]; what is
            done with each kind is said by `tenas_jax.networks.adapters.as_model`.
        params_or_key: for linen a key to draw parameters with, its parameters or all variables
            ({"params": ..., and perhaps "batch_stats": ...}); for NNX and Equinox None or others of
            the same names; for a function its parameters.
        batch: inputs, or a tuple of inputs and integer labels [N]. Inputs are float [N, ...],
            such as images [N, H, W, C] or vectors [N, D], or whole numbers [N, T], such as tokens.
        metrics: names in `tenas_jax.metrics.METRICS`, or one name; by default all but those that
            need labels, a validation batch or floating-point inputs that are not given, and those
            that take derivatives in forward mode, which not every model has.
        validation: a second batch, inputs and labels, for metrics of how well the first
            generalises.
        key: for metrics and models that draw random numbers; `jax.random.key(0)` by default.
        **options: keyword arguments of the model's call, such as `train=True`.

    Returns:
        For each metric its value; NaN, with a warning that names the flag, where it is bad.

    Raises:
        UserError: an unknown metric or none, a batch that is empty, not finite or too small, labels
            that are no integers [N], are of one class or are missing where a metric needs them, a
            validation batch of other inputs, whole numbers where a metric needs others, what is no
            model, a model that cannot be run on such a batch, or one without forward mode where a
            metric needs it.
    """
    data = _batch(batch)
    if validation is not None:
        data = data.replace(validation=_batch(validation))
    chosen = {name: metric(name) for name in _names(metrics, data)}
    for name, m in chosen.items():
        _check_metric(name, m, data)
    key = jax.random.key(0) if key is None else key
    static = tuple(sorted(options.items()))
    network, params = as_model(model, params_or_key, data.images, key=key, options=static)
    if any(m.labels for m in chosen.values()):
        _check_labels(network, params, data)
    return {n: _value(n, m, network, params, data, key) for n, m in chosen.items()}


def _names(metrics: Sequence[str] | None, data: Batch) -> list[str]:
    """Returns what is asked for; by default the metrics for which the data has all they need."""
    if metrics is None:
        return [
            name
            for name, m in METRICS.items()
            if not m.forward
            and (_is_float(data.images) or not _needs_floats(name, m))
            and (data.labels is not None or not m.labels)
            and (data.validation is not None or not m.validation)
        ]
    names = [metrics] if isinstance(metrics, str) else list(metrics)
    if not names:
        raise UserError(f"no metric is named; valid: {', '.join(METRICS)}")
    return names


def _batch(batch: Any) -> Batch:
    """Takes inputs, or inputs and labels, or raises a `UserError`."""
    if isinstance(batch, tuple) and len(batch) != 2:
        raise UserError(f"a batch is inputs, or (inputs, labels), not a tuple of {len(batch)}")
    inputs, labels = batch if isinstance(batch, tuple) else (batch, None)
    inputs = _checked(inputs)
    return Batch(inputs, None if labels is None else _checked_labels(labels, len(inputs)))


def _is_float(inputs: jax.Array) -> bool:
    return jnp.issubdtype(inputs.dtype, jnp.floating)


def _needs_floats(name: str, m: Metric) -> bool:
    """Says whether a metric is of a continuous space of inputs; all curves are."""
    return m.forward or name == "linear_regions"


def _check_metric(name: str, m: Metric, data: Batch) -> None:
    """Raises a `UserError` if the data has not what a metric needs."""
    if len(data.images) < m.min_images:
        raise UserError(f"{name} needs at least {m.min_images} inputs, not {len(data.images)}")
    if _needs_floats(name, m) and not _is_float(data.images):
        raise UserError(f"{name} needs floating-point inputs, not {data.images.dtype}")
    if m.labels and data.labels is None:
        raise UserError(f"{name} needs labels: give the batch as (inputs, labels)")
    if not m.validation:
        return
    if data.validation is None or data.validation.labels is None:
        raise UserError(f"{name} needs another batch: give validation=(inputs, labels)")
    for labels, where in ((data.labels, "batch"), (data.validation.labels, "validation batch")):
        if len(np.unique(labels)) < 2:
            raise UserError(f"{name} needs labels of two classes at least; the {where} has one")


def _check_labels(network: Any, params: Any, data: Batch) -> None:
    """Raises a `UserError` if a label has no logit."""
    logits = jax.eval_shape(lambda p, x: network(p, x), params, data.images)
    for batch in (data, data.validation):
        if batch is not None and batch.labels is not None and len(logits.shape) == 2:
            for label in np.unique(batch.labels):
                if not 0 <= label < logits.shape[1]:
                    last = logits.shape[1] - 1
                    raise UserError(f"labels must be from 0 to {last}, one a logit, not {label}")


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
    if not _is_float(inputs):
        raise UserError(
            "inputs must be floating-point numbers, or whole ones [N, T], "
            f"not {inputs.dtype} of shape {inputs.shape}"
        )
    if not bool(jnp.isfinite(inputs).all()):
        raise UserError("inputs hold NaN or infinite values")
    return inputs


def _checked_labels(labels: Any, count: int) -> jax.Array:
    """Returns labels as integers [count], or raises a `UserError`."""
    labels = np.asarray(labels)
    if labels.dtype.kind not in "iu" or labels.shape != (count,):
        raise UserError(
            f"labels must be integers of shape ({count},), one an input, "
            f"not {labels.dtype} of shape {labels.shape}"
        )
    return jnp.asarray(labels)


def _value(name: str, m: Metric, network, params, batch, key) -> float:
    """Returns one metric's value, with a warning if it is flagged or not finite."""
    try:
        out = jax.jit(m.fn)(network, params, batch, key)
    except (TypeError, NotImplementedError) as error:
        if not m.forward or not any(word in str(error) for word in NO_FORWARD):
            raise
        raise UserError(
            f"{name} takes derivatives in forward mode, which the model has not: build it without "
            "hand-written derivatives (jax.custom_vjp), the networks of this package with "
            "form='plain'"
        ) from error
    value, flag = out if isinstance(out, tuple) else (out, OK if jnp.isfinite(out) else NOT_FINITE)
    if int(flag) != OK:
        what = "its kernel" if m.kernel else "it"
        warnings.warn(f"{name} is bad: {what} is {FLAGS[int(flag)]}", stacklevel=4)
    return float(np.asarray(value))
