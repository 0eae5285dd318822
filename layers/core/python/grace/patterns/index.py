"""Many patterns at once: look up which rules an event can match, then ask only those.

Each rule is filed under one of its own conditions that an event must meet: the rarest one that can be looked up, that
is an exact value, a value in any case, or a prefix. A rule with a `$or` can be filed under one condition of each branch.
What is left (only ranges, wildcards, denials, absence) is asked for every event. Filing never decides: every candidate
is matched in full, so the index and `Pattern.matches` cannot differ in verdict, only in how many rules are asked.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator, Mapping
from typing import Any

from grace.errors import InvalidPlaybook
from grace.patterns.conditions import Leaf, exact_key
from grace.patterns.pattern import Node, Pattern, compile_pattern

Key = tuple[tuple[str, ...], str, object]
"""Where a value must lie, how it is compared (`exact`, `folded`, `prefix`), and the value."""


class _Place:
    """One field that some rule is filed under: the rules by value, and the fields below it."""

    __slots__ = ("below", "exact", "folded", "prefixes")

    def __init__(self) -> None:
        self.below: dict[str, _Place] = {}
        self.exact: dict[object, list[int]] = {}
        self.folded: dict[str, list[int]] = {}
        self.prefixes: dict[int, dict[str, list[int]]] = {}


class Index:
    """Rules by id, matched together. Immutable once built; safe to share."""

    def __init__(self, rules: Mapping[str, Any]) -> None:
        """Compile and file the patterns in `rules` (id to pattern as JSON); matches come back in this order.

        Raises:
            InvalidPlaybook: a pattern is not valid; the sentence names the rule, the path and the fix.
        """
        self._ids = tuple(rules)
        self._patterns: tuple[Pattern, ...] = tuple(_compile(rule, pattern) for rule, pattern in rules.items())
        self._root = _Place()
        self._always: list[int] = []
        counts = Counter(key for pattern in self._patterns for key in _keys(pattern.root))
        for number, pattern in enumerate(self._patterns):
            chosen = _rarest(pattern.root, counts)
            if not chosen:
                self._always.append(number)
            for key in chosen:
                _file(self._root, key, number)

    def match(self, document: Any) -> list[str]:
        """Return the ids of the rules that match the event, in the order they were given."""
        if not isinstance(document, dict):
            return []
        found: set[int] = set(self._always)
        _collect(self._root, document, found)
        ids, patterns = self._ids, self._patterns
        return [ids[number] for number in sorted(found) if patterns[number].matches(document)]


def _compile(rule: str, pattern: Any) -> Pattern:
    try:
        return compile_pattern(pattern)
    except InvalidPlaybook as exc:
        raise InvalidPlaybook(f"rule {rule}: {exc}") from exc


def _leaf_keys(leaf: Leaf) -> set[Key]:
    """Return the keys of which an event must have one for the leaf to match; empty if there is no such set."""
    if leaf.tests or leaf.absent:
        return set()
    keys: set[Key] = {(leaf.fields, "exact", value) for value in leaf.exact}
    keys.update((leaf.fields, "folded", value) for value in leaf.folded)
    keys.update((leaf.fields, "prefix", value) for value in leaf.prefixes)
    return keys


def _keys(node: Node) -> Iterator[Key]:
    """Yield every key the rule could be filed under, for counting how common each is."""
    for _, leaf in node.leaves:
        yield from _leaf_keys(leaf)
    for _, child in node.nodes:
        yield from _keys(child)
    for group in node.choices:
        for branch in group:
            yield from _keys(branch)


def _rarest(node: Node, counts: Counter[Key]) -> set[Key]:
    """Return the keys, of which an event must have one, that the fewest rules share; empty if there is no such set."""
    options = [_leaf_keys(leaf) for _, leaf in node.leaves]
    options.extend(_rarest(child, counts) for _, child in node.nodes)
    for group in node.choices:
        branches = [_rarest(branch, counts) for branch in group]
        if all(branches):
            options.append(set().union(*branches))
    return min(filter(None, options), key=lambda keys: sum(counts[key] for key in keys), default=set())


def _file(root: _Place, key: Key, number: int) -> None:
    fields, kind, value = key
    place = root
    for name in fields:
        place = place.below.setdefault(name, _Place())
    if kind == "exact":
        place.exact.setdefault(value, []).append(number)
    elif kind == "folded":
        place.folded.setdefault(str(value), []).append(number)
    else:
        text = str(value)
        place.prefixes.setdefault(len(text), {}).setdefault(text, []).append(number)


def _collect(place: _Place, value: Any, found: set[int]) -> None:
    """Add the rules filed under what the event holds here; only fields that some rule is filed under are visited."""
    if isinstance(value, dict):
        for name, below in place.below.items():
            if name in value:
                _collect(below, value[name], found)
    elif isinstance(value, list):
        for element in value:
            _collect(place, element, found)
    else:
        found.update(place.exact.get(exact_key(value), ()))
        if isinstance(value, str):
            found.update(place.folded.get(value.lower(), ()))
            for length, by_prefix in place.prefixes.items():
                found.update(by_prefix.get(value[:length], ()))
