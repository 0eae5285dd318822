"""What the verifier looks at night after night, a part each time: every version of every object, and the whole tree.

A run is bounded by the clock. What a night does not come to is the next one's, so everything is visited in as many nights
as it takes: at 30 ms a call about 2,000 objects that must be read, and all the entries of a small log, in each.
"""

from __future__ import annotations

from collections.abc import Iterator
from datetime import UTC, datetime, timedelta
from functools import partial
from typing import NamedTuple

from grace.errors import IntegrityError
from grace.flow.batches import LogKey
from grace.flow.checks import Findings, lock_fault, lock_of
from grace.ledger import fsck, note, tiles
from grace.ledger.entries import parse
from grace.ledger.note import Checkpoint
from grace.ledger.tiles import Bundle, Tile
from grace.ledger.tree import HEIGHT, WIDTH
from grace.log_ports import ObjectVersion
from grace.model.log import CHECKPOINT, KEPT, VKEY, AuditPin, Mark
from grace.ports import Services

OBJECTS, ENTRIES = timedelta(minutes=2), timedelta(minutes=4)
"""So long after its start a night looks at no more objects, and derives no more of the tree."""
STRETCH = 8 * WIDTH
"""So many entries are derived between two looks at the clock."""
NEAR = 256
"""So many tiles and bundles are held while they are looked at again."""


class _Held:
    """Objects as they are read; the last few are read once."""

    def __init__(self, services: Services) -> None:
        self._services = services
        self._held: dict[str, bytes | None] = {}

    def get(self, path: str) -> bytes | None:
        """Return an object's bytes, or None when there is none."""
        if path not in self._held:
            if len(self._held) >= NEAR:
                self._held.pop(next(iter(self._held)))
            self._held[path] = self._services.archive.get(path)
        return self._held[path]


def check_whole(pin: AuditPin, start: datetime, services: Services, found: Findings) -> AuditPin:
    """Look at objects and tree from where the last night ended; return the pin with where the next one begins."""
    published = services.archive.newest()
    if published is None:
        return pin  # said already, where there should be one
    key = LogKey(services)
    try:
        head = note.verify(published.note, [key], key.name)
    except IntegrityError as exc:
        found.add("V1", CHECKPOINT, exc)
        return pin
    night = _Night(pin, head, key, _Held(services), start, services, found)
    return pin.model_copy(update={"seen": night.objects(), "derived": night.tree()})


class _Night(NamedTuple):
    """One night's part."""

    pin: AuditPin
    head: Checkpoint
    key: LogKey
    held: _Held
    start: datetime
    services: Services
    found: Findings

    def objects(self) -> str:
        """V10 of every object, and V1 of every checkpoint that is kept; return the last path, or nothing at the end."""
        seen = self.pin.seen
        while page := self.services.archive.listed(seen):
            for versions in page:
                seen = versions[0].path
                if seen != VKEY:
                    for fault in self._faults(versions):
                        self.found.add("V10", seen, fault)
                if self.services.clock.now() - self.start >= OBJECTS:
                    return seen
        return ""

    def _faults(self, versions: list[ObjectVersion]) -> Iterator[str]:
        path, newest, archive = versions[0].path, versions[0], self.services.archive
        place, size = tiles.parse_path(path), path.removeprefix(KEPT)
        if place is None and (not path.startswith(KEPT) or not size.isdecimal()):
            yield "is no object of a log"
            return
        replaced = place is not None and _replaced(place, self.head.size)
        if newest.deleted:
            if not replaced:
                yield "it is hidden or gone"
            return
        written = [one for one in versions if not one.deleted]
        if len(written) > 1:
            yield f"it has {len(written)} versions; the log writes one"
        if not replaced:  # what has been replaced may go, and its lock with it
            lock, until = lock_of(place, self.services), partial(archive.locked, path, newest.version)
            if fault := lock_fault(newest.at, lock, self.start, self.pin, until):
                yield fault
        try:
            if place is None:
                signed = note.verify(archive.get(path) or b"", [self.key], self.key.name)
                _check_kept(int(size), signed, self.head, self.held)
            elif replaced and not (self.held.get(place.full.path) or b"").startswith(archive.get(path) or b"?"):
                yield "it is not how the full one begins"
        except IntegrityError as exc:
            yield str(exc)

    def tree(self) -> Mark:
        """V3: the entries lead to every full tile and to the root. V10: what the log says was checked is kept."""
        at = self.pin.derived if self.pin.derived.size < self.head.size else Mark()
        while at.size < self.head.size:
            high = min(self.head.size, at.size + STRETCH)
            stated: list[int] = []
            try:
                root, findings = fsck.stretch(
                    self.held.get, self.head, (at.size, at.root), high, partial(_verified, stated)
                )
            except IntegrityError as exc:
                self.found.add("V3", f"entry {at.size}", exc)
                return Mark()
            for each in findings:
                self.found.add("V3", each.where, each.what)
            for size in stated:
                if 0 < size <= self.head.size and self.services.archive.get(f"{KEPT}{size}") is None:
                    self.found.add("V10", f"{KEPT}{size}", "the log says that it was checked, and it is hidden or gone")
            at = Mark(size=high, root=root)
            if self.services.clock.now() - self.start >= ENTRIES:
                break
        return at if at.size < self.head.size else Mark()


def _verified(stated: list[int], data: bytes) -> None:
    """Note the size that an entry of the verifier says it has checked: its checkpoint was kept."""
    if b'"type":"log.verified"' in data:
        stated.append(int(parse(data).body["size"]))


def _check_kept(size: int, point: Checkpoint, head: Checkpoint, held: _Held) -> None:
    if point.size != size:
        raise IntegrityError(f"is a checkpoint of {point.size} entries")
    if size <= head.size:
        # A larger one may have been signed after the newest was read; a log that went back is told by V2 and V11.
        fsck.extends(point, head, held.get)


def _replaced(place: Tile | Bundle, size: int) -> bool:
    """Tell whether this is a partial one whose full tile or bundle is there by now, in a log of that size."""
    level = 0 if isinstance(place, Bundle) else place.level
    return place.width < WIDTH and (place.index + 1) * WIDTH <= size >> HEIGHT * level


def with_lock(pin: AuditPin, start: datetime, services: Services) -> AuditPin:
    """Return the pin with how long objects are locked now; what was written before that changed was checked then."""
    days = services.archive.lock.days
    if days == pin.lock_days:
        return pin
    since = int((start - datetime(1970, 1, 1, tzinfo=UTC)).total_seconds()) if pin.lock_days else 0
    return pin.model_copy(update={"lock_days": days, "lock_since": since})
