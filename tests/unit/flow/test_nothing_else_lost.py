"""What an undo may touch, what a snapshot may hold, how failures are counted, what is told of approvals, and whose a resource is."""

from __future__ import annotations

import json
from typing import Any

import pytest

from grace.errors import AccessDenied, IntegrityError, Refused, Throttled
from grace.model.approval import Approval
from grace.model.contract import Contract, ContractStatus, Pointer
from grace.model.diagnosis import DiagnosisCode
from grace.model.entry import Entry
from grace.model.mission import MissionStatus
from grace.model.records import Evidence, Outcome, Snapshot
from grace.playbooks.loader import BUILT_IN, load_playbooks
from grace.resources.base import resource_type
from tests.support.life import Life
from tests.support.machine import Execution
from tests.support.scenes import Scene
from tests.support.world import EVENTS, World
from tests.unit.flow.scenes import (
    SHOP,
    add_service,
    approved,
    check,
    ended,
    heads,
    incident,
    missions,
    need,
    order,
    run,
    shop,
    stays_bad,
    story,
    sweep,
    vote,
)

UPDATE = ("lambda", "update_alias")
SECRET = "planted-secret"


# -- D5: an undo is scoped to the acted-on resource


def test_d5_an_undo_touches_the_acted_on_resource_alone_and_loses_no_record() -> None:
    world = shop()
    add_service(world, "other")
    before: list[Entry] = []

    def between(world: World, execution: Execution) -> None:
        stays_bad(world, execution)
        if execution.state == "Rollback" and not before:
            before.extend(world.store.story(world.contracts()[0]))
            # Somebody's own work while ours is put back: another resource, and another setting of this one.
            world.lambdas.alias("other", "live", "1")
            world.lambdas.functions["shop"]["memory"] = 777

    world.between = between
    contract = incident(world)
    assert world.head(contract).status is ContractStatus.ROLLED_BACK
    assert before, "the rollback was never seen"
    assert world.store.story(contract)[: len(before)] == before, "entries from before the undo are lost"
    assert need(world, Contract, contract).digest() == world.head(contract).digest
    assert need(world, Evidence, contract, "outcome").observations
    assert need(world, Outcome, contract).restored is True
    assert world.lambdas.version_of("other", "live") == "1"
    assert world.lambdas.functions["shop"]["memory"] == 777
    written = [arguments for service, operation, arguments in world.aws.calls if (service, operation) == UPDATE]
    assert {(each["FunctionName"], each["Name"]) for each in written} == {("shop", "live")}
    assert len(written) == world.lambdas.changes == 2
    check(world)


# -- D6: nothing clears locks


def test_d6_a_locked_database_goes_to_a_person_and_nothing_is_called() -> None:
    world = World(load_playbooks([BUILT_IN]))
    world.fire(json.loads((EVENTS / "error_database_locked.json").read_text()))
    run(world)
    [mission] = missions(world)
    assert (mission.diagnosis, mission.status) == (DiagnosisCode.DATABASE_LOCKED, MissionStatus.NEEDS_ATTENTION)
    assert heads(world) == []
    assert world.aws.calls == []
    assert len(world.messages.notified) == 1


# -- D24: every failure is seen, and a success starts the count anew


def failing(world: World, pattern: list[bool]) -> list[bool]:
    """Let the calls of a benchmark's probe fail where the pattern says so; the list holds what each call met."""
    real = world.metrics.fetch
    met: list[bool] = []

    def fetch(*arguments: Any) -> Any:
        if world.contracts() and world.head(world.contracts()[0]).status is ContractStatus.VERIFYING:
            met.append(len(met) < len(pattern) and pattern[len(met)])
            if met[-1]:
                raise Throttled("slow down")
        return real(*arguments)

    world.metrics.fetch = fetch
    return met


def test_d24_a_failure_that_passes_is_seen_repeated_and_forgotten() -> None:
    world = shop()
    met = failing(world, [True, True, False])
    contract = incident(world)
    assert met[:3] == [True, True, False]
    assert world.head(contract).status is ContractStatus.VERIFIED
    check(world)


def test_d24_failures_that_go_on_end_the_trying_and_the_action_is_undone() -> None:
    world = shop()
    met = failing(world, [True] * 10_000)
    contract = incident(world)
    assert 1 < len(met) <= 20, "bounded, and more than once"
    assert world.head(contract).status is ContractStatus.ROLLED_BACK
    check(world)


# -- D31: snapshots


@pytest.mark.parametrize("playbook", ["raise_lambda_memory", "increase_logging"])
def test_d31_a_snapshot_holds_what_an_action_may_set_and_no_secret(playbook: str) -> None:
    life = Life(Scene(playbook))
    life.run()
    scene = life.scene
    [contract] = life.contracts()
    pointer = scene.head(contract).snapshot
    assert pointer is not None
    assert SECRET in json.dumps(scene.lambdas.functions, default=str), "the canary is planted"
    kept = Snapshot.model_validate_json(scene.vault.get(pointer))
    assert set(kept.state) == set(resource_type(scene.resource.type).state.model_fields)
    said = [*scene.vault._objects.values(), *(e.model_dump_json().encode() for e in scene.state.story(contract))]
    said += [text.encode() for each in scene.messages.notified for text in each]
    assert not [body for body in said if SECRET.encode() in body]


def test_d31_every_object_is_checked_against_its_digest_before_it_is_trusted() -> None:
    world = shop()
    contract = incident(world)
    pointer = world.head(contract).snapshot
    assert pointer is not None
    world.vault._objects[pointer.key] = world.vault.get(pointer).replace(b'"2"', b'"9"')
    with pytest.raises(IntegrityError):
        world.vault.get(pointer)
    with pytest.raises(IntegrityError):
        world.vault.get(Pointer(key=pointer.key, sha256="0" * 64))


def test_d31_only_a_known_person_may_order_a_restore() -> None:
    world = shop()
    contract = incident(world)
    with pytest.raises(Refused, match="nobody in the people file"):
        order(world, "rollback", contract, person="mallory")
    assert "operator.rollback" not in story(world, contract)


# -- what is told of approvals


def events_of(world: World) -> list[str]:
    return [event for event, _ in world.messages.published if event.startswith("approval.")]


@pytest.mark.parametrize(("decision", "last"), [("approve", "approval.granted"), ("reject", "approval.rejected")])
def test_bus_and_people_hear_of_the_question_and_the_bus_of_the_decision(decision: str, last: str) -> None:
    world = shop(2)
    contract = incident(world)
    assert events_of(world) == ["approval.requested"]
    [(_, subject, text)] = world.messages.notified
    assert subject.startswith("approval needed: roll_back_lambda_alias")
    for said in (SHOP, contract, "ada", "grace decide", "How it would be undone"):
        assert said in text
    vote(world, contract, "bob", decision)
    run(world)
    assert events_of(world) == ["approval.requested", last]
    [detail] = [detail for event, detail in world.messages.published if event == last]
    assert (detail["contract"], detail["by"]) == (contract, "bob")


def test_two_who_approve_are_one_decision_on_the_bus() -> None:
    world = shop(3)
    contract = approved(world, "ada", "bob")
    assert events_of(world) == ["approval.requested", "approval.granted"]
    assert need(world, Approval, contract, "1").decided_by == ("ada", "bob")
    ended(world)


def test_a_bus_that_refuses_the_question_leaves_the_contract_to_the_sweep() -> None:
    """Nobody was asked, so nothing is done: people are told of the end."""
    world = shop(2)

    def refuses(event: str, detail: dict[str, Any]) -> None:
        if event == "approval.requested":
            raise AccessDenied("no right to put events")
        published(event, detail)

    published = world.messages.publish
    world.messages.publish = refuses
    contract = incident(world)
    sweep(world, 5000)
    run(world)
    assert world.lambdas.changes == 0
    assert world.head(contract).status is ContractStatus.REFUSED
    assert any(contract in text for _, _, text in world.messages.notified)
    ended(world)


# -- a resource of somebody else's


def test_an_alarm_on_a_group_of_another_account_leads_to_no_contract_on_ours_of_that_name() -> None:
    scene = Scene("scale_out_group")
    [ours] = scene.groups.groups.values()
    ours["arn"] = ours["arn"].replace(scene.signal.account, "999988887777")
    scene.fire(scene.body)
    scene.settle()
    [mission] = missions(scene)
    assert (mission.status, mission.reason.split(":")[0]) == (MissionStatus.NEEDS_ATTENTION, "foreign")
    assert (scene.contracts(), scene.effects.made) == ([], [])
