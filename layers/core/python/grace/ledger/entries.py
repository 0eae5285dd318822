"""One entry: what may be in it, its canonical bytes, and how it takes its place in a lane."""

from __future__ import annotations

import base64
from typing import Any, NamedTuple

from pydantic import TypeAdapter, ValidationError

from grace.errors import IntegrityError, InvalidCommit
from grace.ledger.lanes import LaneHead
from grace.model.base import SCHEMA_VERSION, Json, sha256_hex
from grace.model.entry import Entry

LARGE = 8 * 1024
"""An entry beyond this many bytes should be a claim check: it is written, and a warning with it."""
LARGEST = 60_000
"""An entry beyond this many bytes is refused; an entry bundle has room for 65,535."""
MARK_BYTES, MARK_LENGTH = 6, 8
"""A mark of an entry: so many bytes of its id, so many characters."""
DEEPEST = 20
"""How deep a body may nest."""

_JSON: TypeAdapter[Any] = TypeAdapter(Any)
"""Writes the same bytes as `model.base.canonical` for what is ordered and free of floats, in a quarter of the time."""

_PLAIN = {str, int, bool, type(None)}
"""What holds nothing further; looked at where it stands, for most of a body is such."""

SET, SKEW = "set", "skew"
"""The body's reserved keys: the head's changed fields, and by how many milliseconds the writer's clock was behind."""


class Line(NamedTuple):
    """An entry that knows everything but its place in the lane."""

    id: str
    stream: str
    sseq: int
    actor: str
    subsystem: str
    corr: str
    cause: str
    type: str
    contract: str
    digest: str
    body: dict[str, Json]
    """As `check_body` returns it."""


def entry_id(command: str, index: int) -> str:
    """Return the id of a command's entry: repeating the command gives the same ids."""
    return sha256_hex(f"{command}#{index}".encode())


def mark(of_entry: str) -> str:
    """Return what a head keeps of an entry's id: the first six bytes, as eight characters.

    Two of a stream's commands share one with a chance of 2**-48; the second would then be taken for done.
    """
    return base64.urlsafe_b64encode(bytes.fromhex(of_entry[: 2 * MARK_BYTES])).decode()


def done_before(command: str, marks: str) -> int | None:
    """Return the version a stream's head had when this command had been carried out, by its marks; None: it was not."""
    kept = [marks[at : at + MARK_LENGTH] for at in range(0, len(marks), MARK_LENGTH)]
    first = mark(entry_id(command, 0))
    if first not in kept:
        return None
    after = kept.index(first) + 1
    while after < len(kept) and kept[after] == mark(entry_id(command, after - kept.index(first))):
        after += 1
    return after


def check_body(body: dict[str, Json], where: str) -> dict[str, Json]:
    """Return the body with its keys in canonical order, or refuse one that has no one canonical form.

    Raises:
        InvalidCommit: naming the field: a float (write it as text), a value JSON does not know, a nesting too deep.
    """
    try:
        ordered: dict[str, Json] = _ordered(body, 1)
    except _Fault as exc:
        raise InvalidCommit(f"{where}: {'.'.join(reversed(exc.path)) or 'body'} {exc.reason}") from None
    return ordered


class _Fault(Exception):
    """What may not be in a body, and the names that lead to it, the innermost first."""

    def __init__(self, reason: str) -> None:
        self.reason = reason
        self.path: list[str] = []


def _ordered(value: Json, depth: int) -> Json:
    """Return a value in canonical order; what holds nothing further is passed over where it stands."""
    name: Json = ""
    try:
        if isinstance(value, dict):
            _check_depth(depth)
            _check_names(value)
            fields: dict[str, Json] = {}
            for name in sorted(value):
                inner = value[name]
                fields[name] = inner if type(inner) in _PLAIN else _ordered(inner, depth + 1)
            return fields
        if isinstance(value, (list, tuple)):
            _check_depth(depth)
            found: list[Json] = []
            for at, inner in enumerate(value):
                name = at
                found.append(inner if type(inner) in _PLAIN else _ordered(inner, depth + 1))
            return found
    except _Fault as exc:
        if name != "":
            exc.path.append(str(name))
        raise
    if isinstance(value, (str, int)):
        return value
    floats = isinstance(value, float)
    raise _Fault("is a float: write it as text" if floats else f"is a {type(value).__name__}, which JSON does not know")


def _check_names(value: dict[Any, Json]) -> None:
    if not all(isinstance(key, str) for key in value):
        raise _Fault("has a field that is not named by text")


def _check_depth(depth: int) -> None:
    if depth > DEEPEST:
        raise _Fault(f"is nested deeper than {DEEPEST}")


def seal(line: Line, head: LaneHead, now: int) -> tuple[bytes, LaneHead]:
    """Return the entry's bytes at the end of the lane, and the lane's new head.

    `now` is the writer's time in epoch milliseconds; the entry's never falls below the lane's, and by how much the
    writer was behind is kept in the body.

    Raises:
        InvalidCommit: the entry is larger than `LARGEST` bytes, or holds text that UTF-8 cannot carry.
    """
    ts = max(now, head.ts)
    body = line.body if ts == now else check_body({**line.body, SKEW: ts - now}, line.type)
    # In canonical order already, as the body is: the writer below keeps the order it is given.
    document = {
        "actor": line.actor,
        "body": body,
        "cause": line.cause,
        "contract": line.contract,
        "corr": line.corr,
        "digest": line.digest,
        "id": line.id,
        "lane": head.lane,
        "lseq": head.n + 1,
        "prev": head.h,
        "sseq": line.sseq,
        "stream": line.stream,
        "subsystem": line.subsystem,
        "ts": ts,
        "type": line.type,
        "v": SCHEMA_VERSION,
    }
    where = f"entry {line.type} of {line.stream}"
    try:
        data = _JSON.dump_json(document)
    except ValueError as exc:
        raise InvalidCommit(f"{where} holds text that UTF-8 cannot carry") from exc
    if len(data) > LARGEST:
        raise InvalidCommit(f"{where} has {len(data)} bytes of {LARGEST} allowed: put the data in the vault")
    return data, LaneHead(head.lane, head.n + 1, sha256_hex(data), ts)


def parse(data: bytes) -> Entry:
    """Return the stored entry.

    Raises:
        IntegrityError: the bytes are not an entry.
    """
    try:
        return Entry.model_validate_json(data)
    except ValidationError as exc:
        raise IntegrityError(f"bytes of the log are not an entry: {exc.errors()[0]['msg']}") from exc
