"""Alarms that flap, and alarms that our own doing raises: no automation."""

from __future__ import annotations

import pytest

from grace.flow import grouping
from grace.model.contract import Mode
from grace.model.mission import MissionStatus
from tests.support.world import START, World, alarm_event, shop_metric
from tests.unit.flow.scenes import (
    SECOND,
    SHOP,
    check,
    first_time,
    heads,
    incident,
    missions,
    order,
    put_alarm,
    reported,
    run,
    shop,
)

# -- F45: flapping


def flap(world: World, changes: int, every_seconds: int = 15) -> None:
    """Let the shop's alarm change its state again and again, each change delivered and everything run."""
    for n in range(changes):
        state = "OK" if n % 2 else "ALARM"
        world.alarm(state, world.clock.now())
        world.fire(alarm_event(state, world.clock.now()))
        world.draft()
        for execution in list(world.workflow.executions.values()):
            if execution.status == "RUNNING" and not execution.token and execution.state != "Settle":
                world.machine.step(execution)
        world.clock.advance(every_seconds)


@pytest.mark.parametrize("tier", [1, 2])
def test_f45_a_flapping_alarm_switches_automation_off_and_is_told_once(tier: int) -> None:
    world = shop(tier)
    flap(world, 20)
    run(world)
    waiting = [m for m in missions(world) if m.status is MissionStatus.NEEDS_ATTENTION]
    assert len(heads(world)) <= 2
    assert len(waiting) <= 1
    assert sum("flaps" in text for _, _, text in world.messages.notified) == len(waiting)
    assert world.lambdas.changes <= 1
    check(world)


def test_f45_in_shadow_too_the_fourth_change_ends_the_drafting() -> None:
    world = shop(mode=Mode.SHADOW, group_window=10)
    flap(world, 20)
    assert len(heads(world)) <= 2
    assert sum("flaps" in text for _, _, text in world.messages.notified) >= 1


def test_f45_many_alarms_of_one_service_going_off_together_are_no_flapping() -> None:
    world = shop()
    for n in range(12):
        put_alarm(world, f"other-{n}", shop_metric("Errors", "Sum"))
    world.fire(*(alarm_event("ALARM", START + n * SECOND, name=f"other-{n}") for n in range(12)))
    run(world)
    assert [(m.signals, m.status) for m in missions(world)] == [(12, MissionStatus.CLOSED)]
    assert len(heads(world)) == 1


def test_f45_without_the_rule_the_same_alarm_goes_on_drafting(monkeypatch: pytest.MonkeyPatch) -> None:
    """The mutant."""
    monkeypatch.setattr(grouping, "FLAP_CHANGES", 10_000)
    world = shop(2)
    flap(world, 20)
    assert len(heads(world)) > 2


# -- F46, I34: our own effects


def test_f46_an_alarm_that_our_own_action_raises_on_its_target_is_evidence_and_no_trigger() -> None:
    world = shop()

    def raised(world: World) -> None:
        latency = shop_metric("Duration", "p95")
        put_alarm(world, "shop-latency", latency, at=world.clock.now())
        world.fire(alarm_event("ALARM", world.clock.now(), name="shop-latency", metric=latency))
        world.draft()

    world.between = first_time("Settle", raised)
    contract = incident(world)
    assert [h.contract_id for h in heads(world)] == [contract], "no second contract on the same resource"
    other = next(m for m in missions(world) if m.contract_id is None)
    assert other.status is MissionStatus.NEEDS_ATTENTION
    assert contract in other.reason
    assert any(contract in text for _, _, text in world.messages.notified)
    assert world.lambdas.changes == 1


def test_f46_without_the_look_at_the_lease_it_would_be_acted_on(monkeypatch: pytest.MonkeyPatch) -> None:
    """The mutant: the same alarm would be drafted on like any other."""
    monkeypatch.setattr(grouping, "_at_work", lambda *_: "")
    world = shop()

    def raised(world: World) -> None:
        world.fire(alarm_event("ALARM", world.clock.now(), name="down", metric=shop_metric("HealthCheckFailed", "Sum")))
        assert len(world.messages.drafts) == 1

    world.between = first_time("Settle", raised)
    incident(world)


@pytest.mark.parametrize("hop", [1, 2, 900])
def test_i34_an_alert_that_follows_from_our_own_effect_is_never_acted_on(hop: int) -> None:
    world = shop()
    world.fire(reported("SQLITE_BUSY", hop=hop, resources=[SHOP], service="shop"))
    run(world)
    assert heads(world) == []
    assert missions(world)[0].status is MissionStatus.NEEDS_ATTENTION
    assert "our own effects" in missions(world)[0].reason


def test_retrying_a_flapping_mission_is_a_persons_own_decision() -> None:
    world = shop(2)
    flap(world, 9)
    run(world)
    world.alarm("ALARM", world.clock.now())
    waiting = [m for m in missions(world) if m.status is MissionStatus.NEEDS_ATTENTION]
    assert len(waiting) == 1
    before = len(heads(world))
    order(world, "retry", waiting[0].mission_id)
    run(world)
    assert len(heads(world)) == before + 1
