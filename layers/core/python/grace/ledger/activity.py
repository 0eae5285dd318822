"""Who did what, and what failed, counted over entries. Pure."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable

from grace.model.entry import Entry

MOST = 20
"""So many names are counted by themselves; the rest together."""
FAILURES = frozenset(
    {
        "approval.expired",
        "contract.action_refused",
        "contract.effect_unknown",
        "contract.guard_breached",
        "contract.refused",
        "contract.rolled_back",
        "contract.safe_hold",
        "contract.unanswered",
        "log.integrity_issue",
        "log.subsystem_gap",
        "mission.unattended",
        "signal.quarantined",
    }
)
"""The entries that say that something did not go as it should."""
REST = "(others)"


class Tally:
    """Counts entries one by one, and keeps none of them."""

    def __init__(self) -> None:
        """Nothing is counted yet."""
        self.entries = 0
        self._all, self._failed = _counters(), _counters()

    def add(self, entry: Entry) -> None:
        """Count an entry, and once more where it tells of a failure."""
        self.entries += 1
        for counters in (self._all, self._failed) if entry.type in FAILURES else (self._all,):
            counters["actor"][entry.actor] += 1
            counters["type"][entry.type] += 1
            counters["subsystem"][entry.subsystem] += 1

    @property
    def activity(self) -> dict[str, dict[str, int]]:
        """How many entries there are by actor, by type and by subsystem."""
        return {by: _most(found) for by, found in self._all.items() if found}

    @property
    def failures(self) -> dict[str, dict[str, int]]:
        """The same for the entries that tell of a failure."""
        return {by: _most(found) for by, found in self._failed.items() if found}


def tally(entries: Iterable[Entry]) -> Tally:
    """Return the count of these entries."""
    counted = Tally()
    for entry in entries:
        counted.add(entry)
    return counted


def _counters() -> dict[str, Counter[str]]:
    return {"actor": Counter(), "type": Counter(), "subsystem": Counter()}


def _most(counts: Counter[str]) -> dict[str, int]:
    kept = dict(counts.most_common(MOST))
    rest = counts.total() - sum(kept.values())
    return {**kept, REST: rest} if rest else kept
