"""Parameters and multiply-adds of a derived network, counted without running it."""

import math
from collections.abc import Callable, Mapping, Sequence
from typing import Any, NamedTuple

import flax.linen as nn
import jax
import jax.numpy as jnp

from tenas_jax.tracing.programs import multiply_adds

AUXILIARY = "auxiliary"


class Counts(NamedTuple):
    """Counts of a network, and for one image.

    Attributes:
        parameters: numbers in kernels, biases, norms' scales and biases.
        macs: multiply-adds of convolutions, dense layers and attention's products.
        dense_biases: additions of a dense layer's bias. NAS-Bench-201's table counts each as a
            multiply-add: its `flops_m` is `macs` + `dense_biases`, and nothing else besides.
    """

    parameters: int
    macs: int
    dense_biases: int


def count_parameters(params: Mapping[str, Any]) -> int:
    """How many numbers the parameters hold, without those of an auxiliary head.

    That head, `params["auxiliary"]`, is of use in training only, and published counts leave it out.

    Args:
        params: a network's tree of parameters, or of their shapes.
    """
    counted = {name: value for name, value in params.items() if name != AUXILIARY}
    return sum(math.prod(leaf.shape) for leaf in jax.tree.leaves(counted))


def count_macs(module: nn.Module, image_shape: Sequence[int], **call: Any) -> int:
    """Multiply-adds of the convolutions and dense layers for one image; see `count`."""
    return count(module, image_shape, **call).macs


def count(module: nn.Module, image_shape: Sequence[int], **call: Any) -> Counts:
    """All counts of a network in inference, so without its auxiliary head.

    Nothing runs: they are read from the traced program. Products with padding count as well; norms,
    activations, pooling and sums do not.

    Args:
        module: a derived network.
        image_shape: (height, width, channels).
        **call: what else the module is called with, such as `coarse=2`.

    Raises:
        UserError: the network does not take such images.
    """
    biases = []

    def count_bias(call: Callable, args: tuple, kwargs: dict, context: Any) -> Any:
        out = call(*args, **kwargs)
        if isinstance(context.module, nn.Dense) and context.module.use_bias:
            biases.append(out.size)
        return out

    def run(image: jax.Array) -> Any:
        # The drawing of parameters is traced as well, which holds no product: to trace `init` and
        # then `apply`, which checks every shape by tracing its initialiser, takes twice as long.
        return module.init_with_output(jax.random.key(0), image, train=False, **call)

    image = jax.ShapeDtypeStruct((1, *image_shape), jnp.float32)
    with nn.intercept_methods(count_bias):
        traced, (_, variables) = jax.make_jaxpr(run, return_shape=True)(image)
    parameters = count_parameters(variables["params"])
    return Counts(parameters, multiply_adds(traced.jaxpr), sum(biases))
