"""A checkout as the rules see it: its committed files, their text and their syntax trees."""

from __future__ import annotations

import ast
import subprocess
from collections.abc import Iterator
from dataclasses import dataclass
from functools import cache
from pathlib import Path

PACKAGE = "layers/core/python/grace"


@dataclass(frozen=True)
class Tree:
    """The files of a checkout. `files` are paths relative to `root`, with forward slashes, sorted."""

    root: Path
    files: tuple[str, ...]

    @staticmethod
    def of_checkout(root: Path) -> Tree:
        """Return what git knows or would add: what is ignored is made, not written."""
        listed = subprocess.run(
            ["git", "ls-files", "--cached", "--others", "--exclude-standard", "-z"],
            cwd=root,
            capture_output=True,
            text=True,
            check=True,
        ).stdout
        names = {name for name in listed.split("\0") if name and (root / name).is_file()}
        return Tree(root, tuple(sorted(names)))

    @staticmethod
    def of_folder(root: Path) -> Tree:
        """Return every file below a folder."""
        return Tree(root, tuple(sorted(p.relative_to(root).as_posix() for p in root.rglob("*") if p.is_file())))

    def has(self, name: str) -> bool:
        """Whether the file is there."""
        return name in self.files

    def text(self, name: str) -> str:
        """Return a file's text; an empty string for one that is not text."""
        return read_text(self.root / name)

    def syntax(self, name: str) -> ast.Module:
        """Return a Python file's syntax tree."""
        return parse(self.root / name)

    def python(self, *folders: str) -> Iterator[str]:
        """Yield the Python files below the folders, or all of them."""
        for name in self.files:
            if name.endswith(".py") and (not folders or name.startswith(tuple(f"{folder}/" for folder in folders))):
                yield name


@cache
def read_text(path: Path) -> str:
    """Return a file's text; an empty string for one that is not UTF-8."""
    try:
        return path.read_text(encoding="utf-8")
    except UnicodeDecodeError:
        return ""


@cache
def parse(path: Path) -> ast.Module:
    """Return a file's syntax tree, read once for all rules."""
    return ast.parse(read_text(path), filename=str(path))


def room_of(name: str) -> str:
    """Return the room a file of the package belongs to: its folder, or for a file at the top its own name."""
    return name.removeprefix(f"{PACKAGE}/").split("/")[0].removesuffix(".py")


def module_of(name: str) -> str:
    """Return the dotted module a file of the package is imported as."""
    return name.removeprefix("layers/core/python/").removesuffix(".py").removesuffix("/__init__").replace("/", ".")


def imports_of(syntax: ast.Module, module: str, *, is_package: bool = False) -> Iterator[tuple[int, str]]:
    """Yield (line, dotted name) for every import in a file, wherever it stands; relative ones are made absolute.

    `from a import b` yields `a.b`: whether b is a module or a name, the first parts say whose room it is.
    """
    for node in ast.walk(syntax):
        if isinstance(node, ast.Import):
            yield from ((node.lineno, alias.name) for alias in node.names)
        elif isinstance(node, ast.ImportFrom):
            base = node.module or ""
            if node.level:
                parts = module.split(".")
                keep = len(parts) - node.level + (1 if is_package else 0)
                base = ".".join([*parts[:keep], *([node.module] if node.module else [])])
            yield from ((node.lineno, f"{base}.{alias.name}") for alias in node.names)


def local_names(syntax: ast.Module) -> dict[str, str]:
    """Return what imported names stand for: `{"dt": "datetime.datetime", "os": "os"}`."""
    names: dict[str, str] = {}
    for node in ast.walk(syntax):
        if isinstance(node, ast.Import):
            for alias in node.names:
                names[alias.asname or alias.name.split(".")[0]] = (
                    alias.name if alias.asname else alias.name.split(".")[0]
                )
        elif isinstance(node, ast.ImportFrom) and node.module and not node.level:
            for alias in node.names:
                names[alias.asname or alias.name] = f"{node.module}.{alias.name}"
    return names


def dotted(node: ast.AST, names: dict[str, str]) -> str:
    """Return the full dotted name an expression refers to, or an empty string when it is not a plain name."""
    if isinstance(node, ast.Name):
        return names.get(node.id, "")
    if isinstance(node, ast.Attribute):
        base = dotted(node.value, names)
        return f"{base}.{node.attr}" if base else ""
    return ""
