"""A rollback's own verdict: the fields are back AND the alarm stands no worse, both measured, or it is not called one."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import pytest

from grace.errors import AccessDenied, Throttled
from grace.flow import rollback as rollback_door
from grace.model.contract import ContractStatus
from grace.model.entry import Entry
from grace.model.records import Evidence, Lease, Observation, Outcome, Step
from tests.support.machine import Execution
from tests.support.world import World
from tests.unit.flow.scenes import SHOP, Between, check, ended, first_time, incident, need, run, shop, stays_bad


def stands(before: str, after: str) -> Between:
    """The alarm's state directly before the action, and at the rollback; the fix does not help."""

    def between(world: World, execution: Execution) -> None:
        stays_bad(world, execution)
        told = {"Baseline": before, "Rollback": after}.get(execution.state)
        if told == "gone":
            world.alarms._alarms.clear()
        elif told:
            world.alarm(told, world.clock.now())

    return between


def undone(before: str, after: str) -> tuple[World, str]:
    """An incident whose fix is undone, its alarm standing so."""
    world = shop()
    world.between = stands(before, after)
    contract = incident(world)
    ended(world)
    check(world)
    assert world.lambdas.version_of("shop", "live") == "2", "whatever the alarm says, it is put back"
    return world, contract


def halves(world: World, contract: str) -> tuple[Observation, Observation]:
    """What was measured of the fields and of the alarm."""
    fields, alarm = need(world, Evidence, contract, "rollback").observations
    return fields, alarm


def entry(world: World, contract: str, kind: str) -> Entry:
    """The one entry of a type."""
    story: list[Entry] = world.store.story(contract)
    [found] = [each for each in story if each.type == kind]
    return found


@pytest.mark.parametrize("after", ["OK", "ALARM"])
def test_an_alarm_that_is_the_same_or_better_is_no_worse(after: str) -> None:
    world, contract = undone("ALARM", after)
    assert world.head(contract).status is ContractStatus.ROLLED_BACK
    step = need(world, Step, contract, "execute")
    assert step.baseline is not None
    assert step.baseline.alarm == "ALARM"
    fields, alarm = halves(world, contract)
    assert (fields.result, alarm.result) == ("passed", "passed")
    assert (alarm.expected, alarm.observed, alarm.samples) == ("ALARM", after, 1)
    assert alarm.source.startswith("DescribeAlarms")
    told = {"restored": True, "state": fields.observed, "alarm": after, "verdict": "verified"}
    assert told.items() <= entry(world, contract, "contract.rolled_back").body.items()


def test_an_alarm_that_got_worse_is_no_rollback_and_the_fields_are_still_said_to_be_back() -> None:
    world, contract = undone("INSUFFICIENT_DATA", "ALARM")
    head = world.head(contract)
    assert head.status is ContractStatus.SAFE_HOLD
    assert head.reason == (
        "every field is back as in the snapshot, but its alarm got worse: it is in ALARM and was INSUFFICIENT_DATA "
        "when the action was decided"
    )
    fields, alarm = halves(world, contract)
    assert (fields.result, alarm.result) == ("passed", "failed")
    assert need(world, Evidence, contract, "rollback").verdict == "failed"
    assert need(world, Outcome, contract).restored is True
    assert entry(world, contract, "contract.safe_hold").body["restored"] is True
    assert need(world, Lease, SHOP).hold == contract
    assert world.messages.notified[-1][0] == "critical"


@pytest.mark.parametrize("after", ["INSUFFICIENT_DATA", "gone"])
@pytest.mark.parametrize("before", ["ALARM", "INSUFFICIENT_DATA"])
def test_an_alarm_that_says_nothing_is_no_success(before: str, after: str) -> None:
    world, contract = undone(before, after)
    assert world.head(contract).status is ContractStatus.SAFE_HOLD
    assert "cannot be shown to be no worse" in world.head(contract).reason
    fields, alarm = halves(world, contract)
    assert (fields.result, alarm.result, alarm.samples) == ("passed", "inconclusive", 0)
    assert need(world, Evidence, contract, "rollback").verdict == "inconclusive"
    assert need(world, Outcome, contract).restored is True


def unreadable(error: Exception, times: int) -> Callable[[World], None]:
    """From the rollback on the alarm cannot be read, so often."""

    def put(world: World) -> None:
        real, left = world.alarms.describe, [times]

        def describe(name: str) -> Any:
            left[0] -= 1
            if left[0] >= 0:
                raise error
            return real(name)

        world.alarms.describe = describe

    return put


def test_an_alarm_that_may_not_be_read_is_not_measured() -> None:
    world = shop()
    world.between = first_time("Rollback", unreadable(AccessDenied("no"), 10_000), then=stays_bad)
    contract = incident(world)
    assert world.head(contract).status is ContractStatus.SAFE_HOLD
    fields, alarm = halves(world, contract)
    assert (fields.result, alarm.result) == ("passed", "inconclusive")
    assert alarm.note == "it could not be read: AccessDenied: no"


def test_an_alarm_that_cannot_be_read_at_once_is_read_again_and_nothing_is_restored_twice() -> None:
    world = shop()
    world.between = first_time("Rollback", unreadable(Throttled("slow"), 2), then=stays_bad)
    contract = incident(world)
    assert world.head(contract).status is ContractStatus.ROLLED_BACK
    assert world.lambdas.changes == 2
    run(world)
    check(world)


def test_without_the_alarms_half_a_worse_alarm_would_be_a_rollback(monkeypatch: pytest.MonkeyPatch) -> None:
    """The mutant: the fields alone decide."""
    monkeypatch.setattr(rollback_door, "judge", lambda *_: "verified")
    world = shop()
    world.between = stands("INSUFFICIENT_DATA", "ALARM")
    contract = incident(world)
    assert world.head(contract).status is ContractStatus.ROLLED_BACK
    with pytest.raises(AssertionError, match="I31"):
        check(world)
