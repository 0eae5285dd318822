"""Lanes: the log is a fixed number of chains, so that writers of different families do not wait for each other."""

from __future__ import annotations

import hashlib
from collections.abc import Iterable
from typing import Any, NamedTuple

from pydantic_core import SchemaValidator, ValidationError, core_schema

from grace.errors import IntegrityError
from grace.model.base import sha256_hex
from grace.model.lane import GENESIS, LaneHead

__all__ = ["GENESIS", "LaneHead", "Place", "check_lane", "follow", "lane_of", "place_of"]

_WHOLE, _TEXT = core_schema.int_schema(strict=True), core_schema.str_schema(strict=True)
_PLACE = SchemaValidator(
    core_schema.typed_dict_schema(
        {
            name: core_schema.typed_dict_field(_TEXT if name in {"prev", "stream"} else _WHOLE)
            for name in ("lane", "lseq", "prev", "ts", "stream", "sseq")
        },
        extra_behavior="ignore",
    )
)
"""Reads those fields alone, which takes half as long as the whole entry: every check of the log reads every entry."""


class Place(NamedTuple):
    """Where an entry says it stands: in its lane, after which entry, and in its own stream."""

    lane: int
    lseq: int
    prev: str
    ts: int
    stream: str
    sseq: int


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
        where = f"lane {at.lane}, entry {at.n + 1}"
        try:
            at, found = follow(data, place_of(data), at, streams, whole=start is None)
        except IntegrityError as exc:
            at, found = LaneHead(at.lane, at.n + 1, sha256_hex(data), at.ts), [str(exc)]
        faults += [f"{where}: {fault}" for fault in found]
    if (at.n, at.h) != (head.n, head.h):
        faults.append(f"lane {head.lane}: its head states entry {head.n} and another end than its entries, {at.n}")
    return faults


def place_of(data: bytes) -> Place:
    """Return what an entry says of its own place.

    Raises:
        IntegrityError: the bytes are not an entry.
    """
    try:
        entry: dict[str, Any] = _PLACE.validate_json(data)
    except ValidationError as exc:
        raise IntegrityError(f"is not an entry ({exc.errors()[0]['type']})") from exc
    return Place(entry["lane"], entry["lseq"], entry["prev"], entry["ts"], entry["stream"], entry["sseq"])


def follow(
    data: bytes, place: Place, before: LaneHead, streams: dict[str, int], *, whole: bool
) -> tuple[LaneHead, list[str]]:
    """Return the lane's head after this entry, and what is wrong with the entry there.

    `streams` keeps the last number of each stream that was seen; a lane that is not read `whole`, from its beginning,
    takes a stream's first number as it finds it.
    """
    faults = []
    if (place.lane, place.lseq) != (before.lane, before.n + 1):
        faults.append(f"says it is entry {place.lseq} of lane {place.lane}")
    if place.prev != before.h:
        faults.append("does not follow from the entry before it")
    if place.ts < before.ts:
        faults.append("its time is before that of the entry before it")
    # A lane read from its middle begins in the middle of its streams.
    expected = streams.get(place.stream, 0 if whole else place.sseq - 1) + 1
    if place.sseq != expected:
        faults.append(f"is number {place.sseq} of {place.stream}, where number {expected} was to follow")
    streams[place.stream] = place.sseq
    return LaneHead(before.lane, before.n + 1, sha256_hex(data), place.ts), faults
