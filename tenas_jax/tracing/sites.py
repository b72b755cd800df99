"""Where activations, layers and named values lie in a flat program.

A value is data if it depends on more than the parameters; nothing else is looked at.

- `activation`: what an activation is given. That is a call of a function of `jax.nn` that the
  program names (`ACTIVATIONS`), a function with a derivative of its own that maps one array to
  another element by element, `tanh`, `logistic`, `erf` and `erfc`, a maximum, minimum or clamp
  against what is not data, and `where(x > 0, …)` if all cases are functions of x. Written out, a
  function is one activation where its pieces meet again in `x * f(x)`, `max(x, f(x))` or `where`:
  GELU, SiLU and leaky ReLU are given x, however they are spelled. Not seen: a maximum of two
  computed values, a variance that is clipped before its root is taken, and functions made of
  others, such as `sin`.
- `convolution`, `dense`: what a `conv_general_dilated` or `dot_general` gives of which one operand
  depends on parameters alone and the other on data; with the bias, where one is added to it and
  nothing else reads it. So attention's products are not dense, and averages are no convolutions.
  Named after the parameters.
- `name`: what `jax.ad_checkpoint.checkpoint_name` has named.
"""

from collections.abc import Callable, Iterator, Sequence

import numpy as np

from tenas_jax.errors import UserError, lookup
from tenas_jax.tracing.evaluate import RULES
from tenas_jax.tracing.flat import RULED, Flat, Site, Step
from tenas_jax.tracing.flow import Flow

ACTIVATIONS = frozenset(
    "celu clip elu gelu glu hard_sigmoid hard_silu hard_swish hard_tanh leaky_relu log_sigmoid "
    "mish relu relu6 selu sigmoid silu soft_sign softplus sparse_plus sparse_sigmoid squareplus "
    "swish".split()
)
_SATURATING = ("tanh", "logistic", "erf", "erfc")
_HINTS = {
    "while": ", since it turns an unknown number of times; use `scan` or unroll it",
    "shard_map": "; look at the function inside it",
}

Finder = Callable[[Flow], list[Site]]


def mark(
    flat: Flat, finders: Sequence[Finder], weights: frozenset[int], names: dict[int, str]
) -> None:
    """Marks a program's sites, inner programs' first.

    Args:
        flat: the program.
        finders: what finds the sites of one program, after those inside its steps are known.
        weights: numbers of the arguments' leaves that are parameters.
        names: leaf -> its name.

    Raises:
        UserError: a site lies in a loop of unknown length, or in another program whose inner values
            cannot be handed out.
    """
    for step in flat.steps:
        for inner in step.inner:
            mark(inner, finders, weights, names)
    flow = Flow(flat, weights, names)
    sites = [site for find in finders for site in find(flow)]
    # What a step gives comes before what the next is given, should both be the same array.
    for site in sorted(sites, key=lambda s: (s.position, s.readers is not None)):
        flat.sites.setdefault(site.position, []).append(site)
    for step in flat.steps:
        site = next((s for inner in step.inner for s in inner.listed()), None)
        if site is not None and step.primitive not in RULES:
            hint = _HINTS.get(step.primitive, "")
            raise UserError(
                f"{site.kind} {site.name!r} inside `{step.primitive}` cannot be looked at{hint}"
            )


def activations(flow: Flow) -> list[Site]:
    """Returns where activations are given their inputs."""
    matches: dict[int, tuple[str, int, set[int]]] = {}  # last step -> name, input, steps
    for k, step in enumerate(flow.flat.steps):
        match = _activation(flow, k, step, matches)
        if match is None:
            continue
        name, source, steps = match
        for other in sorted(steps & set(matches)):
            name = matches.pop(other)[0]  # of what is written out, the inner function says most
        matches[k] = name, source, steps
    return [
        Site("activation", name, source, min(steps), readers=frozenset(steps))
        for name, source, steps in matches.values()
    ]


def _activation(flow: Flow, k: int, step: Step, before: dict) -> tuple[str, int, set[int]] | None:
    """Returns name, input and steps of the activation that ends in a step, if any does."""
    data, primitive = flow.data_inputs(step), step.primitive
    switches = bool(flow.switches(step))
    if not data and not switches:
        return None
    if step.whole and data:
        statistic = step.name == "clip" and flow.is_statistic(k)
        return None if statistic else (step.name, data[0], {k})
    if primitive in RULED and flow.is_elementwise(k):
        (inner,) = step.inner
        bent = next(inner.listed(), None)
        inner.sites.clear()
        return (step.name or bent.name, data[0], {k}) if bent else None
    if primitive in _SATURATING:
        return primitive, data[0], {k}
    if primitive in ("max", "min", "clamp") and len(data) == 1:
        bounds = [flow.constant(a) for a in step.inputs if a != data[0]]
        open_ = all(b is not None and np.isinf(b) for b in bounds)
        return None if open_ or flow.is_statistic(k) else (primitive, data[0], {k})
    if switches or (primitive in ("max", "min", "mul") and len(data) > 1):
        match = flow.one_source(k)
        if match is None or not flow.is_closed(match[1]):
            return None
        if primitive == "mul" and not switches and not match[1] & set(before):
            return None  # a polynomial
        return (primitive, *match)
    return None


def layers(primitive: str, kind: str) -> Finder:
    """Returns what finds the outputs of products with parameters.

    Args:
        primitive: `dot_general` or `conv_general_dilated`.
        kind: of the sites.
    """

    def find(flow: Flow) -> list[Site]:
        return [
            Site(kind, name, *_with_bias(flow, k))
            for k, step in enumerate(flow.flat.steps)
            if step.primitive == primitive and (name := _kernel(flow, step)) is not None
        ]

    return find


def _kernel(flow: Flow, step: Step) -> str | None:
    """Returns the name of the parameters that data is multiplied by, or None."""
    origins = [flow.flat.origins[a] for a in step.inputs[:2]]
    data = [flow.is_data(a) for a in step.inputs[:2]]
    if sum(data) != 1:
        return None
    of = origins[data.index(False)]
    if flow.weights and not of:
        return None  # multiplied by a constant
    return ", ".join(filter(None, map(flow.names.get, sorted(of)))) or step.primitive


def _with_bias(flow: Flow, k: int) -> tuple[int, int]:
    """Returns the slot of a product, or of its sum with a bias, and the position after it."""
    (slot,) = flow.flat.steps[k].outputs
    readers = flow.flat.readers[slot]
    if len(readers) == 1 and (j := min(readers)) < len(flow.flat.steps):
        step = flow.flat.steps[j]
        if step.primitive == "add" and sum(map(flow.is_data, step.inputs)) == 1:
            return step.outputs[0], j + 1
    return slot, k + 1


def named(flow: Flow) -> Iterator[Site]:
    """Yields the values that have been named."""
    for k, step in enumerate(flow.flat.steps):
        if step.primitive == "name" and flow.flat.is_float(step.outputs[0]):
            yield Site("name", step.equation.params["name"], step.outputs[0], k + 1)


FINDERS: dict[str, Finder] = {
    "activation": activations,
    "convolution": layers("conv_general_dilated", "convolution"),
    "dense": layers("dot_general", "dense"),
    "name": named,
}


def finders(kinds: Sequence[str]) -> list[Finder]:
    """Returns what finds sites of these kinds, or raises UserError if one is unknown."""
    return [lookup("kind of tap", FINDERS, kind) for kind in kinds]
