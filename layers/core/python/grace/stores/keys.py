"""Where each item lives: the only place with the text of DynamoDB keys. Pure."""

from __future__ import annotations

import hashlib
from dataclasses import dataclass
from datetime import UTC, datetime
from enum import StrEnum
from typing import Any

from grace.model.approval import Approval, ApprovalStatus, LinkTries, Vote
from grace.model.base import Item
from grace.model.contract import Contract, ContractHead
from grace.model.entry import Ref
from grace.model.log import AuditPin
from grace.model.mission import Mission, MissionStatus, OpenGroup
from grace.model.preview import Preview
from grace.model.records import (
    Breaker,
    Evidence,
    Expiry,
    GuardAlarm,
    InFlight,
    KillSwitch,
    Lease,
    Outcome,
    PlaybookStats,
    ShadowJudgement,
    Standing,
    Step,
    StopOrder,
    Subsystem,
)
from grace.model.signal import StoredSignal


class Table(StrEnum):
    """The tables: what is, what happened, and what was signed of it."""

    STATE = "state"
    LOG = "log"
    SIGNER = "signer"


PARTITION, SORT = "pk", "sk"
OPEN_INDEX, OPEN_PARTITION, OPEN_SORT = "open", "open_pk", "open_sk"
"""The sparse index of the state table. It projects keys only: a change that leaves deadline and openness alone then
costs it nothing, and `open` reads the items themselves, consistently."""
OPEN_SHARDS = 4
EXPIRES = "ttl"
"""The attribute by which the log table forgets command ids."""


@dataclass(frozen=True, slots=True)
class Key:
    """The address of one row."""

    table: Table
    pk: str
    sk: str


@dataclass(frozen=True, slots=True)
class _Place:
    """Where a class lives; a part that ends in `#` is followed by the next of the item's ids."""

    pk: str
    sk: str
    digits: int = 0
    """Numbers are padded to this, so that text order is their order."""


_PLACES: dict[type[Item], _Place] = {
    Mission: _Place("M#", "head"),
    StoredSignal: _Place("M#", "signal"),
    Contract: _Place("C#", "body"),
    ContractHead: _Place("C#", "head"),
    Step: _Place("C#", "step#"),
    Evidence: _Place("C#", "evidence#"),
    Approval: _Place("C#", "apr#", digits=4),
    Vote: _Place("C#", "vote#"),
    LinkTries: _Place("C#", "tries#"),
    Preview: _Place("C#", "preview"),
    StopOrder: _Place("C#", "stop"),
    Expiry: _Place("C#", "expiry"),
    ShadowJudgement: _Place("C#", "shadow"),
    Outcome: _Place("C#", "outcome"),
    Lease: _Place("R#", "lease"),
    OpenGroup: _Place("G#", "open"),
    GuardAlarm: _Place("A#", "armed"),
    PlaybookStats: _Place("P#", "stats#"),
    Standing: _Place("P#", "standing"),
    KillSwitch: _Place("SYS", "kill"),
    InFlight: _Place("SYS", "inflight"),
    Subsystem: _Place("SYS", "sub#"),
    AuditPin: _Place("SYS", "audit"),
    Breaker: _Place("SYS", "breaker#"),
}
LANE_ROWS, COMMAND_ROWS, ENTRY_ROWS = "L#", "CMD#", "e"
"""How partitions of the log table begin (lanes, marks of commands), and the sort keys of a lane's entries: who may write
which, and what wakes the integrator, is said by these."""
_KINDS = {(place.pk, place.sk): kind for kind, place in _PLACES.items()}
_OPEN_NAMES: dict[type[Item], str] = {
    Mission: "mission",
    ContractHead: "contract",
    Approval: "approval",
    Expiry: "expiry",
    ShadowJudgement: "shadow",
}


def key(where: Ref[Any]) -> Key:
    """Return the address of an item.

    Raises:
        ValueError: for another number of ids than the class has, or an empty one.
    """
    place = _PLACES[where.kind]
    wanted = place.pk.endswith("#") + place.sk.endswith("#")
    if len(where.ids) != wanted or not all(where.ids):
        raise ValueError(f"{where.kind.__name__} has {wanted} ids, none of them empty, not {where.ids}")
    rest = list(where.ids)
    pk = place.pk + (rest.pop(0) if place.pk.endswith("#") else "")
    sk = place.sk + (rest.pop(0).zfill(place.digits) if place.sk.endswith("#") else "")
    return Key(Table.STATE, pk, sk)


def key_of(item: Item) -> Key:
    """Return the address an item is kept at."""
    return key(Ref(type(item), item.ids))


def parse(pk: str, sk: str) -> Ref[Any] | None:
    """Return which item a row of the state table is, as its stream names it; None for one this code does not know."""
    pk_name, pk_mark, pk_id = pk.partition("#")
    sk_name, sk_mark, sk_id = sk.partition("#")
    kind = _KINDS.get((pk_name + pk_mark, sk_name + sk_mark))
    if kind is None:
        return None
    if _PLACES[kind].digits:
        sk_id = sk_id.lstrip("0")
    ids = ([pk_id] if pk_mark else []) + ([sk_id] if sk_mark else [])
    return Ref(kind, tuple(ids)) if all(ids) else None


def members(kind: type[Item], ids: tuple[str, ...]) -> tuple[str, str]:
    """Return partition and sort-key prefix of all items of a class below its first id."""
    place = _PLACES[kind]
    return place.pk + (ids[0] if place.pk.endswith("#") else ""), place.sk


def entry(lane: int, seq: int) -> Key:
    """Return the address of an entry: its lane, and its position in it."""
    return Key(Table.LOG, f"{LANE_ROWS}{lane}", f"{ENTRY_ROWS}{seq:012d}")


def lane_head(lane: int) -> Key:
    """Return the address of a lane's head."""
    return Key(Table.LOG, f"{LANE_ROWS}{lane}", "head")


def tree_head() -> Key:
    """Return the address of the one item that says what the tree is."""
    return Key(Table.LOG, "HEAD", "h")


def signer_record() -> Key:
    """Return the address of what was last signed."""
    return Key(Table.SIGNER, "SIGNER", "h")


def command(command_id: str) -> Key:
    """Return the address of the mark that a command was carried out."""
    return Key(Table.LOG, f"{COMMAND_ROWS}{command_id}", "done")


def open_index(item: Item) -> tuple[str, str] | None:
    """Return the item's place in the sparse index `open`, or None when it is closed or never listed there."""
    deadline = _open_until(item)
    if deadline is None:
        return None
    shard = hashlib.sha256("/".join(item.ids).encode()).digest()[0] % OPEN_SHARDS
    return open_partitions(type(item))[shard], instant(deadline)


def open_partitions(kind: type[Item]) -> tuple[str, ...]:
    """Return the partitions of the index that list a class; a KeyError for a class that is never listed."""
    return tuple(f"OPEN#{_OPEN_NAMES[kind]}#{shard}" for shard in range(OPEN_SHARDS))


def instant(at: datetime) -> str:
    """Return a time as text whose order is the order of time."""
    return at.astimezone(UTC).strftime("%Y-%m-%dT%H:%M:%S.%fZ")


def _open_until(item: Item) -> datetime | None:
    match item:
        case Mission():
            return None if item.status is MissionStatus.CLOSED else item.deadline
        case ContractHead():
            return None if item.closed else item.deadline
        case Approval():
            return item.expires_at if item.status is ApprovalStatus.PENDING else None
        case Expiry():
            return None if item.done else item.until
        case ShadowJudgement():
            return None if item.result else item.due
        case _:
            return None
