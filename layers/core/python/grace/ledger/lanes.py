"""Lanes: the log is a fixed number of chains, so that writers of different families do not wait for each other."""

from __future__ import annotations

import hashlib
from collections.abc import Iterable
from dataclasses import dataclass
from typing import Any

from pydantic import TypeAdapter

from grace.model.base import Json, sha256_hex

_DOCUMENT: TypeAdapter[dict[str, Any]] = TypeAdapter(dict[str, Any])

GENESIS = "0" * 64
"""What the first entry of a lane names as the hash of the one before."""


@dataclass(frozen=True, slots=True)
class LaneHead:
    """Where a lane ends: `n` entries, `h` the SHA-256 of the last one's bytes, `ts` its time in epoch milliseconds."""

    lane: int
    n: int = 0
    h: str = GENESIS
    ts: int = 0


def lane_of(family: str, lanes: int) -> int:
    """Return the lane of a family: its SHA-256 modulo the number of lanes, which is fixed for the life of a log."""
    return int.from_bytes(hashlib.sha256(family.encode()).digest(), "big") % lanes


def check_lane(head: LaneHead, entries: Iterable[bytes], start: LaneHead | None = None) -> list[str]:
    """Return what is wrong with the stored bytes of a lane's entries, one sentence each; empty when all is well.

    `entries` are all of them after `start` (from the lane's beginning without it), in order. Checked are the position,
    the hash of the entry before, time that never falls, each stream's own numbering, and the end that `head` states.
    """
    faults: list[str] = []
    at = start or LaneHead(head.lane)
    streams: dict[str, int] = {}
    for data in entries:
        at = _check_entry(data, at, streams, faults, whole=start is None)
    if (at.n, at.h) != (head.n, head.h):
        faults.append(f"lane {head.lane}: its head states entry {head.n} and another end than its entries, {at.n}")
    return faults


def _check_entry(data: bytes, before: LaneHead, streams: dict[str, int], faults: list[str], *, whole: bool) -> LaneHead:
    where = f"lane {before.lane}, entry {before.n + 1}"
    after = LaneHead(before.lane, before.n + 1, sha256_hex(data), before.ts)
    try:
        entry: dict[str, Json] = _DOCUMENT.validate_json(data)
        lane, lseq, prev, ts = entry["lane"], entry["lseq"], entry["prev"], entry["ts"]
        stream, sseq = entry["stream"], entry["sseq"]
        falls = ts < before.ts
    except (ValueError, KeyError, TypeError) as exc:
        faults.append(f"{where}: is not an entry ({type(exc).__name__})")
        return after
    if (lane, lseq) != (before.lane, before.n + 1):
        faults.append(f"{where}: says it is entry {lseq} of lane {lane}")
    if prev != before.h:
        faults.append(f"{where}: does not follow from the entry before it")
    if falls:
        faults.append(f"{where}: its time is before that of the entry before it")
    # A lane read from its middle begins in the middle of its streams.
    expected = streams.get(stream, 0 if whole else sseq - 1) + 1
    if sseq != expected:
        faults.append(f"{where}: is number {sseq} of {stream}, where number {expected} was to follow")
    streams[stream] = sseq
    return LaneHead(after.lane, after.n, after.h, ts)
