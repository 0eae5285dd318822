"""A mission that waits for people: over when its alarm recovers, and not while the alarm flaps."""

from __future__ import annotations

import pytest

from grace.flow import grouping
from grace.flow.explain import why
from grace.model.mission import Mission, MissionStatus
from tests.support.playbooks import ROLL_BACK_ALIAS
from tests.support.world import START, World, alarm_event
from tests.unit.flow.scenes import missions

WINDOW = 300


def waiting() -> World:
    """The shop is not in Grace's hands, so its alarm is a person's."""
    world = World((ROLL_BACK_ALIAS,))
    world.shop()
    world.lambdas.functions["shop"]["tags"] = {}
    world.fire(alarm_event())
    world.settle()
    assert only(world).status is MissionStatus.NEEDS_ATTENTION
    return world


def only(world: World) -> Mission:
    [mission] = missions(world)
    return mission


def recover(world: World, seconds: int) -> None:
    world.clock.advance(seconds)
    world.fire(alarm_event("OK", world.clock.now()))


def test_it_is_over_when_its_alarm_recovers_after_the_window() -> None:
    world = waiting()
    recover(world, WINDOW + 1)
    mission = only(world)
    assert mission.status is MissionStatus.CLOSED
    assert mission.reason.startswith("it recovered by itself; not_managed")


def test_inside_the_window_it_stays_open() -> None:
    world = waiting()
    recover(world, WINDOW - 60)
    assert only(world).status is MissionStatus.NEEDS_ATTENTION


def test_without_the_look_at_the_alarm_it_would_wait_for_ever(monkeypatch: pytest.MonkeyPatch) -> None:
    """The mutant."""
    monkeypatch.setattr(grouping, "_recovered", lambda *_: False)
    world = waiting()
    recover(world, WINDOW + 1)
    assert only(world).status is MissionStatus.NEEDS_ATTENTION


def test_why_says_that_the_resource_is_left_alone_for_a_while() -> None:
    world = World((ROLL_BACK_ALIAS,))
    world.shop()
    world.between = lambda here, execution: here.heal() if execution.state == "Benchmark" else None
    world.fire(alarm_event("ALARM", START))
    world.settle()
    [lease] = [check for check in why("shop-errors", world, world.rulebook) if check.name == "lease"]
    assert (lease.ok, "left alone until" in lease.says) == (False, True)
    world.clock.advance(3600)
    [lease] = [check for check in why("shop-errors", world, world.rulebook) if check.name == "lease"]
    assert lease.ok
