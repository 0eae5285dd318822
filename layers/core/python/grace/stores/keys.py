"""Where each item lives: the only place with the text of DynamoDB keys. Pure."""

from __future__ import annotations

import hashlib
from datetime import UTC, datetime
from enum import StrEnum
from importlib import import_module
from typing import Any, NamedTuple

from grace.model.base import Item
from grace.model.entry import Ref


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


class Key(NamedTuple):
    """The address of one row."""

    table: Table
    pk: str
    sk: str


class _Place(NamedTuple):
    """Where a class of `grace.model` lives; a part that ends in `#` is followed by the next of the item's ids.

    A class is named and not imported: a door then starts with the few it uses.
    """

    module: str
    pk: str
    sk: str
    digits: int = 0
    """Numbers are padded to this, so that text order is their order."""


_PLACES: dict[str, _Place] = {
    "Mission": _Place("mission", "M#", "head"),
    "StoredSignal": _Place("signal", "M#", "signal"),
    "Contract": _Place("contract", "C#", "body"),
    "ContractHead": _Place("contract", "C#", "head"),
    "Step": _Place("records", "C#", "step#"),
    "Evidence": _Place("records", "C#", "evidence#"),
    "Approval": _Place("approval", "C#", "apr#", digits=4),
    "Vote": _Place("approval", "C#", "vote#"),
    "LinkTries": _Place("approval", "C#", "tries#"),
    "Preview": _Place("preview", "C#", "preview"),
    "ShadowJudgement": _Place("records", "C#", "shadow"),
    "StopOrder": _Place("records", "C#", "stop"),
    "Expiry": _Place("records", "C#", "expiry"),
    "Outcome": _Place("records", "C#", "outcome"),
    "Lease": _Place("records", "R#", "lease"),
    "OpenGroup": _Place("mission", "G#", "open"),
    "GuardAlarm": _Place("records", "A#", "armed"),
    "PlaybookStats": _Place("records", "P#", "stats#"),
    "Standing": _Place("records", "P#", "standing"),
    "Quarantined": _Place("records", "Q#", "kept"),
    "KillSwitch": _Place("records", "SYS", "kill"),
    "InFlight": _Place("records", "SYS", "inflight"),
    "Subsystem": _Place("records", "SYS", "sub#"),
    "AuditPin": _Place("log", "SYS", "audit"),
    "Breaker": _Place("records", "SYS", "breaker#"),
}
LANE_ROWS, COMMAND_ROWS, ENTRY_ROWS = "L#", "CMD#", "e"
"""How partitions of the log table begin (lanes, marks of commands), and the sort keys of a lane's entries: who may write
which, and what wakes the integrator, is said by these."""
_NAMES = {(place.pk, place.sk): name for name, place in _PLACES.items()}
_OPEN_NAMES = {
    "Mission": "mission",
    "ContractHead": "contract",
    "Approval": "approval",
    "Expiry": "expiry",
    "ShadowJudgement": "shadow",
}


def key(where: Ref[Any]) -> Key:
    """Return the address of an item.

    Raises:
        ValueError: for another number of ids than the class has, or an empty one.
    """
    place = _PLACES[where.kind.__name__]
    in_pk, in_sk = place.pk.endswith("#"), place.sk.endswith("#")
    if len(where.ids) != in_pk + in_sk or not all(where.ids):
        raise ValueError(f"{where.kind.__name__} has {in_pk + in_sk} ids, none of them empty, not {where.ids}")
    pk = place.pk + where.ids[0] if in_pk else place.pk
    sk = place.sk + where.ids[-1].zfill(place.digits) if in_sk else place.sk
    return Key(Table.STATE, pk, sk)


def key_of(item: Item) -> Key:
    """Return the address an item is kept at."""
    return key(Ref(type(item), item.ids))


def parse(pk: str, sk: str) -> Ref[Any] | None:
    """Return which item a row of the state table is, as its stream names it; None for one this code does not know."""
    pk_name, pk_mark, pk_id = pk.partition("#")
    sk_name, sk_mark, sk_id = sk.partition("#")
    name = _NAMES.get((pk_name + pk_mark, sk_name + sk_mark))
    if name is None:
        return None
    place = _PLACES[name]
    if place.digits:
        sk_id = sk_id.lstrip("0")
    ids = ([pk_id] if pk_mark else []) + ([sk_id] if sk_mark else [])
    if not all(ids):
        return None
    return Ref(getattr(import_module(f"grace.model.{place.module}"), name), tuple(ids))


def members(kind: type[Item], ids: tuple[str, ...]) -> tuple[str, str]:
    """Return partition and sort-key prefix of all items of a class below its first id."""
    place = _PLACES[kind.__name__]
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


def told() -> Key:
    """Return the address of what people were told of when the tree's head itself could not be read."""
    return Key(Table.LOG, tree_head().pk, "told")


def signer_record() -> Key:
    """Return the address of what was last signed."""
    return Key(Table.SIGNER, "SIGNER", "h")


def command(command_id: str) -> Key:
    """Return the address of the mark that a command was carried out."""
    return Key(Table.LOG, f"{COMMAND_ROWS}{command_id}", "done")


def open_index(item: Item) -> tuple[str, str] | None:
    """Return the item's place in the sparse index `open`, or None when it is closed or never listed there."""
    deadline = item.open_until
    if deadline is None:
        return None
    shard = hashlib.sha256("/".join(item.ids).encode()).digest()[0] % OPEN_SHARDS
    return open_partitions(type(item))[shard], instant(deadline)


def open_partitions(kind: type[Item]) -> tuple[str, ...]:
    """Return the partitions of the index that list a class; a KeyError for a class that is never listed."""
    return tuple(f"OPEN#{_OPEN_NAMES[kind.__name__]}#{shard}" for shard in range(OPEN_SHARDS))


def instant(at: datetime) -> str:
    """Return a time as text whose order is the order of time."""
    return f"{at.astimezone(UTC).replace(tzinfo=None).isoformat(timespec='microseconds')}Z"
