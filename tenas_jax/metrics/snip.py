"""How much the loss depends on the connections that a network has. Higher is better.

S = Σ_i |θ_i ∂L/∂θ_i|, over the weights of convolutions and dense layers alone: no biases, no norms.

L is the mean cross-entropy of one labelled batch at initialisation, norms by batch statistics.

Source: Lee, Ajanthan and Torr, 2019, arXiv:1810.02340, as a score of architectures Abdelfattah et
al., 2021, arXiv:2101.08134. There the gradient is that in a mask on each weight, which at a mask of
ones is θ_i ∂L/∂θ_i; the paper normalises by the sum over all weights, the program for scores does
not.
"""

import jax
import jax.numpy as jnp

from tenas_jax.errors import UserError
from tenas_jax.metrics.probe import Probe
from tenas_jax.ntk.empirical import taking_part

CONNECTIONS = ("kernel", "weight")  # last names; a norm's `weight` has one axis alone


def snip(probe: Probe) -> jax.Array:
    """Computes S of a labelled batch.

    Returns:
        A scalar from 0 in the parameters' dtype.

    Raises:
        UserError: no targets, outputs that are no logits of them, or no weights of layers.
    """
    weights, gradient = (taking_part(t, CONNECTIONS) for t in (probe.params, probe.gradient))
    products = [jnp.abs(w * gradient[path]).sum() for path, w in weights.items() if w.ndim > 1]
    if not products:
        raise UserError(
            f"no weight of a layer is named {' or '.join(CONNECTIONS)}: all have one axis"
        )
    return sum(products[1:], products[0])
