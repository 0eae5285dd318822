"""One line of the audit log, and the one way to write anything."""

from datetime import datetime
from typing import Generic, NamedTuple, TypeVar

from pydantic import Field

from grace.model.base import Head, Item, Json, Model

T = TypeVar("T", bound=Item)
T_co = TypeVar("T_co", bound=Item, covariant=True)


class EntryDraft(Model):
    """What happened, before it has its place in the log. `body` holds strings, integers, booleans: no floats."""

    type: str = Field(pattern=r"^[a-z]+(\.[a-z_]+)+$")
    body: dict[str, Json] = Field(default_factory=dict)
    cause: str = ""


class Ref(NamedTuple, Generic[T_co]):
    """The typed address of one item: its class and its ids."""

    kind: type[T_co]
    ids: tuple[str, ...]


def ref(kind: type[T], *ids: str) -> Ref[T]:
    """Return the address of the item of class `kind` with these ids."""
    return Ref(kind, ids)


class Change(NamedTuple):
    """A second stream that changes in the same transaction: its head, the head as it was read, and its entries.

    Its head must belong to the same `family` as the commit's own head, so that both have the same lane.
    """

    head: Head
    was: Head | None
    entries: tuple[EntryDraft, ...]


class Commit(NamedTuple):
    """One change with its entries: all of it happens, or none of it, and a repeated `command` changes nothing.

    `head` and each of `items` are written as the version after the one they carry, on condition that the stored one
    is the version they carry (0: not there yet). `head` rises by the number of entries. `unchanged` are items that were
    read, are not written, and must still be the version that was read; an item that was read as absent is named by
    `absent`.
    """

    command: str
    head: Head
    entries: tuple[EntryDraft, ...]
    at: datetime
    """When it is written, by the writer's clock: the entries' time. What was decided earlier has times of its own."""
    actor: str
    subsystem: str
    was: Head | None = None
    """The head as it was read, from which the entry's `set` is computed; None for a new one."""
    items: tuple[Item, ...] = ()
    unchanged: tuple[Item, ...] = ()
    absent: tuple[Ref[Item], ...] = ()
    also: tuple[Change, ...] = ()
    """Other streams of the same family (a contract's mission) that change with it, all or nothing."""


class Committed(NamedTuple):
    """What a commit led to: `replayed` means the command had been carried out before and nothing changed now.

    `head` is the head as written, ready for the next commit; None when replayed, for then only a read can tell.
    """

    replayed: bool
    version: int
    head: Head | None = None


class Entry(Model):
    """One line of the log as it stands. `ts` is milliseconds since the epoch, never falling within a lane."""

    v: int
    id: str
    stream: str
    sseq: int
    lane: int
    lseq: int
    prev: str
    ts: int
    actor: str
    subsystem: str
    corr: str
    cause: str
    type: str
    contract: str
    digest: str
    body: dict[str, Json]
