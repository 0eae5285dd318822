"""What is checked night after night: every object and the whole tree, a bounded part each time, each part in turn."""

from __future__ import annotations

from datetime import timedelta
from typing import Any

import pytest

from grace.flow import nights
from grace.flow.checks import Findings
from grace.model.entry import ref
from grace.model.log import KEPT, AuditPin
from tests.support.ledger import Ledger
from tests.unit.flow.test_audit import doubts, look, scene

OLD = f"{KEPT}250"


def test_f19_an_old_checkpoint_that_was_hidden_or_removed_is_named_at_night() -> None:
    """V10. The present list of objects has neither."""
    for removed in (False, True):
        ledger = scene()
        ledger.archive.hide(OLD)
        if removed:
            del ledger.archive.history[OLD]
        assert f"V10 {OLD}: it is hidden or gone" in doubts(ledger, full=True) or removed
        if removed:
            assert any(each.startswith(f"V10 {OLD}") for each in doubts(ledger, full=True))


@pytest.mark.parametrize("path", [OLD, "tile/0/000", "tile/entries/000", "tile/1/000.p/1"])
@pytest.mark.parametrize("days", [None, 364, 365])
def test_f19_an_old_lock_that_is_missing_or_too_short_is_an_alarm(path: str, days: int | None) -> None:
    ledger = scene()
    [only] = ledger.archive.history[path]
    until = None if days is None else only.at + timedelta(days=days)
    ledger.archive.history[path] = [only._replace(until=until)]
    if days == 365:
        assert look(ledger, full=True).issues == ()
        return
    assert any(each.startswith(f"V10 {path}: it") for each in doubts(ledger, full=True))


def test_a_lock_that_has_ended_and_one_from_before_the_setting_was_changed_are_no_finding() -> None:
    ledger = scene()
    [only] = ledger.archive.history[OLD]
    ledger.archive.history[OLD] = [only._replace(at=only.at - timedelta(days=366), until=None)]
    assert look(ledger, full=True).issues == ()
    ledger.integrate()
    ledger.archive._for = timedelta(days=400)
    ledger.clock.advance(1)
    assert look(ledger, full=True).issues == ()
    ledger.integrate()
    ledger.clock.advance(60)
    ledger.write(1)
    ledger.integrate()
    size = ledger.log.head().current.size
    [new] = ledger.archive.history[f"{KEPT}{size}"]
    ledger.archive.history[f"{KEPT}{size}"] = [new._replace(until=new.at + timedelta(days=365))]
    assert any(each.startswith(f"V10 {KEPT}{size}: its lock ends") for each in doubts(ledger, full=True))


class Slow:
    """An archive every call to which takes so many seconds; the calls are counted."""

    def __init__(self, ledger: Ledger, seconds: float) -> None:
        self._archive, self._clock, self._seconds = ledger.archive, ledger.clock, seconds
        self.calls = 0

    def __getattr__(self, name: str) -> Any:
        found = getattr(self._archive, name)
        if not callable(found):
            return found

        def call(*arguments: Any) -> Any:
            self.calls += 1
            self._clock.advance(self._seconds)
            return found(*arguments)

        return call


def grown(batches: int) -> Ledger:
    """A log of so many checkpoints."""
    ledger = Ledger()
    for _ in range(batches):
        ledger.write(3)
        ledger.integrate()
    return ledger


def night(ledger: Ledger, pin: AuditPin, seconds: float = 0.0) -> tuple[AuditPin, Findings, int]:
    """Run one night's part; return the pin, what was found, and how many calls it took."""
    worker: Any = ledger.copy()
    slow = Slow(worker, seconds)
    worker.archive = slow
    found = Findings()
    return nights.check_whole(pin, worker.clock.now(), worker, found), found, slow.calls


def pin_of(ledger: Ledger) -> AuditPin:
    where = ref(AuditPin)
    return ledger.store.read(where).get(where) or AuditPin(at=ledger.clock.now())


def test_f146_a_night_is_bounded_and_the_nights_visit_everything(monkeypatch: pytest.MonkeyPatch) -> None:
    """At two seconds a call: no night takes longer than its time, and damage anywhere is found within a round."""
    monkeypatch.setattr(nights, "STRETCH", 256)
    ledger = grown(300)
    pin, rounds = pin_of(ledger), 0
    while True:
        pin, found, calls = night(ledger, pin, 2.0)
        rounds += 1
        assert (found.issues, calls < 200) == ([], True)
        if not pin.seen:
            break
    assert 3 < rounds < 60
    paths = [f"{KEPT}{size}" for size in (3, 450, 900)] + ["tile/0/001", "tile/entries/002", "tile/entries/000"]
    for path in paths:
        spoilt = ledger.copy()
        true = spoilt.archive.objects[path]
        spoilt.archive.objects[path] = true[:9] + bytes([true[9] ^ 1]) + true[10:]
        pin, issues = pin_of(ledger), []
        for _ in range(rounds):
            pin, found, _ = night(spoilt, pin, 2.0)
            issues += found.issues
        assert issues, path


def test_f146_a_checkpoint_costs_so_many_calls_and_no_more() -> None:
    """Its bytes and its lock, and its partial tile and bundle while those are there: the list has a thousand in one call."""
    costs: dict[bool, list[int]] = {True: [], False: []}
    for young, spent in costs.items():
        for batches in (40, 120):
            ledger = grown(batches)
            for path in [path for path in ledger.archive.objects if ".p/" in path and not young]:
                if not path.endswith(f"/{3 * batches % 256}") and "/1/" not in path:
                    ledger.archive.hide(path)
            spent.append(night(ledger, pin_of(ledger))[2])
    per = {young: (many - few) / 80 for young, (few, many) in costs.items()}
    assert per[True] <= 4.3
    assert per[False] <= 2.2
