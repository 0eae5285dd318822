"""An entry's time is that of its writing: a door that takes its time is no writer whose clock is behind."""

from __future__ import annotations

import ast
from pathlib import Path
from typing import Any

import pytest

import grace.flow
from grace.ledger.entries import SKEW, parse
from grace.ledger.lanes import lane_of
from grace.model.entry import Commit, EntryDraft, ref
from grace.model.ids import command_id
from grace.model.records import Subsystem
from tests.support.ledger import Ledger
from tests.support.world import World
from tests.unit.flow.scenes import incident, shop
from tests.unit.flow.test_audit import last, look


def elsewhere(services: Any, lane: int) -> None:
    """Somebody else writes an entry into that lane."""
    lanes = services.log.lanes
    name = next(
        n for n in ("other" + a + b for a in "abcdefgh" for b in "abcdefgh") if lane_of(f"sys:{n}", lanes) == lane
    )
    where = ref(Subsystem, name)
    was, now = services.store.read(where).get(where), services.clock.now()
    head = was or Subsystem(name=name, at=now)
    services.store.commit(
        Commit(
            command=command_id("other", name, str(head.version)),
            head=head.model_copy(update={"count": head.count + 1, "at": now}),
            was=was,
            entries=(EntryDraft(type="signal.quarantined", body={"number": head.count}),),
            at=now,
            actor="grace",
            subsystem="triage",
        )
    )


def slowly(services: Any, port: Any, name: str, seconds: float, lanes: list[int]) -> None:
    """Let a call of a port take so long, while others write into those lanes."""
    true = getattr(port, name)

    def slow(*args: Any, **kwargs: Any) -> Any:
        found = true(*args, **kwargs)
        services.clock.advance(seconds)
        for lane in lanes:
            elsewhere(services, lane)
        return found

    setattr(port, name, slow)


def behind(services: Any) -> dict[str, int]:
    """Return the entries whose writer's clock was behind their lane's, by type."""
    entries = [parse(data) for end in services.log.lane_heads() for data in services.log.entries(end.lane, 1, end.n)]
    return {entry.type: entry.body[SKEW] for entry in entries if SKEW in entry.body}


def audited() -> Ledger:
    """A log whose check takes a minute and a half, while others go on writing; checked twice."""
    ledger = Ledger()
    ledger.write(20)
    ledger.integrate()
    look(ledger)
    ledger.integrate()
    ledger.clock.advance(900)
    slowly(ledger, ledger.metrics, "fetch", 90, [lane_of("sys:audit", ledger.log.lanes)])
    for _ in range(2):
        look(ledger)
        ledger.integrate()
        ledger.clock.advance(600)
    return ledger


def remedied() -> World:
    """An incident at a door that measures for seconds, while others write into every lane."""
    world = shop()
    slowly(world, world.metrics, "fetch", 5, list(range(world.log.lanes)))
    slowly(world, world.alarms, "describe", 3, list(range(world.log.lanes)))
    incident(world)
    return world


def test_a_check_of_a_minute_and_a_half_is_no_clock_that_is_behind() -> None:
    ledger = audited()
    assert behind(ledger) == {}
    assert last(ledger, "log.integrity_issue") == []


def test_a_door_that_measures_for_seconds_is_no_clock_that_is_behind() -> None:
    world = remedied()
    types = {parse(data).type for end in world.log.lane_heads() for data in world.log.entries(end.lane, 1, end.n)}
    assert {"contract.drafted", "contract.executing", "contract.measured"} <= types
    assert behind(world) == {}


def test_without_the_time_of_writing_a_door_that_measures_is_behind(monkeypatch: pytest.MonkeyPatch) -> None:
    def early(**fields: Any) -> Commit:
        return Commit(**fields | {"at": fields["head"].updated_at})

    monkeypatch.setattr("grace.flow.loading.Commit", early)
    assert behind(remedied())["contract.measured"] >= 2_000


def test_every_commit_takes_its_time_as_it_is_made() -> None:
    found = 0
    for path in Path(grace.flow.__path__[0]).glob("*.py"):
        for call in ast.walk(ast.parse(path.read_text())):
            if isinstance(call, ast.Call) and isinstance(call.func, ast.Name) and call.func.id == "Commit":
                found += 1
                [at] = [each.value for each in call.keywords if each.arg == "at"]
                assert ast.unparse(at) == "services.clock.now()", f"{path.name}:{call.lineno}"
    assert found >= 10
