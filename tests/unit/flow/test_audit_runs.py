"""The verifier run after run: what one leaves to the next, and what it says only once."""

from __future__ import annotations

from contextlib import suppress
from typing import Any

import pytest

from grace.errors import Conflict, IntegrityError
from grace.flow import audit as auditing
from grace.model.entry import ref
from grace.model.log import AuditPin
from tests.support.ledger import Ledger
from tests.unit.flow.test_audit import last, look, scene


@pytest.mark.parametrize("behind", [5, 120])
def test_f23_a_clock_that_was_behind_is_said_once_and_does_not_hold_the_pin(behind: int) -> None:
    """D21: a run reads what is new and no more, and a letter's checkpoint is a quarter of an hour old at most."""
    assert said_twice(behind) == ([True, False], [250, 275])


def said_twice(behind: int) -> tuple[list[bool], list[int]]:
    """Run the verifier twice after a writer's clock was behind: whether each run says so, and where each began."""
    ledger = scene()
    ledger.clock.advance(-behind)
    ledger.write(4)
    ledger.clock.advance(behind)
    said, first = [], []
    for _ in range(2):
        ledger.integrate()
        first.append(ledger.store.read(ref(AuditPin)).need(ref(AuditPin)).mark.size)
        with suppress(IntegrityError):
            look(ledger)
        said.append(any(entry.body["check"] == "V6" for entry in last(ledger, "log.integrity_issue")))
        ledger.clock.advance(900)
    return said, first


def overlapping(ledger: Ledger, *, writes: str, slower: Any) -> list[str]:
    """Let a whole other run end while this one works, or between its reading and its writing; what both wrote."""
    port, name = (ledger.metrics, "fetch") if writes == "while it works" else (ledger.store, "commit")
    true, left = getattr(port, name), [1]

    def call(*args: Any) -> Any:
        if left:
            ledger.clock.advance(left.pop())
            look(ledger)
        return true(*args)

    setattr(port, name, call)
    slower(ledger)
    return [entry.type for entry in ledger.store.story("sys:audit")][1:]


@pytest.mark.parametrize("writes", ["while it works", "while it writes"])
def test_two_runs_that_overlap_both_write_what_they_found(writes: str) -> None:
    ledger = scene()
    assert overlapping(ledger, writes=writes, slower=look) == ["log.verified", "log.verified"]
    assert pinned(ledger).mark.size == 271
    ledger.integrate()
    ledger.clock.advance(900)
    assert (look(ledger).first, look(ledger).issues) == (271, ())


def test_a_run_that_was_overtaken_loses_no_finding_and_leaves_the_others_pin() -> None:
    """What the slower one found stands beside the other's result; the pin is where the faster one left it."""
    ledger = scene()

    def elsewhere() -> Ledger:
        other = ledger.copy()
        other.store = ledger.store
        other.record.stored = other.record.stored.model_copy(update={"root": "cd" * 32})
        return other

    with pytest.raises(IntegrityError, match="findings"):
        overlapping(ledger, writes="while it writes", slower=lambda _: look(elsewhere()))
    assert "log.integrity_issue" in [entry.type for entry in ledger.store.story("sys:audit")]
    assert pinned(ledger).mark.size == 271
    assert pinned(ledger).told == ("V11 HEAD",)


def test_without_reading_anew_the_slower_of_two_runs_is_lost(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(auditing, "contended", lambda work, _: work())
    with pytest.raises(Conflict):
        overlapping(scene(), writes="while it writes", slower=look)


def pinned(ledger: Ledger) -> AuditPin:
    found: AuditPin = ledger.store.read(ref(AuditPin)).need(ref(AuditPin))
    return found
