"""Batches of the log: what the lanes hold between two moments, checked link by link, and what the tree becomes by it."""

from __future__ import annotations

from collections.abc import Sequence
from typing import NamedTuple

from grace.errors import IntegrityError
from grace.ledger import tiles, tree
from grace.ledger.lanes import LaneHead, follow, place_of
from grace.ledger.note import Checkpoint, PublicKey
from grace.ledger.tiles import Bundle, Fetch, Growth
from grace.log_ports import LogTable
from grace.model.log import Mark, TreeHead
from grace.ports import Services


class Batch(NamedTuple):
    """Entries in the order in which they enter the tree: lane after lane, and in each as they were written."""

    entries: tuple[bytes, ...]
    ends: tuple[LaneHead, ...]
    """Where each lane is after them."""
    whole: bool
    """Whether nothing was left for the next batch."""


def head_of_log(log: LogTable) -> TreeHead:
    """Return the tree's head, when what it says of itself can be true: as many entries as its lanes give, and no more signed.

    Raises:
        IntegrityError: it cannot, or the row is not a tree's head at all.
    """
    head = log.head()
    for mark in (head.previous, head.current):
        if (len(mark.cursors) not in ({log.lanes} if mark.size else {0, log.lanes})) or mark.size != sum(
            n for n, _, _ in mark.cursors
        ):
            raise IntegrityError(f"the tree's head states {mark.size} entries, and its lanes give others")
    if not head.previous.size <= head.current.size >= head.published:
        raise IntegrityError(f"the tree's head states {head.current.size} entries, and {head.published} as signed")
    return head


def batch(log: LogTable, start: Mark, ends: Sequence[LaneHead], most: int | None = None) -> Batch:
    """Read what the lanes hold after `start` up to `ends`, at most `most` entries.

    Raises:
        IntegrityError: an entry is missing, or does not follow from the one before; a lane does not end as it says.
    """
    found: list[bytes] = []
    reached: list[LaneHead] = []
    for end in ends:
        begin = start.lane(end.lane)
        if end.n < begin.n:
            raise IntegrityError(f"lane {end.lane} has gone back from entry {begin.n} to {end.n}")
        room = end.n - begin.n if most is None else min(end.n - begin.n, most - len(found))
        at, streams = begin, dict[str, int]()
        rows = log.entries(end.lane, begin.n + 1, begin.n + room) if room else []
        for data in rows:
            at = _next(data, at, streams)
            found.append(data or b"")
        if at.n == end.n and (at.h, at.ts) != (end.h, end.ts):
            raise IntegrityError(f"lane {end.lane} states another end than its entry {at.n} is")
        reached.append(at)
    return Batch(tuple(found), tuple(reached), whole=[one.n for one in reached] == [one.n for one in ends])


def _next(data: bytes | None, at: LaneHead, streams: dict[str, int]) -> LaneHead:
    where = f"lane {at.lane}, entry {at.n + 1}"
    if data is None:
        raise IntegrityError(f"{where} is missing")
    try:
        after, faults = follow(data, place_of(data), at, streams, whole=False)
    except IntegrityError as exc:
        raise IntegrityError(f"{where} {exc}") from exc
    if faults:
        raise IntegrityError(f"{where} {faults[0]}")
    return after


def ends_of(mark: Mark, lanes: int) -> list[LaneHead]:
    """Return where each lane was at that mark."""
    return [mark.lane(lane) for lane in range(lanes)]


def mark_of(growth: Growth, ends: Sequence[LaneHead]) -> Mark:
    """Return what the tree's head says of a tree."""
    cursors = tuple((end.n, end.h, end.ts) for end in ends)
    return Mark(size=growth.edge.size, root=growth.edge.root.hex(), cursors=cursors)


def grow(fetch: Fetch, mark: Mark, added: Sequence[bytes]) -> Growth:
    """Return the tree of `mark`, read from its right edge and proved, with these entries added.

    Raises:
        IntegrityError: a tile or bundle of the edge is missing or wrong.
    """
    size, root = mark.size, bytes.fromhex(mark.root)
    width = size % tree.WIDTH
    tail = tiles.read_bundle(fetch, Bundle(size // tree.WIDTH, width)) if width else []
    return tiles.growth(tiles.read_edge(fetch, size, root), tail, added)


def stored_entries(fetch: Fetch, low: int, high: int) -> list[bytes]:
    """Return the entries `low` up to `high` from the bundles of a tree of `high` entries.

    Raises:
        IntegrityError: naming the bundle that is missing or damaged.
    """
    found: list[bytes] = []
    for index in range(low // tree.WIDTH, -(-high // tree.WIDTH)):
        first = index * tree.WIDTH
        entries = tiles.read_bundle(fetch, Bundle(index, min(tree.WIDTH, high - first)))
        found += entries[max(0, low - first) :]
    return found


def checkpoint_of(mark: Mark, origin: str) -> Checkpoint:
    """Return the checkpoint that a mark leads to."""
    return Checkpoint(origin, mark.size, bytes.fromhex(mark.root))


class LogKey:
    """The log's key as everybody may know it: it checks here, with the public half that the key service states."""

    def __init__(self, services: Services) -> None:
        """Ask the service for the public half."""
        # Imported here, so that only those who check load the arithmetic.
        from grace.ledger.ed25519 import KeyVerifier, public_key  # noqa: PLC0415

        self.public: PublicKey = public_key(services.signing.origin, services.signing.public_key())
        self._verifier = KeyVerifier(self.public)

    @property
    def name(self) -> str:
        """The log's name."""
        return self.public.name

    @property
    def key_id(self) -> bytes:
        """The key's four bytes."""
        return self.public.key_id

    def verify(self, message: bytes, signature: bytes) -> bool:
        """Tell whether the signature is the key's."""
        return self._verifier.verify(message, signature)
