"""Inner values of any traced function, and gradients at them.

A function's program is read, not the function: no hooks, no names, no framework. `tapped` runs it
and hands out what is asked for; `with_shifts` adds an array to each of these values, so that a
derivative in the arrays, at zero, is a derivative in the values:

    g, zeros = with_shifts(f, params, x, kinds=("activation",))
    gradients = jax.grad(lambda shifts: loss(g(shifts, params, x)[0]))(zeros)

Both may be traced, as under `jit`, `vmap`, `grad`, `jvp` and `shard_map`. What becomes of programs
inside the program:

- Calls are inlined. Rematerialised functions stay so.
- A function with a derivative of its own (`custom_jvp`, `custom_vjp`) keeps it in its arguments,
  and its modes; the derivative at a value inside it is that of its program.
- A value inside a `scan` of T turns has T as its first axis.
- In a `cond` or `switch`, values of the branches not taken are zero, as are gradients at them.
- A value inside a `while`, or in another program that runs in its own way (such as `shard_map`), is
  refused; without taps inside, these run as they are.
"""

from collections.abc import Callable, Sequence
from itertools import islice
from typing import Any

import jax
import jax.numpy as jnp
import numpy as np
from flax import struct
from jax import lax

from tenas_jax.errors import UserError
from tenas_jax.tracing import sites
from tenas_jax.tracing.flat import REMAT, RULED, Flat, Step, flatten

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
        UserError: an unknown kind, or a value that cannot be handed out (see above).
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
    sites.place(flat, find, frozenset(own), names)
    listed = list(flat.listed())
    if shifts is not None and len(shifts) != len(listed):
        raise UserError(f"the function has {len(listed)} taps, but {len(shifts)} shifts are given")
    outputs, values = evaluate(flat, jax.tree.leaves(args), shifts)
    taps = [Tap(s.kind, s.name, v) for s, v in zip(listed, values, strict=True)]
    return jax.tree.unflatten(jax.tree.structure(tree), outputs), taps


def evaluate(
    flat: Flat, inputs: Sequence[jax.Array], shifts: Sequence[jax.Array] | None
) -> tuple[list[jax.Array], list[jax.Array]]:
    """Runs a flat program.

    Args:
        flat: the program, with its sites.
        inputs: what it is given.
        shifts: what is added to the values at its sites, in their order, or None.

    Returns:
        Its outputs, and the values at its sites, shifted.
    """
    env = {**flat.constants, **dict(zip(flat.inputs, inputs, strict=True))}
    moved: dict[tuple[int, int], jax.Array] = {}  # (reader, slot) -> what that reader sees
    values, rest = [], None if shifts is None else iter(shifts)

    def read(slot: int, reader: int | None = None) -> Any:
        return moved[reader, slot] if (reader, slot) in moved else env[slot]

    for k in range(len(flat.steps) + 1):
        for site in flat.sites.get(k, ()):
            value = read(site.slot)
            if site.less is not None:
                value = lax.sub(value, read(site.less))
            if rest is not None:
                value = value + next(rest)
                if site.readers is None:
                    env[site.slot] = value
                else:
                    moved.update({(reader, site.slot): value for reader in site.readers})
            values.append(value)
        if k == len(flat.steps):
            break
        step = flat.steps[k]
        given = [read(slot, k) for slot in step.inputs]
        count = sum(1 for inner in step.inner for _ in inner.listed())
        if count:
            typed = [_typed(g, flat.types[s]) for g, s in zip(given, step.inputs, strict=True)]
            results, more = _RULES[step.primitive](
                step, typed, None if rest is None else list(islice(rest, count))
            )
            values += more
        else:
            results = _bind(step, given)
        env.update(zip(step.outputs, results, strict=True))
    return [read(slot) for slot in flat.outputs], values


def _bind(step: Step, given: list) -> list:
    """Runs a step as it was traced."""
    equation = step.equation
    parameters = equation.primitive.get_bind_params(equation.params)
    results = equation.primitive.bind(*given, **parameters)
    return results if equation.primitive.multiple_results else [results]


def _typed(value: Any, aval: Any) -> Any:
    """Returns a value, a literal with the type that it has in the program."""
    return value if isinstance(value, jax.Array) else np.asarray(value, aval.dtype)


def _remat(step: Step, given: list, shifts: list | None) -> tuple[list, list]:
    options = {name: step.equation.params[name] for name in ("prevent_cse", "policy")}
    return jax.checkpoint(lambda *a: evaluate(step.inner[0], *a), **options)(given, shifts)


def _ruled(step: Step, given: list, shifts: list | None) -> tuple[list, list]:
    """Runs a function with a derivative of its own."""
    (inner,) = step.inner
    results = _bind(step, given)
    outputs, values = evaluate(inner, given, shifts)
    if shifts is not None:
        outputs, _ = evaluate(inner, [lax.stop_gradient(g) for g in given], shifts)
        results = [
            _grafted(o, r) if jnp.issubdtype(r.dtype, jnp.inexact) else o
            for o, r in zip(outputs, results, strict=True)
        ]
    return results, values


@jax.custom_jvp
def _grafted(value: jax.Array, other: jax.Array) -> jax.Array:
    """Returns `value`, with the derivatives of both."""
    return value


_grafted.defjvp(lambda primals, tangents: (primals[0], tangents[0] + tangents[1]))


def _scan(step: Step, given: list, shifts: list | None) -> tuple[list, list]:
    """Runs a loop with the shifts of each turn, and stacks its values."""
    params, (inner,) = step.equation.params, step.inner
    consts, carry = params["num_consts"], params["num_carry"]
    shared, start, xs = given[:consts], given[consts:][:carry], given[consts + carry :]

    def turn(carried, x):
        x, moves = x
        outputs, values = evaluate(inner, [*shared, *carried, *x], moves)
        return outputs[:carry], (outputs[carry:], values)

    last, (ys, values) = lax.scan(
        turn,
        start,
        (xs, shifts),
        length=params["length"],
        reverse=params["reverse"],
        unroll=params["unroll"],
    )
    return [*last, *ys], values


def _cond(step: Step, given: list, shifts: list | None) -> tuple[list, list]:
    """Runs one branch; what would be handed out by the others is zero."""
    which, *operands = given
    shapes = [
        jax.eval_shape(lambda *a, b=branch: evaluate(b, a, None)[1], *operands)
        for branch in step.inner
    ]

    def run(number: int) -> Callable:
        def branch(operands, shifts):
            own = None
            if shifts is not None:
                first = sum(map(len, shapes[:number]))
                own = shifts[first : first + len(shapes[number])]
            outputs, values = evaluate(step.inner[number], operands, own)
            none = [[jnp.zeros_like(v) for v in others] for others in shapes]
            return outputs, sum([*none[:number], values, *none[number + 1 :]], [])

        return branch

    return lax.switch(which, [run(i) for i in range(len(shapes))], operands, shifts)


# primitive -> how a step with taps inside is run
_RULES: dict[str, Callable] = {
    **dict.fromkeys(REMAT, _remat),
    **dict.fromkeys(RULED, _ruled),
    "scan": _scan,
    "cond": _cond,
}
