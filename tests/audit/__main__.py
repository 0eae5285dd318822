"""Try everything that `make test` tries a part of; print what was tried, and what stood. Ends with 1 when one did not."""

from __future__ import annotations

import sys
from collections.abc import Callable
from functools import partial
from typing import NamedTuple

from rich.console import Console
from rich.progress import BarColumn, MofNCompleteColumn, Progress, TextColumn, TimeElapsedColumn, TimeRemainingColumn

from tests.audit import forgery, log
from tests.ledger.tampering import SEED


class Stood(NamedTuple):
    """What an audit found: how many of how many attempts changed nothing, and those that did."""

    good: int
    of: int
    bad: tuple[str, ...] = ()


class Audit(NamedTuple):
    """One audit: what it tries, how often, and the work. The work tells how many were done since it last told."""

    what: str
    attempts: int
    work: Callable[[int, Callable[[int], object]], Stood]


def forged_links(count: int, seen: Callable[[int], object]) -> Stood:
    """Try forged and mutated approval links."""
    tried = forgery.attempt(count, seen=seen)
    bad = tuple(f"{kind}: {link!r}" for kind, link in tried.accepted)
    return Stood(tried.count - len(bad), tried.count, bad)


def tampered_logs(count: int, seen: Callable[[int], object]) -> Stood:
    """Tamper with logs, and have both checkers judge them."""
    if not log.can_check():
        return Stood(0, count, ("the checker on Go's library is not built: see var/setup.log",))
    believed = log.tampered(count, seen)
    return Stood(count - len(believed), count, believed)


def entries_kept(count: int, seen: Callable[[int], object]) -> Stood:
    """Write entries while every call may break off."""
    written, lost, doubled = log.written_while_all_breaks(count, seen)
    bad = (f"{lost} lost, {doubled} doubled",) if lost or doubled else ()
    return Stood(written - lost - doubled, written, bad)


AUDITS = (
    Audit(f"forged and mutated links refused (seed {forgery.SEED})", 1_000_000, forged_links),
    Audit(f"tampered logs refused by both checkers (seed {SEED})", 1_000, tampered_logs),
    Audit(f"entries in the log exactly once while calls break off (seed {SEED})", 100_000, entries_kept),
)


def main() -> int:
    """Run every audit; return the exit code."""
    console = Console()
    columns = (TextColumn("{task.description}"), BarColumn(), MofNCompleteColumn(), TimeElapsedColumn())
    found: list[tuple[Audit, Stood]] = []
    with Progress(*columns, TimeRemainingColumn(), console=console, transient=True) as progress:
        for audit in AUDITS:
            task = progress.add_task(audit.what, total=audit.attempts)
            found.append((audit, audit.work(audit.attempts, partial(progress.advance, task))))
    for audit, stood in found:
        console.print(f"{stood.good:>12,} of {stood.of:,}  {audit.what}", highlight=False)
        for each in stood.bad[:20]:
            console.print(f"             not: {each}", highlight=False, markup=False)
    return 1 if any(stood.bad or stood.good < stood.of for _, stood in found) else 0


if __name__ == "__main__":
    sys.exit(main())
