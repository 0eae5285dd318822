"""V12: what a witness outside keeps is what the log is. He alone knows better than an account that is set back whole."""

from __future__ import annotations

from grace.model.log import KEPT
from tests.support.ledger import Ledger
from tests.unit.flow.test_audit import doubts, look, scene


def test_f17_a_log_set_back_below_what_the_witness_keeps_is_named() -> None:
    """A1: objects, tables and pin are all those of an older day. Only the witness knows better."""
    ledger = scene()
    look(ledger)
    ledger.integrate()
    old, newest = scene(), ledger.witness.newest()
    look(old)
    assert old.log.head().current.size < ledger.log.head().current.size
    old.witness.notes |= ledger.witness.notes
    [said] = doubts(old)
    assert said.startswith("V12 checkpoint: the log does not extend the newest copy")
    assert old.witness.newest() == newest


def test_f18_a_log_that_forked_from_what_the_witness_keeps_is_named() -> None:
    """The size that is published now the witness never saw; the fork began before."""
    ledger = scene()
    fork = Ledger()
    fork.write(265, note="another history")
    fork.integrate()
    ledger.witness.notes = {265: fork.archive.objects[f"{KEPT}265"]}
    assert any(each.startswith("V12 checkpoint:") and "begin" in each for each in doubts(ledger))


def test_a_witness_who_got_a_newer_copy_meanwhile_is_no_finding() -> None:
    ledger = scene()
    kept = ledger.witness.kept

    def late(size: int) -> bytes | None:
        if size == 271:
            ledger.write(3)
            ledger.integrate()
        return kept(size)  # type: ignore[no-any-return]

    ledger.witness.kept = late
    assert look(ledger).issues == ()
