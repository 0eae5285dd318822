"""A whole log in memory, grown in batches, and an oracle that knows only the definitions of RFC 6962."""

from __future__ import annotations

import hashlib
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field

from grace.ledger import note, proof, tiles, tree
from grace.ledger.ed25519 import KeyVerifier, SeedSigner
from grace.ledger.entries import Line, check_body, entry_id, seal
from grace.ledger.lanes import LaneHead
from grace.stores.memory import MemoryStore

ORIGIN = "log.example/grace"


def naive_root(entries: Sequence[bytes]) -> bytes:
    """MTH of RFC 6962, 2.1, word for word."""
    if not entries:
        return hashlib.sha256(b"").digest()
    if len(entries) == 1:
        return hashlib.sha256(b"\x00" + entries[0]).digest()
    k = naive_split(len(entries))
    return hashlib.sha256(b"\x01" + naive_root(entries[:k]) + naive_root(entries[k:])).digest()


def naive_path(m: int, entries: Sequence[bytes]) -> list[bytes]:
    """PATH of RFC 6962, 2.1.1."""
    if len(entries) == 1:
        return []
    k = naive_split(len(entries))
    if m < k:
        return [*naive_path(m, entries[:k]), naive_root(entries[k:])]
    return [*naive_path(m - k, entries[k:]), naive_root(entries[:k])]


def naive_consistency(m: int, entries: Sequence[bytes], *, whole: bool = True) -> list[bytes]:
    """SUBPROOF of RFC 6962, 2.1.2."""
    if m == len(entries):
        return [] if whole else [naive_root(entries)]
    k = naive_split(len(entries))
    if m <= k:
        return [*naive_consistency(m, entries[:k], whole=whole), naive_root(entries[k:])]
    return [*naive_consistency(m - k, entries[k:], whole=False), naive_root(entries[:k])]


def naive_split(n: int) -> int:
    """The largest power of two smaller than n."""
    k = 1
    while k * 2 < n:
        k *= 2
    return k


NOW = 1_769_860_800_000


def real_entries(count: int, lanes: int = 4, streams: int = 9, size: int = 40) -> list[bytes]:
    """Entries as the house writes them: `streams` of them take turns, in `lanes` lanes, each with about `size` bytes
    of its own."""
    heads = {lane: LaneHead(lane) for lane in range(lanes)}
    found = []
    for n in range(count):
        stream, sseq = f"c-{n % streams}", n // streams + 1
        lane = n % streams % lanes
        line = Line(
            id=entry_id(f"k-{n}", 0),
            stream=stream,
            sseq=sseq,
            actor="grace",
            subsystem="contract",
            corr="r-1",
            cause="",
            type="contract.changed",
            contract=stream,
            digest="7d" * 32,
            body=check_body({"set": {"corr": "r-1"}, "note": f"{n:09d}" * (size // 9)}, "entry"),
        )
        data, heads[lane] = seal(line, heads[lane], NOW + n)
        found.append(data)
    return found


def entry(n: int) -> bytes:
    """Some entry's bytes, of another length each time."""
    return f"entry {n} ".encode() * (n % 5 + 1)


@dataclass
class Log:
    """What a publisher stores: every object by its path. `checkpoints/<size>` are kept for all sizes that were signed."""

    signer: SeedSigner = field(default_factory=lambda: SeedSigner(ORIGIN, bytes(range(32))))
    edge: tree.Edge = field(default_factory=tree.Edge)
    objects: dict[str, bytes] = field(default_factory=dict)
    signed: list[int] = field(default_factory=list)

    def append(self, entries: Sequence[bytes]) -> None:
        """Grow by one batch and sign."""
        tail = self.edge.size % tree.WIDTH
        held = tiles.read_bundle(self.fetch, tiles.Bundle(self.edge.size // tree.WIDTH, tail)) if tail else []
        grown = tiles.growth(self.edge, held, entries)
        for stored in grown.stored:
            assert self.objects.setdefault(stored.place.path, stored.data) == stored.data
        self.edge = grown.edge
        signed = note.sign(note.Checkpoint(self.signer.name, self.edge.size, self.edge.root), [self.signer])
        self.objects["checkpoint"] = self.objects[f"checkpoints/{self.edge.size}"] = signed
        self.signed.append(self.edge.size)

    @property
    def fetch(self) -> Callable[[str], bytes | None]:
        """Reads an object, or finds none."""
        return self.objects.get

    @property
    def verifier(self) -> KeyVerifier:
        """The log's published key."""
        return KeyVerifier(self.signer.public)

    def prove(self, index: int) -> proof.Proof:
        """The proof of one entry under the newest checkpoint, with its bytes."""
        size = self.edge.size
        path = tree.inclusion_proof(index, size, tiles.TileHashes(self.fetch, size))
        return proof.Proof(index, tuple(path), self.objects["checkpoint"], self.entries[index])

    @property
    def entries(self) -> list[bytes]:
        """All entries, from the bundles."""
        found: list[bytes] = []
        for place in tiles.places_between(0, self.edge.size):
            if isinstance(place, tiles.Bundle):
                found += tiles.read_bundle(self.fetch, place)
        return found


def grown(*sizes: int) -> Log:
    """A log that was signed at each of these sizes."""
    log = Log()
    for size in sizes:
        log.append([entry(n) for n in range(log.edge.size, size)])
    return log


def written(entries: Sequence[bytes], *sizes: int, signer: SeedSigner | None = None) -> Log:
    """A log of these entries, signed at each of these sizes and at its end."""
    log = Log(signer) if signer else Log()
    for size in sorted({*(size for size in sizes if size < len(entries)), len(entries)}):
        log.append(entries[log.edge.size : size])
    return log


def entries_of(store: MemoryStore) -> list[bytes]:
    """All entries a store holds, lane by lane: one order in which they may be integrated."""
    found = sorted(store._entries, key=lambda key: (int(key.pk.removeprefix("L#")), key.sk))
    return [store._entries[key] for key in found]
