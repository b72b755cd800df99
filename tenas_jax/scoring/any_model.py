"""Scores any Flax module, in one call."""

import warnings
from collections.abc import Mapping, Sequence
from typing import Any

import flax.linen as nn
import jax
import jax.numpy as jnp
import numpy as np
from flax.errors import FlaxError

from tenas_jax.errors import UserError
from tenas_jax.metrics import METRICS, Batch, Metric, metric
from tenas_jax.networks.model import Network
from tenas_jax.ntk import FLAGS, NOT_FINITE, OK
from tenas_jax.tracing.drawing import lazy_init

# What JAX says of a `jax.custom_vjp` in forward mode, and in a derivative of that.
NO_FORWARD = ("custom_vjp", "custom_lin")


def score(
    module: nn.Module,
    params_or_key: Any,
    batch: Any,
    metrics: Sequence[str] | None = None,
    *,
    validation: tuple[Any, Any] | None = None,
    key: jax.Array | None = None,
    **options: Any,
) -> dict[str, float]:
    """What metrics say of a network at initialisation, or at any parameters.

    Args:
        module: any Flax (linen) module that takes images [N, ...] and gives logits [N, C]. One that
            draws numbers when called, as dropout does, is scored with those of `key`.
        params_or_key: the module's variables ({"params": ..., and perhaps "batch_stats": ...}),
            its parameters alone, or a key to draw them with.
        batch: images, float [N, ...], or a tuple of images and integer labels [N].
        metrics: names in `tenas_jax.metrics.METRICS`, or one name; by default all but those that
            need labels or a validation batch that are not given, and those that take derivatives
            in forward mode, which not every module has.
        validation: a second batch, images and labels, for metrics of how well the first
            generalises.
        key: for metrics and modules that draw random numbers; `jax.random.key(0)` by default.
        **options: keyword arguments of the module's call, such as `train=True`.

    Returns:
        For each metric its value; NaN, with a warning that names the flag, where it is bad.

    Raises:
        UserError: an unknown metric or none, a batch that is empty, not finite or too small, labels
            that are no integers [N], are of one class or are missing where a metric needs them, a
            validation batch of other images, a module that cannot be run on such a batch, or one
            without forward mode where a metric needs it.
    """
    data = _batch(batch)
    if validation is not None:
        data = data.replace(validation=_batch(validation))
    chosen = {name: metric(name) for name in _names(metrics, data)}
    for name, m in chosen.items():
        _check_metric(name, m, data)
    images = data.images
    key = jax.random.key(0) if key is None else key
    try:
        network, params = _network(module, params_or_key, images, key, options)
        if any(m.labels for m in chosen.values()):
            _check_labels(network, params, data)
        return {n: _value(n, m, network, params, data, key) for n, m in chosen.items()}
    except FlaxError as error:
        raise UserError(f"the module cannot be run: {str(error).splitlines()[0]}") from error


def _names(metrics: Sequence[str] | None, data: Batch) -> list[str]:
    """The metrics that are asked for; by default those for which the data has all they need."""
    if metrics is None:
        return [
            name
            for name, m in METRICS.items()
            if not m.forward
            and (data.labels is not None or not m.labels)
            and (data.validation is not None or not m.validation)
        ]
    names = [metrics] if isinstance(metrics, str) else list(metrics)
    if not names:
        raise UserError(f"no metric is named; valid: {', '.join(METRICS)}")
    return names


def _batch(batch: Any) -> Batch:
    """Images, or images and labels, or a UserError."""
    if isinstance(batch, tuple) and len(batch) != 2:
        raise UserError(f"a batch is images, or (images, labels), not a tuple of {len(batch)}")
    images, labels = batch if isinstance(batch, tuple) else (batch, None)
    images = _checked(images)
    return Batch(images, None if labels is None else _checked_labels(labels, len(images)))


def _check_metric(name: str, m: Metric, data: Batch) -> None:
    """`UserError` if the data has not what a metric needs."""
    if len(data.images) < m.min_images:
        raise UserError(f"{name} needs at least {m.min_images} images, not {len(data.images)}")
    if m.labels and data.labels is None:
        raise UserError(f"{name} needs labels: give the batch as (images, labels)")
    if not m.validation:
        return
    if data.validation is None or data.validation.labels is None:
        raise UserError(f"{name} needs another batch: give validation=(images, labels)")
    for labels, where in ((data.labels, "batch"), (data.validation.labels, "validation batch")):
        if len(np.unique(labels)) < 2:
            raise UserError(f"{name} needs labels of two classes at least; the {where} has one")


def _check_labels(network: Network, params: Any, data: Batch) -> None:
    """`UserError` if a label has no logit."""
    logits = jax.eval_shape(lambda p, x: network(p, x), params, data.images)
    for batch in (data, data.validation):
        if batch is not None and batch.labels is not None and len(logits.shape) == 2:
            for label in np.unique(batch.labels):
                if not 0 <= label < logits.shape[1]:
                    last = logits.shape[1] - 1
                    raise UserError(f"labels must be from 0 to {last}, one a logit, not {label}")


def _checked(images: Any) -> jax.Array:
    """Images as a float array, or a UserError."""
    images = jnp.asarray(images)
    if not jnp.issubdtype(images.dtype, jnp.floating):
        raise UserError(f"images must be floating-point numbers, not {images.dtype}")
    if images.ndim < 2 or images.shape[0] == 0:
        raise UserError(f"images must be a batch [N, ...] of at least one, not {images.shape}")
    if not bool(jnp.isfinite(images).all()):
        raise UserError("images hold NaN or infinite values")
    return images


def _checked_labels(labels: Any, count: int) -> jax.Array:
    """Labels as integers [count], or a UserError."""
    labels = np.asarray(labels)
    if labels.dtype.kind not in "iu" or labels.shape != (count,):
        raise UserError(
            f"labels must be integers of shape ({count},), one an image, "
            f"not {labels.dtype} of shape {labels.shape}"
        )
    return jnp.asarray(labels)


def _network(module, params_or_key, images, key, options: Mapping) -> tuple[Network, Any]:
    """The module as a `Network`, and its parameters."""
    if not isinstance(module, nn.Module):
        raise UserError(f"a Flax (linen) module is needed, not {module!r}")
    static = tuple(sorted(options.items()))
    rngs = {"dropout": jax.random.fold_in(key, 1)}
    if not isinstance(params_or_key, Mapping):
        variables = lazy_init(module, {"params": params_or_key, **rngs}, images, **options)
    elif "params" in params_or_key:
        variables = params_or_key
    else:
        variables = {"params": params_or_key}
    state = {name: tree for name, tree in variables.items() if name != "params"}
    if not variables.get("params"):
        raise UserError("the module has no parameters")
    return Network(module, state=state, rngs=rngs, options=static), variables["params"]


def _value(name: str, m: Metric, network, params, batch, key) -> float:
    """One metric's value, with a warning if it is flagged or not finite."""
    try:
        out = jax.jit(m.fn)(network, params, batch, key)
    except (TypeError, NotImplementedError) as error:
        if not m.forward or not any(word in str(error) for word in NO_FORWARD):
            raise
        raise UserError(
            f"{name} takes derivatives in forward mode, which the module has not: build it without "
            "hand-written derivatives (jax.custom_vjp), the networks of this package with "
            "form='plain'"
        ) from error
    value, flag = out if isinstance(out, tuple) else (out, OK if jnp.isfinite(out) else NOT_FINITE)
    if int(flag) != OK:
        what = "its kernel" if m.kernel else "it"
        warnings.warn(f"{name} is bad: {what} is {FLAGS[int(flag)]}", stacklevel=4)
    return float(np.asarray(value))
