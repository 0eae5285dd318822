"""`ports.Store` and `ports.Vault` in memory: the same conditions and the same errors, for tests and benchmarks.

Items are kept as the same rows as in DynamoDB and read from these alone, so what survives here survives there. Pure.
"""

from __future__ import annotations

from datetime import datetime
from threading import Lock
from typing import Any, TypeVar, cast

from grace.errors import Conflict, IntegrityError, NotFound, StaleFence
from grace.ledger.lanes import LaneHead, lane_of
from grace.ledger.replay import entries_of
from grace.ledger.streams import head_of
from grace.model.base import Item, sha256_hex
from grace.model.contract import Pointer
from grace.model.entry import Commit, Committed, Entry, Ref
from grace.stores import keys
from grace.stores.keys import Key
from grace.stores.plan import Plan, Transaction, plan
from grace.stores.rows import Items, Row, item_of

T = TypeVar("T", bound=Item)


class MemoryStore:
    """State and log of one deployment in this process; any number of threads may use it."""

    def __init__(self, lanes: int = 16) -> None:
        """Begin empty."""
        self._lanes = lanes
        self._lock = Lock()
        self._partitions: dict[str, dict[str, Row]] = {}
        self._parsed: dict[Key, tuple[Row, Item]] = {}
        self._open: dict[str, dict[Key, str]] = {}
        self._entries: dict[Key, bytes] = {}
        self._lane_heads: dict[int, LaneHead] = {}
        self._commands: dict[Key, int] = {}

    def read(self, *refs: Ref[Any], stream: str = "") -> Items:  # noqa: ARG002 - the port's, for stores with lanes afar
        """Read items, all at one moment. There is no lane head to fetch, so `stream` changes nothing."""
        with self._lock:
            return Items({ref: self._item(ref) for ref in refs})

    def members(self, kind: type[T], *ids: str) -> list[T]:
        """Return all items of a class below the first of its ids, in key order."""
        pk, prefix = keys.members(kind, ids)
        with self._lock:
            below = self._partitions.get(pk, {})
            rows = [below[sk] for sk in sorted(below) if sk.startswith(prefix)]
        return [item_of(kind, row) for row in rows]

    def open(self, kind: type[T], before: datetime) -> list[T]:
        """Return the items of a class still open with a deadline before that time, the nearest deadline first."""
        until = keys.instant(before)
        with self._lock:
            due = [
                (deadline, key.pk, key.sk)
                for partition in keys.open_partitions(kind)
                for key, deadline in self._open.get(partition, {}).items()
                if deadline < until
            ]
            rows = [self._partitions[pk][sk] for _, pk, sk in sorted(due)]
        return [item_of(kind, row) for row in rows]

    def commit(self, commit: Commit) -> Committed:
        """Write a change and its entries, all or nothing.

        Raises:
            Conflict: an item is not at the version the commit carries.
            StaleFence: a fence would fall.
            IllegalTransition: the contract's status may not become that.
            InvalidCommit: it breaks a rule of writing.
        """
        planned = plan(commit, self._lanes)
        with self._lock:
            transaction = planned.on(self._lane_heads.get(planned.lane, LaneHead(planned.lane)))
            done = self._done_before(planned, transaction)
            if done is not None:
                return Committed(replayed=True, version=done)
            self._check(transaction)
            for row in transaction.rows:
                self._put(row)
            self._entries.update(transaction.entries)
            self._lane_heads[planned.lane] = transaction.after
            if transaction.command:
                self._commands[transaction.command.key] = transaction.head.version
        return Committed(replayed=False, version=transaction.head.version, head=transaction.head)

    def story(self, stream: str) -> list[Entry]:
        """Return a stream's entries, oldest first; of a part of the system the latest, of an unknown stream none.

        Raises:
            IntegrityError: the head names an entry that is not there, or is another stream's.
        """
        where = head_of(stream)
        with self._lock:
            row = self._row(keys.key(where))
        if row is None:
            return []
        head = item_of(where.kind, row)
        lane = lane_of(head.family, self._lanes)
        return entries_of(stream, [(seq, self._entries.get(keys.entry(lane, seq))) for seq in head.log])

    def lane_head(self, lane: int) -> LaneHead:
        """Return where a lane ends."""
        return self._lane_heads.get(lane, LaneHead(lane))

    def entry(self, lane: int, seq: int) -> bytes | None:
        """Return an entry's stored bytes."""
        return self._entries.get(keys.entry(lane, seq))

    @property
    def lanes(self) -> int:
        """The number of lanes."""
        return self._lanes

    def _row(self, key: Key) -> Row | None:
        return self._partitions.get(key.pk, {}).get(key.sk)

    def _item(self, where: Ref[T]) -> T | None:
        """Return what a row says. It is parsed at its first read alone: nobody can change an item."""
        row = self._row(keys.key(where))
        if row is None:
            return None
        parsed = self._parsed.get(row.key)
        if parsed is None or parsed[0] is not row:
            parsed = self._parsed[row.key] = row, item_of(where.kind, row)
        return cast("T", parsed[1])

    def _done_before(self, planned: Plan, transaction: Transaction) -> int | None:
        if transaction.command:
            return self._commands.get(transaction.command.key)
        row = self._row(transaction.rows[0].key)
        if row is None or row.version == transaction.expected[0]:
            return planned.done
        stored = planned.done_by(item_of(type(transaction.head), row))
        return planned.done if stored is None else stored

    def _check(self, transaction: Transaction) -> None:
        for row, expected in zip(transaction.rows, transaction.expected, strict=True):
            stored = self._at_version(row.key, expected)
            if stored and stored.fence is not None and row.fence is not None and row.fence < stored.fence:
                raise StaleFence(f"{row.key.pk}/{row.key.sk} is at fence {stored.fence}, which may not fall")
        for check in transaction.checks:
            self._at_version(check.key, check.version)

    def _at_version(self, key: Key, expected: int) -> Row | None:
        stored = self._row(key)
        if (stored.version if stored else 0) != expected:
            raise Conflict(f"{key.pk}/{key.sk} is not as it was read: somebody else wrote first")
        return stored

    def _put(self, row: Row) -> None:
        before = self._row(row.key)
        if before and before.open:
            del self._open[before.open[0]][row.key]
        if row.open:
            self._open.setdefault(row.open[0], {})[row.key] = row.open[1]
        self._partitions.setdefault(row.key.pk, {})[row.key.sk] = row


class MemoryVault:
    """Objects written once, in this process; any number of threads may use it."""

    def __init__(self) -> None:
        """Begin empty."""
        self._objects: dict[str, bytes] = {}

    def put(self, key: str, body: bytes) -> Pointer:
        """Write if absent; the same bytes again are success, other bytes are an `IntegrityError`."""
        if self._objects.setdefault(key, body) != body:
            raise IntegrityError(f"{key} is kept already with other bytes")
        return Pointer(key=key, sha256=sha256_hex(body))

    def get(self, pointer: Pointer) -> bytes:
        """Return the bytes; raises `IntegrityError` when they do not have the pointer's digest, `NotFound` when gone."""
        body = self._objects.get(pointer.key)
        if body is None:
            raise NotFound(f"{pointer.key} is not in the vault")
        if sha256_hex(body) != pointer.sha256:
            raise IntegrityError(f"{pointer.key} does not have the bytes that were kept")
        return body
