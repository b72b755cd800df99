"""A traced program as one flat list of steps, with calls inlined and dependences known.

Patterns such as `where(x > 0, x, 0)` lie across the borders of jitted functions, so these are
inlined. What changes how its program runs (a loop, a branch, rematerialisation, a derivative of
its own) stays a step, whose inner programs are flat in turn.
"""

import itertools
from collections import defaultdict
from collections.abc import Collection, Iterator, Sequence
from dataclasses import dataclass, field
from functools import cached_property
from typing import Any

import jax
import jax.numpy as jnp
from jax.extend import core

from tenas_jax.tracing.programs import holds

CALLS = ("jit", "pjit", "closed_call", "core_call")  # run their program and do nothing else
RULED = ("custom_jvp_call", "custom_vjp_call")  # the same, with a derivative of their own
REMAT = ("remat", "remat2", "checkpoint")
# A call by name is an activation only if it holds none of these.
_LAYERS = ("dot_general", "conv_general_dilated", "name", "scan", "while")


@dataclass(frozen=True)
class Site:
    """Says where a program's value is handed out.

    Attributes:
        kind: of the value, such as `activation`.
        name: what it is called in the program.
        slot: the value.
        position: the number of the step before which it is handed out.
        readers: the steps that see it shifted; None: all that follow.
        less: what is subtracted from the value before it is handed out; None: nothing. Such a site
            takes no shift.
    """

    kind: str
    name: str
    slot: int
    position: int
    readers: frozenset[int] | None = None
    less: int | None = None


@dataclass(frozen=True)
class Step:
    """Holds an equation of the traced program, between slots.

    Attributes:
        equation: as it was traced.
        inputs: slots of what it is given.
        outputs: slots of what it gives.
        inner: the programs that it holds, where it was not inlined.
        name: of the function, where the step is a call that is left whole; else its primitive's.
        whole: whether it is such a call.
    """

    equation: core.JaxprEqn
    inputs: tuple[int, ...]
    outputs: tuple[int, ...]
    inner: tuple["Flat", ...]
    name: str
    whole: bool

    @property
    def primitive(self) -> str:
        """Returns the name of the equation's primitive."""
        return self.equation.primitive.name


@dataclass
class Flat:
    """Holds a flat program.

    Attributes:
        inputs: slots of what it is given.
        outputs: slots of what it gives.
        steps: in their order.
        constants: slot -> value of literals and of arrays that the program was traced with.
        types: slot -> abstract value, with shape and dtype.
        origins: slot -> numbers of the arguments (leaves) that it depends on.
        sites: position -> where values are handed out before the step of that number.
    """

    inputs: list[int] = field(default_factory=list)
    outputs: list[int] = field(default_factory=list)
    steps: list[Step] = field(default_factory=list)
    constants: dict[int, Any] = field(default_factory=dict)
    types: dict[int, Any] = field(default_factory=dict)
    origins: dict[int, frozenset[int]] = field(default_factory=dict)
    sites: dict[int, list[Site]] = field(default_factory=dict)

    @cached_property
    def producers(self) -> dict[int, int]:
        """Returns slot -> number of the step that gives it."""
        return {slot: k for k, step in enumerate(self.steps) for slot in step.outputs}

    @cached_property
    def readers(self) -> dict[int, set[int]]:
        """Returns slot -> numbers of the steps that read it; one beyond the last: an output."""
        table: dict[int, set[int]] = defaultdict(set)
        for k, slots in enumerate([*(step.inputs for step in self.steps), self.outputs]):
            for slot in slots:
                table[slot].add(k)
        return table

    def is_float(self, slot: int) -> bool:
        """Returns whether a value has derivatives."""
        dtype = getattr(self.types[slot], "dtype", None)
        return dtype is not None and jnp.issubdtype(dtype, jnp.inexact)

    def listed(self) -> Iterator[Site]:
        """Yields all sites in the order in which values are handed out, at any depth."""
        for k in range(len(self.steps) + 1):
            yield from self.sites.get(k, ())
            if k < len(self.steps):
                for inner in self.steps[k].inner:
                    yield from inner.listed()


def flatten(
    program: core.ClosedJaxpr,
    origins: Sequence[frozenset[int]],
    *,
    whole: Collection[str] = (),
    rules: bool = True,
) -> Flat:
    """Returns the flat form of a program.

    Args:
        program: as `jax.make_jaxpr` gives it.
        origins: what each of its inputs depends on.
        whole: names of functions whose calls are left whole.
        rules: whether functions with derivatives of their own stay steps.
    """
    builder = _Builder(frozenset(whole), rules)
    flat = builder.flat
    flat.inputs = [
        builder.slot(v.aval, o) for v, o in zip(program.jaxpr.invars, origins, strict=True)
    ]
    flat.outputs = builder.inline(program.jaxpr, program.consts, flat.inputs)
    return flat


class _Builder:
    """Collects the steps of one flat program."""

    def __init__(self, whole: frozenset[str], rules: bool):
        self.whole, self.rules = whole, rules
        self.flat, self.numbers = Flat(), itertools.count()

    def slot(self, aval: Any, origins: frozenset[int]) -> int:
        number = next(self.numbers)
        self.flat.types[number], self.flat.origins[number] = aval, origins
        return number

    def constant(self, aval: Any, value: Any) -> int:
        slot = self.slot(aval, frozenset())
        self.flat.constants[slot] = value
        return slot

    def inline(self, jaxpr: core.Jaxpr, consts: Sequence, args: Sequence[int]) -> list[int]:
        """Adds a program's steps, and returns its outputs."""
        env = dict(zip(jaxpr.invars, args, strict=True))
        for var, value in zip(jaxpr.constvars, consts, strict=True):
            env[var] = self.constant(var.aval, value)

        def slot(a: core.Var | core.Literal) -> int:
            return self.constant(a.aval, a.val) if isinstance(a, core.Literal) else env[a]

        for equation in jaxpr.eqns:
            inputs, name = [slot(a) for a in equation.invars], equation.primitive.name
            called = name in CALLS or name in RULED
            bodies = _bodies(equation)
            whole = called and self.is_whole(equation, bodies[0])
            if called and not whole and (name in CALLS or not self.rules):
                outputs = self.inline(bodies[0].jaxpr, bodies[0].consts, inputs)
            else:
                outputs = self.step(equation, inputs, [] if whole else bodies, whole)
            env.update(zip(equation.outvars, outputs, strict=True))
        return [slot(a) for a in jaxpr.outvars]

    def is_whole(self, equation: core.JaxprEqn, body: core.ClosedJaxpr) -> bool:
        """Returns whether a call goes by a name that is asked for, and holds no layer."""
        named = _called(equation, body) in self.whole
        return named and not any(holds(body.jaxpr, primitive) for primitive in _LAYERS)

    def step(self, equation, inputs: list[int], bodies: list, whole: bool) -> list[int]:
        """Adds one step, and returns its outputs, each of which depends on all inputs."""
        own = [self.flat.origins[slot] for slot in inputs]
        union = frozenset().union(*own)
        name = equation.primitive.name
        given = own
        if name == "scan":  # what is carried may come to depend on anything
            consts, carry = equation.params["num_consts"], equation.params["num_carry"]
            given = [union if consts <= i < consts + carry else o for i, o in enumerate(own)]
        elif name == "cond":
            given = own[1:]
        elif name not in RULED and name not in REMAT:
            given = None
        inner = tuple(
            flatten(
                body,
                given if given is not None else [union] * len(body.jaxpr.invars),
                whole=self.whole,
                rules=self.rules,
            )
            for body in bodies
        )
        outputs = [self.slot(v.aval, union) for v in equation.outvars]
        called = name in CALLS or name in RULED
        title = _called(equation, _bodies(equation)[0]) if called else name
        self.flat.steps.append(Step(equation, tuple(inputs), tuple(outputs), inner, title, whole))
        return outputs


def _bodies(equation: core.JaxprEqn) -> list[core.ClosedJaxpr]:
    """Returns the programs that an equation holds, but for arithmetic on scalars.

    Such arithmetic is how a reduction or a scatter combines two numbers, not a part of the network.
    """
    bodies = []
    for value in jax.tree.leaves(equation.params):
        if isinstance(value, core.Jaxpr):
            value = core.ClosedJaxpr(value, ())
        if isinstance(value, core.ClosedJaxpr):
            bodies.append(value)
    if equation.primitive.name in (*CALLS, *RULED, *REMAT, "scan", "cond", "while"):
        return bodies
    return [b for b in bodies if any(getattr(v.aval, "shape", ()) for v in b.jaxpr.invars)]


def _called(equation: core.JaxprEqn, body: core.ClosedJaxpr) -> str:
    """Returns the name of the function that a call calls."""
    own = equation.params.get("name")
    return own or getattr(getattr(body.jaxpr, "debug_info", None), "func_name", "")
