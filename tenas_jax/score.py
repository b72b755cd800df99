"""Scores any Flax module, in one call."""

import warnings
from collections.abc import Mapping, Sequence
from typing import Any

import flax.linen as nn
import jax
import jax.numpy as jnp
import numpy as np

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
        module: any Flax (linen) module that takes images [N, ...] and gives logits [N, C].
        params_or_key: the module's variables ({"params": ..., and perhaps "batch_stats": ...}),
            its parameters alone, or a key to draw them with.
        batch: images, float [N, ...], or a pair of images and integer labels [N].
        metrics: names in `tenas_jax.metrics.METRICS`.
        key: for metrics that draw random numbers; `jax.random.key(0)` by default.
        **options: keyword arguments of the module's call, such as `train=True`.

    Returns:
        For each metric its value; NaN, with a warning that names the flag, where it is bad.

    Raises:
        UserError: an unknown metric, a batch that is empty, not finite or too small, or without
            labels that a metric needs.
    """
    chosen = {name: metric(name) for name in metrics}
    images, labels = batch if isinstance(batch, tuple) else (batch, None)
    images = _checked(images)
    for name, m in chosen.items():
        if len(images) < m.min_images:
            raise UserError(f"{name} needs at least {m.min_images} images, not {len(images)}")
        if m.labels and labels is None:
            raise UserError(f"{name} needs labels: give the batch as (images, labels)")
    network, params = _network(module, params_or_key, images, options)
    data = Batch(images, None if labels is None else jnp.asarray(labels))
    key = jax.random.key(0) if key is None else key
    return {name: _value(name, m.fn, network, params, data, key) for name, m in chosen.items()}


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


def _network(module, params_or_key, images, options: Mapping) -> tuple[Network, Any]:
    """The module as a `Network`, and its parameters."""
    static = tuple(sorted(options.items()))
    if not isinstance(params_or_key, Mapping):
        variables = lazy_init(module, params_or_key, images, **options)
    elif "params" in params_or_key:
        variables = params_or_key
    else:
        variables = {"params": params_or_key}
    state = {name: tree for name, tree in variables.items() if name != "params"}
    return Network(module, state=state, options=static), variables["params"]


def _value(name: str, fn, network, params, batch, key) -> float:
    """One metric's value, with a warning if it is flagged."""
    out = jax.jit(fn)(network, params, batch, key)
    value, flag = out if isinstance(out, tuple) else (out, OK)
    if int(flag) != OK:
        warnings.warn(f"{name} is bad: its kernel is {FLAGS[int(flag)]}", stacklevel=4)
    return float(np.asarray(value))
