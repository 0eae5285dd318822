"""How the tree and its entries lie in files: paths, tiles and entry bundles of C2SP tlog-tiles. Pure.

`tile/<level>/<index>[.p/<width>]` holds a tile's hashes, `tile/entries/<index>[.p/<width>]` the entries below a tile of
level 0, each preceded by its length as a big-endian uint16. The part `.p/<width>` marks one that is not full.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from typing import NamedTuple, TypeVar

from grace.errors import IntegrityError
from grace.ledger.tree import HASH, HEIGHT, WIDTH, Edge, fold, leaves, widths

T = TypeVar("T")

LONGEST = 0xFFFF
"""Bytes of the longest entry a bundle has room for."""
LEVELS = 64

Fetch = Callable[[str], bytes | None]
"""Gives the bytes stored at a path of the log, or None when there is nothing."""

_GROUPS = r"(?:x[0-9]{3}/)*[0-9]{3}"
_PATH = re.compile(rf"tile/(entries|0|[1-9][0-9]?)/({_GROUPS})(?:\.p/([1-9][0-9]{{0,2}}))?", re.ASCII)


@dataclass(frozen=True, slots=True)
class Tile:
    """One tile's place: `width` hashes of `level`, after `index` full ones."""

    level: int
    index: int
    width: int = WIDTH

    @property
    def path(self) -> str:
        """Where it lies."""
        return f"tile/{self.level}/{_number(self.index)}{_partial(self.width)}"

    @property
    def full(self) -> Tile:
        """The full tile of the same place, which contains this one."""
        return Tile(self.level, self.index)


@dataclass(frozen=True, slots=True)
class Bundle:
    """One entry bundle's place: `width` entries, from entry `index` times 256 on."""

    index: int
    width: int = WIDTH

    @property
    def path(self) -> str:
        """Where it lies."""
        return f"tile/entries/{_number(self.index)}{_partial(self.width)}"

    @property
    def full(self) -> Bundle:
        """The full bundle of the same place, which begins with this one."""
        return Bundle(self.index)


class Stored(NamedTuple):
    """One object of the log: where it lies and its bytes."""

    place: Tile | Bundle
    data: bytes


def parse_path(path: str) -> Tile | Bundle | None:
    """Return the place a path names, or None when it is no path of a tile or bundle: there is one path for each."""
    match = _PATH.fullmatch(path)
    if match is None:
        return None
    kind, groups, width = match.groups(default="")
    index, wide = int(groups.replace("x", "").replace("/", "")), int(width or WIDTH)
    place = Bundle(index, wide) if kind == "entries" else Tile(int(kind), index, wide)
    beyond = isinstance(place, Tile) and place.level >= LEVELS
    return None if beyond or place.path != path else place


def tiles_at(size: int) -> list[Tile]:
    """Return the places of the tree's right edge: each level's last tile where it is not full."""
    return [Tile(level, size >> HEIGHT * (level + 1), width) for level, width in enumerate(widths(size)) if width]


def places_between(old: int, new: int) -> Iterator[Tile | Bundle]:
    """Yield the places that growing from `old` to `new` entries writes: bundles first, then the tiles level by level.

    From 0 they are all that a log of `new` entries consists of, without the partial ones of its earlier sizes.
    """
    yield from (Bundle(index, width) for index, width in _spans(old, new))
    level = 0
    while new >> HEIGHT * level:
        yield from (Tile(level, index, width) for index, width in _spans(old >> HEIGHT * level, new >> HEIGHT * level))
        level += 1


def pack(entries: Sequence[bytes]) -> bytes:
    """Return the bundle of these entries.

    Raises:
        ValueError: more entries than a bundle has, or one longer than 65,535 bytes.
    """
    if len(entries) > WIDTH or any(len(entry) > LONGEST for entry in entries):
        raise ValueError(f"a bundle has at most {WIDTH} entries of at most {LONGEST} bytes")
    return b"".join(len(entry).to_bytes(2, "big") + entry for entry in entries)


def unpack(data: bytes, width: int) -> list[bytes]:
    """Return the `width` entries of a bundle.

    Raises:
        IntegrityError: it holds another number of entries, or ends within one.
    """
    entries, at = [], 0
    while at < len(data):
        begin = at + 2
        at = begin + int.from_bytes(data[at:begin], "big")
        entries.append(data[begin:at])
        if at > len(data) or begin > len(data):
            raise IntegrityError(f"an entry bundle ends within entry {len(entries) - 1}")
    if len(entries) != width:
        raise IntegrityError(f"an entry bundle holds {len(entries)} entries where it should hold {width}")
    return entries


def hashes_of(data: bytes, width: int) -> tuple[bytes, ...]:
    """Return the `width` hashes of a tile.

    Raises:
        IntegrityError: it holds another number of bytes.
    """
    if len(data) != width * HASH:
        raise IntegrityError(f"a tile has {len(data)} bytes where {width} hashes have {width * HASH}")
    return tuple(data[at : at + HASH] for at in range(0, len(data), HASH))


def read_tile(fetch: Fetch, tile: Tile) -> tuple[bytes, ...]:
    """Return a tile's hashes: from its own path, or from the full tile that has replaced it.

    Raises:
        IntegrityError: naming the path that is missing or has the wrong length.
    """
    data, held = _read(fetch, tile, tile.full)
    return _named(tile.path, lambda: hashes_of(data, held.width))[: tile.width]


def read_bundle(fetch: Fetch, bundle: Bundle) -> list[bytes]:
    """Return a bundle's entries: from its own path, or from the full bundle that has replaced it.

    Raises:
        IntegrityError: naming the path that is missing or is not such a bundle.
    """
    data, held = _read(fetch, bundle, bundle.full)
    return _named(bundle.path, lambda: unpack(data, held.width))[: bundle.width]


def read_edge(fetch: Fetch, size: int, root: bytes) -> Edge:
    """Return the right edge of the tree of `size` entries, proved to lead to `root`.

    Raises:
        IntegrityError: a tile of the edge is missing, or together they lead to another root.
    """
    found = {tile.level: read_tile(fetch, tile) for tile in tiles_at(size)}
    edge = Edge(size, tuple(found.get(level, ()) for level in range(len(widths(size)))))
    if edge.root != root:
        raise IntegrityError(f"the tiles at the right edge do not lead to the root of {size} entries")
    return edge


class TileHashes:
    """The complete subtrees of the tree of `size` entries, read from its tiles as far as they are asked for."""

    def __init__(self, fetch: Fetch, size: int) -> None:
        """Nothing is read before it is asked for, and no tile twice."""
        self._fetch = fetch
        self._size = size
        self._tiles: dict[Tile, tuple[bytes, ...]] = {}

    def __call__(self, height: int, index: int) -> bytes:
        """Return the root of the complete subtree of 2^height leaves that is number `index` of its height.

        Raises:
            IntegrityError: a tile is missing or has the wrong length.
        """
        level, rows = divmod(height, HEIGHT)
        first, count = index << rows, 1 << rows
        number, start = divmod(first, WIDTH)
        tile = Tile(level, number, min(WIDTH, (self._size >> HEIGHT * level) - number * WIDTH))
        if tile not in self._tiles:
            self._tiles[tile] = read_tile(self._fetch, tile)
        return fold(self._tiles[tile][start : start + count])


class Growth(NamedTuple):
    """What appending a batch comes to: the new edge, and all objects to store, bundles first."""

    edge: Edge
    stored: tuple[Stored, ...]


def growth(edge: Edge, tail: Sequence[bytes], added: Sequence[bytes]) -> Growth:
    """Return the tree after `added`, and every tile and bundle that is new, filled or fuller than it was.

    `tail` are the entries of the bundle that is not full yet: `edge.size % 256` of them.

    Raises:
        IntegrityError: `tail` are not those entries.
        ValueError: an entry is longer than 65,535 bytes.
    """
    if tuple(leaves(tail)) != (edge.levels[0] if edge.levels else ()):
        raise IntegrityError(f"the entries of the last bundle are not those of the tree of {edge.size} entries")
    after, rows = edge.grow(leaves(added))
    entries, offset = [*tail, *added], edge.size - len(tail)
    stored = [
        Stored(Bundle(index, width), pack(entries[index * WIDTH - offset :][:width]))
        for index, width in _spans(edge.size, after.size)
    ]
    stored += [Stored(Tile(row.level, row.index, len(row.hashes)), b"".join(row.hashes)) for row in rows]
    return Growth(after, tuple(stored))


def _spans(old: int, new: int) -> Iterator[tuple[int, int]]:
    """Yield index and width of each run of 256 that growing from `old` to `new` things fills or makes fuller."""
    if old < new:
        for index in range(old // WIDTH, (new - 1) // WIDTH + 1):
            yield index, min(WIDTH, new - index * WIDTH)


def _number(index: int) -> str:
    """Return the index in groups of three digits, all but the last preceded by an x: 1234067 is x001/x234/067."""
    digits = str(index)
    digits = digits.zfill(-(-len(digits) // 3) * 3)
    groups = [digits[at : at + 3] for at in range(0, len(digits), 3)]
    return "/".join([*(f"x{group}" for group in groups[:-1]), groups[-1]])


def _partial(width: int) -> str:
    return "" if width == WIDTH else f".p/{width}"


def _read(fetch: Fetch, place: Tile | Bundle, full: Tile | Bundle) -> tuple[bytes, Tile | Bundle]:
    data = fetch(place.path)
    if data is not None:
        return data, place
    data = fetch(full.path) if full != place else None
    if data is None:
        raise IntegrityError(f"{place.path} is missing")
    return data, full


def _named(path: str, read: Callable[[], T]) -> T:
    try:
        return read()
    except IntegrityError as exc:
        raise IntegrityError(f"{path}: {exc}") from exc
