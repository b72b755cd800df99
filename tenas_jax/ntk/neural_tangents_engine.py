"""The empirical neural tangent kernel by the neural-tangents library.

Novak et al. 2020, "Neural Tangents" (arXiv:1912.02803); Novak et al. 2022, "Fast Finite Width
Neural Tangent Kernel" (arXiv:2206.08720), which compares the three ways to compute it.
"""

from collections.abc import Callable
from typing import Any

import jax

from tenas_jax.errors import UserError, lookup
from tenas_jax.ntk import _compat

# Our names and those of `neural_tangents.NtkImplementation`, which is imported only when used.
IMPLEMENTATIONS: dict[str, str] = {
    "jacobian_contraction": "JACOBIAN_CONTRACTION",
    "ntk_vector_products": "NTK_VECTOR_PRODUCTS",
    "structured_derivatives": "STRUCTURED_DERIVATIVES",
}


def kernel(
    f: Callable[[Any, Any], jax.Array],
    params: Any,
    x1: Any,
    x2: Any = None,
    *,
    implementation: str = "jacobian_contraction",
    coupled: bool = True,
) -> jax.Array:
    """K = J(x1) J(x2)ᵀ, with J the Jacobian of `f(params, x)` in all of `params`.

    The samples of a batch may be coupled, as by batch statistics; `x1` and `x2` are two batches,
    each run on its own. Matrix products and convolutions without a precision of their own run in
    full float32 on every device. Works under `jax.jit`, `jax.vmap` and further derivatives.

    Args:
        f: maps (params, x) to one number a sample, [N], say the sum of its logits.
        params: a pytree of float arrays, with at least one leaf.
        x1: a batch of N1 samples, in any form that `f` takes.
        x2: a batch of N2 samples, or None for `x1` again.
        implementation: a name in `IMPLEMENTATIONS`.
        coupled: whether a sample's output may depend on other samples.

    Returns:
        [N1, N2], of the parameters' dtype.

    Raises:
        UserError: an unknown implementation, no parameters, an output that is not [N], or
            neural-tangents cannot be used here (see `_compat.load`).
    """
    name = lookup("neural-tangents implementation", IMPLEMENTATIONS, implementation)
    if not jax.tree.leaves(params):
        raise UserError("the kernel needs at least one parameter array, found none")
    nt = _compat.load()

    def column(params, x):  # An (N, 1) output: the trace over its last axis divides by 1.
        y = f(params, x)
        if y.ndim != 1:
            raise UserError(f"the kernel needs an output of shape [N], found {list(y.shape)}")
        return y[:, None]

    ntk = nt.empirical_ntk_fn(
        column,
        trace_axes=(-1,),
        vmap_axes=None if coupled else 0,
        implementation=nt.NtkImplementation[name],
    )
    with jax.default_matmul_precision("float32"):
        return ntk(x1, x2, params)
