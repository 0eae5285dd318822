"""A guard alarm that goes off while a contract is under way stops it, and what it did is undone and measured."""

from __future__ import annotations

from datetime import timedelta

import pytest

from grace.errors import Refused
from grace.flow import grouping
from grace.flow.resolve import react
from grace.model.approval import Approval, ApprovalStatus
from grace.model.contract import ContractStatus
from grace.model.entry import ref
from grace.model.records import GuardAlarm, StopOrder
from tests.support.playbooks import roll_back_alias
from tests.support.world import START, World, alarm_event, shop_metric
from tests.unit.flow.scenes import need, until, vote

GUARD = "checkout-latency"


def world(tier: int = 1) -> World:
    world = World((roll_back_alias(tier),))
    world.shop()
    world.lambdas.functions["shop"]["tags"]["grace:guards"] = GUARD
    world.alarms.put(
        world.alarm("ALARM", START)._replace(
            name=GUARD,
            arn=f"arn:aws:cloudwatch:eu-west-1:123456789012:alarm:{GUARD}",
            state="OK",
        )
    )
    return world


def go_off(world: World) -> None:
    at = world.clock.now() + timedelta(seconds=1)
    assert world.fire(alarm_event("ALARM", at, name=GUARD, metric=shop_metric("Duration", "p95"))) == []


def stop(world: World, contract: str) -> None:
    """What the stream does with a stop order."""
    if world.store.read(ref(StopOrder, contract)).get(ref(StopOrder, contract)):
        assert react([("1", ref(StopOrder, contract))], world) == []


@pytest.mark.parametrize("state", ["Settle", "Benchmark", "Verify"])
def test_a_guard_alarm_after_the_action_undoes_it(state: str) -> None:
    here = world()
    fired: list[str] = []

    def between(world: World, execution: object) -> None:
        if getattr(execution, "state", "") == state and not fired:
            fired.append(state)
            world.heal()
            go_off(world)
            stop(world, world.contracts()[0])

    here.between = between
    here.fire(alarm_event())
    here.settle()
    contract = here.contracts()[0]
    head = here.head(contract)
    assert (head.status, head.closed) == (ContractStatus.ROLLED_BACK, True)
    assert GUARD in head.reason
    assert here.lambdas.version_of("shop", "live") == "2"
    assert here.workflow.status(contract) == "ABORTED"
    assert here.workflow.status(f"{contract}-rb-1") == "SUCCEEDED"


@pytest.mark.parametrize("heard", [True, False], ids=["stopped", "order not carried out yet"])
@pytest.mark.parametrize("state", ["Snapshot", "Baseline", "Execute"])
def test_a_guard_alarm_before_the_action_ends_the_contract_untouched(state: str, heard: bool) -> None:
    here = world()
    fired: list[str] = []

    def between(world: World, execution: object) -> None:
        if getattr(execution, "state", "") == state and not fired:
            fired.append(state)
            go_off(world)
            if heard:
                stop(world, world.contracts()[0])

    here.between = between
    here.fire(alarm_event())
    here.settle()
    assert fired
    head = here.head(here.contracts()[0])
    assert (head.status, head.closed) == (ContractStatus.REFUSED, True)
    assert GUARD in head.reason
    assert here.lambdas.changes == 0


def asking(state: str = "Ask") -> tuple[World, str]:
    """A world whose contract of tier 2 stands at that state; at `Ask` it waits for people."""
    here = world(tier=2)
    execution = until(here, "Preflight" if state == "Preflight" else "Ask")
    if state != "Preflight":
        here.settle()
        assert execution.token
    if state == "Decided":
        vote(here, execution.name, "ada")
        here.decided(execution.name)
        assert execution.state == "Decided"
    return here, execution.name


@pytest.mark.parametrize("state", ["Preflight", "Ask", "Decided"])
def test_a_guard_alarm_while_people_are_asked_ends_the_contract_and_the_question(state: str) -> None:
    here, contract = asking(state)
    go_off(here)
    stop(here, contract)
    here.settle()
    head = here.head(contract)
    assert (head.status, head.closed) == (ContractStatus.REFUSED, True)
    assert GUARD in head.reason
    assert here.lambdas.changes == 0
    assert here.workflow.status(contract) == "ABORTED"
    if state == "Ask":
        assert need(here, Approval, contract, "1").status is ApprovalStatus.SUPERSEDED
        with pytest.raises(Refused):
            vote(here, contract, "ada")


def test_a_yes_that_crosses_a_guard_alarm_starts_nothing() -> None:
    """The order to stop is written and not carried out yet when a person says yes."""
    here, contract = asking()
    go_off(here)
    vote(here, contract, "ada")
    here.decided(contract)
    here.settle()
    head = here.head(contract)
    assert (head.status, head.closed, here.lambdas.changes) == (ContractStatus.REFUSED, True, 0)
    assert GUARD in head.reason


def test_a_guard_alarm_that_is_not_armed_leaves_people_asked(monkeypatch: pytest.MonkeyPatch) -> None:
    """The mutant of the two tests above: people decide, and it is done."""
    monkeypatch.setattr(grouping, "breached", lambda *_: None)
    here, contract = asking()
    go_off(here)
    stop(here, contract)
    vote(here, contract, "ada")
    here.decided(contract)
    here.settle()
    assert here.lambdas.changes >= 1


def test_a_guard_that_is_not_armed_stops_nothing(monkeypatch: pytest.MonkeyPatch) -> None:
    """The mutant: without the lookup of armed guards the same alarm changes nothing, and the tests above would fail."""
    monkeypatch.setattr(grouping, "breached", lambda *_: None)
    here = world()

    def between(world: World, execution: object) -> None:
        if getattr(execution, "state", "") == "Settle":
            go_off(world)
            stop(world, world.contracts()[0])
        if getattr(execution, "state", "") == "Benchmark":
            world.heal()

    here.between = between
    here.fire(alarm_event())
    here.settle()
    assert here.head(here.contracts()[0]).status is ContractStatus.VERIFIED


@pytest.mark.parametrize("guard", ["missing", "on already"])
def test_a_guard_that_could_tell_nothing_refuses_the_contract(guard: str) -> None:
    here = world()
    if guard == "missing":
        here.lambdas.functions["shop"]["tags"]["grace:guards"] = "nobody-made-this"
    else:
        here.alarms.put(here.alarms.describe(GUARD)._replace(state="ALARM"))
    here.fire(alarm_event())
    here.settle()
    assert here.contracts() == []
    assert any("guard alarm" in text for _, _, text in here.messages.notified)


def test_the_end_of_the_contract_disarms_its_guard() -> None:
    here = world()
    here.between = lambda world, execution: world.heal() if execution.state == "Benchmark" else None
    here.fire(alarm_event())
    here.draft()
    contract = here.contracts()[0]
    armed = ref(GuardAlarm, GUARD)
    assert here.store.read(armed).need(armed).contracts == (contract,)
    here.settle()
    assert here.head(contract).status is ContractStatus.VERIFIED
    assert here.store.read(armed).need(armed).contracts == ()
