"""A door does four things: decorate, parse, one call, dump."""

from __future__ import annotations

import ast
import sys

from tests.house.tree import Tree, imports_of

LONGEST_BODY = 25
ALLOWED = (
    "grace.flow",
    "grace.bootstrap",
    "grace.model",
    "grace.starting",
    "grace.telemetry",
    "grace.web",
    "grace.stores.stream",
    "aws_lambda_powertools",
)
STANDARD = {"__future__", "typing", "collections"}


def doors_are_thin(tree: Tree) -> list[str]:
    """Each file of `functions/` has a `handler`, and no function whose body is longer than 25 lines."""
    found = []
    for name in _doors(tree):
        functions = [
            node for node in ast.walk(tree.syntax(name)) if isinstance(node, (ast.FunctionDef, ast.AsyncFunctionDef))
        ]
        top = {node.name for node in tree.syntax(name).body if isinstance(node, ast.FunctionDef)}
        if "handler" not in top:
            found.append(f"{name}: a door is a function named handler")
        for function in functions:
            body = function.body[1:] if ast.get_docstring(function) else function.body
            lines = (body[-1].end_lineno or 0) - body[0].lineno + 1 if body else 0
            if lines > LONGEST_BODY:
                found.append(
                    f"{name}:{function.lineno}: {function.name} has {lines} lines; a door has at most {LONGEST_BODY}"
                )
    return found


def doors_know_only_the_flow(tree: Tree) -> list[str]:
    """A door imports the flow, the model, bootstrap, telemetry and Powertools: no SDK, no room behind the flow."""
    found = []
    for name in _doors(tree):
        for line, target in imports_of(tree.syntax(name), name.removesuffix(".py").replace("/", ".")):
            known = any(target == allowed or target.startswith(f"{allowed}.") for allowed in ALLOWED)
            if not known and target.split(".")[0] not in STANDARD & sys.stdlib_module_names:
                found.append(f"{name}:{line}: a door may not import {target}")
    return found


def doors_are_flat(tree: Tree) -> list[str]:
    """One file per Lambda, directly in `functions/`."""
    return [f"{name}: a door is one flat file" for name in tree.python("functions") if name.count("/") > 1]


def _doors(tree: Tree) -> list[str]:
    return [name for name in tree.python("functions") if name.count("/") == 1 and not name.endswith("__init__.py")]
