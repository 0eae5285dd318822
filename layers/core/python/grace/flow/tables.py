"""V9: what the tables hold is what the log says."""

from __future__ import annotations

from collections.abc import Iterable

from grace.errors import IntegrityError, NotFound
from grace.flow.checks import LOOKS, Findings
from grace.ledger.replay import differences, replay, stands, tail_differences
from grace.ledger.streams import head_of
from grace.model.approval import Approval
from grace.model.base import Head
from grace.model.contract import ContractHead
from grace.model.entry import Ref
from grace.ports import Services


def check_streams(streams: Iterable[str], services: Services, found: Findings) -> None:
    """Each head is what its entries say, and has their number as its version; approvals likewise."""
    for stream in dict.fromkeys(streams):
        try:
            faults = _settled(stream, head_of(stream), services)
        except (NotFound, IntegrityError) as exc:
            faults = [str(exc)]
        for fault in faults:
            found.add("V9", stream, fault)


def _settled(stream: str, where: Ref[Head], services: Services) -> list[str]:
    """Look again while the head moves: its parts are read one after the other."""
    version, faults = -1, list[str]()
    for _ in range(LOOKS):
        stored = services.store.read(where).get(where)
        faults = _differences(stream, where, stored, services)
        now = stored.version if stored else 0
        if not faults or now == version:
            break
        version = now
    return faults


def _differences(stream: str, where: Ref[Head], stored: Head | None, services: Services) -> list[str]:
    entries = services.store.story(stream)
    if stored is None or not entries:
        return [f"{stream} has entries, and the table has nothing of it"]
    if entries[-1].sseq != stored.version:
        return [f"{stream} is at version {stored.version}, its last entry is number {entries[-1].sseq}"]
    if where.kind.endless and entries[0].sseq != 1:
        return tail_differences(stored, entries)
    held = services.store.members(Approval, stream) if where.kind is ContractHead else []
    return differences(replay(where.kind, entries), stored, stands(entries), held)
