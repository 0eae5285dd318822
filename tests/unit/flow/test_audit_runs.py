"""The verifier run after run: what one leaves to the next, and what it says only once."""

from __future__ import annotations

from contextlib import suppress

import pytest

from grace.errors import IntegrityError
from grace.model.entry import ref
from grace.model.log import AuditPin
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
