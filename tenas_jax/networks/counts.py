"""Parameters and multiply-adds of a network for training: read from its traced program, unrun.

A space's closed forms, `cost_table` beside its network for training, are made of `product`.
"""

import math
from collections.abc import Callable, Mapping, Sequence
from typing import Any, NamedTuple

import flax.linen as nn
import jax
import jax.numpy as jnp
import numpy as np

from tenas_jax.tracing.programs import multiply_adds

AUXILIARY = "auxiliary"


class Counts(NamedTuple):
    """Holds counts of a network, and for one image.

    Attributes:
        parameters: numbers in kernels, biases, norms' scales and biases.
        macs: multiply-adds of convolutions, dense layers and attention's products.
        dense_biases: additions of a dense layer's bias. NAS-Bench-201's table counts each as a
            multiply-add: its `flops_m` is `macs` + `dense_biases`, and nothing else besides.
    """

    parameters: int
    macs: int
    dense_biases: int


def product(
    inputs: int, outputs: int, *, taps: int = 1, positions: int = 1, more: int = 0
) -> np.ndarray:
    """Returns what a convolution or a dense layer costs.

    Args:
        inputs: channels that one output sees: of a depthwise convolution 1.
        outputs: channels.
        taps: of the kernel.
        positions: at which it is applied.
        more: parameters of each output besides, such as 1 for a bias and 2 for a norm.

    Returns:
        Parameters and multiply-adds, int64 [2].
    """
    weights = taps * inputs * outputs
    return np.array([weights + more * outputs, weights * positions])


def count_parameters(params: Mapping[str, Any]) -> int:
    """Counts the numbers that parameters hold, without those of an auxiliary head.

    That head, `params["auxiliary"]`, is of use in training only, and published counts leave it out.

    Args:
        params: a network's tree of parameters, or of their shapes.
    """
    counted = {name: value for name, value in params.items() if name != AUXILIARY}
    return sum(math.prod(leaf.shape) for leaf in jax.tree.leaves(counted))


def count_macs(module: nn.Module, image_shape: Sequence[int], **call: Any) -> int:
    """Counts the multiply-adds of the convolutions and dense layers for one image; see `count`."""
    return count(module, image_shape, **call).macs


def count(module: nn.Module, image_shape: Sequence[int], **call: Any) -> Counts:
    """Counts everything of a network in inference, so without its auxiliary head.

    Nothing runs: the counts are read from the traced program. Products with padding count as well;
    norms, activations, pooling and sums do not.

    Args:
        module: a network for training.
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
