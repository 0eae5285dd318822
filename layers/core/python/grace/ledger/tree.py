"""The Merkle tree of RFC 6962 (section 2.1): hashes, the right edge from which it grows, and its two proofs. Pure.

A hash is 32 bytes. The tree is kept in rows of tiles, `WIDTH` hashes wide: level 0 holds the leaves' hashes, and each
level above holds the roots of the full tiles below it (C2SP tlog-tiles).
"""

from __future__ import annotations

import hashlib
from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass

from grace.errors import IntegrityError

HASH = 32
"""Bytes of a hash."""
HEIGHT = 8
WIDTH = 1 << HEIGHT
"""Hashes of a full tile."""

EMPTY = hashlib.sha256(b"").digest()
"""The root of the tree without entries."""

Subtree = Callable[[int, int], bytes]
"""Gives the root of the complete subtree of 2^height leaves that is number `index` of its height, from the left."""


def leaf(entry: bytes) -> bytes:
    """Return the hash of one entry."""
    return hashlib.sha256(b"\x00" + entry).digest()


def leaves(entries: Iterable[bytes]) -> list[bytes]:
    """Return the hash of each entry."""
    sha256 = hashlib.sha256
    return [sha256(b"\x00" + entry).digest() for entry in entries]


def node(left: bytes, right: bytes) -> bytes:
    """Return the hash of an inner node."""
    return hashlib.sha256(b"\x01" + left + right).digest()


def fold(hashes: Sequence[bytes]) -> bytes:
    """Return the root over one or more roots of equally large subtrees, of which only the last may be incomplete.

    Row by row, a last one without a partner goes up as it is: the same tree as the RFC's definition from the top.
    """
    sha256, row = hashlib.sha256, list(hashes)
    while len(row) > 1:
        left = iter(row)
        above = [sha256(b"\x01" + one + other).digest() for one, other in zip(left, left, strict=False)]
        if len(row) % 2:
            above.append(row[-1])
        row = above
    return row[0]


@dataclass(frozen=True, slots=True)
class Row:
    """The hashes of one tile: `index` counts the tiles of its level from the left."""

    level: int
    index: int
    hashes: tuple[bytes, ...]


@dataclass(frozen=True, slots=True)
class Edge:
    """The tree's right edge: on each level the hashes that do not fill a tile yet. All that growing needs to know."""

    size: int = 0
    levels: tuple[tuple[bytes, ...], ...] = ()

    def __post_init__(self) -> None:
        """Refuse hashes that cannot be those of a tree of this size.

        Raises:
            IntegrityError: another number of hashes than the size has on some level, or one that is not 32 bytes.
        """
        if tuple(map(len, self.levels)) != widths(self.size):
            raise IntegrityError(f"these are not the partial tiles of a tree of {self.size} entries")
        if any(len(one) != HASH for level in self.levels for one in level):
            raise IntegrityError("a hash of the tree's edge is not 32 bytes long")

    @property
    def root(self) -> bytes:
        """The tree's root hash."""
        last: tuple[bytes, ...] = ()
        for level in self.levels:
            row = (*level, *last)
            last = (fold(row),) if row else ()
        return last[0] if last else EMPTY

    def grow(self, added: Sequence[bytes]) -> tuple[Edge, list[Row]]:
        """Return the edge after these leaves' hashes, and every tile that is new, filled or fuller than it was."""
        rows: list[Row] = []
        levels: list[tuple[bytes, ...]] = []
        arriving = list(added)
        level = 0
        while arriving or level < len(self.levels):
            held = self.levels[level] if level < len(self.levels) else ()
            index = self.size >> HEIGHT * (level + 1)
            row, changed = [*held, *arriving], bool(arriving)
            arriving = []
            for start in range(0, len(row) - WIDTH + 1, WIDTH):
                full = tuple(row[start : start + WIDTH])
                rows.append(Row(level, index, full))
                arriving.append(fold(full))
                index += 1
            rest = tuple(row[len(row) - len(row) % WIDTH :])
            if rest and changed:
                rows.append(Row(level, index, rest))
            levels.append(rest)
            level += 1
        return Edge(self.size + len(added), tuple(levels)), rows


def widths(size: int) -> tuple[int, ...]:
    """Return how many hashes wide the last, not full tile of each level is; 0 where the level ends with a full one."""
    found: list[int] = []
    while size:
        found.append(size % WIDTH)
        size >>= HEIGHT
    return tuple(found)


def inclusion_proof(index: int, size: int, subtree: Subtree) -> list[bytes]:
    """Return the audit path of entry `index` in the tree of `size` entries (RFC 6962, 2.1.1), its sibling first.

    Raises:
        ValueError: there is no such entry in that tree.
    """
    if not 0 <= index < size:
        raise ValueError(f"a tree of {size} entries has no entry {index}")
    path, low, high = [], 0, size
    while high - low > 1:
        middle = low + _split(high - low)
        if index < middle:
            path.append(_root(middle, high, subtree))
            high = middle
        else:
            path.append(_root(low, middle, subtree))
            low = middle
    return path[::-1]


def consistency_proof(old: int, new: int, subtree: Subtree) -> list[bytes]:
    """Return the proof that the tree of `new` entries begins with the one of `old` (RFC 6962, 2.1.2).

    Raises:
        ValueError: the old tree is larger than the new one.
    """
    if not 0 <= old <= new:
        raise ValueError(f"a tree of {new} entries cannot begin with {old}")
    if old == 0:
        return []
    path, low, high = [], 0, new
    while old < high:
        middle = low + _split(high - low)
        if old <= middle:
            path.append(_root(middle, high, subtree))
            high = middle
        else:
            path.append(_root(low, middle, subtree))
            low = middle
    # The old tree's own root is known to whoever checks, and is left out; a part of it is not.
    return (path if low == 0 else [*path, _root(low, high, subtree)])[::-1]


def check_inclusion(index: int, size: int, entry_hash: bytes, proof: Sequence[bytes], root: bytes) -> None:
    """Check that the hash of entry `index` leads to the tree's root (RFC 9162, 2.1.3.2).

    Raises:
        IntegrityError: it does not.
    """
    if not 0 <= index < size:
        raise IntegrityError(f"a tree of {size} entries has no entry {index}")
    at, last, found = index, size - 1, entry_hash
    for sibling in proof:
        if not last:
            raise IntegrityError(f"the proof of entry {index} is longer than the tree is high")
        if at % 2 or at == last:
            found = node(sibling, found)
            at, last = _past_lone(at, last)
        else:
            found = node(found, sibling)
        at, last = at >> 1, last >> 1
    if last or found != root:
        raise IntegrityError(f"entry {index} is not in the tree of {size} entries that the checkpoint signs")


def check_consistency(old: int, new: int, old_root: bytes, new_root: bytes, proof: Sequence[bytes]) -> None:
    """Check that the new tree begins with the old one (RFC 9162, 2.1.4.2).

    Raises:
        IntegrityError: it does not: what was signed before has been changed, dropped or put in another order.
    """
    forked = f"the log of {new} entries does not begin with the {old} entries that were signed before"
    if old > new:
        raise IntegrityError(f"the log has gone back from {old} entries to {new}")
    if old in (0, new):
        if proof or old_root != (new_root if old else EMPTY):
            raise IntegrityError(forked)
        return
    at, last = old - 1, new - 1
    while at % 2:
        at, last = at >> 1, last >> 1
    hashes = iter(proof)
    # An old tree that is complete is the proof's first node itself, and is not sent.
    first = old_root if not at else next(hashes, b"")
    was = now = first
    for sibling in hashes:
        if not last:
            raise IntegrityError(forked)
        if at % 2 or at == last:
            was, now = node(sibling, was), node(sibling, now)
            at, last = _past_lone(at, last)
        else:
            now = node(now, sibling)
        at, last = at >> 1, last >> 1
    if last or was != old_root or now != new_root:
        raise IntegrityError(forked)


def _past_lone(at: int, last: int) -> tuple[int, int]:
    """Go up past the rows where the last node has no partner, to the one where it is a right child (or the root)."""
    while not at % 2 and at:
        at, last = at >> 1, last >> 1
    return at, last


def _split(count: int) -> int:
    """Return the largest power of two below `count`, which is at least 2."""
    return 1 << (count - 1).bit_length() - 1


def _root(low: int, high: int, subtree: Subtree) -> bytes:
    """Return the root over the leaves from `low` up to `high`, where `low` is a multiple of a power of two not below
    their number: the complete subtrees they consist of, folded from the right.
    """
    found = []
    while low < high:
        height = (high - low).bit_length() - 1
        found.append(subtree(height, low >> height))
        low += 1 << height
    root = found.pop()
    while found:
        root = node(found.pop(), root)
    return root
