"""A wake-up authorises nothing: the record decides, on exactly one contract, and the gate reads it again."""

from __future__ import annotations

import json
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from grace.errors import IntegrityError, Refused
from grace.flow import contract as drafting_door
from grace.flow import gate, snapshot
from grace.flow.answer import answer
from grace.flow.ask import ask, decided
from grace.flow.execute import execute
from grace.model.approval import Approval, ApprovalStatus, Decision, Vote
from grace.model.contract import Call, Contract, ContractStatus
from grace.model.mission import MissionStatus
from grace.model.records import Step
from tests.support.machine import WorkerDied
from tests.support.world import World
from tests.unit.flow.scenes import (
    approved,
    check,
    ended,
    every,
    forge,
    heads,
    incident,
    missions,
    need,
    order,
    principal,
    read,
    refusal,
    run,
    shop,
    stream,
    sweep,
    ticket_of,
    vote,
)

# -- a wake-up authorises nothing


@pytest.mark.parametrize("tier", [2, 3])
def test_f34_a_stolen_task_token_opens_nothing(tier: int) -> None:
    world = shop(tier)
    contract = incident(world)
    world.machine.wake(world.workflow.executions[contract])
    run(world)
    assert world.head(contract).status is ContractStatus.EXPIRED
    assert world.lambdas.changes == 0
    assert refusal(lambda: vote(world, contract, "ada")) == "closed"
    ended(world)


def test_f34_a_ticket_that_claims_to_need_no_approval_opens_nothing() -> None:
    world = shop(2)
    contract = incident(world)
    forged = ticket_of(world, contract).model_copy(update={"needs_approval": False})
    with pytest.raises(Refused, match="needs an approval"):
        snapshot.snapshot(Call(ticket=forged, step="snapshot"), world)
    with pytest.raises(Refused):
        execute(Call(ticket=forged, step="execute"), world)
    assert world.lambdas.changes == 0


def test_f34_wake_ups_lost_or_doubled_change_nothing() -> None:
    world = shop(2)
    contract = incident(world)
    vote(world, contract, "ada")
    for _ in range(5):
        stream(world)
    run(world)
    stream(world)
    assert world.lambdas.changes == 1
    assert world.head(contract).status is ContractStatus.VERIFIED


def test_d10_an_approval_given_while_the_question_is_asked_again_still_runs_once() -> None:
    """The worker dies after it asked; before the workflow asks again, somebody approves."""
    world = shop(2)
    real = world.machine.doors["ask"]
    died: list[int] = []

    def dies(event: dict[str, Any]) -> dict[str, Any]:
        answered = real(event)
        if event.get("task_token") and not died:
            died.append(1)
            vote(world, str(event["ticket"]["contract_id"]), "ada")
            raise WorkerDied
        return answered

    world.machine.doors["ask"] = dies
    contract = incident(world)
    assert world.head(contract).status is ContractStatus.VERIFIED
    assert world.lambdas.changes == 1
    check(world)


def test_a_question_whose_worker_dies_again_and_again_leaves_no_open_approval() -> None:
    world = shop(2)
    real = world.machine.doors["ask"]

    def dies(event: dict[str, Any]) -> dict[str, Any]:
        real(event)
        raise WorkerDied

    world.machine.doors["ask"] = dies
    contract = incident(world)
    assert world.head(contract).status is ContractStatus.REFUSED
    assert need(world, Approval, contract, "1").status is ApprovalStatus.SUPERSEDED
    ended(world)


def test_people_are_asked_though_the_worker_died_in_the_middle_of_it() -> None:
    world = shop(2)
    real = world.messages.notify
    died: list[int] = []

    def dies(*said: str) -> None:
        if not died:
            died.append(1)
            raise WorkerDied
        real(*said)

    world.messages.notify = dies
    contract = incident(world)
    assert world.head(contract).status is ContractStatus.AWAITING_APPROVAL
    assert [subject for _, subject, _ in world.messages.notified if "approval needed" in subject]


# -- on exactly which contract


def test_f35_a_decision_on_another_digest_is_refused() -> None:
    world = shop(2)
    contract = incident(world)
    assert refusal(lambda: vote(world, contract, "ada", digest="0" * 64)) == "digest"
    assert every(world, Vote) == []


def test_f35_votes_on_another_digest_do_not_open_the_gate() -> None:
    world = shop(2)
    contract = incident(world)
    vote(world, contract, "ada")
    [cast] = every(world, Vote)
    forge(world, contract, cast.model_copy(update={"digest": "0" * 64}))
    run(world)
    assert world.head(contract).status is ContractStatus.REFUSED
    assert world.lambdas.changes == 0


@pytest.mark.parametrize("where", ["body", "ticket"])
def test_f36_a_contract_swapped_after_the_approval_is_refused(where: str) -> None:
    world = shop(2)
    contract = incident(world)
    vote(world, contract, "ada")
    stream(world)
    execution = world.workflow.executions[contract]
    while execution.state != "Execute":
        world.machine.step(execution)
    if where == "ticket":
        execution.document["digest"] = "0" * 64
    else:
        body = need(world, Contract, contract)
        action = body.action.model_copy(update={"parameters": {"to": "7"}})
        forge(world, contract, body.model_copy(update={"action": action}))
    with pytest.raises(IntegrityError, match="digest differs"):
        execute(Call.model_validate({"ticket": execution.document, "step": "execute"}), world)
    world.machine.run(execution)
    assert world.lambdas.changes == 0
    assert read(world, Step, contract, "execute") is None


@pytest.mark.parametrize(("seconds", "acts"), [(600, True), (601, False)])
def test_an_approval_older_than_ten_minutes_starts_nothing(seconds: int, acts: bool) -> None:
    world = shop(2)
    contract = incident(world)
    vote(world, contract, "ada")
    world.clock.advance(seconds)
    run(world)
    assert world.lambdas.changes == acts
    if not acts:
        assert world.head(contract).status is ContractStatus.REFUSED
        assert "ask again with grace retry" in world.head(contract).reason


def test_d10_what_was_approved_runs_exactly_once_with_the_stored_values() -> None:
    world = shop(2)
    contract = incident(world)
    stored = need(world, Contract, contract)
    vote(world, contract, "bob")
    run(world)
    calls = [arguments for _, operation, arguments in world.aws.calls if operation == "update_alias"]
    assert [c["FunctionVersion"] for c in calls] == [stored.action.parameters["to"]]
    assert world.lambdas.changes == 1
    assert need(world, Contract, contract).digest() == need(world, Approval, contract, "1").digest
    assert need(world, Approval, contract, "1").decided_by == ("bob",)
    ended(world)


def test_d10_share_of_approved_requests_that_run_exactly_once() -> None:
    ran = 0
    for tier, people in ((2, ("ada",)), (2, ("bob",)), (3, ("ada", "bob")), (3, ("bob", "ada"))):
        world = shop(tier)
        approved(world, *people)
        ran += world.lambdas.changes == 1
    assert ran == 4, f"{ran} of 4"


def test_an_approval_that_nobody_needs_any_more_does_not_stay_open() -> None:
    world = shop(2)
    contract = incident(world)
    order(world, "rollback", contract)
    run(world)
    assert world.head(contract).status is ContractStatus.REFUSED
    assert need(world, Approval, contract, "1").status is ApprovalStatus.SUPERSEDED
    assert refusal(lambda: vote(world, contract, "ada")) == "closed"
    ended(world)
    check(world)


# -- D9: over random sequences

ACTS = st.lists(
    st.sampled_from(
        ["ada", "bob", "eve", "ada rejects", "bob rejects", "stolen", "wrong digest", "minutes", "hour", "sweep", "run"]
    ),
    max_size=7,
)


@settings(max_examples=60, deadline=None)
@given(tier=st.sampled_from([2, 3]), acts=ACTS)
def test_d9_no_sequence_runs_anything_of_tier_2_or_3_unapproved(tier: int, acts: list[str]) -> None:
    world = shop(tier)
    contract = incident(world)
    for act in [*acts, "run"]:
        perform(world, contract, act)
    approval = need(world, Approval, contract, "1")
    enough = len(set(approval.decided_by) & {"ada", "bob"}) >= (2 if tier == 3 else 1)
    if world.lambdas.changes:
        assert approval.status is ApprovalStatus.APPROVED
        assert enough
    assert world.lambdas.changes <= 1
    check(world)


def perform(world: World, contract: str, act: str) -> None:
    """Do one thing of a random sequence; being refused is fine."""
    who, _, how = act.partition(" ")
    try:
        match act:
            case "stolen":
                execution = world.workflow.executions[contract]
                if execution.token:
                    world.machine.wake(execution)
            case "wrong digest":
                vote(world, contract, "ada", digest="0" * 64)
            case "minutes" | "hour":
                world.clock.advance(660 if act == "minutes" else 3600)
            case "sweep":
                sweep(world)
            case "run":
                run(world)
            case _:
                vote(world, contract, who, "reject" if how else "approve")
    except Refused:
        return


def test_d9_a_workflow_that_forgets_to_ask_is_refused_by_the_record(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(drafting_door, "asks", lambda contract: False)
    world = shop(2)
    contract = incident(world)
    assert "Ask" not in world.workflow.executions[contract].visited
    assert world.head(contract).status is ContractStatus.REFUSED
    assert world.lambdas.changes == 0


def test_d9_without_the_checks_at_snapshot_and_gate_it_would_act_and_be_seen(monkeypatch: pytest.MonkeyPatch) -> None:
    """The mutant: nobody asks for the record. The check after every scenario finds it."""
    for module in (drafting_door, gate, snapshot):
        monkeypatch.setattr(module, "asks", lambda contract: False)
    world = shop(2)
    incident(world)
    assert world.lambdas.changes == 1
    with pytest.raises(AssertionError, match="D9"):
        check(world)


def test_the_answer_door_knows_no_anonymous_caller() -> None:
    world = shop(2)
    contract = incident(world)
    decision = Decision(contract_id=contract, decision="approve", digest=world.head(contract).digest)
    for nobody in ("", "arn:aws:iam::123456789012:root", principal("ada").replace("/ada/", "/adam/")):
        assert refusal(lambda who=nobody: answer(decision, who, world)) == "unknown_person"  # type: ignore[misc]


def test_asking_twice_and_deciding_twice_change_nothing_more() -> None:
    world = shop(2)
    contract = incident(world)
    ticket = ticket_of(world, contract)
    ask(Call(ticket=ticket, step="ask", task_token="again"), world)
    assert need(world, Approval, contract, "1").status is ApprovalStatus.PENDING
    assert len(every(world, Approval)) == 1
    vote(world, contract, "ada")
    for _ in range(2):
        assert decided(Call(ticket=ticket, step="decided"), world) == ticket
    assert heads(world)[0].status is ContractStatus.APPROVED


def test_a_denied_contract_leaves_its_mission_to_people() -> None:
    world = shop(2)
    contract = incident(world)
    vote(world, contract, "ada", "reject")
    run(world)
    assert missions(world)[0].status is MissionStatus.CLOSED
    assert "a person was told" in missions(world)[0].reason
    assert json.dumps([d for _, d in world.messages.published]).count(contract) >= 1
