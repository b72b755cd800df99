"""What data and networks offer, and whether it is what a metric needs, before anything compiles."""

from collections.abc import Mapping

import jax
import jax.numpy as jnp
import numpy as np

from tenas_jax.data.dataset import Batch, Dataset
from tenas_jax.errors import UserError
from tenas_jax.metrics import check_needs, metric
from tenas_jax.networks import Blueprint, NetworkSpec


def check_space(
    name: str, data: Dataset, blueprint: Blueprint, spec: NetworkSpec, size: int, space: str
) -> None:
    """Finds out whether a metric can be computed of a space's network on such data.

    Args:
        name: of the metric.
        data: where batches are drawn from.
        blueprint: of the network that it looks at.
        spec: of it, complete.
        size: of the batch.
        space: its name, for messages.

    Raises:
        UserError: a need that is not met, a batch larger than the data, images whose sides the
            network does not take.
    """
    needs, sides = metric(name).needs, data.example.shape[:-1]
    twice = 2 if "held_out" in needs else 1
    if not blueprint.patches and twice * size > len(data):
        held_out = " and a held-out batch" if twice == 2 else ""
        raise UserError(
            f"{data.name} has {len(data)} examples, not the {twice * size} of a batch{held_out}"
        )
    labels = getattr(data, "labels", None)
    offered = {
        "targets": data.classes > 0,
        "logits": spec.outputs == "logits" and data.classes > 1,
        "two_classes": labels is None or len(np.unique(labels)) > 1,
        "kernel": size > 1,
        "relu": blueprint.relu,
        "float_inputs": jnp.issubdtype(data.example.dtype, jnp.floating),
        "forward_mode": spec.smooth,
    }
    check_needs(name, metric(name), offered, f"{data.name}, network {spec.name!r} of {space},")
    if blueprint.images and len(sides) != 2:
        raise UserError(
            f"{name}: the network {spec.name!r} of {space} takes images [N, H, W, C], and an "
            f"example of {data.name} has shape {data.example.shape}"
        )
    if blueprint.patches and not hasattr(data, "patches"):
        raise UserError(f"{name} needs patches of images, which {data.name} does not give")
    if not blueprint.patches and any(side % blueprint.side_multiple for side in sides):
        raise UserError(
            f"images are {'x'.join(map(str, sides))}, but the network of {space} needs sides that "
            f"are multiples of {blueprint.side_multiple}: resize them to such a size"
        )


def offered_by(batch: Batch) -> Mapping[str, bool]:
    """Returns which needs a batch meets, for a model of the user's own."""
    held_out = batch.held_out
    several = [_classes(part) > 1 for part in (batch, held_out) if part is not None]
    floats = [jnp.issubdtype(leaf.dtype, jnp.floating) for leaf in jax.tree.leaves(batch.inputs)]
    return {
        "targets": batch.targets is not None,
        "two_classes": all(several),
        "held_out": held_out is not None and held_out.targets is not None,
        "kernel": len(batch) > 1,
        "float_inputs": all(floats),
    }


def _classes(batch: Batch) -> int:
    """Counts the classes that occur."""
    return 0 if batch.targets is None else len(np.unique(np.asarray(batch.targets)))
