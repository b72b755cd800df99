"""Derivatives of a kernel's functions in the weights of a mask's operations.

A kernel is Θ = J(x) J(x')ᵀ, and a function s of it moves by ds = Σ_nm G[n, m] dΘ[n, m]. Where
G = U Vᵀ has a low rank R, as it has for an eigenvalue (1) and for a regression on C classes (C),

    ds = d Σ_r ⟨J(x)ᵀ u_r, J(x')ᵀ v_r⟩        u_r, v_r held constant

so that all derivatives together take R vector-Jacobian products a factor and a pass back through
them, however many operations there are, where finite differences take a kernel each.
"""

from collections.abc import Sequence
from typing import NamedTuple

import jax
import jax.numpy as jnp
from jax import lax
from jax.extend import core

from tenas_jax.device_loops import map_or_unroll, needs_unrolling
from tenas_jax.networks.network import Network, Params
from tenas_jax.ntk.empirical import summed_logits, taking_part


class Pull(NamedTuple):
    """J(x)ᵀ u_r for each r.

    Attributes:
        images: x, [N, ...].
        cotangents: u, [N, R].
    """

    images: jax.Array
    cotangents: jax.Array


def weight_gradient(
    network: Network,
    params: Params,
    pulls: Sequence[Pull],
    form: jax.Array,
    *,
    within: str | None = None,
) -> jax.Array:
    """∂/∂w of Σ_r Σ_ij form[r, i, j] ⟨pulls[i]_r, pulls[j]_r⟩.

    All pulls go through the network side by side, as one program, since such a program takes long
    to compile.

    Args:
        network: with a mask [cells, edges, operations].
        params: its parameters.
        pulls: P of them, with as many images N and cotangents R each.
        form: [R, P, P].
        within: see `tenas_jax.ntk.ntk`.

    Returns:
        [cells, edges, operations], in the mask's dtype, for w = mask / (ones in its row), the
        row's count held constant; also of operations that the mask has not.
    """
    some = taking_part(params, within=within)
    images = jnp.stack([pull.images for pull in pulls])
    cotangents = jnp.stack([pull.cotangents.T for pull in pulls], 1)  # [R, P, N]

    def total(mask: jax.Array, cotangents: jax.Array, form: jax.Array) -> jax.Array:
        f = summed_logits(network.replace(mask=mask), params)

        def pulled(x: jax.Array, cotangent: jax.Array) -> dict:
            return jax.vjp(lambda p: f(p, x), some)[1](cotangent)[0]

        if len(pulls) == 1:  # without a further axis, which costs time
            tree = jax.tree.map(lambda leaf: leaf[None], pulled(images[0], cotangents[0]))
        else:
            tree = jax.vmap(pulled)(images, cotangents)
        flat = [leaf.reshape(len(pulls), -1) for leaf in jax.tree.leaves(tree)]
        return (form * sum(leaf @ leaf.T for leaf in flat)).sum()

    with jax.default_matmul_precision("float32"):
        program = jax.make_jaxpr(jax.grad(total))(network.mask, cotangents[0], form[0])
        run, unroll = core.jaxpr_as_fun(program), needs_unrolling(program.jaxpr)

        def one(given: tuple[jax.Array, jax.Array]) -> jax.Array:
            """The gradient of one term; a term that counts for nothing is not computed."""
            counts, nothing = (given[1] != 0).any(), jnp.zeros_like(network.mask)
            return lax.cond(counts, lambda: run(network.mask, *given)[0], lambda: nothing)

        each = map_or_unroll(one, (cotangents, form), unroll=unroll)
    counts = jnp.maximum(network.mask.sum(-1, keepdims=True), 1)  # the mask's entry is w · count
    return each.sum(0) * counts
