"""Values of nodes as sums of terms, from which a space tells cells that compute the same.

A node's value is a sum: the tuple of its terms, () for zero. A term is the name of a cell's input,
such as "0", or (operation, edge, value of the source), where edge is None if the operation has no
weights. Operations are opaque: what they compute is not looked at.

Two operations with weights on equal sources have weights of their own; one used twice has not. So
where several edges hold equal operations on equal sources, each gets a number, `(0)@conv:1`.
"""

import itertools
from collections.abc import Mapping, Sequence

from tenas_jax.spaces.space import Edge

Value = tuple  # of terms


def least_text(values: Sequence[Value]) -> str:
    """Writes a text that collections of values share exactly where they are the same.

    Neither the order of the values counts, nor that of the terms in a sum, nor which edge a weight
    lies on.
    """
    twins: dict[str, set[Edge]] = {}
    for value in values:
        _collect(value, twins)
    groups = [sorted(group) for _, group in sorted(twins.items()) if len(group) > 1]
    # Which twin is the first must not depend on where it sits: take the least of all texts.
    numberings = itertools.product(*(itertools.permutations(group) for group in groups))
    return min(
        _all_text(values, {e: f":{n}" for group in numbering for n, e in enumerate(group, 1)})
        for numbering in numberings
    )


def _all_text(values: Sequence[Value], numbers: Mapping[Edge, str]) -> str:
    return ", ".join(sorted(_text(value, numbers) for value in values))


def _text(value: Value, numbers: Mapping[Edge, str]) -> str:
    """Writes a sum as text, each edge in `numbers` followed by its number."""
    texts = []
    for term in value:
        if isinstance(term, str):
            texts.append(term)
        else:
            operation, edge, source = term
            texts.append(f"({_text(source, numbers)})@{operation}{numbers.get(edge, '')}")
    return "+".join(sorted(texts)) or "zero"


def _collect(value: Value, twins: dict[str, set[Edge]]) -> None:
    """Adds every edge with weights that `value` uses to the set under its term's text."""
    for term in value:
        if isinstance(term, str):
            continue
        _, edge, source = term
        if edge is not None:
            twins.setdefault(_text((term,), {}), set()).add(edge)
        _collect(source, twins)
