"""YAML read strictly: one document, no key twice, no aliases, nothing that JSON has no words for."""

from __future__ import annotations

import math
from pathlib import Path
from typing import Any

import yaml

from grace.errors import InvalidPlaybook

LARGEST_FILE = 64 * 1024


class _Strict(yaml.SafeLoader):
    """Refuses what the safe loader lets through silently."""

    def compose_node(self, parent: yaml.Node | None, index: int) -> yaml.Node | None:
        """Refuse aliases: a small file of them is a large document."""
        if self.check_event(yaml.AliasEvent):
            raise yaml.MarkedYAMLError(problem="has an alias: write it out", problem_mark=self.get_mark())
        return super().compose_node(parent, index)

    def construct_mapping(self, node: yaml.MappingNode, deep: bool = False) -> dict[Any, Any]:
        """Refuse a key that is there twice: the first one would be lost."""
        seen: set[str] = set()
        for key, _ in node.value:
            if key.value in seen:
                raise yaml.MarkedYAMLError(problem=f"has the key {key.value!r} twice", problem_mark=key.start_mark)
            seen.add(key.value)
        return super().construct_mapping(node, deep)


def read_yaml(path: Path) -> Any:
    """Return the document of a file.

    Raises:
        InvalidPlaybook: one sentence with the file, the line and the fix.
    """
    try:
        raw = path.read_bytes()
    except OSError as exc:
        raise InvalidPlaybook(f"{path.name}: cannot be read ({exc.strerror}): check the path {path}") from exc
    if len(raw) > LARGEST_FILE:
        raise InvalidPlaybook(f"{path.name}: is larger than 64 KiB: no playbook or list of people is")
    try:
        document = yaml.load(raw.decode(), _Strict)  # noqa: S506  a stricter safe loader
    except UnicodeDecodeError as exc:
        raise InvalidPlaybook(f"{path.name}: is not UTF-8: save it as UTF-8") from exc
    except yaml.YAMLError as exc:
        mark = getattr(exc, "problem_mark", None)
        problem = getattr(exc, "problem", None) or "cannot be read"
        place = f"line {mark.line + 1}: " if mark else ""
        raise InvalidPlaybook(f"{path.name}: {place}{problem}") from exc
    _json_only(document, path.name)
    return document


def _json_only(value: Any, where: str) -> None:
    if isinstance(value, dict):
        for key, item in value.items():
            if not isinstance(key, str):
                raise InvalidPlaybook(f"{where}: the key {key!r} is not text: put it in quotes")
            _json_only(item, f"{where}: {key}" if ": " not in where else f"{where}.{key}")
    elif isinstance(value, list):
        for number, item in enumerate(value):
            _json_only(item, f"{where}[{number}]")
    elif isinstance(value, float) and not math.isfinite(value):
        raise InvalidPlaybook(f"{where}: must be a finite number")
    elif not (value is None or isinstance(value, str | int | float)):
        raise InvalidPlaybook(f"{where}: {value!r} was read as a {type(value).__name__}: put it in quotes")
