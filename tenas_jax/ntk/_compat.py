"""The empirical kernel by neural-tangents, whose unmodified 0.6.5 is imported on current JAX.

Novak et al. 2020, "Neural Tangents" (arXiv:1912.02803); Novak et al. 2022, "Fast Finite Width
Neural Tangent Kernel" (arXiv:2206.08720), which compares the three ways to compute it.

The library's last release reads names that JAX has since moved or dropped. They are put back only
while it is imported, without its TensorFlow part; afterwards JAX's modules are as they were, and
the one module of neural-tangents that needs more keeps stand-ins of its own. Nothing else in this
package may reach behind JAX's documented interface.
"""

import contextlib
import importlib
import importlib.metadata
import math
import sys
import threading
import types
import warnings
from collections.abc import Callable
from typing import Any

import jax
import jax.core
import jax.extend.core
import jax.extend.source_info_util
import jax.numpy as jnp
import numpy as np
from jax.interpreters import ad

from tenas_jax.errors import UserError, lookup

TESTED = ("0.10.2", "0.11.2", "0.12.0.1")  # JAX releases; those between them are let through.
_FIRST, _BEYOND = (0, 10), (0, 13)

VERSION = "0.6.5"
INSTALL = f"pip install --no-deps neural-tangents=={VERSION} frozendict"

_NAME = "neural_tangents"
_lock = threading.RLock()


def load() -> types.ModuleType:
    """Returns the module `neural_tangents`, imported at the first call.

    Raises:
        UserError: JAX is of an untested version, or neural-tangents is missing, of another
            version or cannot be imported.
    """
    if not _FIRST <= jax.__version_info__[:2] < _BEYOND:
        raise UserError(
            f"engine 'neural_tangents' is untested with jax {jax.__version__} "
            f"(tested: {', '.join(TESTED)}); engine 'jacobian' works with any"
        )
    with _lock:
        if _NAME not in sys.modules:
            _check_installed()
            _import()
        return sys.modules[_NAME]


def _check_installed() -> None:
    try:
        own = importlib.metadata.version("neural-tangents")
    except importlib.metadata.PackageNotFoundError:
        own = "none"
    if own != VERSION:
        raise UserError(
            f"engine 'neural_tangents' needs neural-tangents {VERSION}, found {own}: {INSTALL}"
        )


def _import() -> None:
    def safe_map(f, *args):
        return [f(*a) for a in zip(*args, strict=True)]

    def safe_zip(*args):
        return list(zip(*args, strict=True))

    util = types.ModuleType("jax.util")
    util.safe_map, util.safe_zip = safe_map, safe_zip
    # The real one imports TensorFlow and tf2jax; nothing else in neural-tangents does.
    experimental = types.ModuleType(f"{_NAME}.experimental")
    core_names = ("Jaxpr", "JaxprEqn", "Literal", "Primitive", "Var")
    try:
        with (
            warnings.catch_warnings(action="ignore"),
            _added(vars(jax.core), {n: getattr(jax.extend.core, n) for n in core_names}),
            # A key of its tables of rules; no program holds this primitive any more.
            _added(vars(ad), {"zeros_like_p": jax.extend.core.Primitive("zeros_like")}),
            _added(sys.modules, {"jax.util": util, experimental.__name__: experimental}),
        ):
            nt = importlib.import_module(_NAME)
            _adapt(sys.modules[f"{_NAME}._src.empirical"])
    except BaseException as error:
        # A half-imported package would pass for a whole one at the next call.
        for name in [n for n in sys.modules if n.split(".")[0] == _NAME]:
            del sys.modules[name]
        if isinstance(error, ImportError):
            raise UserError(
                f"neural-tangents {VERSION} cannot be imported ({error}): {INSTALL}"
            ) from error
        raise
    del nt.experimental  # With TensorFlow installed, a user can still import the real one.


@contextlib.contextmanager
def _added(namespace: dict, names: dict):
    """Adds those `names` that `namespace` lacks, and takes them out again."""
    new = {k: v for k, v in names.items() if k not in namespace}
    namespace.update(new)
    try:
        yield
    finally:
        for name in new:
            namespace.pop(name, None)


def _with(module: types.ModuleType, **names) -> types.SimpleNamespace:
    """Holds the names of `module`, some of them replaced; the module itself untouched."""
    return types.SimpleNamespace(**{**vars(module), **names})


def _adapt(empirical: types.ModuleType) -> None:
    """Gives `neural_tangents._src.empirical` stand-ins for what it reads when it runs."""
    # Today's jnp refuses ShapeDtypeStruct in the first two, and arrays in the last.
    empirical.jnp = _with(
        jnp,
        shape=lambda x: tuple(x.shape),
        size=lambda x: math.prod(x.shape),
        dtype=lambda x: np.dtype(x.dtype),
    )
    # From here on: only the structured derivatives need it.
    empirical.core = _with(
        jax.core,
        Var=jax.extend.core.Var,
        DShapedArray=type("DShapedArray", (), {}),  # Dynamic shapes are gone.
    )
    empirical.ad = _with(
        ad,
        source_info_util=jax.extend.source_info_util,
        config=types.SimpleNamespace(jax_enable_checks=False),
    )

    def primals_out_and_pullback(fn, mode, j_rules, s_rules, fwd, *primals):
        """Linearises `fn` by the public interface, then walks the program as upstream does."""
        with jax.disable_jit():  # Inlines calls, for which upstream has no rules.
            out, f_lin = jax.linearize(fn, *primals)
        linear = jax.make_jaxpr(f_lin)(*primals)

        def pullback(cotangents):
            pulled = empirical._backward_pass(
                linear.jaxpr,
                mode=mode,
                consts=linear.consts,
                primals_in=[ad.UndefinedPrimal(v.aval) for v in linear.jaxpr.invars],
                cotangents_in=tuple(jax.tree.leaves(cotangents)),
                _j_rules=j_rules,
                _s_rules=s_rules,
                _fwd=fwd,
            )
            return jax.tree.unflatten(jax.tree.structure(primals), pulled)

        return out, pullback

    empirical._get_primals_out_and_pullback = primals_out_and_pullback
    empirical._eqn_vjp_fn = _equation_vjp


def _equation_vjp(eqn, cotangent, *values):
    """Cotangents of one linear equation's inputs; None for those it is not linear in.

    `jax.linear_transpose` finds the primitive's rule, whose calling convention changed.
    """
    if eqn is None:  # The identity.
        return (cotangent,)
    wanted = [i for i, v in enumerate(values) if ad.is_undefined_primal(v)]
    result = [None] * len(values)
    if isinstance(cotangent, ad.Zero):
        return result

    def apply(*linear):
        # A value trimmed to its shape stands for any value of that shape.
        shaped = jax.core.ShapedArray
        args = [jnp.zeros(v.shape, v.dtype) if isinstance(v, shaped) else v for v in values]
        for i, x in zip(wanted, linear, strict=True):
            args[i] = x
        out = eqn.primitive.bind(*args, **eqn.primitive.get_bind_params(eqn.params))
        return out[0] if eqn.primitive.multiple_results else out

    structs = [jax.ShapeDtypeStruct(values[i].aval.shape, values[i].aval.dtype) for i in wanted]
    for i, ct in zip(wanted, jax.linear_transpose(apply, *structs)(cotangent), strict=True):
        result[i] = ct
    return result


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
    nt = load()

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
