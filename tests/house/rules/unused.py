"""What ships is used by what ships: a public name that only tests know is dead."""

from __future__ import annotations

import ast
from collections.abc import Iterator

from tests.house.tree import PACKAGE, Tree

STAND_INS = ("memory.py", "memory_log.py")
"""The twins of the adapters, which a whole deployment in memory is made of."""
EXEMPT = frozenset({f"{PACKAGE}/ledger/ed25519.py:SeedSigner"})
"""The key service's twin, with a key of its own."""


def public_names_are_used(tree: Tree) -> list[str]:
    """A public name at the top of a module of the package is used by package, doors or infrastructure, not by tests alone.

    Names are compared as words, so a name that somebody else's name equals counts as used: what is found is dead.
    """
    used = {word for name in tree.python(PACKAGE, "functions", "infra") for word in _words(tree.syntax(name))}
    return [
        f"{name}:{line}: {defined} is used by nothing that ships: use it, or move it to the tests"
        for name in tree.python(PACKAGE)
        if not name.endswith(STAND_INS)
        for defined, line in _defined(tree.syntax(name))
        if not defined.startswith("_") and defined not in used and f"{name}:{defined}" not in EXEMPT
    ]


def _defined(module: ast.Module) -> Iterator[tuple[str, int]]:
    """Yield what a module defines at its top, with the line."""
    for node in module.body:
        if isinstance(node, (ast.FunctionDef, ast.ClassDef)):
            yield node.name, node.lineno
        targets = node.targets if isinstance(node, ast.Assign) else []
        targets = [node.target] if isinstance(node, ast.AnnAssign) else targets
        for target in targets:
            if isinstance(target, ast.Name):
                yield target.id, node.lineno


def _words(module: ast.Module) -> Iterator[str]:
    """Yield every word by which a file may mean a name, also inside a text such as `module:name`."""
    for node in ast.walk(module):
        if isinstance(node, ast.Name) and isinstance(node.ctx, ast.Load):
            yield node.id
        elif isinstance(node, ast.Attribute):
            yield node.attr
        elif isinstance(node, ast.ImportFrom):
            yield from (each.name for each in node.names)
        elif isinstance(node, ast.Constant) and isinstance(node.value, str):
            yield node.value.rpartition(":")[2]
