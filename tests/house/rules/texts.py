"""What may stand in a file: key text, sizes, promises to do it later, places on somebody's machine."""

from __future__ import annotations

import ast
import re

from tests.house.tree import PACKAGE, Tree

KEYS = f"{PACKAGE}/stores/keys.py"
KEY_TEXT = re.compile(r"^(?:C|M|L|R|G|P|H|CMD|OPEN|step|evidence|apr|vote|tries|e|limit|stats)#")
LONGEST_FILE = 450
# Written in pieces, so that this file does not break its own rule.
LATER = re.compile(r"\b(?:TO" + r"DO|FIX" + r"ME|XX" + r"X)\b")
NOT_OURS = ("requirements/", "package-lock.json")

PLACES = {
    "the address of a package registry": re.compile(
        r"pypi\.(?:org|python\.org)|pythonhosted\.org|registry\.(?:npmjs|yarnpkg)\.|npmjs\.org|deb\.debian\.org|index-url",
        re.IGNORECASE,
    ),
    "a path of somebody's machine": re.compile(r"(?<![\w.:/}*-])/(?:root|home/\w+|Users/\w+|work|mnt|private)/\w"),
    "a secret": re.compile(r"\b(?:AKIA|ASIA)(?!\w*EXAMPLE)[0-9A-Z]{16}\b|-----BEGIN (?:\w+ )?PRIVATE KEY"),
}
# The set-up names the option that keeps addresses out; the rules name what they look for.
MAY_NAME_PLACES = ("Makefile", "tests/house/")


def key_text_lives_in_keys(tree: Tree) -> list[str]:
    """DynamoDB key text is built and parsed by `stores/keys.py` alone."""
    found = []
    for name in tree.python(PACKAGE, "functions", "infra"):
        if name == KEYS:
            continue
        syntax = tree.syntax(name)
        documentation = {id(doc) for doc in _docstrings(syntax)}
        for node in ast.walk(syntax):
            text = node.value if isinstance(node, ast.Constant) and id(node) not in documentation else None
            if isinstance(text, str) and KEY_TEXT.match(text):
                found.append(f"{name}:{getattr(node, 'lineno', 0)}: key text {text!r} belongs in stores/keys.py")
    return found


def files_are_short(tree: Tree) -> list[str]:
    """No source file is longer than 450 lines: it is split before."""
    return [
        f"{name}: {lines} lines; split it (at most {LONGEST_FILE})"
        for name in tree.files
        if name.endswith((".py", ".yaml", ".sh")) and (lines := tree.text(name).count("\n")) > LONGEST_FILE
    ]


def nothing_is_left_for_later(tree: Tree) -> list[str]:
    """No markers of unfinished work."""
    return [
        f"{name}:{line}: finish it or drop it"
        for name in tree.files
        if not name.startswith(NOT_OURS)
        for line, text in enumerate(tree.text(name).splitlines(), 1)
        if LATER.search(text)
    ]


def no_places_or_secrets(tree: Tree) -> list[str]:
    """No registry addresses, no absolute paths of a machine, no credentials."""
    return [
        f"{name}:{line}: {what}"
        for name in tree.files
        if not name.startswith(MAY_NAME_PLACES)
        for line, text in enumerate(tree.text(name).splitlines(), 1)
        for what, pattern in PLACES.items()
        if pattern.search(text)
    ]


def packages_say_what_they_are(tree: Tree) -> list[str]:
    """Each folder of code in the package and in infra is a package, and each package's `__init__` has a docstring."""
    folders = {name.rsplit("/", 1)[0] for name in tree.python(PACKAGE, "infra")}
    found = [f"{folder}: has no __init__.py" for folder in sorted(folders) if not tree.has(f"{folder}/__init__.py")]
    return found + [
        f"{name}: says nothing about what the package promises"
        for name in tree.python()
        if name.endswith("/__init__.py") and not ast.get_docstring(tree.syntax(name))
    ]


def _docstrings(syntax: ast.Module) -> list[ast.expr]:
    bodies = [
        node.body
        for node in ast.walk(syntax)
        if isinstance(node, (ast.Module, ast.ClassDef, ast.FunctionDef, ast.AsyncFunctionDef))
    ]
    return [body[0].value for body in bodies if body and isinstance(body[0], ast.Expr)]
