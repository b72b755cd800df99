"""Draws a module's variables without running it.

`module.init` runs the whole network once, operation by operation, only to throw its output away:
half a minute of compiling for a network that draws its weights in half a second. Flax's own
`lazy_init` ran it in some releases (from 0.12.12 on) and not in others, so this is ours.
"""

from typing import Any

import flax.linen as nn
import jax
import jax.numpy as jnp
from jax.extend import core


def lazy_init(module: nn.Module, key: Any, *inputs: Any, **options: Any) -> Any:
    """Draws the variables that `module.init(key, *inputs, **options)` gives.

    Args:
        module: any Flax (linen) module.
        key: its parameters are drawn with, or a dict of keys by name, as `module.init` takes.
        *inputs: arrays, whatever else has a shape and a dtype, or trees of them. Their values are
            taken to be zero; a variable that depends on them comes out as for zeros.
        **options: keyword arguments of the module's call.

    Returns:
        The tree of collections, `{"params": ..., ...}`.
    """

    def init(key: Any) -> Any:
        zeros = jax.tree.map(lambda x: jnp.zeros(x.shape, x.dtype), inputs)
        return module.init(key, *zeros, **options)

    traced, shapes = jax.make_jaxpr(init, return_shape=True)(key)
    pruned = traced.jaxpr.replace(eqns=_needed(traced.jaxpr))
    leaves = core.jaxpr_as_fun(core.ClosedJaxpr(pruned, traced.consts))(*jax.tree.leaves(key))
    return jax.tree.unflatten(jax.tree.structure(shapes), leaves)


def _needed(jaxpr: core.Jaxpr) -> list:
    """Keeps the equations that the outputs of a program depend on, in its order."""
    wanted = {v for v in jaxpr.outvars if isinstance(v, core.Var)}
    kept = []
    for equation in reversed(jaxpr.eqns):
        if wanted.intersection(equation.outvars):
            wanted.update(v for v in equation.invars if isinstance(v, core.Var))
            kept.append(equation)
    return kept[::-1]
