"""A whole event pattern as a tree, and the plain way to match it: walk pattern and event side by side.

A pattern names fields as the event nests them; all named fields must match, and a field matches if any of its
alternatives does. Where the event holds an array, any element may match, and two fields below the same array must be
matched by the same element (Event Ruler README, "JSON Array Matching"). `$or` needs one of its branches.
"""

from __future__ import annotations

import json
from collections.abc import Iterator
from typing import Any, NamedTuple

from grace.errors import InvalidPlaybook
from grace.patterns.conditions import OPERATORS, Leaf, compile_leaf

MAX_DEPTH = 20
"""How deep a pattern may nest; events deeper than this are refused at the door, so nothing could match it."""

_MISSING = object()


class Node(NamedTuple):
    """One object of a pattern: fields that must all match, and groups of branches of which one each must."""

    leaves: tuple[tuple[str, Leaf], ...]
    nodes: tuple[tuple[str, Node], ...]
    choices: tuple[tuple[Node, ...], ...]


class Pattern(NamedTuple):
    """A compiled pattern; `matches` asks it about one event."""

    root: Node

    def matches(self, document: Any) -> bool:
        """Return whether the event matches. `document` is a JSON value; anything but an object never matches."""
        return isinstance(document, dict) and _object_matches(self.root, document, document)


def compile_pattern(pattern: Any) -> Pattern:
    """Return the compiled form of an event pattern given as JSON.

    Raises:
        InvalidPlaybook: one sentence naming the path and the fix.
    """
    return Pattern(_compile_node(pattern, "pattern", (), 0))


def validate(pattern: Any) -> None:
    """Check that `pattern` is a valid event pattern.

    Raises:
        InvalidPlaybook: one sentence naming the path and the fix.
    """
    compile_pattern(pattern)


def matches(pattern: Any, document: Any) -> bool:
    """Return whether the event `document` matches `pattern`, both given as JSON: the reference for the index.

    Raises:
        InvalidPlaybook: the pattern is not valid.
    """
    return compile_pattern(pattern).matches(document)


def _compile_node(pattern: Any, path: str, fields: tuple[str, ...], depth: int) -> Node:
    if not isinstance(pattern, dict):
        raise InvalidPlaybook(f"{path} must be an object of fields, not {type(pattern).__name__}")
    if not pattern:
        raise InvalidPlaybook(f"{path} is empty: name at least one field")
    if depth > MAX_DEPTH:
        raise InvalidPlaybook(f"{path} is nested deeper than {MAX_DEPTH} levels: no accepted event is")
    leaves: list[tuple[str, Leaf]] = []
    nodes: list[tuple[str, Node]] = []
    choices: list[tuple[Node, ...]] = []
    for field, value in pattern.items():
        if not isinstance(field, str):
            raise InvalidPlaybook(f"{path} has the field name {field!r}: put it in quotes")
        where = f"{path}.{field}"
        if field == "$or":
            choices.append(_compile_or(value, where, fields, depth))
        elif isinstance(value, list):
            leaves.append((field, compile_leaf(value, where, (*fields, field))))
        elif isinstance(value, dict):
            nodes.append((field, _compile_node(value, where, (*fields, field), depth + 1)))
        else:
            raise InvalidPlaybook(
                f"{where} must be a list of accepted values: write [{json.dumps(value, default=str)}]"
            )
    return Node(tuple(leaves), tuple(nodes), tuple(choices))


def _compile_or(value: Any, where: str, fields: tuple[str, ...], depth: int) -> tuple[Node, ...]:
    if not isinstance(value, list) or len(value) < 2:
        raise InvalidPlaybook(f"{where} must be a list of at least two objects: write the fields directly for one")
    branches = []
    for position, branch in enumerate(value):
        at = f"{where}[{position}]"
        if isinstance(branch, dict) and (reserved := OPERATORS.intersection(branch)):
            raise InvalidPlaybook(f"{at} uses the operator {min(reserved)!r} as a field: name the field it applies to")
        branches.append(_compile_node(branch, at, fields, depth + 1))
    return tuple(branches)


def _node_matches(node: Node, value: Any, document: Any) -> bool:
    """Match one object of the pattern against what the event holds there (an object, an array, a scalar, nothing)."""
    if isinstance(value, dict):
        return _object_matches(node, value, document)
    if isinstance(value, list):
        elements = [element for element in _elements(value) if isinstance(element, dict)]
        if elements:
            return any(_object_matches(node, element, document) for element in elements)
    # Not an object: no field below exists here, which is just what {"exists": false} may ask for.
    return _object_matches(node, {}, document)


def _object_matches(node: Node, value: dict[str, Any], document: Any) -> bool:
    for field, leaf in node.leaves:
        if not _leaf_matches(leaf, value.get(field, _MISSING), document):
            return False
    for field, child in node.nodes:
        if not _node_matches(child, value.get(field, _MISSING), document):
            return False
    return all(any(_object_matches(branch, value, document) for branch in group) for group in node.choices)


def _leaf_matches(leaf: Leaf, value: Any, document: Any) -> bool:
    if isinstance(value, list):
        if any(leaf.accepts(element) for element in _elements(value) if not isinstance(element, dict)):
            return True
    elif value is not _MISSING and not isinstance(value, dict) and leaf.accepts(value):
        return True
    # Absence is a property of the whole event: an array whose other elements have the field has the field.
    return leaf.absent and not _has_scalar(document, leaf.fields)


def _has_scalar(value: Any, fields: tuple[str, ...]) -> bool:
    """Return whether the event holds any scalar at `fields`; objects and empty arrays are not values of a field."""
    if isinstance(value, list):
        return any(_has_scalar(element, fields) for element in value)
    if isinstance(value, dict):
        return bool(fields) and fields[0] in value and _has_scalar(value[fields[0]], fields[1:])
    return not fields


def _elements(value: list[Any]) -> Iterator[Any]:
    """Yield the elements of an array, arrays inside arrays opened up."""
    for element in value:
        if isinstance(element, list):
            yield from _elements(element)
        else:
            yield element
