"""V9: what is changed in the tables past the one way to write is found, whatever is cut off or left quiet with it."""

from __future__ import annotations

from typing import Any

import pytest

from grace.flow import tables
from grace.flow.checks import Findings
from grace.flow.tables import check_streams
from grace.ledger.replay import LATEST
from grace.model.contract import ContractHead, ContractStatus
from grace.model.entry import ref
from grace.model.mission import Mission
from grace.model.records import Subsystem
from grace.stores.rows import row_of
from tests.support.ledger import Ledger
from tests.support.world import World
from tests.unit.flow.scenes import every, incident, shop

Patch = pytest.MonkeyPatch


def ended() -> World:
    """A world whose incident is over."""
    world = shop()
    incident(world)
    return world


def edit(services: Any, item: Any, **changes: Any) -> str:
    """Change a head where it lies, past the one way to write; its stream."""
    services.store._put(row_of(item.model_copy(update=changes)))
    return str(item.stream)


def named(services: Any, *streams: str) -> list[str]:
    """What the verifier finds in these streams."""
    found = Findings()
    check_streams(streams, services, found)
    assert {issue.check for issue in found.issues} <= {"V9"}
    return [issue.what for issue in found.issues]


def cut_heads() -> list[str]:
    """Change a contract and a mission, and cut the first position off what they name; what is found."""
    world = ended()
    [contract], [mission] = every(world, ContractHead), every(world, Mission)
    assert named(world, contract.stream, mission.stream) == []
    changed = edit(world, contract, status=ContractStatus.DENIED, log=contract.log[1:])
    return named(world, changed, edit(world, mission, reason="all is well", log=mission.log[1:]))


def test_f21_a_head_whose_first_entry_is_cut_off_is_named() -> None:
    assert ["entry 2 of " in each for each in cut_heads()] == [True, True]


def test_f21_without_the_whole_log_of_a_head_its_change_is_passed_over(monkeypatch: Patch) -> None:
    true = tables._differences

    def trusting(stream: str, where: Any, stored: Any, services: Any) -> list[str]:
        return [] if services.store.story(stream)[0].sseq != 1 else true(stream, where, stored, services)

    monkeypatch.setattr(tables, "_differences", trusting)
    assert cut_heads() == []


def test_f21_the_positions_a_head_names_are_compared_too() -> None:
    """All entries are read by them: one that is another's, or twice there, leads to another head or to none."""
    world = ended()
    [contract] = every(world, ContractHead)
    for log in (contract.log[:-1], (*contract.log, contract.log[-1]), ()):
        assert named(world, edit(world, contract, log=log))


def endless() -> tuple[Ledger, Subsystem]:
    """A part of the system that has spoken more often than its head remembers."""
    ledger = Ledger()
    ledger.write(LATEST + 6, streams=1)
    where = ref(Subsystem, "parta")
    return ledger, ledger.store.read(where).need(where)


@pytest.mark.parametrize(
    ("changes", "says"),
    [
        ({}, []),
        ({"count": 7}, ["sys:parta: count is 7, the log says 70"]),
        ({"corr": "other"}, ["sys:parta: corr is 'other', the log says 'subsystem'"]),
        ({"version": 71}, ["sys:parta is at version 71, its last entry is number 70"]),
    ],
)
def test_f21_a_part_that_speaks_for_ever_is_what_its_latest_entries_say(changes: Any, says: list[str]) -> None:
    ledger, part = endless()
    assert named(ledger, edit(ledger, part, **changes)) == says


def test_f21_a_part_that_speaks_for_ever_names_all_of_its_latest_entries() -> None:
    ledger, part = endless()
    [says] = named(ledger, edit(ledger, part, log=part.log[1:]))
    assert says == "sys:parta: it names 63 of its latest entries, 64 are kept"


def test_a_head_that_moves_while_it_is_read_is_no_finding() -> None:
    ledger = Ledger()
    ledger.write(3, streams=1)
    true, moves = ledger.store.story, [1, 1]

    def story(stream: str) -> Any:
        if moves:
            ledger.write(moves.pop(), streams=1)
        return true(stream)

    ledger.store.story = story
    assert named(ledger, "sys:parta") == []
    assert not moves
