"""The check of everything: what nobody has written to for long is compared with the log too, in as many nights as it takes."""

from __future__ import annotations

from datetime import timedelta
from typing import Any

import pytest

from grace.flow import audit as auditing
from grace.flow.checks import Findings
from grace.flow.tables import check_all, check_streams
from grace.ledger.streams import head_of
from grace.model.approval import Approval
from grace.model.contract import ContractHead
from grace.model.entry import ref
from grace.model.log import AuditPin
from grace.model.mission import Mission
from grace.stores.rows import row_of
from tests.support.ledger import Ledger
from tests.support.world import World
from tests.unit.flow.scenes import every, incident, shop
from tests.unit.flow.test_audit import doubts, look, scene
from tests.unit.flow.test_audit_tables import edit

Patch = pytest.MonkeyPatch


def quiet() -> Ledger:
    """A log that was verified, and nothing has happened since but that."""
    ledger = scene()
    look(ledger)
    ledger.integrate()
    ledger.clock.advance(900)
    return ledger


def part(ledger: Ledger, name: str) -> Any:
    where = head_of(f"sys:{name}")
    return ledger.store.read(where).need(where)


def pin(ledger: Ledger) -> AuditPin:
    found: AuditPin = ledger.store.read(ref(AuditPin)).need(ref(AuditPin))
    return found


def edited_and_left_quiet() -> Ledger:
    ledger = quiet()
    edit(ledger, part(ledger, "partb"), count=99)
    return ledger


def test_f21_a_head_that_nothing_writes_to_any_more_is_compared_every_night() -> None:
    assert look(edited_and_left_quiet()).issues == ()
    assert any(each.startswith("V9 sys:partb") for each in doubts(edited_and_left_quiet(), full=True))


def test_f21_without_the_way_round_a_quiet_head_is_never_looked_at(monkeypatch: Patch) -> None:
    monkeypatch.setattr(auditing, "check_all", lambda *_: 0)
    assert look(edited_and_left_quiet(), full=True).issues == ()


def test_f21_a_head_that_is_gone_is_named_at_night() -> None:
    ledger = quiet()
    ledger.store._partitions["SYS"].pop("sub#partc")
    assert any("nothing of it" in each for each in doubts(ledger, full=True))


def test_f15_a_row_that_was_changed_long_ago_is_named_at_night() -> None:
    ledger = quiet()
    key = min(ledger.store._entries, key=lambda each: (each.pk, each.sk))
    ledger.store._entries[key] = ledger.store._entries[key].replace(b'"number":', b'"numbex":')
    assert any("its row is not what was integrated" in each for each in doubts(ledger, full=True))


def named(world: World) -> list[str]:
    """What a night without a tree finds: it looks at what is open alone."""
    found = Findings()
    assert check_all(0, 0, world.clock.now(), world, found) == 0
    return sorted({issue.where for issue in found.issues})


@pytest.mark.parametrize("kind", [ContractHead, Mission, Approval])
def test_f21_what_is_open_and_was_made_up_is_named(kind: type[Any]) -> None:
    """No entry speaks of it, or those it names are another's."""
    world = shop(2)
    incident(world)
    assert named(world) == []
    [true] = every(world, kind)
    made_up = "m-madeup" if kind is Mission else "c-madeup"
    changes = {"mission_id" if kind is Mission else "contract_id": made_up}
    world.store._put(row_of(true.model_copy(update=changes)))
    assert named(world) == [made_up]
    if kind is not Approval:
        world.store._put(row_of(true.model_copy(update={**changes, "log": (), "marks": ""})))
        assert named(world) == [made_up]


@pytest.mark.parametrize("field", ["tier", "need", "expires_at"])
def test_f21_an_approval_that_was_given_more_time_or_less_proof_is_named(field: str) -> None:
    world = shop(2)
    incident(world)
    [approval] = every(world, Approval)
    change = {"tier": 3, "need": 2, "expires_at": approval.expires_at + timedelta(days=2)}[field]
    world.store._put(row_of(approval.model_copy(update={field: change})))
    found = Findings()
    check_streams([approval.contract_id], world, found)
    assert ["approval 1 is" in issue.what for issue in found.issues] == [True]


def test_the_way_round_goes_on_the_next_night_where_the_time_ended() -> None:
    ledger = Ledger()
    ledger.write(520, streams=1)
    ledger.integrate()
    ledger.write(9, streams=9)
    ledger.integrate()
    get, slow = ledger.archive.get, [0.0]

    def slowly(path: str) -> Any:
        ledger.clock.advance(slow[0] if path.startswith("tile/entries/") else 0)
        return get(path)

    ledger.archive.get = slowly
    wrong = part(ledger, "parti")
    edit(ledger, wrong, count=99)
    found = Findings()
    slow[0] = 200
    assert check_all(0, 529, ledger.clock.now(), ledger, found) == 512
    assert found.issues == []
    assert check_all(512, 529, ledger.clock.now(), ledger, found) == 0
    assert [issue.where for issue in found.issues] == ["sys:parti"]


def test_a_night_that_is_over_before_it_begins_compares_one_bundle_all_the_same() -> None:
    ledger = Ledger()
    ledger.write(600)
    ledger.integrate()
    start = ledger.clock.now()
    ledger.clock.advance(3600)
    assert check_all(0, 600, start, ledger, Findings()) == 256
    assert check_all(512, 600, start, ledger, Findings()) == 0
    assert check_all(900, 600, start, ledger, Findings()) == 256, "a place that is not there: anew"


def test_the_pin_keeps_where_the_way_round_goes_on(monkeypatch: Patch) -> None:
    ledger = quiet()
    monkeypatch.setattr(auditing, "check_all", lambda since, *_: since + 256)
    for full, place in ((True, 256), (False, 256), (True, 512)):
        look(ledger, full=full)
        assert pin(ledger).swept == place
        ledger.integrate()
        ledger.clock.advance(900)
