"""One id joins everything, every reference leads somewhere, and nothing is lost in a restart."""

from __future__ import annotations

import json
from collections.abc import Callable
from typing import Any

import pytest

from grace.flow import drafting
from grace.ledger.replay import replay
from grace.model.approval import Approval, Vote
from grace.model.contract import Contract, ContractHead, ContractStatus, Pointer
from grace.model.entry import Entry
from grace.model.mission import Mission, MissionStatus
from grace.model.records import Evidence, Outcome, Step
from grace.model.signal import StoredSignal
from grace.playbooks.loader import BUILT_IN, load_playbooks
from grace.signals import parse
from tests.support.machine import WorkerDied
from tests.support.world import EVENTS, START, World, alarm_event
from tests.unit.flow.scenes import (
    SECOND,
    SHOP,
    announced,
    approved,
    check,
    ended,
    every,
    first_time,
    heads,
    incident,
    missions,
    need,
    order,
    reported,
    run,
    shop,
    stays_bad,
    sweep,
    vote,
)


def verified(world: World) -> str:
    return incident(world)


def rolled_back(world: World) -> str:
    world.between = stays_bad
    return incident(world)


def approved_by_two(world: World) -> str:
    return approved(world, "ada", "bob")


def denied(world: World) -> str:
    contract = incident(world)
    vote(world, contract, "ada", "reject")
    run(world)
    return contract


def expired(world: World) -> str:
    contract = incident(world)
    sweep(world, 4000)
    run(world)
    return contract


def superseded(world: World) -> str:
    contract = incident(world)
    world.alarm("OK", START + SECOND)
    world.fire(alarm_event("OK", START + SECOND))
    run(world)
    return contract


def held(world: World) -> str:
    world.between = first_time("Settle", lambda world: world.lambdas.aliases.clear(), then=stays_bad)
    return incident(world)


def stopped(world: World) -> str:
    order(world, "stop")
    return incident(world)


def swept(world: World) -> str:
    world.between = first_time("Verify", lambda world: world.workflow.stop(world.contracts()[0], "a test"))
    contract = incident(world)
    sweep(world, 90)
    run(world)
    return contract


STORIES: list[tuple[int, Callable[[World], str], ContractStatus]] = [
    (1, verified, ContractStatus.VERIFIED),
    (1, rolled_back, ContractStatus.ROLLED_BACK),
    (3, approved_by_two, ContractStatus.VERIFIED),
    (2, denied, ContractStatus.DENIED),
    (3, expired, ContractStatus.EXPIRED),
    (2, superseded, ContractStatus.SUPERSEDED),
    (1, held, ContractStatus.SAFE_HOLD),
    (1, stopped, ContractStatus.REFUSED),
    (1, swept, ContractStatus.ROLLED_BACK),
]


@pytest.fixture(params=STORIES, ids=lambda story: story[1].__name__)
def told(request: pytest.FixtureRequest) -> tuple[World, str]:
    """A world after one story, and the contract it is about."""
    tier, tell, status = request.param
    world = shop(tier)
    contract = tell(world)
    assert world.head(contract).status is status
    return world, contract


def test_i10_replaying_the_entries_gives_exactly_the_stored_head(told: tuple[World, str]) -> None:
    world, contract = told
    check(world)
    ended(world)
    head, mission = world.head(contract), missions(world)[0]
    assert replay(ContractHead, world.store.story(contract)) == head
    assert replay(Mission, world.store.story(mission.mission_id)) == mission


def test_i10_one_entry_less_or_changed_gives_another_state_or_none(told: tuple[World, str]) -> None:
    """The mutant: what the check above compares is not the same by itself."""
    world, contract = told
    entries = world.store.story(contract)
    with pytest.raises(Exception, match="not what follows"):
        replay(ContractHead, entries[:2] + entries[3:])
    changed = entries[-1].model_copy(update={"body": entries[-1].body | {"set": {"reason": "another"}}})
    assert replay(ContractHead, [*entries[:-1], changed]) != world.head(contract)


def joined(world: World, contract: str) -> set[str]:
    """Every correlation id in alert, mission, contract, entries and events."""
    mission = missions(world)[0]
    entries: list[Entry] = [*world.store.story(contract), *world.store.story(mission.mission_id)]
    assert world.messages.published
    return {
        parse(json.dumps(alarm_event())).corr,
        mission.corr,
        world.head(contract).corr,
        need(world, Contract, contract).corr,
        need(world, StoredSignal, mission.mission_id).signal.corr,
        *(entry.corr for entry in entries),
        *(str(detail.get("corr")) for _, detail in world.messages.published),
    }


def test_d36_i40_one_correlation_id_joins_alert_mission_contract_entries_and_events(told: tuple[World, str]) -> None:
    assert len(joined(*told)) == 1


@pytest.mark.parametrize("forgets", ["the contract", "the events"])
def test_i40_whoever_does_not_hand_the_id_on_is_seen(forgets: str, monkeypatch: pytest.MonkeyPatch) -> None:
    """The mutants: one link of the chain makes an id of its own."""
    world = shop()
    if forgets == "the contract":
        monkeypatch.setattr(drafting, "Contract", lambda **made: Contract(**made | {"corr": "r-of-its-own"}))
    if forgets == "the events":
        publish = world.messages.publish
        world.messages.publish = lambda event, detail: publish(event, detail | {"corr": ""})
    assert len(joined(world, incident(world))) > 1


def test_d26_every_event_and_every_record_carries_its_mission(told: tuple[World, str]) -> None:
    world, contract = told
    mission = missions(world)[0].mission_id
    assert [detail["mission"] for _, detail in world.messages.published] == [mission] * len(world.messages.published)
    assert world.head(contract).mission_id == need(world, Contract, contract).mission_id == mission
    assert {e.contract for e in world.store.story(contract)} == {contract}
    assert world.store.story(contract)[0].body["set"]["mission_id"] == mission
    assert [e.body["contract"] for e in world.store.story(mission) if e.type == "mission.contracted"] == [contract]


def test_d27_no_reference_is_an_orphan(told: tuple[World, str]) -> None:
    world, _ = told
    contracts = {h.contract_id for h in heads(world)}
    all_missions = {m.mission_id for m in missions(world)}
    assert {b.contract_id for b in every(world, Contract)} == contracts
    for kind in (Step, Evidence, Outcome, Approval, Vote):
        assert {item.contract_id for item in every(world, kind)} <= contracts  # type: ignore[attr-defined]
    assert {h.mission_id for h in heads(world)} <= all_missions
    assert {m.contract_id for m in missions(world) if m.contract_id} <= contracts
    assert {s.mission_id for s in every(world, StoredSignal)} == all_missions
    assert {h.digest for h in heads(world)} == {b.digest() for b in every(world, Contract)}
    for head in heads(world):
        if head.snapshot:
            kept = json.loads(world.vault.get(head.snapshot))
            assert kept["contract_id"] == head.contract_id


def test_a_contracts_end_is_announced_once_and_people_hear_of_every_end_but_verified(told: tuple[World, str]) -> None:
    world, contract = told
    good = world.head(contract).status is ContractStatus.VERIFIED
    assert announced(world) == ["agentic.problem_resolved" if good else "agentic.action_failed"]
    about = [
        text for _, subject, text in world.messages.notified if contract in text and "approval needed" not in subject
    ]
    assert len(about) == (0 if good else 1)
    for text in about:
        for line in ("What happened:", "What Grace did:", "To what:", "Is it safe now:", "What next:"):
            assert line in text
    assert need(world, Outcome, contract).status is world.head(contract).status


# -- D37, D38: errors that applications report

SIX = [
    "database_locked",
    "permission_denied",
    "validation_error",
    "timeout",
    "resource_exhausted",
    "dependency_unavailable",
]


@pytest.mark.parametrize("pattern", SIX)
def test_d38_each_of_the_six_patterns_has_a_way_to_its_end(pattern: str) -> None:
    world = World(load_playbooks([BUILT_IN]))
    world.fire(json.loads((EVENTS / f"error_{pattern}.json").read_text()))
    run(world)
    [mission] = missions(world)
    assert mission.diagnosis.value == pattern
    assert heads(world) or mission.status is MissionStatus.NEEDS_ATTENTION
    if not heads(world):
        assert [event for event, _ in world.messages.published] == ["mission.needs_attention"]
        assert mission.reason
        assert len(world.messages.notified) == 1
    check(world)


CODES = ["SQLITE_BUSY", "AccessDenied", "ETIMEDOUT", "NobodyKnowsThis", "HTTP_503", "ValidationException", "42"]


def test_d37_every_error_reported_reaches_a_mission_and_its_event() -> None:
    world = World(load_playbooks([BUILT_IN]))
    for code in CODES:
        assert world.fire(reported(code)) == []
    run(world)
    assert len(missions(world)) == len(CODES)
    assert len([e for e, _ in world.messages.published if e == "mission.needs_attention"]) == len(CODES)


# -- D14, D50: restarts


def reborn(world: World) -> World:
    """The same deployment after every worker was replaced: what was not stored is gone."""
    fresh = shop()
    fresh.catalogue, fresh.rulebook = world.catalogue, world.rulebook
    for part in ("store", "vault", "lambdas", "aws", "metrics", "alarms", "workflow", "clock", "messages"):
        setattr(fresh, part, getattr(world, part))
    fresh.machine.pause = fresh.clock.advance
    return fresh


def test_d14_all_state_survives_a_cold_start_between_any_two_steps() -> None:
    world = shop(2)
    assert world.fire(alarm_event()) == []
    world = reborn(world)
    run(world)
    contract = world.contracts()[0]
    world = reborn(world)
    vote(world, contract, "ada")
    world = reborn(world)
    world.decided(contract)
    execution = world.workflow.executions[contract]
    while execution.status == "RUNNING":
        world = reborn(world)
        world.between(world, execution)
        world.machine.step(execution)
    assert world.head(contract).status is ContractStatus.VERIFIED
    assert world.lambdas.changes == 1
    check(world)
    ended(world)


def killed_at(world: World, number: int, *, after: bool) -> Callable[[], bool]:
    """Let the worker die at its n-th call to anything outside, before or after the call; the answer: whether it did."""
    calls: list[int] = []

    def dies(real: Callable[..., Any]) -> Callable[..., Any]:
        def call(*arguments: Any, **named: Any) -> Any:
            calls.append(1)
            if len(calls) == number and not after:
                raise WorkerDied
            answered = real(*arguments, **named)
            if len(calls) == number and after:
                raise WorkerDied
            return answered

        return call

    for part, names in (
        ("store", ("read", "commit")),
        ("vault", ("put",)),
        ("messages", ("notify", "publish", "draft")),
    ):
        target = getattr(world, part)
        for name in names:
            setattr(target, name, dies(getattr(target, name)))
    return lambda: len(calls) >= number


@pytest.mark.parametrize("after", [False, True], ids=["before", "after"])
def test_d50_a_worker_that_dies_at_any_call_loses_no_alert(after: bool) -> None:
    """The queue delivers the batch again; every alert ends where it would have: x of y."""
    batch: list[Any] = [alarm_event(), "{poison", reported("NobodyKnowsThis")]
    survived = number = 0
    while True:
        number += 1
        world = shop()
        died = killed_at(world, number, after=after)
        try:
            world.fire(*batch)
        except WorkerDied:
            assert world.fire(*batch) == []
        if not died():
            break
        world.draft()
        sweep(world, 130)
        run(world)
        survived += (
            [h.status for h in heads(world)] == [ContractStatus.VERIFIED]
            and sorted(m.signals for m in missions(world)) == [1, 1]
            and [e.type for e in world.store.story("sys:quarantine")] == ["signal.quarantined"]
            and any("could not be read" in subject for _, subject, _ in world.messages.notified)
            and any("needs a person" in subject for _, subject, _ in world.messages.notified)
            and any(event == "mission.needs_attention" for event, _ in world.messages.published)
            and b"{poison" in world.vault._objects.values()
        )
        check(world)
    assert (survived, number) == (number - 1, number), f"{survived} of {number - 1}"
    assert number > 8


def test_d50_what_was_parked_can_be_delivered_again_once_it_can_be_read() -> None:
    world = shop()
    body = json.dumps(alarm_event())
    world.fire(body[:-1])
    [entry] = world.store.story("sys:quarantine")
    kept = world.vault.get(Pointer(key=entry.body["key"], sha256=entry.body["sha256"]))
    assert world.fire(kept.decode() + "}") == []
    run(world)
    assert [(h.status, h.resource) for h in heads(world)] == [(ContractStatus.VERIFIED, SHOP)]
