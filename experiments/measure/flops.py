"""The arithmetic of a traced program: what its products and convolutions take."""

from jax.extend import core

from tenas_jax.tracing.programs import multiply_adds


def product_flops(jaxpr: core.Jaxpr) -> int:
    """Floating-point operations of all products and convolutions, loops included.

    A multiplication and an addition are two. Other operations are left out: where they take time,
    it is for moving numbers. See `multiply_adds` for loops and branches.

    Args:
        jaxpr: as of `jax.make_jaxpr(f)(...).jaxpr`.
    """
    return 2 * multiply_adds(jaxpr)
