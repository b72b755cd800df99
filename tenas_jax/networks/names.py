"""Parameters of any tree by name: a dict of dicts, and the tree that it stands for.

Trees of lists, dataclasses and modules become dicts of dicts whose keys are the names on the way to
a leaf, numbers in a list among them, and are built from these exactly as they were.
"""

import dataclasses
from collections.abc import Callable
from typing import Any

import jax
import jax.numpy as jnp
from flax import traverse_util

from tenas_jax.errors import UserError
from tenas_jax.networks.model import Params


@dataclasses.dataclass(frozen=True)
class Names:
    """Gives the parameters of any tree names, and builds the tree of parameters by name.

    Attributes:
        structure: says what the tree is.
        paths: hold the names that lead to each leaf, in the tree's order; a list's are numbers.
    """

    structure: jax.tree_util.PyTreeDef
    paths: tuple[tuple[str, ...], ...]

    def build(self, params: Params) -> Any:
        """Returns the tree whose leaves are those of a dict of dicts."""
        flat = traverse_util.flatten_dict(params)
        return jax.tree.unflatten(self.structure, [flat[path] for path in self.paths])


def floating(leaf: Any) -> bool:
    """Says whether a leaf is an array of floating-point numbers, as parameters are."""
    return hasattr(leaf, "dtype") and jnp.issubdtype(leaf.dtype, jnp.floating)


def split(tree: Any, test: Callable[[Any], bool]) -> tuple[Any, Any]:
    """Returns a tree with the leaves that pass alone, and one with the others alone."""
    return tuple(
        jax.tree.map(lambda leaf, w=wanted: leaf if test(leaf) == w else None, tree)
        for wanted in (True, False)
    )


def join(*trees: Any) -> Any:
    """Undoes `split`."""
    return jax.tree.map(
        lambda *leaves: next((leaf for leaf in leaves if leaf is not None), None),
        *trees,
        is_leaf=lambda leaf: leaf is None,
    )


def path_names(path: tuple) -> tuple[str, ...]:
    """Returns the names on the way to a leaf; a tree that is one array is a kernel."""
    return tuple(jax.tree_util.keystr((k,), simple=True) for k in path) or ("kernel",)


def named(tree: Any) -> tuple[Names, Params]:
    """Returns the names of a tree of arrays, and its leaves by name."""
    leaves, structure = jax.tree_util.tree_flatten_with_path(tree)
    flat = {path_names(path): jnp.asarray(leaf) for path, leaf in leaves}
    if len(flat) < len(leaves):
        raise UserError("two of the parameters have the same name")
    return Names(structure, tuple(flat)), traverse_util.unflatten_dict(flat)


def chosen(own: Params, given: Any) -> Params:
    """Returns the parameters that are given for a module that has some of its own."""
    if not own:
        raise UserError("the network has no parameters")
    if given is None:
        return own
    _, others = named(split(given, floating)[0])
    if not others:
        raise UserError(
            "the module holds its parameters: give None, or others of the same names, "
            f"not a {type(given).__name__}"
        )
    flat, wanted = traverse_util.flatten_dict(others), traverse_util.flatten_dict(own)
    for path in sorted({*flat, *wanted}):
        ours, theirs = (
            f"of shape {tree[path].shape}" if path in tree else "absent" for tree in (flat, wanted)
        )
        if ours != theirs:
            name = "/".join(path)
            raise UserError(f"parameters do not fit: {name} is {ours}, in the module {theirs}")
    return others
