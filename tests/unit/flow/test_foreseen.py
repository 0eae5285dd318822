"""Nobody is asked about what is known not to be executable: what stands in the way is said to the operator instead."""

from __future__ import annotations

from collections.abc import Callable
from datetime import timedelta

import pytest

from grace.flow import remind as reminding
from grace.flow import snapshot
from grace.flow.gate import hour_of
from grace.flow.remind import undelivered
from grace.model.approval import ApprovalStatus, Undelivered
from grace.model.base import Item
from grace.model.contract import ContractStatus, Mode
from grace.model.records import Demotion, InFlight, Lease, Standing, Undone
from tests.support.links import approval_of
from tests.support.world import START, World
from tests.unit.flow.scenes import SHOP, check, ended, forge, incident, need, order, run, shop, sweep, until, vote
from tests.unit.flow.test_mail import wait

PLAYBOOK = "roll_back_lambda_alias"
LOWERED = Demotion(id="d-aaaaaaaaaaaa", to=Mode.SHADOW, by="ada", at=START, reason="not today")


def held(world: World) -> Item:
    return Lease(resource=SHOP, until=world.clock.now(), hold="c-other")


def killed(world: World) -> None:
    order(world, "stop")


def demoted(world: World) -> Item:
    at = world.clock.now()
    return Standing(playbook=PLAYBOOK, demotion=LOWERED.model_copy(update={"at": at}))


def broken(world: World) -> Item:
    at = world.clock.now()
    return Standing(playbook=PLAYBOOK, undone=(Undone(contract_id="c-other", at=at),), opened_at=at)


def used_up(world: World) -> Item:
    return InFlight(hour=hour_of(world.clock.now()), acted={PLAYBOOK: 99})


def resting(world: World, minutes: float = 31) -> Item:
    """Left alone until so many minutes from now, by the playbook's cooldown of 15."""
    at = world.clock.now() + timedelta(minutes=minutes - 15)
    return Lease(resource=SHOP, until=at, last_action_at=at)


WAYS = pytest.mark.parametrize(
    ("way", "says"),
    [
        (held, "in safe-hold"),
        (killed, "the kill switch is on"),
        (demoted, "demoted"),
        (broken, "breaker"),
        (used_up, "this hour"),
        (resting, "acted on recently"),
    ],
    ids=lambda each: getattr(each, "__name__", None),
)
Way = Callable[[World], Item | None]


def stand_in_the_way(world: World, contract: str, way: Way) -> None:
    if (item := way(world)) is not None:
        forge(world, contract, item)


def asked_with(way: Way) -> tuple[World, str]:
    """Something stands in the way at the moment of the preflight."""
    world = shop(2)
    contract = until(world, "Preflight").name
    stand_in_the_way(world, contract, way)
    run(world)
    return world, contract


@WAYS
def test_nobody_is_asked_about_what_would_be_refused(way: Way, says: str) -> None:
    world, contract = asked_with(way)
    assert world.mail.sent == []
    assert world.head(contract).status is ContractStatus.REFUSED
    assert any(says in text for _, _, text in world.messages.notified)
    ended(world)


def test_without_foreseeing_it_they_would_be_asked(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(snapshot, "could_run", lambda *_: None)
    world, contract = asked_with(held)
    assert len(world.mail.sent) == 2
    vote(world, contract, "ada")
    run(world)
    assert world.head(contract).status is ContractStatus.REFUSED


def test_a_cooldown_that_is_over_before_the_time_to_decide_hinders_nobody() -> None:
    world, contract = asked_with(lambda world: resting(world, 29))
    assert len(world.mail.sent) == 2
    world.clock.advance(29 * 60)
    vote(world, contract, "ada")
    run(world)
    assert world.head(contract).status is ContractStatus.VERIFIED


def waiting() -> tuple[World, str]:
    """People were asked, and nobody has answered."""
    world = shop(2)
    contract = incident(world)
    assert len(world.mail.sent) == 2
    world.mail.sent.clear()
    return world, contract


def once_more(world: World, contract: str) -> None:
    wait(world, 16)


def mail_came_back(world: World, contract: str) -> None:
    assert not undelivered(Undelivered(contract_id=contract, person="ada", what="bounce"), world)


@pytest.mark.parametrize("again", [once_more, mail_came_back])
@WAYS
def test_nobody_is_asked_again_about_it_either(way: Way, says: str, again: Callable[[World, str], None]) -> None:
    """It ends there: the links say that it is over, and the operator hears why."""
    world, contract = waiting()
    stand_in_the_way(world, contract, way)
    again(world, contract)
    assert world.mail.sent == []
    assert approval_of(world, contract).status is ApprovalStatus.SUPERSEDED
    run(world)
    assert world.head(contract).status is ContractStatus.REFUSED
    assert any(says in text and contract in text for _, _, text in world.messages.notified)
    assert sweep(world).reminded == 0
    ended(world)
    check(world)


def test_without_foreseeing_it_they_would_be_asked_again(monkeypatch: pytest.MonkeyPatch) -> None:
    world, contract = waiting()
    stand_in_the_way(world, contract, held)
    monkeypatch.setattr(reminding, "could_run", lambda *_: None)
    once_more(world, contract)
    assert len(world.mail.sent) == 2
    assert need(world, Lease, SHOP).hold
