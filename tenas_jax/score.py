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
from tenas_jax.metrics import METRICS, Batch, metric
from tenas_jax.networks.lazy_init import lazy_init
from tenas_jax.networks.network import Network
from tenas_jax.ntk import FLAGS, OK


def score(
    module: nn.Module,
    params_or_key: Any,
    batch: Any,
    metrics: Sequence[str] = tuple(METRICS),
    *,
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
        metrics: names in `tenas_jax.metrics.METRICS`, or one name.
        key: for metrics and modules that draw random numbers; `jax.random.key(0)` by default.
        **options: keyword arguments of the module's call, such as `train=True`.

    Returns:
        For each metric its value; NaN, with a warning that names the flag, where it is bad.

    Raises:
        UserError: an unknown metric or none, a batch that is empty, not finite or too small, labels
            that are no integers [N] or are missing where a metric needs them, or a module that
            cannot be run on such a batch.
    """
    names = [metrics] if isinstance(metrics, str) else list(metrics)
    if not names:
        raise UserError(f"no metric is named; valid: {', '.join(METRICS)}")
    chosen = {name: metric(name) for name in names}
    if isinstance(batch, tuple) and len(batch) != 2:
        raise UserError(f"a batch is images, or (images, labels), not a tuple of {len(batch)}")
    images, labels = batch if isinstance(batch, tuple) else (batch, None)
    images = _checked(images)
    labels = None if labels is None else _checked_labels(labels, len(images))
    for name, m in chosen.items():
        if len(images) < m.min_images:
            raise UserError(f"{name} needs at least {m.min_images} images, not {len(images)}")
        if m.labels and labels is None:
            raise UserError(f"{name} needs labels: give the batch as (images, labels)")
    key = jax.random.key(0) if key is None else key
    try:
        network, params = _network(module, params_or_key, images, key, options)
        data = Batch(images, labels)
        return {n: _value(n, m.fn, network, params, data, key) for n, m in chosen.items()}
    except FlaxError as error:
        raise UserError(f"the module cannot be run: {str(error).splitlines()[0]}") from error


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


def _value(name: str, fn, network, params, batch, key) -> float:
    """One metric's value, with a warning if it is flagged."""
    out = jax.jit(fn)(network, params, batch, key)
    value, flag = out if isinstance(out, tuple) else (out, OK)
    if int(flag) != OK:
        warnings.warn(f"{name} is bad: its kernel is {FLAGS[int(flag)]}", stacklevel=4)
    return float(np.asarray(value))
