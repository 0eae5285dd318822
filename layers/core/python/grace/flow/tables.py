"""V9: what the tables hold is what the log says. Of what has changed at once, and night after night of everything.

Nobody may list the tables, so the way round goes along the tree: each stream is compared where it begins, and each
entry's row with the entry. What is open is listed by the index, so that a head which no entry speaks of is found too.
A closed one that somebody made up, and that nothing names, is in no list: it is not found here.
"""

from __future__ import annotations

from collections.abc import Iterable
from datetime import datetime, timedelta

from grace.errors import IntegrityError, NotFound
from grace.flow.batches import stored_entries
from grace.flow.checks import LOOKS, Findings
from grace.ledger.lanes import Place, place_of
from grace.ledger.replay import differences, replay, stands, tail_differences
from grace.ledger.streams import head_of
from grace.ledger.tree import WIDTH
from grace.model.approval import Approval
from grace.model.base import Head
from grace.model.contract import ContractHead
from grace.model.entry import Ref
from grace.model.mission import Mission
from grace.ports import Services

NIGHT = timedelta(minutes=6)
"""So long after its start a check of everything begins to compare no more: the next one goes on from there."""
_FAR = timedelta(days=36_500)


def check_all(since: int, size: int, start: datetime, services: Services, found: Findings) -> int:
    """Compare rows and heads with the tree of `size` entries, from `since` on; return where the next night goes on.

    It is 0 when the way round is done. At least one bundle is compared, and no more are begun `NIGHT` after `start`.
    """
    check_streams(_open(start, services, found), services, found)
    place = since if since < size else 0
    while place < size:
        high = min(size, place // WIDTH * WIDTH + WIDTH)
        try:
            _check_rows(stored_entries(services.archive.get, place, high), place, services, found)
        except IntegrityError as exc:
            found.add("V3", f"entry {place}", exc)
        place = high
        if services.clock.now() - start >= NIGHT:
            break
    return place if place < size else 0


def _check_rows(data: list[bytes], first: int, services: Services, found: Findings) -> None:
    """V4: the rows of these entries are what was integrated. V9: so are the heads of the streams that begin here."""
    lanes: dict[int, dict[int, bytes]] = {}
    begun: list[str] = []
    for number, each in enumerate(data, first):
        try:
            place: Place = place_of(each)
        except IntegrityError as exc:
            found.add("V4", f"entry {number}", exc)
            continue
        lanes.setdefault(place.lane, {})[place.lseq] = each
        if place.sseq == 1:
            begun.append(place.stream)
    for lane, integrated in lanes.items():
        low = min(integrated)
        if max(integrated) - low >= WIDTH:
            found.add("V4", f"lane {lane}, entry {low}", "what follows it in the tree does not follow it in its lane")
            continue
        try:
            rows = services.log.entries(lane, low, max(integrated))
        except IntegrityError as exc:
            found.add("V4", f"lane {lane}", exc)
            continue
        for seq, row in enumerate(rows, low):
            if row != integrated.get(seq, row):
                found.add("V4", f"lane {lane}, entry {seq}", "its row is not what was integrated")
    check_streams(begun, services, found)


def _open(at: datetime, services: Services, found: Findings) -> list[str]:
    """Return the stream of everything that the index lists as open."""
    try:
        heads = [head for kind in (Mission, ContractHead) for head in services.store.open(kind, at + _FAR)]
        asked = services.store.open(Approval, at + _FAR)
    except IntegrityError as exc:
        found.add("V9", "what is open", exc)
        return []
    return [*(head.stream for head in heads), *(approval.contract_id for approval in asked)]


def check_streams(streams: Iterable[str], services: Services, found: Findings) -> None:
    """Each head is what its entries say, and has their number as its version; approvals likewise."""
    named = {issue.where for issue in found.issues if issue.check == "V9"}
    for stream in dict.fromkeys(streams):
        if stream in named:
            continue
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
    if stored is None:
        return [f"{stream} has entries, and the table has nothing of it"]
    if not entries:
        return [f"{stream} is in the table, and the log has no entry of it"]
    if entries[-1].sseq != stored.version:
        return [f"{stream} is at version {stored.version}, its last entry is number {entries[-1].sseq}"]
    if where.kind.endless and entries[0].sseq != 1:
        return tail_differences(stored, entries)
    held = services.store.members(Approval, stream) if where.kind is ContractHead else []
    return differences(replay(where.kind, entries), stored, stands(entries), held)
