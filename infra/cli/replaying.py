"""State from the log alone, and whether the tables hold the same: each knows nothing of the other until they meet here."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from typing import Any

from grace.errors import IntegrityError, NotFound
from grace.ledger.replay import differences, replay, stands
from grace.ledger.streams import head_of
from grace.model.approval import Approval
from grace.model.contract import ContractHead
from grace.model.entry import Entry
from grace.model.mission import Mission
from grace.ports import Services

_FAR = timedelta(days=400)


@dataclass
class Replayed:
    """What the log leads to: how many of each kind, and in what the tables differ, where they were compared."""

    counts: Counter[str] = field(default_factory=Counter)
    compared: bool = False
    late: int = 0
    """Entries that the tables have and the checkpoint has not yet."""
    faults: list[str] = field(default_factory=list)

    def document(self) -> dict[str, Any]:
        """Return it as JSON."""
        return {"counts": dict(self.counts), "compared": self.compared, "late": self.late, "faults": self.faults}


def replayed(entries: Iterable[Entry], services: Services | None) -> Replayed:
    """Return the heads that all streams of the log lead to, compared with the tables where there are services."""
    streams: dict[str, list[Entry]] = {}
    for entry in entries:
        streams.setdefault(entry.stream, []).append(entry)
    result = Replayed(compared=services is not None)
    for stream, mine in sorted(streams.items()):
        try:
            _one(stream, mine, services, result)
        except (IntegrityError, NotFound) as exc:
            result.faults.append(f"{stream}: {exc}")
    if services is not None:
        _unheard(streams, services, result)
    return result


def _one(stream: str, entries: list[Entry], services: Services | None, result: Replayed) -> None:
    where = head_of(stream)
    stored = None if services is None else services.store.read(where).get(where)
    if services is not None and stored is not None and stored.version > len(entries):
        late = [entry for entry in services.store.story(stream) if entry.sseq > len(entries)]
        entries = [*entries, *late]
        result.late += len(late)
    head, stand = replay(where.kind, entries), stands(entries)
    result.counts[where.kind.__name__] += 1
    result.counts["Approval"] += len(stand)
    if services is not None:
        held = services.store.members(Approval, stream) if where.kind is ContractHead else []
        result.faults += differences(head, stored, stand, held)


def _unheard(streams: dict[str, list[Entry]], services: Services, result: Replayed) -> None:
    """Find what is open and has no entry, neither in the log nor on its way there."""
    for kind in (Mission, ContractHead):
        for head in services.store.open(kind, datetime.now(UTC) + _FAR):
            if head.stream not in streams and not services.store.story(head.stream):
                result.faults.append(f"{head.stream}: the table has it, the log has no entry of it")
