"""The genotype of a DARTS cell pair, as the literature writes it, and how it is read from text."""

import ast
from collections.abc import Sequence
from typing import NamedTuple

from tenas_jax.errors import UserError, shorten, unknown

EXAMPLE = (
    "Genotype(normal=[('sep_conv_3x3', 0), ('skip_connect', 1), … eight pairs], "
    "normal_concat=range(2, 6), reduce=[…], reduce_concat=range(2, 6))"
)


class Genotype(NamedTuple):
    """Holds what both cells choose; its `repr` is the text that DARTS and its successors print.

    Attributes:
        normal: (operation, state) pairs, two a node in the order of nodes; states 0 and 1 are the
            outputs of the two cells before, 2 to 5 this cell's nodes.
        normal_concat: the states that the cell's output concatenates.
        reduce: as `normal`, of the reduction cell.
        reduce_concat: as `normal_concat`.
    """

    normal: Sequence[tuple[str, int]]
    normal_concat: Sequence[int]
    reduce: Sequence[tuple[str, int]]
    reduce_concat: Sequence[int]


def read_genotype(text: str) -> Genotype:
    """Reads the genotype that a text writes; operations and states are not checked here.

    The text is Python's, with literals alone: nothing in it is run. Fields go by name or position;
    the concatenations may be lists or `range(2, 6)`, or left out where they are that.

    Raises:
        UserError: it is no such text.
    """
    where = f"genotype {shorten(text)}"
    try:
        call = ast.parse(text.strip(), mode="eval").body
    except (SyntaxError, ValueError, AttributeError, MemoryError, RecursionError):
        raise UserError(f"{where} cannot be read; valid: {EXAMPLE}") from None
    if not (isinstance(call, ast.Call) and getattr(call.func, "id", None) == "Genotype"):
        raise UserError(f"{where} does not begin with 'Genotype('; valid: {EXAMPLE}")
    names = Genotype._fields
    given = dict(zip(names, call.args, strict=False))
    if len(call.args) > len(names):
        raise UserError(f"{where} has {len(call.args)} fields; valid: {', '.join(names)}")
    for keyword in call.keywords:
        if keyword.arg not in names:
            raise UserError(f"{where}: {unknown('field', keyword.arg, names)}")
        if keyword.arg in given:
            raise UserError(f"{where} has the field {keyword.arg} twice")
        given[keyword.arg] = keyword.value
    for name in ("normal", "reduce"):
        if name not in given:
            raise UserError(f"{where} has no field {name}; valid: {EXAMPLE}")
    fields = {name: _value(f"{where}, {name}", node) for name, node in given.items()}
    concat = dict.fromkeys(("normal_concat", "reduce_concat"), range(2, 6))
    return Genotype(**{**concat, **fields})


def _value(where: str, node: ast.expr) -> Sequence:
    """Reads a list literal, or `range` of whole numbers."""
    try:
        if isinstance(node, ast.Call) and getattr(node.func, "id", None) == "range":
            ends = [ast.literal_eval(argument) for argument in node.args]
            if all(type(end) is int and abs(end) < 100 for end in ends) and not node.keywords:
                return range(*ends)
        value = ast.literal_eval(node)
    except (ValueError, TypeError, SyntaxError, MemoryError, RecursionError):
        value = None
    if not isinstance(value, list | tuple):
        raise UserError(f"{where} is no list; valid: {EXAMPLE}")
    return value
