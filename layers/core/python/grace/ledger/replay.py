"""State from entries: each says what it changed, so the log alone gives the head as it stands."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from typing import TYPE_CHECKING, NamedTuple, TypeVar

from pydantic import ValidationError

from grace.errors import IntegrityError
from grace.ledger.entries import SET, mark, parse
from grace.model.base import Head, Json
from grace.model.entry import Entry

if TYPE_CHECKING:
    from grace.model.approval import Approval

T = TypeVar("T", bound=Head)

BOOKKEEPING = {"v", "version", "log", "marks", "corr"}
"""What follows from the entries' own places and names, and is therefore never written among what they change."""


LATEST = 64
"""An endless stream's head keeps the positions of so many of its latest entries. A contract's and a mission's keep all."""
WAITING = "awaiting_approval"
_DECIDED = {"approval.approved", "approval.rejected", "approval.expired"}


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
    marks = ""
    stream = ""
    for entry in entries:
        if entry.sseq != len(log) + 1 or (log and entry.stream != stream):
            raise IntegrityError(
                f"entry {entry.sseq} of {entry.stream} is not what follows entry {len(log)} of {stream}"
            )
        stream = entry.stream
        log.append(entry.lseq)
        marks += "" if kind.endless else mark(entry.id)
        state |= {"corr": entry.corr, **entry.body.get(SET, {})}
    try:
        return kind.model_validate({**state, "version": len(log), "log": log, "marks": marks})
    except ValidationError as exc:
        raise IntegrityError(f"the entries of {stream} lead to no {kind.__name__}: {exc.errors()[0]['loc']}") from exc


class Stand(NamedTuple):
    """How one generation of a contract's approval stands, as the entries tell it."""

    digest: str
    need: int
    approvers: tuple[str, ...]
    expires: str
    tier: int
    status: str = "pending"
    votes: tuple[str, ...] = ()


def stands(entries: Iterable[Entry]) -> dict[int, Stand]:
    """Return every generation of a contract's approval, from the contract's entries in order.

    The approval has no stream of its own: each of its changes is told by an entry of its contract, in one transaction
    with it. Asking again ends a generation and begins the next, with the same votes; whatever ends the contract's
    waiting without a decision withdraws it.
    """
    found: dict[int, Stand] = {}
    tier = 0
    for entry in entries:
        changed = entry.body.get(SET, {})
        tier = changed.get("tier", tier)
        last = found.get(max(found, default=0))
        if entry.type == "approval.requested":
            body = entry.body
            found[changed["generation"]] = Stand(
                body["digest"], body["need"], tuple(body["approvers"]), body["expires"], tier
            )
        elif last is None:
            continue
        elif "generation" in changed:
            found[max(found)] = last._replace(status="superseded")
            found[changed["generation"]] = last._replace(approvers=(*last.approvers, *entry.body.get("asked", ())))
        elif entry.type == "approval.vote":
            found[max(found)] = last._replace(votes=(*last.votes, entry.body["person"]))
        elif entry.type in _DECIDED:
            votes = tuple(entry.body.get("by", last.votes))
            found[max(found)] = last._replace(status=entry.type.removeprefix("approval."), votes=votes)
        elif last.status == "pending" and changed.get("status", WAITING) != WAITING:
            found[max(found)] = last._replace(status="superseded")
    return found


def differences(
    replayed: Head, stored: Head | None, stand: dict[int, Stand], approvals: Iterable[Approval]
) -> list[str]:
    """Return in what the stored head and its approvals are not as the entries say, one sentence each."""
    stream = replayed.stream
    if stored is None:
        return [f"{stream}: the log has {replayed.version} entries of it, the table has nothing"]
    was, now = replayed.model_dump(mode="json"), stored.model_dump(mode="json")
    if replayed.endless:
        was["log"] = was["log"][-LATEST:]
    faults = [
        f"{stream}: {name} is {now[name]!r}, the log says {was[name]!r}" for name in now if now[name] != was[name]
    ]
    held = {
        each.generation: Stand(
            each.digest,
            each.need,
            each.approvers,
            each.expires_at.isoformat(),
            each.tier,
            each.status.value,
            each.votes,
        )
        for each in approvals
    }
    for generation in sorted(held.keys() | stand.keys()):
        one, other = held.get(generation), stand.get(generation)
        if one != other:
            faults.append(f"{stream}: approval {generation} is {one or 'not there'}, the log says {other or 'nothing'}")
    return faults


def tail_differences(stored: Head, entries: Sequence[Entry]) -> list[str]:
    """Return in what an endless stream's head is not as its latest entries say: all that is kept of them is compared."""
    now = stored.model_dump(mode="json")
    said: dict[str, Json] = {}
    for entry in entries:
        said |= {"corr": entry.corr, **entry.body.get(SET, {})}
    faults = [
        f"{stored.stream}: {name} is {now.get(name)!r}, the log says {value!r}"
        for name, value in said.items()
        if now.get(name) != value
    ]
    if len(entries) != LATEST:
        faults.append(f"{stored.stream}: it names {len(entries)} of its latest entries, {LATEST} are kept")
    return faults


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
