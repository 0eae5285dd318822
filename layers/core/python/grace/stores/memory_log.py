"""The log's table, objects and records in memory, under the same conditions. For tests and benchmarks. Pure."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from datetime import datetime, timedelta
from threading import Lock

from grace.errors import Conflict, IntegrityError, Mismatch
from grace.log_ports import ObjectVersion, Published
from grace.model.base import sha256_hex
from grace.model.lane import LaneHead
from grace.model.log import CHECKPOINT, SignedHead, TreeHead
from grace.stores.memory import MemoryStore


class MemoryLog:
    """`ports.LogTable` over the rows of a `MemoryStore`."""

    def __init__(self, store: MemoryStore) -> None:
        """Begin with an empty tree."""
        self.store = store
        self.stored = TreeHead()
        self.told = ""
        self._lock = Lock()

    @property
    def lanes(self) -> int:
        """The number of lanes."""
        return self.store.lanes

    def head(self) -> TreeHead:
        """Return the tree's head."""
        return self.stored

    def move(self, head: TreeHead) -> TreeHead:
        """Write the head as its next version; raises `Conflict` when somebody else was first."""
        with self._lock:
            if self.stored.v != head.v:
                raise Conflict(f"the tree's head is not at version {head.v}: somebody else was first")
            self.stored = head.model_copy(update={"v": head.v + 1})
            return self.stored

    def lane_heads(self) -> list[LaneHead]:
        """Return where each lane ends, in order."""
        return [self.store.lane_head(lane) for lane in range(self.lanes)]

    def entries(self, lane: int, first: int, last: int) -> list[bytes | None]:
        """Return the stored bytes of a lane's entries; None for one that is not there."""
        return [self.store.entry(lane, seq) for seq in range(first, last + 1)]

    def noted(self) -> str:
        """Return what people were last told of."""
        return self.told

    def note(self, why: str) -> None:
        """Keep what people were told of."""
        self.told = why


class MemorySignerRecord:
    """`ports.SignerRecord` in memory."""

    def __init__(self) -> None:
        """Begin with nothing signed."""
        self.stored = SignedHead()

    def read(self) -> SignedHead:
        """Return what was last signed."""
        return self.stored

    def write(self, record: SignedHead) -> None:
        """Write it as its next version; raises `Conflict` when another is there."""
        if self.stored.v != record.v:
            raise Conflict(f"the signer's record is not at version {record.v}: somebody else was first")
        self.stored = record.model_copy(update={"v": record.v + 1})


class MemoryArchive:
    """`ports.Archive` in memory. `objects` holds what is there; `history` every version, and what hides it.

    `now` gives the time, `lock` how long full objects are locked.
    """

    def __init__(self, now: Callable[[], datetime], lock: timedelta = timedelta(days=365)) -> None:
        """Begin empty."""
        self._now = now
        self._for = lock
        self.page = 1000
        self._lock = Lock()
        self.objects: dict[str, bytes] = {}
        self.history: dict[str, list[ObjectVersion]] = {}
        self.since: datetime | None = None
        """When the newest checkpoint was written."""

    def get(self, path: str) -> bytes | None:
        """Return an object's bytes, or None when there is none."""
        return self.objects.get(path)

    def put(self, path: str, body: bytes, until: datetime | None = None) -> None:
        """Write if absent; the same bytes again are success, other bytes an `IntegrityError`."""
        with self._lock:
            if path not in self.objects:
                self._write(path, body, until)
            elif self.objects[path] != body:
                raise IntegrityError(f"{path} is kept already with other bytes")

    def newest(self) -> Published | None:
        """Return the newest checkpoint."""
        note = self.objects.get(CHECKPOINT)
        return None if note is None or self.since is None else Published(note, sha256_hex(note), self.since)

    def publish(self, note: bytes, mark: str | None) -> None:
        """Replace the checkpoint that carries `mark`; raises `Mismatch` when it is another by now."""
        with self._lock:
            found = self.newest()
            if (found and found.mark) != mark:
                raise Mismatch("the checkpoint is another by now")
            self._write(CHECKPOINT, note, None)
            self.since = self._now()

    def paths(self) -> Iterator[str]:
        """Yield the path of every object."""
        yield from list(self.objects)

    def versions(self, path: str) -> list[ObjectVersion]:
        """Return every version of one object, the newest first."""
        return list(self.history.get(path, []))

    @property
    def lock(self) -> timedelta:
        """How long full objects are locked."""
        return self._for

    def listed(self, after: str) -> list[list[ObjectVersion]]:
        """Return every version of the next objects beyond that path."""
        paths = sorted(path for path in self.history if path > after and path != CHECKPOINT)
        return [list(self.history[path]) for path in paths[: self.page]]

    def locked(self, path: str, version: str) -> datetime | None:
        """Return until when that version is locked, or None."""
        return next((one.until for one in self.history[path] if one.version == version), None)

    def hide(self, path: str) -> None:
        """Put a mark of deletion over an object, as whoever may write to the bucket can."""
        del self.objects[path]
        self._remember(path, deleted=True, until=None)

    def overwrite(self, path: str, body: bytes) -> None:
        """Put another version over an object, as whoever may write to the bucket can."""
        self._write(path, body, None)

    def _write(self, path: str, body: bytes, until: datetime | None) -> None:
        self.objects[path] = body
        self._remember(path, deleted=False, until=until or self._now() + self._for)

    def _remember(self, path: str, *, deleted: bool, until: datetime | None) -> None:
        older = [ObjectVersion(path, one.version, deleted=one.deleted, at=one.at) for one in self.history.get(path, [])]
        self.history[path] = [
            ObjectVersion(path, f"v{len(older) + 1}", deleted=deleted, until=until, at=self._now()),
            *older,
        ]


class MemoryWitness:
    """`ports.Witness` in memory."""

    def __init__(self) -> None:
        """Begin empty."""
        self.notes: dict[int, bytes] = {}

    def keep(self, size: int, note: bytes) -> None:
        """Keep the checkpoint; raises `IntegrityError` when another one of that size is kept."""
        if self.notes.setdefault(size, note) != note:
            raise IntegrityError(f"another checkpoint of {size} entries is kept already")

    def kept(self, size: int) -> bytes | None:
        """Return the checkpoint of that size as it was kept, or None."""
        return self.notes.get(size)

    def newest(self) -> bytes | None:
        """Return the largest checkpoint that was kept, or None."""
        return self.notes[max(self.notes)] if self.notes else None
