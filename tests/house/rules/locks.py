"""What is installed is what was locked: every file by its hash, from wherever the machine gets its packages."""

from __future__ import annotations

import json
import re

from tests.house.tree import Tree

PIN = re.compile(r"^([a-z0-9][a-z0-9._-]*)==([^\s;]+)", re.IGNORECASE)
ADDRESS = re.compile(r"\w+://|index-url|find-links|^-", re.MULTILINE)


def locks_are_hashed(tree: Tree) -> list[str]:
    """Each compiled requirement is an exact version with a SHA-256, and no line is an option or an address."""
    found = []
    for name in _locks(tree):
        text = re.sub(r"(?m)^\s*#.*\n?", "", tree.text(name)).replace("\\\n", " ")
        for line in filter(None, map(str.strip, text.splitlines())):
            if not PIN.match(line):
                found.append(f"{name}: {line[:60]!r} is not an exact version")
            elif "--hash=sha256:" not in line:
                found.append(f"{name}: {line[:60]!r} has no hash")
        if ADDRESS.search(text):
            found.append(f"{name}: holds an address or an option")
    return found


def locks_are_compiled(tree: Tree) -> list[str]:
    """Each `.in` has its `.txt` and the other way round; every package named in it is locked."""
    found = []
    for name in tree.files:
        if not re.fullmatch(r"requirements/\w+\.(in|txt)", name):
            continue
        twin = name.removesuffix(".in") + ".txt" if name.endswith(".in") else name.removesuffix(".txt") + ".in"
        if not tree.has(twin):
            found.append(f"{name}: {twin} is missing; run make lock")
        elif name.endswith(".in"):
            found += _unlocked(tree, name, twin)
    return found


def locks_agree(tree: Tree) -> list[str]:
    """What is tested is what runs: a package of runtime.txt or uv.txt has the same version in dev.txt."""
    dev = dict(_pins(tree, "requirements/dev.txt"))
    return [
        f"{name}: {package} {version} is {dev.get(package, 'absent')} in requirements/dev.txt; run make lock"
        for name in ("requirements/runtime.txt", "requirements/uv.txt")
        for package, version in _pins(tree, name)
        if dev.get(package) != version
    ]


def npm_lock_has_no_addresses(tree: Tree) -> list[str]:
    """The npm lock has exact versions and integrity, and no addresses; the manifest allows no range."""
    found = []
    if tree.has("package.json"):
        manifest = json.loads(tree.text("package.json"))
        wanted = manifest.get("dependencies", {}) | manifest.get("devDependencies", {})
        found += [
            f"package.json: {name} {version} is a range"
            for name, version in wanted.items()
            if not re.match(r"\d", version)
        ]
        if not tree.has("package-lock.json"):
            found.append("package.json: package-lock.json is missing")
    if tree.has("package-lock.json"):
        for name, package in json.loads(tree.text("package-lock.json"))["packages"].items():
            if "resolved" in package:
                found.append(f"package-lock.json: {name} names where it came from; run make lock")
            if name and "integrity" not in package:
                found.append(f"package-lock.json: {name} has no integrity")
    return found


def _locks(tree: Tree) -> list[str]:
    return [name for name in tree.files if re.fullmatch(r"requirements/\w+\.txt", name)]


def _pins(tree: Tree, name: str) -> list[tuple[str, str]]:
    lines = tree.text(name).splitlines() if tree.has(name) else []
    return [(match[1], match[2]) for match in map(PIN.match, lines) if match]


def _unlocked(tree: Tree, name: str, lock: str) -> list[str]:
    """Return a sentence per package of an `.in` file that its lock does not hold at the version asked for."""
    locked = dict(_pins(tree, lock))
    found = []
    for line in tree.text(name).splitlines():
        asked = re.match(r"([A-Za-z0-9._-]+)(?:\[[^\]]*\])?(?:==(\S+))?\s*$", line)
        if not asked or line.startswith("-"):
            continue
        package = asked[1].lower().replace("_", "-")
        if package not in locked or (asked[2] and locked[package] != asked[2]):
            found.append(f"{name}: {line} is not what {lock} holds; run make lock")
    return found
