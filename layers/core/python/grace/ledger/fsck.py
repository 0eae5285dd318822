"""The whole log checked from nothing but its own objects and the published key. Pure: reading them is the caller's.

Every entry is hashed again, every tile is derived again and compared, every checkpoint that was kept must be what the
log was at its size, every lane must follow from its beginning. What is wrong is named to the entry or the byte.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass, field
from typing import NamedTuple

from grace.errors import IntegrityError
from grace.ledger import note, tiles, tree
from grace.ledger.lanes import LaneHead, follow, place_of
from grace.ledger.note import Checkpoint, Verifier
from grace.ledger.tiles import Bundle, Fetch, Tile, read_bundle, read_tile
from grace.ledger.tree import HASH, HEIGHT, WIDTH, Edge
from grace.model.log import CHECKPOINT, KEPT, VKEY

__all__ = ["CHECKPOINT", "KEPT", "VKEY", "Finding", "Progress", "Report", "check", "extends", "kept_size", "newest"]

MOST = 50
"""After so many findings the rest is not listed."""
NEAR = 64
"""So many objects are held while they are looked at again."""

Progress = Callable[[int, int], None]
"""Is told how many entries were looked at, of how many."""


class Finding(NamedTuple):
    """One thing that is wrong: `where` is a path of the log, an entry's number, or a lane's."""

    where: str
    what: str

    def __str__(self) -> str:
        """One sentence."""
        return self.what if self.what.startswith(self.where) else f"{self.where}: {self.what}"


class Report(NamedTuple):
    """What was looked at, and what was found; sound when nothing was."""

    checkpoint: Checkpoint
    first: int
    """The entry it began at: 0 for the whole log."""
    objects: int
    """Objects that were read."""
    kept: int
    """Checkpoints, besides the newest, that the log was compared with."""
    lanes: int
    """Lanes that were followed."""
    findings: tuple[Finding, ...]

    @property
    def sound(self) -> bool:
        """Whether all is well."""
        return not self.findings


@dataclass(slots=True)
class _Difference:
    """A tile that is stored otherwise than its entries lead to; `at` is the first byte of its first wrong hash."""

    tile: Tile
    at: int


@dataclass(slots=True)
class _Reading:
    """The objects as they are read, and what is found meanwhile."""

    source: Fetch
    held: dict[str, bytes | None] = field(default_factory=dict)
    objects: int = 0
    findings: list[Finding] = field(default_factory=list)

    def fetch(self, path: str) -> bytes | None:
        if path not in self.held:
            if len(self.held) >= NEAR:
                self.held.pop(next(iter(self.held)))
            self.held[path] = self.source(path)
            self.objects += self.held[path] is not None
        return self.held[path]

    def find(self, where: str, what: object) -> None:
        if len(self.findings) < MOST:
            self.findings.append(Finding(where, str(what)))


def newest(fetch: Fetch, key: Verifier) -> tuple[Checkpoint, bytes]:
    """Return the log's newest checkpoint and its note, checked against the log's key.

    Raises:
        IntegrityError: there is none, or the log's key did not sign it.
    """
    signed = fetch(CHECKPOINT)
    if signed is None:
        raise IntegrityError("the log has no checkpoint")
    return note.verify(signed, [key], key.name), signed


def kept_size(path: str) -> int | None:
    """Return the size whose checkpoint is kept at this path, or None when it is no such path."""
    size = path.removeprefix(KEPT)
    return int(size) if path.startswith(KEPT) and size.isdecimal() and str(int(size)) == size else None


def extends(old: Checkpoint, new: Checkpoint, fetch: Fetch) -> None:
    """Check, from the tiles of the new log, that it begins with the old one.

    Raises:
        IntegrityError: it went back, forked, or its tiles do not prove otherwise.
    """
    if old.size > new.size:
        raise IntegrityError(f"the log has gone back: it had {old.size} entries, and now states {new.size}")
    steps = tree.consistency_proof(old.size, new.size, tiles.TileHashes(fetch, new.size))
    tree.check_consistency(old.size, new.size, old.root, new.root, steps)


def check(
    source: Fetch,
    listing: Iterable[str],
    key: Verifier,
    *,
    pin: Checkpoint | None = None,
    whole: bool = True,
    progress: Progress | None = None,
) -> Report:
    """Check the log; `listing` names its objects, `pin` is the last checkpoint seen, which the log must extend.

    Of a log that grows, the listing is to be older than the checkpoint that `source` gives: whatever was signed by then
    is covered by it. Taken the other way round, a log that has grown looks like one that has gone back.

    Not `whole`, it begins at the pin: what was there before is then known by the pin's root alone.

    Raises:
        IntegrityError: the newest checkpoint is not there or not signed by the log, so there is nothing to check.
    """
    reading, objects = _Reading(source), list(listing)
    head, _ = newest(reading.fetch, key)
    known = pin.size if pin is not None and not whole else -1
    kept, partial = _kept(reading, objects, head, key, known), _partial(objects, head.size)
    if pin is not None:
        try:
            extends(pin, head, reading.fetch)
        except IntegrityError as exc:
            reading.find(CHECKPOINT, exc)
    start = Edge()
    if pin is not None and not whole and not reading.findings:
        start = tiles.read_edge(reading.fetch, pin.size, pin.root)
    looked = _Walk(reading, head, start, kept, partial).walk(progress)
    return Report(head, start.size, reading.objects, looked.compared, len(looked.lanes), tuple(reading.findings))


def stretch(
    source: Fetch, head: Checkpoint, start: tuple[int, str], high: int, look: Callable[[bytes], None]
) -> tuple[str, tuple[Finding, ...]]:
    """Check a part of the log: from the tree `start` (size and root), found sound before, up to `high` entries of `head`.

    Both are multiples of 256, or `high` is all. Every entry is shown to `look`. Return the root at `high`, and findings.

    Raises:
        IntegrityError: the trees at both ends are not those that the head leads to.
    """
    reading = _Reading(source)
    hashes = tiles.TileHashes(reading.fetch, head.size)
    begin = _edge(start[0], hashes)
    if begin.root.hex() != start[1]:
        raise IntegrityError(f"its first {start[0]} entries are not those that were checked before")
    stop = head if high == head.size else Checkpoint(head.origin, high, _edge(high, hashes).root)
    extends(stop, head, reading.fetch)
    _Walk(reading, stop, begin, {}, {}, look=look, signed=high == head.size).walk(None)
    return stop.root.hex(), tuple(reading.findings)


def _edge(size: int, hashes: tree.Subtree) -> Edge:
    """Return the right edge of the tree of `size` entries, a multiple of 256, out of a larger one."""
    return Edge(
        size,
        tuple(
            tuple(hashes(HEIGHT * level, (size >> HEIGHT * (level + 1)) * WIDTH + at) for at in range(width))
            for level, width in enumerate(tree.widths(size))
        ),
    )


class _Walk:
    """Goes through the entries once, in order, and derives everything again."""

    def __init__(
        self,
        reading: _Reading,
        head: Checkpoint,
        start: Edge,
        kept: dict[int, Checkpoint],
        partial: dict[int, set[Tile]],
        *,
        look: Callable[[bytes], None] | None = None,
        signed: bool = True,
    ) -> None:
        self._reading = reading
        self._look = look
        self._signed = signed
        self._head = head
        self._edge = start
        self._first = start.size
        self._whole = not start.size
        self._kept = {size: point for size, point in kept.items() if size > start.size or size == 0}
        self._partial = partial
        self._roots: dict[int, bytes] = {start.size: start.root}
        self._looked_at: set[Tile] = set()
        self._differences: list[_Difference] = []
        self._read_from: list[tuple[int, Bundle]] = []
        self._streams: dict[str, int] = {}
        self.lanes: dict[int, LaneHead] = {}
        self.compared = 0

    def walk(self, progress: Progress | None) -> _Walk:
        """Look at every bundle from the start to the newest checkpoint's size, and at each size that was signed."""
        size = self._head.size
        stops = {*self._kept, *self._partial, *range(self._first - self._first % WIDTH, size, WIDTH), size}
        for stop in sorted(stop for stop in stops if self._first < stop <= size):
            self._edge, rows = self._edge.grow(self._leaves(self._edge.size, stop))
            for row in rows:
                if len(row.hashes) == WIDTH:
                    self._compare(Tile(row.level, row.index), row.hashes)
            signed = stop in self._kept or (stop == size and self._signed)
            for tile in tiles.tiles_at(stop):
                if (signed or tile in self._partial.get(stop, ())) and tile not in self._looked_at:
                    self._looked_at.add(tile)
                    self._compare(tile, self._edge.levels[tile.level])
            self._roots[stop] = self._edge.root
            if progress is not None:
                progress(stop - self._first, size - self._first)
        self._judge()
        return self

    def _leaves(self, low: int, high: int) -> list[bytes]:
        """Return the hashes of the entries from `low` up to `high`, which lie in one bundle."""
        first = low - low % WIDTH
        bundle = Bundle(first // WIDTH, high - first)
        self._read_from.append((low, bundle))
        try:
            found = read_bundle(self._reading.fetch, bundle)
        except IntegrityError as exc:
            self._reading.find(bundle.path, exc)
            self.lanes.clear()  # where they go on after the gap is not known
            self._streams.clear()
            self._whole = False
            return self._signed_leaves(bundle)[low - first :]
        for number, data in enumerate(found[low - first :], low):
            self._follow(number, data)
        hashes = tree.leaves(found)
        known = self._edge.levels[0] if self._edge.levels else ()
        for number, (one, other) in enumerate(zip(hashes, known, strict=False), first):
            if one != other:
                where = _bytes(found, number - first)
                self._reading.find(bundle.path, f"its entry {number} ({where}) is not the one the log had before")
        return hashes[low - first :]

    def _signed_leaves(self, bundle: Bundle) -> list[bytes]:
        """Return the hashes that the tile above a lost bundle has, so that the rest can still be judged."""
        try:
            return list(read_tile(self._reading.fetch, Tile(0, bundle.index, bundle.width)))
        except IntegrityError:
            return [tree.EMPTY] * bundle.width

    def _follow(self, number: int, data: bytes) -> None:
        """Check that the entry takes the next place in its lane."""
        if self._look is not None:
            self._look(data)
        try:
            place = place_of(data)
        except IntegrityError as exc:
            self._reading.find(f"entry {number}", exc)
            return
        lane, known = place.lane, self.lanes.get(place.lane)
        if known is None:
            known = LaneHead(lane) if self._whole else LaneHead(lane, place.lseq - 1, place.prev, place.ts)
        self.lanes[lane], faults = follow(data, place, known, self._streams, whole=self._whole)
        for fault in faults:
            self._reading.find(f"entry {number}", f"lane {lane}: {fault}")

    def _compare(self, tile: Tile, derived: Sequence[bytes]) -> None:
        try:
            stored = read_tile(self._reading.fetch, tile)
        except IntegrityError as exc:
            self._reading.find(tile.path, exc)
            return
        for number, (one, other) in enumerate(zip(stored, derived, strict=True)):
            if one != other:
                byte = next(at for at in range(HASH) if one[at] != other[at])
                self._differences.append(_Difference(tile, number * HASH + byte))

    def _judge(self) -> None:
        """Say which side of each difference is wrong: the signed root decides."""
        if self._roots[max(self._roots)] == self._head.root:
            for wrong in self._differences:
                self._reading.find(wrong.tile.path, f"byte {wrong.at} is not what its entries lead to")
            self._compare_kept()
            return
        rightful = self._rightful_tiles()
        before = len(self._reading.findings)
        for wrong in self._differences:
            if wrong.tile not in rightful:
                self._reading.find(wrong.tile.path, f"byte {wrong.at} is neither what was signed nor what was logged")
            elif wrong.tile.level == 0:
                number = wrong.tile.index * WIDTH + wrong.at // HASH
                bundle = [bundle for low, bundle in self._read_from if low <= number][-1]
                where = _bytes(read_bundle(self._reading.fetch, bundle), number - bundle.index * WIDTH)
                self._reading.find(f"entry {number}", f"is not the one that was signed ({bundle.path}, {where})")
        if len(self._reading.findings) == before:
            self._reading.find(
                CHECKPOINT, f"the {self._head.size} entries of the log do not lead to the root that was signed"
            )

    def _compare_kept(self) -> None:
        for size, point in sorted(self._kept.items()):
            self.compared += 1
            if size in self._roots and self._roots[size] != point.root:
                self._reading.find(
                    f"{KEPT}{size}", "signs another log than this one was at that size: two histories were signed"
                )

    def _rightful_tiles(self) -> set[Tile]:
        """Return the stored tiles that the signed root vouches for, from the top down."""
        size, fetch = self._head.size, self._reading.fetch
        try:
            edge = tiles.read_edge(fetch, size, self._head.root)
        except IntegrityError:
            return set()
        right = set(tiles.tiles_at(size))
        above: list[bytes] = []
        for level in range(len(edge.levels) - 1, -1, -1):
            hashes: list[bytes] = []
            for index, wanted in enumerate(above):
                tile = Tile(level, index)
                stored = self._stored(tile)
                vouched = bool(stored) and tree.fold(stored) == wanted
                right |= {tile} if vouched else set()
                hashes += stored if vouched else [b""] * WIDTH
            above = [*hashes, *edge.levels[level]]
        return right

    def _stored(self, tile: Tile) -> list[bytes]:
        try:
            return list(read_tile(self._reading.fetch, tile))
        except IntegrityError:
            return []


def _bytes(bundle: Sequence[bytes], at: int) -> str:
    """Return where in its bundle an entry lies: each has two bytes before it that say how long it is."""
    first = sum(2 + len(each) for each in bundle[:at]) + 2
    return f"bytes {first} to {first + len(bundle[at]) - 1}"


def _kept(
    reading: _Reading, listing: Iterable[str], head: Checkpoint, key: Verifier, known: int
) -> dict[int, Checkpoint]:
    """Return the checkpoints kept beyond `known`, by size, and find fault with every object that has no place in a log."""
    found: dict[int, Checkpoint] = {}
    for path in listing:
        if path in {CHECKPOINT, VKEY} or tiles.parse_path(path):
            continue
        size = kept_size(path)
        if size is None:
            reading.find(path, "is no object of a log")
            continue
        if size <= known:
            continue
        try:
            point = note.verify(reading.fetch(path) or b"", [key], key.name)
        except IntegrityError as exc:
            reading.find(path, exc)
            continue
        if point.size != size:
            reading.find(path, f"is a checkpoint of {point.size} entries")
        elif point.size > head.size:
            reading.find(
                CHECKPOINT,
                f"the log has gone back: {path} was signed, and now it states {head.size} entries "
                "(a copy for which `checkpoint` was taken first looks the same)",
            )
        else:
            found[point.size] = point
    stated = reading.fetch(f"{KEPT}{head.size}")
    if stated is None:
        reading.find(f"{KEPT}{head.size}", "is missing: every checkpoint that was published is kept")
    elif head.size in found and found[head.size] != head:
        reading.find(f"{KEPT}{head.size}", "signs another root than the newest checkpoint: two histories were signed")
    return found


def _partial(listing: Iterable[str], size: int) -> dict[int, set[Tile]]:
    """Return the partial tiles that are stored, by the size of the tree that ends with them; bundles as a size alone."""
    found: dict[int, set[Tile]] = {}
    for place in map(tiles.parse_path, listing):
        if place is None or place.width == WIDTH:
            continue
        level = place.level if isinstance(place, Tile) else 0
        ends = place.index * WIDTH + place.width << HEIGHT * level
        if ends <= size:
            found.setdefault(ends, set()).update([place] if isinstance(place, Tile) else [])
    return found
