"""What the verifier checks of the log itself: V1 to V7 and V10 to V12. It finds, and changes nothing."""

from __future__ import annotations

from collections.abc import Callable, Iterable
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from functools import partial
from typing import NamedTuple

from grace.errors import GraceError, IntegrityError
from grace.flow.batches import LogKey, batch, grow, stored_entries
from grace.flow.integrate import PARTIAL_LOCK
from grace.flow.sign import read_back
from grace.ledger import fsck, note, tiles
from grace.ledger.entries import SKEW, parse
from grace.ledger.lanes import LaneHead, follow, place_of
from grace.ledger.note import Checkpoint
from grace.ledger.tree import WIDTH
from grace.log_ports import Published
from grace.model.entry import Entry
from grace.model.log import CHECKPOINT, KEPT, VKEY, AuditPin, Issue, Mark, SignedHead, TreeHead
from grace.ports import Services

UNINTEGRATED = timedelta(seconds=60)
STALE = timedelta(minutes=30)
SKEW_WORTH_KNOWING, SKEW_ALARM = 2_000, 60_000
"""By how many milliseconds a writer's clock may be behind the lane's before it is said, and before it is an alarm."""
LOOKS = 3
"""How often the log is looked at again because it moved meanwhile."""
HOLDING = frozenset({"V2", "V3", "V4", "V5", "V11"})
"""What is doubted by one of these is looked at again by the next run. How far a clock was behind is a fact of an entry that
stays as it is: it is said once and passed."""
MOST_OBJECTS = 500
"""So many objects' versions are asked for in one run; the nights ask for all."""
SLACK = timedelta(hours=1)
"""By so much a lock may end before its time: a run says until when, a little before the object is there."""


class View(NamedTuple):
    """What was read, in this order: the checkpoint, the signer's record, the tree's head, the lanes' ends.

    Each is written before the one that was read ahead of it, so none can rightly be behind what was read before.
    """

    published: Published | None
    record: SignedHead
    head: TreeHead
    ends: tuple[LaneHead, ...]
    checkpoint: Checkpoint | None = None


@dataclass(slots=True)
class Findings:
    """What is found on the way; `entries` are those that are new in the tree since the pin, `waiting` those not yet in."""

    issues: list[Issue] = field(default_factory=list)
    entries: list[Entry] = field(default_factory=list)
    waiting: list[Entry] = field(default_factory=list)
    mark: Mark | None = None
    """Where the tree was found to be sound up to, when it was."""
    note: str = ""
    """The checkpoint that was checked."""

    def add(self, check: str, where: str, what: object, *, alarm: bool = True) -> None:
        """Keep a finding."""
        self.issues.append(Issue(check=check, where=where, what=str(what)[:300], alarm=alarm))


def look(services: Services, found: Findings) -> View | None:
    """Read the log's heads in the order in which none can be behind another; None where one cannot be read.

    V11, and V4 of the lanes' ends: a row that was damaged is a finding, and the result of the run is written.
    """
    published = services.archive.newest()
    try:
        record = services.record.read()
    except IntegrityError as exc:
        found.add("V11", "SIGNER", exc)
        return None
    try:
        head = services.log.head()
    except IntegrityError as exc:
        found.add("V11", "HEAD", exc)
        return None
    for mark in (head.previous, head.current):
        if mark.cursors and len(mark.cursors) != services.log.lanes:
            found.add("V11", "HEAD", f"it states the ends of {len(mark.cursors)} lanes of {services.log.lanes}")
            return None
    try:
        ends = tuple(services.log.lane_heads())
    except IntegrityError as exc:
        found.add("V4", "lanes", exc)
        ends = ()
    return View(published, record, head, ends)


def check_log(last: AuditPin, at: datetime, services: Services) -> Findings:
    """Check everything that is new since the pin, from the published objects and from the rows."""
    found, pin = Findings(), last.mark
    for _ in range(LOOKS):
        found.issues.clear()
        view = look(services, found)
        if view is None:
            return found
        checkpoint = _signed(view, services, found)
        mark = _mark_of(checkpoint, view)
        if checkpoint is None or mark is not None:
            break
    else:
        found.add("V11", "HEAD", "the tree's head is not where the checkpoint is, nor one batch ahead of it")
        return found
    _ages(view, at, found)
    _waiting(view, at, services, found)
    if checkpoint is None or mark is None:
        return found
    before = len(found.issues)
    _heads(checkpoint, view, found)
    _tree(pin, mark, checkpoint, services, found)
    doubted = any(issue.check in HOLDING for issue in found.issues[before:])
    if not doubted and view.published is not None:
        found.mark, found.note = mark, view.published.note.decode()
    _versions(_paths(pin.size, mark.size), at, last, services, found)
    _witnessed(view.published, checkpoint, at, services, found)
    return found


def _signed(view: View, services: Services, found: Findings) -> Checkpoint | None:
    """V1: the checkpoint is this log's, signed by its key; and the key it shows is the one that KMS has."""
    key = LogKey(services)
    if view.published is None:
        if view.head.current.size or view.record.size:
            found.add("V1", CHECKPOINT, "there is none, and the log is not empty", alarm=bool(view.record.size))
        return None
    try:
        checkpoint = note.verify(view.published.note, [key], key.name)
        shown = services.archive.get(VKEY)
        if shown is None or note.parse_vkey(shown.decode()) != key.public:
            found.add("V1", VKEY, "it is not the key that signs this log")
    except (IntegrityError, UnicodeDecodeError) as exc:
        found.add("V1", CHECKPOINT, exc)
        return None
    return checkpoint


def _mark_of(checkpoint: Checkpoint | None, view: View) -> Mark | None:
    if checkpoint is None:
        return None
    head = view.head
    if checkpoint.size > head.current.size:
        return None
    return next((mark for mark in (head.current, head.previous) if mark.size == checkpoint.size), None)


def _heads(checkpoint: Checkpoint, view: View, found: Findings) -> None:
    """V11: the tree's head, the signer's record and the checkpoint say the same of the same size."""
    marks = {mark.size: mark.root for mark in (view.head.previous, view.head.current)}
    if marks.get(checkpoint.size) != checkpoint.root.hex():
        found.add("V11", "HEAD", f"it states another root of {checkpoint.size} entries than was signed")
    record = view.record
    if record.size > view.head.current.size:
        found.add("V11", "HEAD", f"{record.size} entries were signed, and it states {view.head.current.size}")
    elif marks.get(record.size, record.root) != record.root:
        found.add("V11", "HEAD", f"it states another root of {record.size} entries than the signer's record")
    if record.size < checkpoint.size:
        found.add("V11", "SIGNER", f"it has {record.size} entries where {checkpoint.size} were signed")


def _tree(pin: Mark, mark: Mark, checkpoint: Checkpoint, services: Services, found: Findings) -> None:
    """V2: the log extends what was checked last. V3: its new entries lead to its new tiles and to the signed root.

    V4: each lane goes on without a gap, and its rows are what was integrated. V5: so does each stream.
    """
    if checkpoint.size < pin.size:
        found.add("V2", CHECKPOINT, f"the log has gone back from {pin.size} entries to {checkpoint.size}")
        return
    try:
        data = stored_entries(services.archive.get, pin.size, mark.size)
        grown = grow(services.archive.get, pin, data)
        if grown.edge.root != checkpoint.root:
            found.add(
                "V2", CHECKPOINT, f"its {mark.size} entries do not extend the {pin.size} that were checked before"
            )
        for stored in grown.stored:
            if read_back(stored, services) != stored.data:
                found.add("V3", stored.place.path, "it is not what its entries lead to")
    except IntegrityError as exc:
        found.add("V3", "tile", exc)
        return
    _lanes(pin, mark, data, services, found)


def _lanes(pin: Mark, mark: Mark, data: list[bytes], services: Services, found: Findings) -> None:
    lanes = [pin.lane(lane) for lane in range(services.log.lanes)]
    mine: list[list[bytes]] = [[] for _ in lanes]
    streams: dict[str, int] = {}
    for number, each in enumerate(data, pin.size):
        try:
            place = place_of(each)
            lanes[place.lane], faults = follow(each, place, lanes[place.lane], streams, whole=False)
            mine[place.lane].append(each)
            found.entries.append(parse(each))
        except (IntegrityError, IndexError) as exc:
            found.add("V4", f"entry {number}", exc)
            continue
        for fault in faults:
            found.add("V5" if "is number" in fault else "V4", f"entry {number}", fault)
    for lane, reached in enumerate(lanes):
        if reached != mark.lane(lane):
            found.add(
                "V4", f"lane {lane}", f"the tree's head states entry {mark.lane(lane).n}, the tree has {reached.n}"
            )
        first = pin.lane(lane).n + 1
        try:
            rows = services.log.entries(lane, first, first + len(mine[lane]) - 1) if mine[lane] else []
        except IntegrityError as exc:
            found.add("V4", f"lane {lane}", exc)
            continue
        for seq, (row, integrated) in enumerate(zip(rows, mine[lane], strict=True), first):
            if row != integrated:
                found.add("V4", f"lane {lane}, entry {seq}", "its row is not what was integrated")
    _skews(found.entries, found)


def _skews(entries: Iterable[Entry], found: Findings) -> None:
    """V6: how far writers' clocks were behind; the order is the lane's in any case."""
    for entry in entries:
        skew, where = entry.body.get(SKEW, 0), f"lane {entry.lane}, entry {entry.lseq}"
        if not isinstance(skew, int):
            found.add("V4", where, "does not say in milliseconds how far its writer's clock was behind")
        elif skew > SKEW_WORTH_KNOWING:
            found.add("V6", where, f"its writer's clock was {skew} ms behind", alarm=skew > SKEW_ALARM)


def _ages(view: View, at: datetime, found: Findings) -> None:
    """V7: the checkpoint is not old: the verifier's own entry brings a new one every time."""
    if view.published is not None and at - view.published.at > STALE:
        minutes = int((at - view.published.at).total_seconds() // 60)
        found.add("V7", CHECKPOINT, f"the newest one is {minutes} minutes old")
    if view.head.halted:
        found.add("V11", "HEAD", f"the log is halted: {view.head.halted}")


def _waiting(view: View, at: datetime, services: Services, found: Findings) -> None:
    """V4 and V7 of what is not in the tree yet: it follows from what is, and does not wait long."""
    try:
        waiting = batch(services.log, view.head.current, view.ends).entries
        found.waiting = [parse(data) for data in waiting]
    except IntegrityError as exc:
        found.add("V4", "rows", exc)
        return
    _skews(found.waiting, found)
    if not found.waiting:
        return
    oldest = min(entry.ts for entry in found.waiting) / 1000
    age = at.timestamp() - oldest
    if age > UNINTEGRATED.total_seconds():
        found.add("V7", "rows", f"an entry has waited {int(age)} seconds to be taken into the tree")


def _paths(old: int, new: int) -> list[str]:
    paths = [place.path for place in tiles.places_between(old, new)]
    return [*paths, *([f"{KEPT}{new}"] if new else [])]


def _versions(paths: Iterable[str], at: datetime, pin: AuditPin, services: Services, found: Findings) -> None:
    """V10: nothing hides a full tile, a bundle or a checkpoint, none has a second version, and each is locked.

    A partial tile or bundle may be gone, or hidden, once the full one is there; what is old may be locked no longer.
    """
    for path in list(paths)[:MOST_OBJECTS]:
        place = tiles.parse_path(path)
        if place is not None and place.width < WIDTH and services.archive.get(place.full.path) is not None:
            continue
        versions = services.archive.versions(path)
        written = [each for each in versions if not each.deleted]
        if not versions or versions[0].deleted:
            found.add("V10", path, "it is hidden or gone")
            continue
        newest = versions[0]
        if len(written) > 1:
            found.add("V10", path, f"it has {len(written)} versions; the log writes one")
        elif fault := lock_fault(newest.at, lock_of(place, services), at, pin, partial(_known, newest.until)):
            found.add("V10", path, fault)


def _known(until: datetime | None) -> datetime | None:
    return until


def lock_of(place: tiles.Tile | tiles.Bundle | None, services: Services) -> timedelta:
    """Return how long an object is locked: a partial one of the lowest row for some days, all others as deployed."""
    soon = place is not None and place.width < WIDTH and (isinstance(place, tiles.Bundle) or place.level == 0)
    return min(PARTIAL_LOCK, services.archive.lock) if soon else services.archive.lock


def lock_fault(
    written: datetime | None, lock: timedelta, at: datetime, pin: AuditPin, until: Callable[[], datetime | None]
) -> str:
    """Return what is wrong with an object's lock, or nothing: it lasts so long from when the object was written.

    Not asked for where it may have ended, nor of what was written before the deployment's own lock was changed.
    """
    if written is None or written + lock - SLACK <= at or written.timestamp() < pin.lock_since:
        return ""
    ends = until()
    if ends is None:
        return "it is not locked"
    return f"its lock ends on {ends:%Y-%m-%d}, too early" if written + lock - ends > SLACK else ""


def _witnessed(
    published: Published | None, checkpoint: Checkpoint, at: datetime, services: Services, found: Findings
) -> None:
    """V12: what the witness keeps of this size is what was published, and the log extends the newest that he keeps.

    A copy that is not there, or cannot be looked at, is an alarm once there was time to make it: who holds the account
    would keep the witness from knowing first of all. It keeps nothing else from being checked.
    """
    if services.witness is None or published is None:
        return
    where, late = f"{KEPT}{checkpoint.size}", at - published.at > UNINTEGRATED
    try:
        kept, newest = services.witness.kept(checkpoint.size), services.witness.newest()
    except GraceError as exc:
        found.add("V12", where, f"the witness cannot be asked: {exc}", alarm=late)
        return
    if kept is None:
        found.add("V12", where, "the witness has no copy", alarm=late)
    elif kept != services.archive.get(where):
        found.add("V12", where, "the witness keeps another checkpoint of that size")
    if newest is None:
        return
    key = LogKey(services)
    try:
        known = note.verify(newest, [key], key.name)
        if known.size > checkpoint.size:
            # It may have grown since it was read; a log that was set back has not.
            again = services.archive.newest()
            checkpoint = note.verify(again.note, [key], key.name) if again else checkpoint
        fsck.extends(known, checkpoint, services.archive.get)
    except IntegrityError as exc:
        found.add("V12", CHECKPOINT, f"the log does not extend the newest copy that the witness keeps: {exc}")
