"""The log's mechanisms taken away, one at a time: what each invariant promises then no longer holds, and is seen not to.

Each test shows both: with the mechanism the promise holds, without it it does not.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import pytest

from grace.errors import GraceError, IntegrityError
from grace.flow import batches, checks
from grace.flow import integrate as integrating
from grace.flow import sign as signing
from grace.flow.integrate import integrate
from grace.ledger import fsck, lanes
from grace.model.log import KEPT
from tests.support.ledger import Fault, Killed, Ledger
from tests.unit.flow.test_audit import doubts, look, scene
from tests.unit.flow.test_audit_runs import said_twice
from tests.unit.flow.test_integrate import checkpoint, every_promise_is_kept, first_call, scenario

Patch = pytest.MonkeyPatch


def broken_promises(run: Callable[[], object]) -> bool:
    """Tell whether what was promised does not hold."""
    try:
        run()
    except (AssertionError, GraceError):
        return True
    return False


def test_i3_without_following_the_lanes_a_row_that_was_changed_enters_the_tree(monkeypatch: Patch) -> None:
    def taken_in() -> bool:
        ledger = scenario()
        head = ledger.log.head().current
        rows = ledger.store._entries
        key = next(key for key in rows if int(key.sk[1:]) == head.lane(int(key.pk.removeprefix("L#"))).n + 1)
        rows[key] = rows[key].replace(b"quarantined", b"quarantimed")
        try:
            ledger.integrate()
        except IntegrityError:
            return False
        return checkpoint(ledger).size > 250

    assert not taken_in()
    true = lanes.follow

    def blind(data: bytes, place: Any, before: Any, streams: dict[str, int], *, whole: bool) -> Any:
        return true(data, place, before, streams, whole=whole)[0], []

    monkeypatch.setattr(batches, "follow", blind)
    assert taken_in()


def signed_over(ledger: Ledger) -> None:
    """I6: every checkpoint that anybody can see can be checked whole."""
    for path in list(ledger.archive.objects):
        if path.startswith(KEPT):
            every_promise_is_kept(ledger, int(path.removeprefix(KEPT)))


def test_i6_without_tiles_first_a_checkpoint_promises_what_nobody_can_read(monkeypatch: Patch) -> None:
    """The integrator has it signed before it stores, the signer does not look, and the worker dies between."""

    def dies_after_the_signature() -> Ledger:
        ledger = scenario()
        with pytest.raises(Killed):
            integrate(ledger.broken(Fault(first_call("notary.sign"), Killed, after=True)))
        return ledger

    signed_over(dies_after_the_signature())
    true = integrating._publish

    def signature_first(head: Any, grown: Any, services: Any) -> Any:
        services.notary.sign()
        return true(head, grown, services)

    monkeypatch.setattr(signing, "_check_growth", lambda *_: None)
    monkeypatch.setattr(integrating, "_publish", signature_first)
    ledger = scenario()
    with pytest.raises(Killed):
        integrate(ledger.broken(Fault(first_call("notary.sign"), Killed, after=True)))
    assert broken_promises(lambda: signed_over(ledger))


def test_i7_without_the_mark_and_the_comparison_a_checkpoint_goes_back(monkeypatch: Patch) -> None:
    def goes_back() -> bool:
        ledger = scenario()
        old = ledger.archive.objects[f"{KEPT}250"]
        ledger.integrate()
        signing._newest(old, 250, batches.LogKey(ledger), ledger)
        return checkpoint(ledger).size < 270

    assert not goes_back()

    def thoughtless(signed: bytes, _size: int, _key: Any, services: Any) -> None:
        found = services.archive.newest()
        services.archive.publish(signed, found.mark if found else None)

    monkeypatch.setattr(signing, "_newest", thoughtless)
    assert goes_back()


def test_i8_without_rolling_forward_a_run_that_broke_off_is_never_ended(monkeypatch: Patch) -> None:
    def ended() -> bool:
        ledger = scenario()
        with pytest.raises(Killed):
            integrate(ledger.broken(Fault(first_call("archive.put"), Killed)))
        for _ in range(3):
            ledger.integrate()
        return checkpoint(ledger).size == 270

    assert ended()
    true = integrating._step

    def forgetful(head: Any, services: Any) -> Any:
        return true(head.model_copy(update={"published": head.current.size}), services)

    monkeypatch.setattr(integrating, "_step", forgetful)
    assert not ended()


def flip(ledger: Ledger, path: str) -> Ledger:
    """Turn one bit of an object."""
    true = ledger.archive.objects[path]
    ledger.archive.objects[path] = true[:9] + bytes([true[9] ^ 1]) + true[10:]
    return ledger


def test_i9_without_deriving_tiles_again_the_verifier_passes_over_a_changed_one(monkeypatch: Patch) -> None:
    assert doubts(flip(scene(), "tile/0/001.p/15"))
    monkeypatch.setattr(checks, "read_back", lambda stored, _: stored.data)
    assert look(flip(scene(), "tile/0/001.p/15")).issues == ()


def test_i9_without_the_comparison_of_tiles_the_check_of_the_whole_log_passes_over_one(monkeypatch: Patch) -> None:
    def sound() -> bool:
        return flip(scene(), "tile/0/000").check().sound

    assert not sound()
    monkeypatch.setattr(fsck._Walk, "_compare", lambda *_: None)
    assert sound()


def test_i12_without_a_look_at_the_clock_nothing_is_ever_late(monkeypatch: Patch) -> None:
    def late() -> Ledger:
        ledger = scene()
        ledger.write(1)
        ledger.clock.advance(3600)
        return ledger

    said = doubts(late())
    assert {each.split()[1].rstrip(":") for each in said if each.startswith("V7")} == {"rows", "checkpoint"}
    monkeypatch.setattr(checks, "_ages", lambda *_: None)
    monkeypatch.setattr(checks, "_waiting", lambda *_: None)
    monkeypatch.setattr("grace.flow.audit._silent", lambda *_: [])
    assert look(late()).issues == ()


def test_d21_where_a_clock_holds_the_pin_it_is_held_for_good(monkeypatch: Patch) -> None:
    assert said_twice(5) == ([True, False], [250, 275])
    monkeypatch.setattr(checks, "HOLDING", checks.HOLDING | {"V6"})
    assert said_twice(5) == ([True, True], [250, 250])
