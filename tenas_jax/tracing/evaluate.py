"""Runs a flat program, with arrays added to some of its values, and hands these out.

What becomes of programs inside the program:

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
from jax import lax

from tenas_jax.tracing.flat import REMAT, RULED, Flat, Step


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
            results, more = RULES[step.primitive](
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
RULES: dict[str, Callable] = {
    **dict.fromkeys(REMAT, _remat),
    **dict.fromkeys(RULED, _ruled),
    "scan": _scan,
    "cond": _cond,
}
