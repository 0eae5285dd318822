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


def activity(entries: Iterable[Entry]) -> dict[str, dict[str, int]]:
    """Return how many entries there are by actor, by type and by subsystem."""
    counts: dict[str, Counter[str]] = {"actor": Counter(), "type": Counter(), "subsystem": Counter()}
    for entry in entries:
        counts["actor"][entry.actor] += 1
        counts["type"][entry.type] += 1
        counts["subsystem"][entry.subsystem] += 1
    return {by: _most(found) for by, found in counts.items() if found}


def failures(entries: Iterable[Entry]) -> dict[str, dict[str, int]]:
    """Return the same for the entries that tell of a failure."""
    return activity(entry for entry in entries if entry.type in FAILURES)


def _most(counts: Counter[str]) -> dict[str, int]:
    kept = dict(counts.most_common(MOST))
    rest = counts.total() - sum(kept.values())
    return {**kept, REST: rest} if rest else kept
