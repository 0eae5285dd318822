"""What one field of an event pattern accepts: the alternatives of a leaf, compiled once, tested often.

The operators are those of the EventBridge user guide, "Comparison operators for use in event patterns". Two places
where its implementations disagree are settled here: numbers are compared by value (300 equals 300.0), and the limit of
+-5e9 binds the numbers of a pattern, not those of an event (a byte count above it still compares).
"""

from __future__ import annotations

import ipaddress
import math
import re
from collections.abc import Callable, Mapping
from typing import Any, NamedTuple

from grace.errors import InvalidPlaybook

Test = Callable[[Any], bool]
"""Whether one scalar of the event (string, number, true, false, null) is accepted."""

NUMBER_LIMIT = 5.0e9
"""Largest magnitude a number in a pattern may have (EventBridge user guide, numeric matching)."""

OPERATORS = frozenset(
    {"prefix", "suffix", "equals-ignore-case", "wildcard", "anything-but", "exists", "numeric", "cidr"},
)

_COMPARE: Mapping[str, Callable[[float, float], bool]] = {
    "=": lambda value, bound: value == bound,
    "<": lambda value, bound: value < bound,
    "<=": lambda value, bound: value <= bound,
    ">": lambda value, bound: value > bound,
    ">=": lambda value, bound: value >= bound,
}


def is_number(value: object) -> bool:
    """Return whether `value` is a JSON number; Python's booleans are integers, JSON's are not."""
    return isinstance(value, int | float) and not isinstance(value, bool)


def exact_key(value: Any) -> object:
    """Return what stands for `value` in a set: `True` and `1` are equal in Python and different in JSON."""
    if value is True or value is False or value is None:
        return (value,)
    return value


class Leaf(NamedTuple):
    """The alternatives of one field; any one of them is enough.

    `exact`, `folded` (lower-case) and `prefixes` are kept as sets because the index can look them up; every other
    operator is a test. `absent` is `{"exists": false}`, `fields` where the field lies, from the event's root.
    """

    fields: tuple[str, ...]
    exact: frozenset[object]
    folded: frozenset[str]
    prefixes: frozenset[str]
    tests: tuple[Test, ...]
    absent: bool

    def accepts(self, value: Any) -> bool:
        """Return whether one scalar of the event is accepted."""
        if exact_key(value) in self.exact:
            return True
        if isinstance(value, str):
            if self.folded and value.lower() in self.folded:
                return True
            if any(value.startswith(prefix) for prefix in self.prefixes):
                return True
        return any(test(value) for test in self.tests)


def compile_leaf(alternatives: list[Any], path: str, fields: tuple[str, ...]) -> Leaf:
    """Return the compiled alternatives of the field at `path`.

    Raises:
        InvalidPlaybook: one sentence naming the path and the fix.
    """
    if not alternatives:
        raise InvalidPlaybook(f'{path} has an empty list: name at least one value, or use {{"exists": true}}')
    exact: set[object] = set()
    folded: set[str] = set()
    prefixes: set[str] = set()
    tests: list[Test] = []
    absent = False
    for position, alternative in enumerate(alternatives):
        where = f"{path}[{position}]"
        if isinstance(alternative, list):
            raise InvalidPlaybook(f"{where} is a list inside a list: put its values directly into {path}")
        if not isinstance(alternative, dict):
            exact.add(exact_key(_finite(alternative, where)))
            continue
        operator, operand = _single(alternative, where)
        if operator == "exists":
            if not isinstance(operand, bool):
                raise InvalidPlaybook(f"{where}.exists must be true or false")
            if operand:
                tests.append(_present)
            absent = absent or not operand
        elif operator == "equals-ignore-case":
            folded.add(_string(operand, f"{where}.{operator}").lower())
        elif operator == "prefix" and isinstance(operand, str):
            prefixes.add(operand)
        else:
            tests.append(_compile(operator, operand, f"{where}.{operator}"))
    return Leaf(fields, frozenset(exact), frozenset(folded), frozenset(prefixes), tuple(tests), absent)


def _present(_value: Any) -> bool:
    return True


def _compile(operator: str, operand: Any, where: str) -> Test:
    if operator == "numeric":
        return _numeric(operand, where)
    if operator == "cidr":
        return _cidr(operand, where)
    if operator == "anything-but":
        return _anything_but(operand, where)
    return _text(operator, operand, where)


def _text(operator: str, operand: Any, where: str) -> Test:
    """Compile an operator on strings: prefix, suffix, equals-ignore-case, wildcard; never true for another type."""
    if isinstance(operand, dict) and operator in ("prefix", "suffix"):
        inner, text = _single(operand, where, frozenset({"equals-ignore-case"}))
        folded = _string(text, f"{where}.{inner}").lower()
        if operator == "prefix":
            return lambda value: isinstance(value, str) and value.lower().startswith(folded)
        return lambda value: isinstance(value, str) and value.lower().endswith(folded)
    text = _string(operand, where)
    if operator == "prefix":
        return lambda value: isinstance(value, str) and value.startswith(text)
    if operator == "suffix":
        return lambda value: isinstance(value, str) and value.endswith(text)
    if operator == "equals-ignore-case":
        lowered = text.lower()
        return lambda value: isinstance(value, str) and value.lower() == lowered
    parts = _wildcard_parts(text, where)
    return lambda value: isinstance(value, str) and _wildcard(parts, value)


def _anything_but(operand: Any, where: str) -> Test:
    """Compile a deny list: true for every present scalar, of any type, that is not on it."""
    if isinstance(operand, dict):
        operator, inner = _single(operand, where, frozenset({"prefix", "suffix", "equals-ignore-case", "wildcard"}))
        texts = _listed(inner, f"{where}.{operator}")
        if not all(isinstance(text, str) and text for text in texts):
            raise InvalidPlaybook(f"{where}.{operator} must be a string or a list of strings, none of them empty")
        denied = [_text(operator, text, f"{where}.{operator}") for text in texts]
        return lambda value: not any(test(value) for test in denied)
    values = _listed(operand, where)
    if not (all(isinstance(value, str) for value in values) or all(is_number(value) for value in values)):
        raise InvalidPlaybook(f"{where} must hold only strings or only numbers: write two rules to mix them")
    keys = frozenset(exact_key(_finite(value, where)) for value in values)
    return lambda value: exact_key(value) not in keys


def _numeric(operand: Any, where: str) -> Test:
    fix = 'write for example [">", 0, "<=", 5] or ["=", 3]'
    if not isinstance(operand, list) or len(operand) not in (2, 4):
        raise InvalidPlaybook(f"{where} must be a list of one or two comparisons: {fix}")
    checks: list[tuple[Callable[[float, float], bool], float]] = []
    for operator, bound in zip(operand[::2], operand[1::2], strict=True):
        if not isinstance(operator, str) or operator not in _COMPARE:
            raise InvalidPlaybook(f"{where} has an unknown comparison {operator!r}: use =, <, <=, > or >=")
        if not is_number(bound) or not abs(bound) <= NUMBER_LIMIT:
            raise InvalidPlaybook(f"{where} needs a number between -5e9 and 5e9 after {operator!r}")
        checks.append((_COMPARE[operator], bound))
    if len(operand) == 4:
        _check_range(operand, where)
    return lambda value: is_number(value) and all(compare(value, bound) for compare, bound in checks)


def _check_range(operand: list[Any], where: str) -> None:
    """Refuse a range that is not lower bound then upper bound, or that no number lies in."""
    lower, low, upper, high = operand
    if lower not in (">", ">=") or upper not in ("<", "<="):
        raise InvalidPlaybook(f'{where} must name the lower bound first: write for example [">", 0, "<=", 5]')
    if low > high or (low == high and (lower, upper) != (">=", "<=")):
        raise InvalidPlaybook(f"{where} can never match: {low} is not below {high}")


def _cidr(operand: Any, where: str) -> Test:
    try:
        network = ipaddress.ip_network(_string(operand, where), strict=False)
    except ValueError as exc:
        raise InvalidPlaybook(f"{where} is not an address range: write for example 10.0.0.0/24") from exc

    def inside(value: Any) -> bool:
        if not isinstance(value, str):
            return False
        try:
            return ipaddress.ip_address(value) in network
        except ValueError:
            return False

    return inside


_ESCAPES = re.compile(r"\\(.?)", re.DOTALL)


def _wildcard_parts(text: str, where: str) -> tuple[str, ...]:
    r"""Return the literal parts between the `*`; `\*` and `\\` are the characters themselves."""
    for escaped in _ESCAPES.findall(text):
        if escaped not in ("*", "\\"):
            raise InvalidPlaybook(rf"{where} has a lone backslash: write \\ for a backslash and \* for an asterisk")
    parts: list[str] = [""]
    previous = ""
    for piece in re.findall(r"\\.|\*|[^\\*]+", text, re.DOTALL):
        if piece == "*":
            if previous == "*":
                raise InvalidPlaybook(f"{where} has two asterisks in a row: one is enough")
            parts.append("")
        else:
            parts[-1] += piece.removeprefix("\\")
        previous = piece
    return tuple(parts)


def _wildcard(parts: tuple[str, ...], value: str) -> bool:
    """Match greedily from the left: linear in the value, so no pattern can make an event expensive."""
    if len(parts) == 1:
        return value == parts[0]
    first, *middle, last = parts
    if len(value) < len(first) + len(last) or not value.startswith(first) or not value.endswith(last):
        return False
    start, end = len(first), len(value) - len(last)
    for part in middle:
        found = value.find(part, start, end)
        if found < 0:
            return False
        start = found + len(part)
    return True


def _single(operators: dict[Any, Any], where: str, known: frozenset[str] = OPERATORS) -> tuple[str, Any]:
    if len(operators) != 1:
        raise InvalidPlaybook(
            f"{where} must hold exactly one operator: list several operators as separate alternatives"
        )
    ((operator, operand),) = operators.items()
    if operator not in known:
        raise InvalidPlaybook(f"{where} has an unknown operator {operator!r}: use one of {', '.join(sorted(known))}")
    return operator, operand


def _listed(operand: Any, where: str) -> list[Any]:
    values = operand if isinstance(operand, list) else [operand]
    if not values:
        raise InvalidPlaybook(f"{where} has an empty list: name at least one value")
    return values


def _string(operand: Any, where: str) -> str:
    if not isinstance(operand, str):
        raise InvalidPlaybook(f"{where} must be a string")
    return operand


def _finite(value: Any, where: str) -> Any:
    if isinstance(value, float) and not math.isfinite(value):
        raise InvalidPlaybook(f"{where} is not a number that JSON can hold: write a finite number")
    if not (value is None or isinstance(value, str | int | float)):
        raise InvalidPlaybook(f"{where} must be a string, a number, true, false, null or an operator")
    return value
