"""P9: the audit log's own work on an entry, in units of one SHA-256 over the same bytes, and the size of a proof."""

from __future__ import annotations

import hashlib
import time
from collections.abc import Callable

from grace.ledger import fsck, tiles, tree
from grace.ledger.entries import Line, check_body, entry_id, seal
from grace.ledger.lanes import LaneHead
from grace.ledger.note import Verifier
from tests.bench.report import Row
from tests.support.logs import NOW, real_entries, written

ENTRIES, ROUNDS, BATCH = 4_096, 7, 256
OWN_BYTES = 160
"""What brings an entry to half a kilobyte."""
MILLION = 1_000_000


def measure() -> list[Row]:
    """Append and check the same entries again and again, and take the shortest time for each."""
    entries = real_entries(ENTRIES, lanes=1, streams=1, size=OWN_BYTES)
    length = sum(map(len, entries)) // len(entries)
    unit = _time(lambda: [hashlib.sha256(data).digest() for data in entries])
    lines = _lines(ENTRIES)
    append = _time(lambda: _append(lines)) / unit
    log = written(entries)
    verify = _time(lambda: _verify(log.objects.get, list(log.objects), log.verifier)) / unit
    bytes_, hashes = _proof_in_a_million()
    how = f"{ENTRIES} entries of {length} bytes; smallest of {ROUNDS}; one SHA-256 of them took {unit / ENTRIES * 1e6:.2f} µs"
    return [
        Row(
            "P9",
            "append an entry, in SHA-256s of it",
            "≤ 12",
            f"{append:.1f}",
            append <= 12,
            f"checked, sealed into its lane, hashed into the tree and its bundle by batches of {BATCH}: {how}",
        ),
        Row(
            "P9",
            "verify an entry, in SHA-256s of it",
            "≤ 12",
            f"{verify:.1f}",
            verify <= 12,
            "the whole log: bundles, tiles, roots, lanes and streams derived again and compared",
        ),
        Row(
            "P9",
            "inclusion proof among 1,000,000",
            "≤ 640 bytes",
            f"{bytes_} bytes",
            bytes_ <= 640,
            f"{hashes} hashes of {tree.HASH} bytes, the longest of a sample of entries",
        ),
    ]


def _lines(count: int) -> list[Line]:
    return [
        Line(
            id=entry_id(f"k-{n}", 0),
            stream="c-0",
            sseq=n + 1,
            actor="grace",
            subsystem="contract",
            corr="r-1",
            cause="",
            type="contract.changed",
            contract="c-0",
            digest="7d" * 32,
            body={"set": {"corr": "r-1"}, "note": f"{n:09d}" * (OWN_BYTES // 9)},
        )
        for n in range(count)
    ]


def _append(lines: list[Line]) -> None:
    head, edge = LaneHead(0), tree.Edge()
    for start in range(0, len(lines), BATCH):
        batch = []
        for line in lines[start : start + BATCH]:
            check_body(line.body, line.type)
            data, head = seal(line, head, NOW)
            batch.append(data)
        edge = tiles.growth(edge, [], batch).edge
        _ = edge.root


def _verify(fetch: tiles.Fetch, listing: list[str], key: Verifier) -> None:
    assert fsck.check(fetch, listing, key).sound


def _proof_in_a_million() -> tuple[int, int]:
    leaves = [hashlib.sha256(n.to_bytes(4, "big")).digest() for n in range(MILLION)]
    edge, rows = tree.Edge().grow(leaves)
    stored = {tiles.Tile(row.level, row.index, len(row.hashes)).path: b"".join(row.hashes) for row in rows}
    hashes = tiles.TileHashes(stored.get, MILLION)
    longest = 0
    for index in range(0, MILLION, 99_991):
        path = tree.inclusion_proof(index, MILLION, hashes)
        tree.check_inclusion(index, MILLION, leaves[index], path, edge.root)
        longest = max(longest, len(path))
    return longest * tree.HASH, longest


def _time(work: Callable[[], object]) -> float:
    best = float("inf")
    for _ in range(ROUNDS):
        began = time.process_time()
        work()
        best = min(best, time.process_time() - began)
    return best
