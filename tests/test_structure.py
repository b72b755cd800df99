"""The shape of the code: sizes of files and functions, who imports whom, and no circle."""

import ast
import functools
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[1]
LINES, FUNCTION, LONELY = 300, 70, 25


@functools.cache
def modules() -> dict[str, Path]:
    """Returns the file of every module of the library and the experiments, by dotted name."""
    files = [path for top in ("tenas_jax", "experiments") for path in (ROOT / top).rglob("*.py")]
    names = {path: ".".join(path.relative_to(ROOT).with_suffix("").parts) for path in files}
    return {name.removesuffix(".__init__"): path for path, name in names.items()}


@functools.cache
def tree(name: str) -> ast.Module:
    return ast.parse(modules()[name].read_text(encoding="utf-8"))


def imported(name: str, nodes) -> set[str]:
    """Returns the modules of ours that some statements of a module import."""
    targets = set()
    for node in nodes:
        if isinstance(node, ast.Import):
            targets |= {alias.name for alias in node.names}
        elif isinstance(node, ast.ImportFrom) and node.module:
            inner = {f"{node.module}.{alias.name}" for alias in node.names}
            targets |= (inner & set(modules())) or {node.module}
            if inner - set(modules()):
                targets.add(node.module)
    return {target for target in targets if target in modules() and target != name}


def test_no_module_waits_for_itself():
    """Imports at the top of files make no circle; those in functions come when they are run."""
    above = {name: imported(name, tree(name).body) for name in modules()}
    done: set[str] = set()
    while ready := {name for name, others in above.items() if name not in done and others <= done}:
        done |= ready
    assert sorted(set(modules()) - done) == []


def test_few_modules_are_there_for_one_other_alone():
    """A file that one other imports is a part of it, unless it is an entry of a registry."""
    users: dict[str, set[str]] = {name: set() for name in modules()}
    for name in modules():
        for other in imported(name, ast.walk(tree(name))):
            users[other].add(name)
    library = {name: by for name, by in users.items() if name.startswith("tenas_jax")}
    lonely = sorted(name for name, by in library.items() if len(by) == 1)
    assert len(lonely) <= LONELY, f"{len(lonely)}: {lonely}"


@pytest.mark.parametrize("top", ["tenas_jax", "experiments", "configs", "tests"])
def test_no_file_is_long(top):
    lengths = {path: len(path.read_text().splitlines()) for path in (ROOT / top).rglob("*.py")}
    assert {str(path): n for path, n in lengths.items() if n > LINES} == {}


def test_functions_fit_a_screen():
    long = {
        f"{name}.{node.name}": node.end_lineno - node.lineno + 1
        for name in modules()
        for node in ast.walk(tree(name))
        if isinstance(node, ast.FunctionDef) and node.end_lineno - node.lineno >= FUNCTION
    }
    assert long == {}


def test_whatever_is_public_is_described():
    """Modules, classes and functions that others may use have a docstring."""
    bare = []
    for name in modules():
        for node in [tree(name), *tree(name).body]:
            named = isinstance(node, ast.ClassDef | ast.FunctionDef)
            if named and (node.name.startswith("_") or node.name in ("main", "get_config")):
                continue
            if (named or (isinstance(node, ast.Module) and node.body)) and not ast.get_docstring(
                node
            ):
                bare.append(f"{name}: {getattr(node, 'name', 'the module')}")
    assert bare == []
