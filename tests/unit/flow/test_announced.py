"""What the bus hears of a decision: always, whatever failed at the moment it was made, and never of what was not so."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import pytest

from grace.errors import Unavailable
from grace.flow import resolve
from grace.flow.remind import undelivered
from grace.flow.resolve import react
from grace.model.approval import Approval, Undelivered
from grace.model.entry import ref
from tests.support.world import World, alarm_event
from tests.unit.flow.scenes import add_service, ended, heads, incident, refusal, run, service_event, shop, sweep, vote
from tests.unit.flow.test_mail import manned, wait


def heard(world: World) -> list[str]:
    told = [event for event, _ in world.messages.published if event.startswith("approval.")]
    return [event for event in told if event != "approval.requested"]


def bus_away(world: World) -> Callable[[], None]:
    """Let the bus be away until the returned function is called."""
    real = world.messages.publish

    def fails(*_: Any) -> None:
        raise Unavailable("the bus is away")

    def back() -> None:
        world.messages.publish = real

    world.messages.publish = fails
    return back


def approve(world: World, contract: str) -> None:
    vote(world, contract, "ada")


def reject(world: World, contract: str) -> None:
    vote(world, contract, "ada", "reject")


def too_late(world: World, contract: str) -> None:
    """A vote that finds the time over."""
    world.clock.advance(1801)
    assert refusal(lambda: vote(world, contract, "ada")) == "closed"


def swept(world: World, _: str) -> None:
    assert sweep(world, 1801).expired == 1


@pytest.mark.parametrize(
    ("decide", "event", "by"),
    [
        (approve, "approval.granted", "ada"),
        (reject, "approval.rejected", "ada"),
        (too_late, "approval.expired", None),
        (swept, "approval.expired", None),
    ],
    ids=lambda each: getattr(each, "__name__", None),
)
def test_d13_a_decision_reaches_the_bus_though_it_was_away_when_it_was_made(
    decide: Callable[[World, str], None], event: str, by: str | None
) -> None:
    world = shop(2)
    contract = incident(world)
    back = bus_away(world)
    decide(world, contract)  # it is decided, and said so, whatever the bus does
    assert not world.decided(contract), "the stream is told to come again"
    assert heard(world) == []
    back()
    run(world)
    assert heard(world) == [event]
    [detail] = [detail for name, detail in world.messages.published if name == event]
    assert (detail["contract"], detail.get("by")) == (contract, by)


def test_without_the_stream_nobody_would_hear_of_it(monkeypatch: pytest.MonkeyPatch) -> None:
    """The mutant: what the stream announces is what is heard."""
    monkeypatch.setattr(resolve, "announce", lambda *_: None)
    world = shop(2)
    approve(world, incident(world))
    run(world)
    assert heard(world) == []


def test_what_is_only_asked_again_is_no_decision() -> None:
    world = shop(2)
    contract = incident(world)
    assert world.decided(contract)
    assert heard(world) == []


def test_a_bus_that_is_away_holds_up_nothing_that_was_approved() -> None:
    """Everything of a batch is woken before the bus is told, and what is not told comes again from its first."""
    world = shop(2)
    [alarm] = add_service(world, "cart")
    world.fire(alarm_event(), service_event("cart", alarm))
    run(world)
    contracts = [head.contract_id for head in heads(world)]
    for contract in contracts:
        approve(world, contract)
    back = bus_away(world)
    changes = [(str(n), ref(Approval, contract, "1")) for n, contract in enumerate(contracts)]
    assert react(changes, world) == ["0"]
    assert all(getattr(world.workflow.executions[contract], "woken", False) for contract in contracts)
    back()
    run(world)
    assert sorted(heard(world)) == ["approval.granted"] * 2
    ended(world)


def test_what_was_woken_before_one_that_fails_is_announced() -> None:
    world = shop(2)
    [alarm] = add_service(world, "cart")
    world.fire(alarm_event(), service_event("cart", alarm))
    run(world)
    contracts = [head.contract_id for head in heads(world)]
    for contract in contracts:
        approve(world, contract)
    wake = world.workflow.wake

    def fails(token: str, contract: str) -> bool:
        if contract == contracts[1]:
            raise Unavailable("no")
        return bool(wake(token, contract))

    world.workflow.wake = fails
    changes = [(str(n), ref(Approval, contract, "1")) for n, contract in enumerate(contracts)]
    assert react(changes, world) == ["1"]
    assert heard(world) == ["approval.granted"]


# -- people hear that others are asked


def topic_away_once(world: World) -> None:
    real = world.messages.notify

    def fails(*_: Any) -> None:
        world.messages.notify = real
        raise Unavailable("the topic is away")

    world.messages.notify = fails


def test_an_escalation_that_people_could_not_be_told_of_is_told_by_the_next_sweep() -> None:
    world = manned()
    contract = incident(world)
    topic_away_once(world)
    with pytest.raises(Unavailable):
        wait(world, 16)
    assert world.head(contract).generation == 1, "nothing is written before people are told"
    wait(world, 0)
    assert world.head(contract).generation == 2
    assert world.messages.notified[-1][1].startswith("approval still needed")


def test_f37_a_bounce_that_people_could_not_be_told_of_is_told_when_it_comes_again() -> None:
    world = shop(2)
    contract = incident(world)
    bounce = Undelivered(contract_id=contract, person="ada", what="bounce")
    topic_away_once(world)
    with pytest.raises(Unavailable):
        undelivered(bounce, world)
    assert undelivered(bounce, world)
    assert "Not reached by mail: ada" in world.messages.notified[-1][2]
