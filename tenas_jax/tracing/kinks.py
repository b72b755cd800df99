"""How far every example lies from the kinks of a network's piecewise linear activations.

A network whose activations are piecewise linear is linear on each set of inputs that lie on the
same side of all their kinks. What counts, however deep in the program and in loops, if the data
enter:

- a maximum, minimum or clamp against what does not depend on the data, which is what ReLU, ReLU6,
  `clip` and hard sigmoids are made of: one kink a finite bound;
- a maximum or minimum of two functions of one array, element by element, as `max(x, 0.1 x)`;
- an absolute value, at zero;
- `where(x > c, …)` and `x * (x > c)`, if all that is chosen from are functions of x, element by
  element: leaky ReLU, hard tanh.

What does not count: a maximum of computed values, be it of a window, an axis or two arrays (max
pooling in any spelling, and maxout), since the released programs count activations alone; a
variance that is clipped before its root is taken; and `CURVED` functions, which are made of the
same operations but are not piecewise linear (hard swish is piecewise quadratic). Products of
activations that are written out, as `x * relu6(x + 3)`, are taken at their kinks, though their
pieces are curved.
"""

from collections.abc import Callable

import jax
import jax.numpy as jnp
import numpy as np

from tenas_jax.errors import UserError
from tenas_jax.tracing.evaluate import evaluate
from tenas_jax.tracing.flat import Site, Step, flatten
from tenas_jax.tracing.flow import Flow
from tenas_jax.tracing.sites import mark
from tenas_jax.tracing.taps import example_axes

CURVED = frozenset(
    "celu elu gelu hard_silu hard_swish log_sigmoid logaddexp logaddexp2 mish selu silu soft_sign "
    "softplus sparse_plus squareplus swish".split()
)


def kink_margins(f: Callable[[jax.Array], jax.Array], x: jax.Array) -> jax.Array:
    """Returns by how much each example exceeds each kink.

    Args:
        f: a function of a batch [N, ...], such as a network with its parameters.
        x: the batch.

    Returns:
        [N, V], V being the kinks of all activations' outputs for one example, in the program's
        order: an activation's input less the kink, so of a ReLU its input; or the first function
        less the second. On which side an example lies is whether it is positive.

    Raises:
        UserError: there is no kink that examples could lie on either side of, or one inside a
            `while` or `shard_map`.
    """
    margins = _margins(f, x)
    # What has no axis for examples clips a statistic, such as the variance in
    # flax.linen.BatchNorm; in other norms there is one, but the side is the same for all.
    axes = example_axes(margins, lambda x: _margins(f, x), x)
    rows = [
        jnp.moveaxis(margin, axis, 0).reshape(len(x), -1)
        for margin, own in zip(margins, axes, strict=True)
        for axis in own
    ]
    if not rows:
        shapes = ", ".join(str(margin.shape) for margin in margins)
        raise UserError(
            "linear regions need a network with ReLU or another piecewise linear activation, but "
            "its program holds none"
            + (f" with an axis for the batch of {len(x)}: shapes are {shapes}" if margins else "")
        )
    return jnp.concatenate(rows, axis=1)


def _margins(f: Callable, x: jax.Array) -> list[jax.Array]:
    """Returns how far all inputs of activations lie from their kinks, in the program's order."""
    program = jax.make_jaxpr(f)(x)
    # No derivatives are taken: functions with their own are inlined.
    flat = flatten(program, [frozenset({0})], whole=CURVED, rules=False)
    mark(flat, [_kinks], frozenset(), {})
    return evaluate(flat, [x], None)[1]


def _kinks(flow: Flow) -> list[Site]:
    """Returns where a program's values meet a kink."""
    return [
        Site("kink", step.primitive, slot, k, less=less)
        for k, step in enumerate(flow.flat.steps)
        for slot, less in _bounds(flow, k, step)
    ]


def _bounds(flow: Flow, k: int, step: Step) -> list[tuple[int, int | None]]:
    """Returns the values that a step compares, and with what; None stands for zero."""
    data, primitive, pairs = flow.data_inputs(step), step.primitive, []
    if primitive == "abs":
        return [(slot, None) for slot in data]
    if primitive == "clamp":
        low, value, high = step.inputs
        pairs = [(value, bound) for bound in (low, high) if data == [value]]
    elif primitive in ("max", "min"):
        alone = not flow.is_statistic(k) if len(data) == 1 else flow.one_source(k) is not None
        pairs = [step.inputs] if alone else []
    elif (switches := flow.switches(step)) and flow.one_source(k) is not None:
        pairs = [comparison.inputs for comparison in switches]
    bounds = []
    for value, bound in pairs:
        if not flow.is_data(value):
            value, bound = bound, value
        number = flow.constant(bound)
        if flow.is_data(value) and (number is None or np.isfinite(number)):
            bounds.append((value, None if number == 0 else bound))
    return bounds
