"""Inner values of any traced function, and gradients at them.

A function's program is read, not the function: no hooks, no names, no framework. `tapped` runs it
and hands out what is asked for; `with_shifts` adds an array to each of these values, so that a
derivative in the arrays, at zero, is a derivative in the values:

    g, zeros = with_shifts(f, params, x, kinds=("activation",))
    gradients = jax.grad(lambda shifts: loss(g(shifts, params, x)[0]))(zeros)

Both may be traced, as under `jit`, `vmap`, `grad`, `jvp` and `shard_map`. What is tapped is said in
`tenas_jax.tracing.sites`, what becomes of loops, branches and other programs inside the program in
`tenas_jax.tracing.evaluate`.
"""

from collections.abc import Callable, Sequence
from typing import Any

import jax
import jax.numpy as jnp
from flax import struct

from tenas_jax.errors import UserError
from tenas_jax.tracing import sites
from tenas_jax.tracing.evaluate import evaluate
from tenas_jax.tracing.flat import flatten

KINDS = tuple(sites.FINDERS)


@struct.dataclass
class Tap:
    """Holds an inner value.

    Attributes:
        kind: one of `KINDS`, see `tenas_jax.tracing.sites`.
        name: of the activation, of the parameters of a layer, or as it was named.
        value: the array; always of floating-point numbers.
    """

    kind: str = struct.field(pytree_node=False)
    name: str = struct.field(pytree_node=False)
    value: jax.Array


def tapped(
    f: Callable, *args: Any, kinds: Sequence[str] = KINDS, weights: int | Sequence[int] = 0
) -> tuple[Any, list[Tap]]:
    """Runs a function and hands out inner values.

    Args:
        f: any function that JAX can trace, of trees of arrays.
        *args: its arguments.
        kinds: of values, from `KINDS`.
        weights: the number of the argument that holds the parameters, or of all that are not data,
            as an encoding is not. For a function of one argument it is of no account, as is (): the
            parameters are closed over, and all constants count as parameters.

    Returns:
        What f gives, and the values in the order of the program.

    Raises:
        UserError: an unknown kind, or a value that cannot be handed out.
    """
    return _tapped(f, None, args, kinds, weights)


def with_shifts(
    f: Callable, *args: Any, kinds: Sequence[str] = KINDS, weights: int | Sequence[int] = 0
) -> tuple[Callable, list[jax.Array]]:
    """Returns a function with a shift at each of its inner values.

    Args:
        f, *args, kinds, weights: as `tapped` takes them.

    Returns:
        `g(shifts, *args) -> (outputs, taps)`, which gives what `tapped` gives with `shifts` added
        to the values, and the zeros to take derivatives at: one array for each tap.

    Raises:
        UserError: as of `tapped`; and from g, if the number of shifts is wrong.
    """

    def g(shifts: Sequence[jax.Array], *args: Any) -> tuple[Any, list[Tap]]:
        return _tapped(f, list(shifts), args, kinds, weights)

    def values(*args: Any) -> list[jax.Array]:
        return [tap.value for tap in tapped(f, *args, kinds=kinds, weights=weights)[1]]

    return g, [jnp.zeros_like(v) for v in jax.eval_shape(values, *args)]


def example_axes(
    values: Sequence[jax.Array], f: Callable[[Any], Sequence[jax.Array]], inputs: Any
) -> list[tuple[int, ...]]:
    """Returns the axes of arrays along which examples lie: those longer for a batch of one more.

    An array without such an axis is a statistic of the batch, or does not depend on it.

    Args:
        values: what f gives for the inputs.
        f: a function of a batch; it is traced for a larger one, and not run.
        inputs: a tree of arrays [N, ...].
    """
    count = len(jax.tree.leaves(inputs)[0])
    more = jax.tree.map(lambda x: jax.ShapeDtypeStruct((count + 1, *x.shape[1:]), x.dtype), inputs)
    return [
        tuple(i for i, n in enumerate(longer.shape) if (v.shape[i], n) == (count, count + 1))
        for v, longer in zip(values, jax.eval_shape(f, more), strict=True)
    ]


def _tapped(f, shifts: list | None, args: tuple, kinds, weights):
    """Runs f with shifts, or without if they are None; see `tapped`."""
    find = sites.finders([kinds] if isinstance(kinds, str) else kinds)
    weights = (weights,) if isinstance(weights, int) else tuple(weights)
    program, tree = jax.make_jaxpr(f, return_shape=True)(*args)
    names, own, origins = {}, set(), []
    for number, argument in enumerate(args):
        for path, _ in jax.tree_util.tree_leaves_with_path(argument):
            leaf = len(origins)
            origins.append(frozenset({leaf}))
            names[leaf] = jax.tree_util.keystr(path, simple=True, separator="/")
            if number in weights and len(args) > 1:
                own.add(leaf)
    flat = flatten(program, origins, whole=sites.ACTIVATIONS)
    sites.mark(flat, find, frozenset(own), names)
    listed = list(flat.listed())
    if shifts is not None and len(shifts) != len(listed):
        raise UserError(f"the function has {len(listed)} taps, but {len(shifts)} shifts are given")
    outputs, values = evaluate(flat, jax.tree.leaves(args), shifts)
    taps = [Tap(s.kind, s.name, v) for s, v in zip(listed, values, strict=True)]
    return jax.tree.unflatten(jax.tree.structure(tree), outputs), taps
