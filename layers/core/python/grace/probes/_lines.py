"""Reading a playbook's line strictly: known keys, bounds, and the two templates there are."""

from __future__ import annotations

import re
from collections.abc import Callable, Iterable, Mapping
from typing import Any, Literal, TypeVar

from pydantic import BaseModel, ValidationError

from grace.errors import InvalidPlaybook, Unobservable
from grace.model.base import Json
from grace.model.expectation import Threshold
from grace.ports import AlarmFacts
from grace.probes.base import PromiseContext
from grace.resources.base import Restorable

M = TypeVar("M", bound=BaseModel)

NOT_BREACHING = "not breaching"
"""The bound that is the alarm's own threshold, seen from its good side."""

BOUNDS = ("below", "above", "at_most", "at_least")
_OF_BEFORE = re.compile(r"^(\d+(?:\.\d+)?) of before$")
_TEMPLATE = re.compile(r"^\{\{ *(plan|before)((?:\.[A-Za-z_][A-Za-z0-9_]*)+) *\}\}$")
_GOOD_SIDE: Mapping[str, Literal["below", "above", "at_most", "at_least"]] = {
    "GreaterThanThreshold": "at_most",
    "GreaterThanOrEqualToThreshold": "below",
    "LessThanThreshold": "at_least",
    "LessThanOrEqualToThreshold": "above",
}


def read(model: type[M], fields: Any, where: str) -> M:
    """Return the document as its model.

    Raises:
        InvalidPlaybook: one sentence naming the key and the fix.
    """
    if not isinstance(fields, dict):
        raise InvalidPlaybook(f"{where}: must be a mapping of keys, not {type(fields).__name__}")
    try:
        return model.model_validate(fields)
    except ValidationError as exc:
        raise InvalidPlaybook(f"{where}{sentence(exc, model)}") from exc


def sentence(exc: ValidationError, model: type[BaseModel]) -> str:
    """Return the first problem as `.key: what to do`."""
    problem = exc.errors(include_url=False)[0]
    key = "".join(f"[{part}]" if isinstance(part, int) else f".{part}" for part in problem["loc"])
    if problem["type"] == "extra_forbidden" and len(problem["loc"]) == 1:
        return f"{key}: there is no such key: use {', '.join(names(model))}"
    if problem["type"] == "extra_forbidden":
        return f"{key}: there is no such key: remove it"
    if problem["type"] == "missing":
        return f"{key}: is missing: add it"
    return f"{key}: {problem['msg'].removeprefix('Value error, ')}"


def names(model: type[BaseModel]) -> list[str]:
    """Return a model's keys as a file writes them."""
    return [info.alias or name for name, info in model.model_fields.items()]


def threshold(bound: Any, where: str, alarm: AlarmFacts | None) -> Threshold:
    """Return the bound of a line: `{below: 0.02}`, `{at_most: 1.2 of before}` or `not breaching`.

    Raises:
        InvalidPlaybook: it is none of these.
        Unobservable: `not breaching`, and there is no alarm with a fixed threshold.
    """
    if bound == NOT_BREACHING:
        if alarm is None or alarm.threshold is None or alarm.comparison not in _GOOD_SIDE:
            raise Unobservable(f"{where}: `{NOT_BREACHING}` needs an alarm with a fixed threshold, and there is none")
        return Threshold(op=_GOOD_SIDE[alarm.comparison], value=alarm.threshold)
    if not isinstance(bound, dict) or len(bound) != 1 or next(iter(bound)) not in BOUNDS:
        raise InvalidPlaybook(f"{where}: write one of {', '.join(BOUNDS)} with a number, or `{NOT_BREACHING}`")
    ((op, value),) = bound.items()
    if isinstance(value, str) and (relative := _OF_BEFORE.match(value)):
        return Threshold(op=op, value=float(relative[1]), of="before")
    if isinstance(value, bool) or not isinstance(value, int | float) or not abs(value) < float("inf"):
        raise InvalidPlaybook(f"{where}.{op}: must be a number such as 0.02, or a multiple such as `1.2 of before`")
    return Threshold(op=op, value=float(value))


def fill(value: Json, context: PromiseContext, where: str) -> Json:
    """Return a value with its templates replaced, each by the value itself with its own type.

    Raises:
        InvalidPlaybook: a template names what the plan or the captured state does not have.
    """

    def lookup(place: str, root: str, path: list[str]) -> Json:
        found: Json = context.parameters if root == "plan" else context.before
        for name in path:
            if not isinstance(found, dict) or name not in found:
                have = ", ".join(sorted(found)) if isinstance(found, dict) else "nothing below it"
                raise InvalidPlaybook(f"{place}: {root}.{'.'.join(path)} does not exist: use one of {have}")
            found = found[name]
        return found

    return _templates(value, where, lookup)


def check_templates(value: Json, where: str, kind: Restorable[Any], plan: Iterable[str]) -> None:
    """Check without a resource that every template names a parameter of the action or a field of the state."""
    known = {"plan": frozenset(plan), "before": frozenset(kind.state.model_fields)}

    def check(place: str, root: str, path: list[str]) -> Json:
        if path[0] not in known[root]:
            raise InvalidPlaybook(
                f"{place}: {root}.{path[0]} does not exist: use one of {', '.join(sorted(known[root]))}"
            )
        return None

    _templates(value, where, check)


def _templates(value: Json, where: str, use: Callable[[str, str, list[str]], Json]) -> Json:
    if isinstance(value, dict):
        for key in value:
            if not isinstance(key, str) or "{{" in key:
                raise InvalidPlaybook(f"{where}: {key!r} must be a plain text key")
        return {key: _templates(item, f"{where}.{key}", use) for key, item in value.items()}
    if isinstance(value, list):
        return [_templates(item, f"{where}[{number}]", use) for number, item in enumerate(value)]
    if isinstance(value, str) and ("{{" in value or "}}" in value):
        found = _TEMPLATE.match(value)
        if not found:
            raise InvalidPlaybook(
                f"{where}: {value!r} is not a template: the whole value is `{{{{ plan.NAME }}}}` or `{{{{ before.NAME }}}}`"
            )
        return use(where, found[1], found[2][1:].split("."))
    return value


def same(expected: Json, found: Json) -> bool:
    """Return whether two JSON values are equal; `true` is not `1`, and numbers compare by value."""
    if isinstance(expected, bool) or isinstance(found, bool):
        return expected is found
    if isinstance(expected, dict) and isinstance(found, dict):
        return expected.keys() == found.keys() and all(same(expected[key], found[key]) for key in expected)
    if isinstance(expected, list) and isinstance(found, list):
        return len(expected) == len(found) and all(map(same, expected, found))
    return bool(expected == found)


def short(value: object, most: int = 200) -> str:
    """Return a text for evidence, cut where it is long."""
    text = str(value)
    return text if len(text) <= most else text[: most - 1] + "…"
