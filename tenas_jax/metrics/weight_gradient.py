"""Derivatives of a kernel's functions in the weights of a mask's operations.

A kernel is Θ = J(x) J(x')ᵀ, and a function s of it moves by ds = Σ_nm G[n, m] dΘ[n, m]. Where
G = Σ_r u_r v_rᵀ has a low rank, 1 for an eigenvalue and C for a regression on C classes,

    ds = Σ_r d ⟨J(x)ᵀ u_r, J(x')ᵀ v_r⟩        u_r, v_r held constant

so that all derivatives together take a vector-Jacobian product and a pass back through it for each
u_r and v_r, however many operations there are, where finite differences take a kernel each. What
each is multiplied with is held constant in turn, J(x')ᵀ v_r in the derivative of J(x)ᵀ u_r, and is
a product with the Jacobian's rows, which are there.
"""

from collections.abc import Sequence
from typing import NamedTuple

import jax
import jax.numpy as jnp
from jax import lax
from jax.extend import core
from jax.flatten_util import ravel_pytree

from tenas_jax.metrics.probe import Probe
from tenas_jax.ntk.empirical import summed_outputs, taking_part
from tenas_jax.tracing.loops import map_or_unroll, needs_unrolling


class Pull(NamedTuple):
    """J(x)ᵀ u_r for each r.

    Attributes:
        inputs: x, [N, ...].
        cotangents: u, [N, R].
    """

    inputs: jax.Array
    cotangents: jax.Array


def weight_gradient(
    probe: Probe, pulls: Sequence[Pull], form: jax.Array, *, within: str | None = None
) -> jax.Array:
    """Computes ∂/∂w of Σ_r Σ_ij form[r, i, j] ⟨pulls[i]_r, pulls[j]_r⟩.

    Args:
        probe: of a network whose encoding is a mask [cells, edges, operations]; it has the
            Jacobians, or computes them.
        pulls: P of them, with as many inputs N and cotangents R each.
        form: [R, P, P].
        within: see `tenas_jax.ntk.ntk`.

    Returns:
        [cells, edges, operations], in the mask's dtype, for w = mask / (ones in its row), the
        row's count held constant; also of operations that the mask has not.
    """
    mask, params = probe.model.encoding, probe.params
    some = taking_part(params, within=within)
    inputs = jnp.stack([pull.inputs for pull in pulls])
    with jax.default_matmul_precision("float32"):
        pulled = jnp.stack(
            [p.cotangents.T @ probe.rows(p.inputs, within=within) for p in pulls], axis=1
        )  # [R, P, parameters]
        others = jnp.einsum("rij,rjp->rip", form + form.swapaxes(1, 2), pulled)

        def product(mask, which, cotangent, other) -> jax.Array:
            """Computes ⟨J(x)ᵀ u, other⟩, x the inputs of that number."""
            f = summed_outputs(probe.model.replace(encoding=mask), params)
            tree = jax.vjp(lambda p: f(p, inputs[which]), some)[1](cotangent)[0]
            return jnp.vdot(ravel_pytree(tree)[0], other)

        terms = (
            jnp.tile(jnp.arange(len(pulls)), len(form)),
            jnp.stack([pull.cotangents.T for pull in pulls], axis=1).reshape(-1, inputs.shape[1]),
            others.reshape(-1, others.shape[-1]),
        )
        program = jax.make_jaxpr(jax.grad(product))(mask, *(t[0] for t in terms))
        run, unroll = core.jaxpr_as_fun(program), needs_unrolling(program.jaxpr)

        def one(term: tuple) -> jax.Array:
            """Computes the gradient of one product, or nothing where it counts for nothing."""
            counts, nothing = (term[2] != 0).any(), jnp.zeros_like(mask)
            return lax.cond(counts, lambda: run(mask, *term)[0], lambda: nothing)

        gradient = map_or_unroll(one, terms, unroll=unroll).sum(0)
    return gradient * jnp.maximum(mask.sum(-1, keepdims=True), 1)  # a mask is w · count
