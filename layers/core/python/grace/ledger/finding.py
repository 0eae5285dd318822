"""Finding a stream's entries in the tree, and proving each: from the log's own objects, with no table beside. Pure.

Every bundle that is looked through is held against the signed root, so that none of them can be hidden.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass

from grace.errors import IntegrityError, NotFound
from grace.ledger.entries import parse
from grace.ledger.note import Checkpoint, Verifier
from grace.ledger.proof import Proof, check
from grace.ledger.signed import SignedEntries
from grace.ledger.tiles import Fetch, TileHashes
from grace.ledger.tree import WIDTH, inclusion_proof
from grace.model.entry import Entry

WAITED = 3_600_000
"""An entry waits seconds for its place in the tree, and after a minute the verifier says so; in milliseconds."""


@dataclass(frozen=True, slots=True)
class Found:
    """An entry with its number in the tree and its bytes."""

    index: int
    data: bytes
    entry: Entry


def stream_of(signed: SignedEntries, stream: str) -> list[Found]:
    """Return all entries of a stream, oldest first; read from the newest back, no farther than its first.

    Raises:
        NotFound: the log has none.
        IntegrityError: one of them is missing, or a bundle is, or is not what was signed.
    """
    mark = f'"stream":"{stream}"'.encode()
    mine: list[Found] = []
    for number in reversed(range(signed.bundles)):
        entries = signed.bundle(number)
        marked = [found(number * WIDTH + at, data) for at, data in enumerate(entries) if mark in data]
        mine += [one for one in reversed(marked) if one.entry.stream == stream]
        if mine and mine[-1].entry.sseq == 1:
            break
    if not mine:
        raise NotFound(
            f"the log of {signed.head.size} entries has none of {stream}: what is new enters it within a minute"
        )
    mine.reverse()
    for expected, one in enumerate(mine, 1):
        if one.entry.sseq != expected:
            raise IntegrityError(f"entry {one.index} is number {one.entry.sseq} of {stream}, where {expected} follows")
    return mine


def family_of(signed: SignedEntries, mission: str) -> list[Found]:
    """Return the entries of a mission and of all that followed from the same alert, in the order of the log.

    Raises:
        NotFound: the log has none.
        IntegrityError: as `stream_of`.
    """
    first = stream_of(signed, mission)[0]
    mark = f'"corr":"{first.entry.corr}"'.encode()
    family: list[Found] = []
    for index, data in signed.between(first.index, signed.head.size):
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


def entries_from(signed: SignedEntries, first: int = 0) -> Iterator[Found]:
    """Yield the entries from number `first` on, in the order of the log.

    Raises:
        IntegrityError: a bundle is missing or damaged or not what was signed, or holds what is no entry.
    """
    for index, data in signed.between(first, signed.head.size):
        yield found(index, data)


def since(signed: SignedEntries, ts: int) -> Iterator[Found]:
    """Yield the entries written at `ts` (epoch milliseconds) or later, the newest first; what is older is not read.

    A lane's times never fall and all lanes are integrated together, so the tree is in the order of time but for what
    waited to be integrated: a bundle whose newest entry is older by `WAITED` ends the search.

    Raises:
        IntegrityError: as `entries_from`.
    """
    for number in reversed(range(signed.bundles)):
        entries = [found(number * WIDTH + at, data) for at, data in enumerate(signed.bundle(number))]
        yield from (one for one in reversed(entries) if one.entry.ts >= ts)
        if max(one.entry.ts for one in entries) < ts - WAITED:
            return


def found(index: int, data: bytes) -> Found:
    """Return the bytes of entry `index` as what they say; raises `IntegrityError` when they are no entry."""
    try:
        return Found(index, data, parse(data))
    except IntegrityError as exc:
        raise IntegrityError(f"entry {index}: {exc}") from exc
