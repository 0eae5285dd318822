"""The log tried in full: tampered with a thousand times, and a hundred thousand entries written while everything breaks."""

from __future__ import annotations

import tempfile
from collections.abc import Callable
from pathlib import Path

from tests.ledger.breaking_off import Run
from tests.ledger.judges import refuses, reject
from tests.ledger.tampering import SEED, tamperings
from tests.support import checker
from tests.support.logs import real_entries, written

PORTION = 50
SIZES = (3, 257, 600, 1_025)


def tampered(count: int, seen: Callable[[int], object]) -> tuple[str, ...]:
    """Tamper with logs so often, and return what was believed: by our own check, or by the one on Go's library."""
    logs = [written(real_entries(size), 1, 100, 256, 290, 512, 580) for size in SIZES]
    believed: list[str] = []
    for start in range(0, count, PORTION):
        portion = min(PORTION, count - start)
        with tempfile.TemporaryDirectory() as folder:
            believed += reject(logs, SEED + start, portion, Path(folder))[0]
        believed += [
            what for what, log, objects in tamperings(logs, SEED + start, portion) if not refuses(log, objects)
        ]
        seen(portion)
    return tuple(believed)


def written_while_all_breaks(count: int, seen: Callable[[int], object]) -> tuple[int, int, int]:
    """Write so many entries; return how many were acknowledged, and of those lost, and doubled."""
    run = Run(SEED)
    run.until(count, seen)
    run.ledger.assert_sound()
    return len(run.acknowledged), *run.lost_and_doubled()


def can_check() -> bool:
    """Whether the checker on Go's library was built here."""
    return checker.PROGRAM.is_file()
