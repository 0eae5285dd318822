"""The entries that a checkpoint covers, each bundle held against its root before anything in it is believed. Pure."""

from __future__ import annotations

from collections.abc import Iterator

from grace.errors import IntegrityError
from grace.ledger.note import Checkpoint
from grace.ledger.tiles import Bundle, Fetch, Tile, read_bundle, read_edge, read_tile
from grace.ledger.tree import HEIGHT, WIDTH, fold, leaves


class SignedEntries:
    """Reads a log's bundles and vouches for them: a bundle leads to its tile, and each tile to the one above, to the root.

    So what is passed over, because it is somebody else's, is known to be somebody else's.
    """

    def __init__(self, fetch: Fetch, head: Checkpoint) -> None:
        """Read the right edge of the tree.

        Raises:
            IntegrityError: it does not lead to the root that was signed.
        """
        self.fetch = fetch
        self.head = head
        self._edge = read_edge(fetch, head.size, head.root)
        self._near: dict[int, tuple[int, tuple[bytes, ...]]] = {}
        """The full tile that was used last, of each level: bundles are read one after the other."""

    @property
    def bundles(self) -> int:
        """How many bundles there are."""
        return -(-self.head.size // WIDTH)

    def bundle(self, number: int) -> list[bytes]:
        """Return the entries of a bundle, 256 or, of the last, fewer.

        Raises:
            IntegrityError: it is missing or damaged, or its entries are not those that were signed.
        """
        bundle = Bundle(number, min(WIDTH, self.head.size - number * WIDTH))
        entries = read_bundle(self.fetch, bundle)
        hashes = zip(leaves(entries), self._tile(0, number), strict=True)
        wrong = next((at for at, (one, other) in enumerate(hashes) if one != other), None)
        if wrong is not None:
            raise IntegrityError(
                f"entry {number * WIDTH + wrong} is not the one that was signed ({bundle.path}): "
                "`grace ledger verify` says more"
            )
        return entries

    def between(self, first: int, size: int) -> Iterator[tuple[int, bytes]]:
        """Yield number and bytes of the entries from `first` up to `size`.

        Raises:
            IntegrityError: as `bundle`.
        """
        for number in range(first // WIDTH, -(-size // WIDTH)):
            for at, data in enumerate(self.bundle(number), number * WIDTH):
                if first <= at < size:
                    yield at, data

    def _tile(self, level: int, index: int) -> tuple[bytes, ...]:
        if index == self.head.size >> HEIGHT * (level + 1):
            return tuple(self._edge.levels[level])
        known, near = self._near.get(level, (-1, ()))
        if known != index:
            tile = Tile(level, index)
            near = read_tile(self.fetch, tile)
            if fold(near) != self._tile(level + 1, index // WIDTH)[index % WIDTH]:
                raise IntegrityError(f"{tile.path} is not what was signed: `grace ledger verify` says more")
            self._near[level] = (index, near)
        return near
