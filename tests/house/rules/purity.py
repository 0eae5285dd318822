"""Time, identity, environment and clients are arguments; nothing happens when a module is imported."""

from __future__ import annotations

import ast
from collections.abc import Iterator

from tests.house.tree import PACKAGE, Tree, dotted, imports_of, local_names, module_of, room_of

# The rooms that touch the world. Every other room is a function of its arguments.
WORLDLY = {"stores", "gateways", "web", "settings", "telemetry", "bootstrap"}
WORLDLY_MODULES = {"os", "time", "socket", "subprocess", "secrets", "http", "urllib.request", "shutil", "tempfile"}
WORLDLY_CALLS = {
    "datetime.datetime.now",
    "datetime.datetime.utcnow",
    "datetime.datetime.today",
    "datetime.date.today",
    "uuid.uuid1",
    "uuid.uuid4",
    "random.random",
    "random.choice",
    "random.randint",
    "random.uniform",
    "random.gauss",
    "random.shuffle",
    "random.sample",
    "random.seed",
    "random.SystemRandom",
}
# What a module may not do while it is imported, wherever it lives.
IMPORT_TIME = ("boto3.", "botocore.session", "os.environ", "os.getenv", "open", *sorted(WORLDLY_CALLS))
SETTINGS = {f"{PACKAGE}/settings.py", f"{PACKAGE}/bootstrap.py"}


def pure_rooms_do_not_reach_out(tree: Tree) -> list[str]:
    """Outside the adapters there is no clock, no environment, no randomness without a seed, no file or process."""
    found = []
    for name in tree.python(PACKAGE):
        if room_of(name) in WORLDLY:
            continue
        syntax = tree.syntax(name)
        for line, target in imports_of(syntax, module_of(name), is_package=name.endswith("/__init__.py")):
            if any(target == world or target.startswith(f"{world}.") for world in WORLDLY_MODULES):
                found.append(f"{name}:{line}: {room_of(name)} may not import {target}")
        names = local_names(syntax)
        found += [
            f"{name}:{node.lineno}: {dotted(node, names)} is an argument here, not a call"
            for node in ast.walk(syntax)
            if isinstance(node, (ast.Attribute, ast.Name)) and dotted(node, names) in WORLDLY_CALLS
        ]
    return found


def only_settings_read_the_environment(tree: Tree) -> list[str]:
    """A missing variable is named once, by `settings.py`."""
    found = []
    for name in tree.python(PACKAGE, "functions"):
        if name in SETTINGS:
            continue
        syntax = tree.syntax(name)
        names = local_names(syntax)
        found += [
            f"{name}:{node.lineno}: only settings.py reads the environment"
            for node in ast.walk(syntax)
            if isinstance(node, (ast.Attribute, ast.Name)) and dotted(node, names) in {"os.environ", "os.getenv"}
        ]
    return found


def nothing_happens_at_import(tree: Tree) -> list[str]:
    """No client, no environment, no clock at module level, in class bodies, defaults or decorators; no `global`."""
    found = []
    for name in tree.python(PACKAGE, "functions"):
        syntax = tree.syntax(name)
        names = local_names(syntax) | {"open": "open"}
        for node in _import_time_nodes(syntax):
            target = dotted(node, names) if isinstance(node, (ast.Attribute, ast.Name)) else ""
            if target and target.startswith(IMPORT_TIME):
                found.append(f"{name}:{node.lineno}: {target} runs when the module is imported")
        found += [
            f"{name}:{node.lineno}: `global` is module state; hold it in an object that bootstrap makes"
            for node in ast.walk(syntax)
            if isinstance(node, ast.Global)
        ]
    return found


def _import_time_nodes(node: ast.AST) -> Iterator[ast.expr]:
    """Yield the expressions that are evaluated on import: everything but the inside of functions and annotations."""
    for child in ast.iter_child_nodes(node):
        if isinstance(child, (ast.FunctionDef, ast.AsyncFunctionDef)):
            defaults = [*child.decorator_list, *child.args.defaults, *filter(None, child.args.kw_defaults)]
            for expression in defaults:
                yield expression
                yield from _import_time_nodes(expression)
        elif isinstance(child, ast.Lambda):
            continue
        elif isinstance(child, ast.AnnAssign):
            if child.value is not None:
                yield child.value
                yield from _import_time_nodes(child.value)
        else:
            if isinstance(child, ast.expr):
                yield child
            yield from _import_time_nodes(child)
