"""A mission that waits for people: over when its alarm recovers, when somebody says so, or when nobody came."""

from __future__ import annotations

from collections.abc import Callable
from datetime import timedelta
from typing import Any

import pytest

from grace.errors import Refused, Unavailable
from grace.flow import grouping
from grace.flow import reap as reap_door
from grace.flow.explain import why
from grace.flow.reap import FAR
from grace.model.mission import ATTENTION, Mission, MissionStatus
from tests.support.playbooks import ROLL_BACK_ALIAS
from tests.support.world import START, World, alarm_event
from tests.unit.flow.scenes import check, incident, missions, order, reported, shop, story, sweep

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


# -- what nobody attends to, and what somebody has dealt with


def event_of_nobody() -> World:
    """An error of which nobody knows anything: no alarm of it will ever recover."""
    world = shop(bad=False)
    world.fire(reported("NobodyKnowsThis"))
    assert only(world).status is MissionStatus.NEEDS_ATTENTION
    return world


def told(world: World, words: str) -> int:
    return sum(words in subject for _, subject, _ in world.messages.notified)


@pytest.mark.parametrize("begun", [event_of_nobody, waiting], ids=["an event", "an alarm that stays on"])
def test_what_nobody_attends_to_is_closed_at_its_deadline_and_people_are_told(begun: Callable[[], World]) -> None:
    world = begun()
    reason = only(world).reason
    left = only(world).deadline - world.clock.now()
    assert left > ATTENTION - timedelta(minutes=1)
    assert sweep(world, left.total_seconds() - 1).unattended == 0
    assert only(world).status is MissionStatus.NEEDS_ATTENTION
    assert sweep(world, 2).unattended == 1
    mission = only(world)
    assert (mission.status, mission.open_until) == (MissionStatus.CLOSED, None)
    assert mission.reason == f"nobody attended to it; {reason}"
    assert story(world, mission.mission_id)[-1] == "mission.unattended"
    assert sweep(world, 300).unattended == 0
    assert told(world, "nobody attended") == 1
    check(world)


@pytest.mark.parametrize("begun", [event_of_nobody, waiting], ids=["at once", "after its draft"])
def test_until_its_deadline_no_sweep_reads_it(begun: Callable[[], World]) -> None:
    world = begun()
    sweep(world, 24 * 3600)
    assert world.store.open(Mission, world.clock.now()) == []
    assert world.store.open(Mission, world.clock.now() + FAR) == missions(world), "people still see it"


def test_nobody_told_nothing_closed() -> None:
    world = event_of_nobody()

    def fails(*_: Any) -> None:
        raise Unavailable("later")

    real, world.messages.notify = world.messages.notify, fails
    assert sweep(world, ATTENTION.total_seconds() + 1).failed == 1
    assert only(world).status is MissionStatus.NEEDS_ATTENTION
    world.messages.notify = real
    assert sweep(world).unattended == 1


def test_without_the_deadline_it_would_wait_for_ever(monkeypatch: pytest.MonkeyPatch) -> None:
    """The mutant."""
    monkeypatch.setattr(reap_door, "unattended", lambda *_: None)
    world = event_of_nobody()
    sweep(world, ATTENTION.total_seconds() + 1)
    assert only(world).status is MissionStatus.NEEDS_ATTENTION


def test_a_person_dismisses_it_with_a_reason() -> None:
    world = event_of_nobody()
    mission = only(world).mission_id
    assert any(f"grace dismiss {mission}" in text for _, _, text in world.messages.notified)
    assert order(world, "dismiss", mission, reason="a drill") == f"{mission} is closed."
    assert (only(world).status, only(world).reason) == (MissionStatus.CLOSED, "dismissed by ada: a drill")
    assert story(world, mission)[-1] == "operator.dismiss"
    version = only(world).version
    assert order(world, "dismiss", mission) == f"{mission} is closed."
    assert only(world).version == version
    assert sweep(world, ATTENTION.total_seconds() + 1).unattended == 0
    check(world)


def test_what_is_at_work_is_not_dismissed() -> None:
    world = shop(2)
    incident(world)
    with pytest.raises(Refused, match="ends by itself"):
        order(world, "dismiss", only(world).mission_id)
    assert only(world).status is MissionStatus.OPEN


def test_what_is_drafted_again_is_in_the_sweeps_sight_as_before() -> None:
    world = waiting()
    order(world, "retry", only(world).mission_id)
    world.messages.drafts.clear()
    assert only(world).status is MissionStatus.OPEN
    assert sweep(world, 300).redrafted == 1


def test_what_was_dismissed_may_be_drafted_again_and_dismissed_again() -> None:
    world = waiting()
    mission = only(world).mission_id
    for _ in range(2):
        order(world, "dismiss", mission)
        assert only(world).status is MissionStatus.CLOSED
        order(world, "retry", mission)
        world.settle()
        assert only(world).status is MissionStatus.NEEDS_ATTENTION
    check(world)
