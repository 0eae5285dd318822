"""State from entries: each says what it changed, so the log alone gives the head as it stands."""

from __future__ import annotations

from collections.abc import Iterable
from typing import TypeVar

from pydantic import ValidationError

from grace.errors import IntegrityError
from grace.ledger.entries import SET, parse
from grace.model.base import Head, Json
from grace.model.entry import Entry

T = TypeVar("T", bound=Head)

BOOKKEEPING = {"v", "version", "log"}
"""What follows from the entries' own places and is therefore never written into them."""


def difference(was: Head | None, head: Head) -> dict[str, Json]:
    """Return the fields that are not as they were, in JSON form; for a new head those that are not their default."""
    if was is None:
        return head.model_dump(mode="json", exclude=BOOKKEEPING, exclude_defaults=True)
    now = head.model_dump(mode="json", exclude=BOOKKEEPING)
    before = was.model_dump(mode="json", exclude=BOOKKEEPING)
    return {name: value for name, value in now.items() if before[name] != value}


def replay(kind: type[T], entries: Iterable[Entry]) -> T:
    """Return the head that a stream's entries lead to: the same as the stored one, field by field.

    Raises:
        IntegrityError: the entries are not one stream's, whole and in order, or lead to no head of that class.
    """
    state: dict[str, Json] = {}
    log: list[int] = []
    stream = ""
    for entry in entries:
        if entry.sseq != len(log) + 1 or (log and entry.stream != stream):
            raise IntegrityError(
                f"entry {entry.sseq} of {entry.stream} is not what follows entry {len(log)} of {stream}"
            )
        stream = entry.stream
        log.append(entry.lseq)
        state.update(entry.body.get(SET, {}))
    try:
        return kind.model_validate({**state, "version": len(log), "log": log})
    except ValidationError as exc:
        raise IntegrityError(f"the entries of {stream} lead to no {kind.__name__}: {exc.errors()[0]['loc']}") from exc


def entries_of(stream: str, found: Iterable[tuple[int, bytes | None]]) -> list[Entry]:
    """Return the entries behind what a head's `log` names, proved to be there and to be the stream's, in order.

    Raises:
        IntegrityError: naming the entry that is missing or another's.
    """
    entries: list[Entry] = []
    for seq, data in found:
        if data is None:
            raise IntegrityError(f"entry {seq} of {stream}'s lane is missing from the log")
        entry = parse(data)
        follows = not entries or entry.sseq == entries[-1].sseq + 1
        if entry.stream != stream or entry.lseq != seq or not follows:
            raise IntegrityError(
                f"entry {seq} of the lane is number {entry.sseq} of {entry.stream}, not {stream}'s next"
            )
        entries.append(entry)
    return entries
