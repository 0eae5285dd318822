"""The edge: bytes become a bounded JSON document, and a document is read field by field or refused by field name.

Limits (`docs`: security, input): 64 KiB a message, 20 levels, 4 KiB a string. All text is NFC. Names lose control,
format and bidirectional characters and may not carry what a shell or a template would act on; free text loses them too
and stays data. Nothing read here is ever formatted into a command, a query or a page.
"""

from __future__ import annotations

import json
import math
import re
import unicodedata
from datetime import UTC, datetime, timedelta
from typing import Any, NamedTuple, NoReturn

from grace.errors import InvalidSignal
from grace.model.resource import is_arn
from grace.model.shown import visible

MAX_BYTES = 64 * 1024
MAX_DEPTH = 20
MAX_STRING_BYTES = 4 * 1024

EMBEDDED = frozenset({"Message", "reasonData"})
"""Fields that hold a JSON document as text (SNS, CloudWatch): bounded by the size of the message, not of a string."""

_EPOCH = datetime(1970, 1, 1, tzinfo=UTC)
_INSTANT = re.compile(r"[0-9]{4}-[0-9]{2}-[0-9]{2}T[0-9]{2}:[0-9]{2}:[0-9]{2}(\.[0-9]{1,9})?(Z|[+-][0-9]{2}:?[0-9]{2})")
_ACCOUNT = re.compile(r"[0-9]{12}")
_REGION = re.compile(r"[a-z]{2}(-[a-z]+)+-[0-9]")
_CODE = re.compile(r"[A-Za-z0-9][A-Za-z0-9_.:/#-]{0,127}")
_ACTIVE = re.compile(r"[;`\\\"]|\$[({]|\{\{|\}\}")
"""What a shell, a quoted string or a template acts on. A lone `$` is part of real names (`$LATEST`)."""


def load(body: str | bytes) -> Any:
    """Return the JSON document of a message, within the limits and with every string in NFC.

    Raises:
        InvalidSignal: too large, too deep, not JSON, or a value JSON has no word for.
    """
    try:
        raw = body.encode() if isinstance(body, str) else body
        text = raw.decode()
    except UnicodeError as exc:
        raise InvalidSignal("message", "is not UTF-8 text: send JSON encoded as UTF-8") from exc
    if len(raw) > MAX_BYTES:
        raise InvalidSignal("message", f"has {len(raw)} bytes: send at most {MAX_BYTES}")
    try:
        document = json.loads(text, parse_constant=_no_constant, object_pairs_hook=_unique)
    except RecursionError as exc:
        raise InvalidSignal("message", f"is nested too deep: send at most {MAX_DEPTH} levels") from exc
    except ValueError as exc:
        raise InvalidSignal("message", "is not JSON: send one JSON object") from exc
    return _bounded(document, "message", "", 0)


def _no_constant(name: str) -> NoReturn:
    raise InvalidSignal("message", f"holds {name}, which is not JSON: send a finite number or null")


def _unique(pairs: list[tuple[str, Any]]) -> dict[str, Any]:
    # Two readers of a repeated key can see two different alerts.
    fields = dict(pairs)
    if len(fields) != len(pairs):
        raise InvalidSignal("message", "has the same key twice in one object: send each key once")
    return fields


def _bounded(value: Any, path: str, key: str, depth: int) -> Any:
    if isinstance(value, dict | list) and depth >= MAX_DEPTH:
        raise InvalidSignal(_shown(path), f"is nested too deep: send at most {MAX_DEPTH} levels")
    if isinstance(value, dict):
        for name in value:
            _check_string(name, path, key)
        return {name: _bounded(below, f"{path}.{name}", name, depth + 1) for name, below in value.items()}
    if isinstance(value, list):
        return [_bounded(below, f"{path}[{place}]", key, depth + 1) for place, below in enumerate(value)]
    if isinstance(value, str):
        _check_string(value, path, key)
        return unicodedata.normalize("NFC", value)
    if isinstance(value, float) and not math.isfinite(value):
        raise InvalidSignal(_shown(path), "is too large a number: send one a 64-bit float can hold")
    return value


def _check_string(text: str, path: str, key: str) -> None:
    try:
        size = len(text.encode())
    except UnicodeEncodeError as exc:
        raise InvalidSignal(_shown(path), "holds half of a character: send whole Unicode characters") from exc
    if size > MAX_STRING_BYTES and key not in EMBEDDED:
        raise InvalidSignal(_shown(path), f"has {size} bytes: send at most {MAX_STRING_BYTES} in one string")


def _shown(path: str) -> str:
    """Return a field's path fit for a log line: its names come from the message."""
    return visible(path)[:200]


class Fields(NamedTuple):
    """One object of a message and its path; every read says which field is wrong and what would be right."""

    values: dict[str, Any]
    path: str = ""

    def at(self, name: str) -> str:
        """Return the path of a field, for an error."""
        return _shown(f"{self.path}.{name}" if self.path else name)

    def wrong(self, name: str, fix: str) -> InvalidSignal:
        """Return the refusal of a field."""
        return InvalidSignal(self.at(name), fix)

    def maybe(self, name: str) -> str | None:
        """Return a text as it came, or None when it is absent or null."""
        value = self.values.get(name)
        if value is None or isinstance(value, str):
            return value
        raise self.wrong(name, "must be a string")

    def text(self, name: str) -> str:
        """Return a text that must be there."""
        value = self.maybe(name)
        if not value:
            raise self.wrong(name, "is missing: it must be a string with something in it")
        return value

    def name(self, name: str) -> str:
        """Return a text as a name a person may be shown."""
        return clean_name(self.text(name), self.at(name))

    def prose(self, name: str) -> str:
        """Return free text, unseen characters taken out; empty when absent."""
        return visible(self.maybe(name) or "").strip()

    def code(self, name: str) -> str:
        """Return a machine's word: an error code, a state, an event's name."""
        value = self.text(name)
        if not _CODE.fullmatch(value):
            raise self.wrong(name, "must be letters, digits and _ . : / # - only, at most 128")
        return value

    def account(self, name: str) -> str:
        """Return an account id."""
        value = self.text(name)
        if not _ACCOUNT.fullmatch(value):
            raise self.wrong(name, "must be an account id of twelve digits")
        return value

    def region(self, name: str) -> str:
        """Return a region's code, for example `eu-central-1`."""
        value = self.text(name)
        if not _REGION.fullmatch(value):
            raise self.wrong(name, "must be a region's code such as eu-central-1")
        return value

    def number(self, name: str) -> float | None:
        """Return a number, or None when it is absent or null."""
        value = self.values.get(name)
        if value is None:
            return None
        if isinstance(value, bool) or not isinstance(value, int | float):
            raise self.wrong(name, "must be a number")
        try:
            return float(value)
        except OverflowError as exc:
            raise InvalidSignal(self.at(name), "is too large a number: send one a 64-bit float can hold") from exc

    def instant(self, name: str) -> datetime:
        """Return a point in time with its zone, cut to the millisecond, which is what every road carries."""
        return parse_instant(self.text(name), self.at(name))

    def below(self, name: str) -> Fields:
        """Return an object that must be there."""
        value = self.values.get(name)
        if not isinstance(value, dict):
            raise self.wrong(name, "must be an object")
        return Fields(value, self.at(name))

    def maybe_below(self, name: str) -> Fields:
        """Return an object; an empty one when it is absent or null."""
        if self.values.get(name) is None:
            return Fields({}, self.at(name))
        return self.below(name)

    def array(self, name: str) -> list[Any]:
        """Return an array; empty when it is absent or null."""
        value = self.values.get(name)
        if value is None:
            return []
        if not isinstance(value, list):
            raise self.wrong(name, "must be an array")
        return value

    def objects(self, name: str) -> list[Fields]:
        """Return an array of objects; empty when it is absent or null."""
        found = []
        for place, value in enumerate(self.array(name)):
            if not isinstance(value, dict):
                raise self.wrong(f"{name}[{place}]", "must be an object")
            found.append(Fields(value, self.at(f"{name}[{place}]")))
        return found

    def arns(self, name: str, account: str) -> tuple[str, ...]:
        """Return an array of strict ARNs of one account (or of none, as S3's are)."""
        found = []
        for place, value in enumerate(self.array(name)):
            where = f"{name}[{place}]"
            if not isinstance(value, str) or not is_arn(value):
                raise self.wrong(where, "must be an ARN such as arn:aws:lambda:eu-central-1:111122223333:function:shop")
            if value.split(":", 5)[4] not in ("", account):
                raise self.wrong(where, f"names another account than {account}, which sent the event")
            found.append(value)
        return tuple(dict.fromkeys(found))


def clean_name(text: str, where: str) -> str:
    """Return `text` as a name: visible characters only, nothing that a shell or a template would act on.

    Raises:
        InvalidSignal: nothing is left, it is too long, or it carries such a character.
    """
    cleaned = visible(text).strip()
    if active := _ACTIVE.search(cleaned):
        raise InvalidSignal(where, f"holds {active.group()}, which no name may: rename it without")
    if not cleaned or len(cleaned) > 256:
        raise InvalidSignal(where, "must be a name of 1 to 256 visible characters")
    return cleaned


def parse_instant(text: str, where: str) -> datetime:
    """Return an ISO 8601 time with its zone as UTC, cut to the millisecond.

    Raises:
        InvalidSignal: it is not one.
    """
    fix = "must be a time with its zone, such as 2026-01-31T12:00:00.000Z"
    if not _INSTANT.fullmatch(text):
        raise InvalidSignal(where, fix)
    try:
        value = datetime.fromisoformat(text).astimezone(UTC)
    except (ValueError, OverflowError) as exc:
        raise InvalidSignal(where, fix) from exc
    return value.replace(microsecond=value.microsecond // 1000 * 1000)


def milliseconds(value: datetime) -> int:
    """Return the milliseconds from the epoch to `value`."""
    return (value - _EPOCH) // timedelta(milliseconds=1)
