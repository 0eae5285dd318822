"""What a cold start pays for the way something is written, whoever uses it."""

from __future__ import annotations

import ast

from tests.house.tree import PACKAGE, Tree

TUPLES_OWN = {"count", "index"}
"""Methods of a tuple: a field of that name would hide them."""
MORE_THAN_CARRYING = {"__post_init__", "__len__", "__iter__", "__eq__", "__bool__"}


def what_is_carried_is_a_named_tuple(tree: Tree) -> list[str]:
    """A frozen data class is made by generating and compiling its methods at each start: five named tuples' worth."""
    return [
        f"{name}:{node.lineno}: {node.name} is frozen and only carries: a NamedTuple costs each start a fifth"
        for name in tree.python(PACKAGE)
        for node in ast.walk(tree.syntax(name))
        if isinstance(node, ast.ClassDef) and _is_frozen(node) and not _does_more(node)
    ]


def models_are_read_as_they_are_written(tree: Tree) -> list[str]:
    """Pydantic compiles every annotation that is text, at each start; the models of the house have none that is."""
    return [
        f"{name}:{node.lineno}: models are read at each start: without this their annotations need not be compiled"
        for name in tree.python(f"{PACKAGE}/model")
        for node in tree.syntax(name).body
        if isinstance(node, ast.ImportFrom) and node.module == "__future__"
    ]


def _is_frozen(node: ast.ClassDef) -> bool:
    return any("dataclass(" in (said := ast.unparse(each)) and "frozen=True" in said for each in node.decorator_list)


def _does_more(node: ast.ClassDef) -> bool:
    """Whether it checks or hides what it is given, keeps what it works out, or has a default of its own."""
    for part in node.body:
        if isinstance(part, ast.FunctionDef):
            kept = any("cached_property" in ast.unparse(each) for each in part.decorator_list)
            if kept or part.name in MORE_THAN_CARRYING:
                return True
        elif isinstance(part, ast.AnnAssign) and isinstance(part.target, ast.Name):
            own = isinstance(part.value, ast.Call) and ast.unparse(part.value.func) == "field"
            if own or part.target.id in TUPLES_OWN:
                return True
    return any(not ast.unparse(base).startswith("Generic") for base in node.bases)
