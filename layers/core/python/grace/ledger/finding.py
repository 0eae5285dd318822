"""Finding a stream's entries in the tree, and proving each: from the log's own objects, with no table beside. Pure."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass

from grace.errors import IntegrityError, NotFound
from grace.ledger.entries import parse
from grace.ledger.note import Checkpoint, Verifier
from grace.ledger.proof import Proof, check
from grace.ledger.tiles import Bundle, Fetch, TileHashes, read_bundle
from grace.ledger.tree import WIDTH, Edge, inclusion_proof, leaves
from grace.model.entry import Entry


@dataclass(frozen=True, slots=True)
class Found:
    """An entry with its number in the tree and its bytes."""

    index: int
    data: bytes
    entry: Entry


def bundle_of(fetch: Fetch, number: int, size: int) -> list[bytes]:
    """Return the entries of bundle `number` of a log of `size` entries.

    Raises:
        IntegrityError: it is missing or damaged.
    """
    return read_bundle(fetch, Bundle(number, min(WIDTH, size - number * WIDTH)))


def stream_of(fetch: Fetch, size: int, stream: str) -> list[Found]:
    """Return all entries of a stream, oldest first; read from the newest back, no farther than its first.

    Raises:
        NotFound: the log has none.
        IntegrityError: one of them is missing, or a bundle is.
    """
    mark = f'"stream":"{stream}"'.encode()
    mine: list[Found] = []
    for number in reversed(range(-(-size // WIDTH))):
        entries = bundle_of(fetch, number, size)
        marked = [found(number * WIDTH + at, data) for at, data in enumerate(entries) if mark in data]
        mine += [one for one in reversed(marked) if one.entry.stream == stream]
        if mine and mine[-1].entry.sseq == 1:
            break
    if not mine:
        raise NotFound(f"the log of {size} entries has none of {stream}: what is new enters it within a minute")
    mine.reverse()
    for expected, one in enumerate(mine, 1):
        if one.entry.sseq != expected:
            raise IntegrityError(f"entry {one.index} is number {one.entry.sseq} of {stream}, where {expected} follows")
    return mine


def family_of(fetch: Fetch, size: int, mission: str) -> list[Found]:
    """Return the entries of a mission and of all that followed from the same alert, in the order of the log.

    Raises:
        NotFound: the log has none.
        IntegrityError: one of them is missing, or a bundle is.
    """
    first = stream_of(fetch, size, mission)[0]
    mark = f'"corr":"{first.entry.corr}"'.encode()
    family: list[Found] = []
    for index, data in _forward(fetch, first.index, size):
        if mark in data and (entry := parse(data)).corr == first.entry.corr:
            family.append(Found(index, data, entry))
    return family


def prove(fetch: Fetch, checkpoint: Checkpoint, note: bytes, one: Found, key: Verifier) -> Proof:
    """Return the proof of an entry under a checkpoint; it is checked before it is given away.

    Raises:
        IntegrityError: the tiles do not lead from this entry to the checkpoint's root.
    """
    hashes = inclusion_proof(one.index, checkpoint.size, TileHashes(fetch, checkpoint.size))
    made = Proof(one.index, tuple(hashes), note, one.data)
    check(made, one.data, [key], key.name)
    return made


def entries_from(fetch: Fetch, first: int, size: int) -> Iterator[Found]:
    """Yield the entries from number `first` on, in the order of the log.

    Raises:
        IntegrityError: a bundle is missing or damaged, or holds what is no entry.
    """
    for index, data in _forward(fetch, first, size):
        yield found(index, data)


def all_entries(fetch: Fetch, checkpoint: Checkpoint) -> Iterator[Found]:
    """Yield every entry of the log, and at the end hold them against the root that was signed.

    Raises:
        IntegrityError: a bundle is missing or damaged, or the entries are not those of the checkpoint.
    """
    edge = Edge()
    for number in range(-(-checkpoint.size // WIDTH)):
        bundle = bundle_of(fetch, number, checkpoint.size)
        edge, _ = edge.grow(leaves(bundle))
        for index, data in enumerate(bundle, number * WIDTH):
            yield found(index, data)
    if edge.root != checkpoint.root:
        raise IntegrityError(
            f"the log's {checkpoint.size} entries are not those that were signed: `grace ledger verify` says where"
        )


def found(index: int, data: bytes) -> Found:
    """Return the bytes of entry `index` as what they say; raises `IntegrityError` when they are no entry."""
    try:
        return Found(index, data, parse(data))
    except IntegrityError as exc:
        raise IntegrityError(f"entry {index}: {exc}") from exc


def _forward(fetch: Fetch, first: int, size: int) -> Iterator[tuple[int, bytes]]:
    for number in range(first // WIDTH, -(-size // WIDTH)):
        for at, data in enumerate(bundle_of(fetch, number, size), number * WIDTH):
            if at >= first:
                yield at, data
