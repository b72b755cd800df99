"""What the scoring networks of convolutional spaces share: Flax modules, and how one is built."""

from collections.abc import Callable, Sequence
from typing import Any

import flax.linen as nn
import jax
import jax.numpy as jnp

from tenas_jax.networks.layers.conv_norm import sum_of_conv_norms
from tenas_jax.networks.layers.initialisers import initialiser
from tenas_jax.networks.layers.maps import NORMS, normalise
from tenas_jax.networks.model import Network, Params
from tenas_jax.networks.spec import Blueprint, NetworkSpec


class Conv(nn.Module):
    """Draws the kernel of a convolution, alone, under the name `kernel`."""

    features: int
    size: int
    initialiser: str

    @nn.compact
    def __call__(self, channels: int, dtype) -> jax.Array:
        """Returns the kernel [size, size, channels, features]."""
        shape = (self.size, self.size, channels, self.features)
        return self.param("kernel", initialiser(self.initialiser), shape, dtype)


class Norm(nn.Module):
    """Draws scale and bias of a batch normalisation."""

    @nn.compact
    def __call__(self, features: int, dtype) -> tuple[jax.Array, jax.Array]:
        """Returns scale [features] and bias [features]."""
        scale = self.param("scale", nn.initializers.ones_init(), (features,), dtype)
        return scale, self.param("bias", nn.initializers.zeros_init(), (features,), dtype)


class ConvNorm(nn.Module):
    """Draws the weights of a convolution and the normalisation behind it.

    They are handed out rather than applied, so that a cell can apply many at once.
    """

    features: int
    size: int
    initialiser: str

    @nn.compact
    def __call__(self, channels: int, dtype) -> tuple[jax.Array, jax.Array, jax.Array]:
        """Returns kernel [size, size, channels, features], scale [features], bias [features]."""
        kernel = Conv(self.features, self.size, self.initialiser, name="conv")(channels, dtype)
        return kernel, *Norm(name="norm")(self.features, dtype)


class Stem(nn.Module):
    """Applies a 3x3 convolution and its normalisation, before the first cell."""

    features: int
    initialiser: str
    form: str
    norms: str = "on"

    @nn.compact
    def __call__(self, x: jax.Array) -> jax.Array:
        """Maps [C, H, W, N] to [features, H, W, N]."""
        kernel = Conv(self.features, 3, self.initialiser, name="conv")(len(x), x.dtype)
        scale, bias = Norm(name="norm")(self.features, x.dtype)
        how = {"form": self.form, "norms": self.norms}
        return sum_of_conv_norms(x, [kernel], [scale], [bias], **how)


class Head(nn.Module):
    """Applies normalisation, ReLU, mean over positions, dense layer."""

    classes: int
    initialiser: str
    norms: str = "on"

    @nn.compact
    def __call__(self, x: jax.Array) -> jax.Array:
        """Maps [C, H, W, N] to logits [N, classes]."""
        scale, bias = Norm(name="norm")(len(x), x.dtype)
        features = nn.relu(normalise(x, scale, bias, self.norms)).mean((1, 2)).T
        return nn.Dense(
            self.classes,
            kernel_init=initialiser(self.initialiser),
            param_dtype=x.dtype,
            name="dense",
        )(features)


def blueprint(
    module: Callable[..., nn.Module],
    has: Callable[[Sequence[str], jax.Array], jax.Array | None],
    *,
    side_multiple: int = 1,
    patches: bool = False,
    **size: Any,
) -> Blueprint:
    """Returns the blueprint of a scoring network in some size.

    Args:
        module: takes `classes`, `initialiser`, `form` (see `conv_norm`) and `norms`.
        has: `(names on the way to a parameter, mask) -> bool`, whether an architecture has it, of
            its first axes; None for a parameter that all have.
        side_multiple: what the sides of images must be multiples of.
        patches: whether it is for tiny inputs of one channel.
        **size: the module's other fields.
    """

    def build(spec: NetworkSpec, classes: int) -> Network:
        form = "plain" if spec.smooth or spec.norms != "on" else "auto"
        fields = {"initialiser": spec.initialiser, "form": form, "norms": spec.norms}
        return Network(module(classes=classes, **fields, **size))

    def used(params: Params, mask: jax.Array) -> Params:
        def one(path: tuple, leaf: jax.Array) -> jax.Array:
            owned = has([str(key.key) for key in path], mask)
            if owned is None:
                return jnp.ones_like(leaf)
            axes = owned.shape + (1,) * (leaf.ndim - owned.ndim)
            return jnp.broadcast_to(owned.reshape(axes), leaf.shape).astype(leaf.dtype)

        return jax.tree_util.tree_map_with_path(one, params)

    kinds = {"norms": tuple(NORMS), "side_multiple": side_multiple, "patches": patches}
    return Blueprint(build, used=used, **kinds)
