"""Who may decide, how often, until when; and that nothing of tier 2 or 3 is ever done without it."""

from __future__ import annotations

import json
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from datetime import timedelta
from threading import Barrier
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from grace.errors import Conflict, GraceError, IntegrityError, Refused
from grace.flow import contract as drafting_door
from grace.flow import gate, snapshot
from grace.flow.answer import answer
from grace.flow.ask import ask, decided
from grace.flow.execute import execute
from grace.flow.loading import advance, load, ticket_for
from grace.model.approval import Approval, ApprovalStatus, Decision, Directory, Person, Vote
from grace.model.contract import Call, Contract, ContractStatus, Mode, Ticket
from grace.model.entry import EntryDraft
from grace.model.mission import MissionStatus
from grace.model.records import Step
from tests.support.machine import WorkerDied
from tests.support.world import ACCOUNT, PEOPLE, World
from tests.unit.flow.scenes import (
    approved,
    check,
    ended,
    every,
    heads,
    incident,
    missions,
    need,
    order,
    principal,
    read,
    run,
    shop,
    story,
    stream,
    sweep,
    vote,
)


def code(work: Callable[[], object]) -> str:
    """The short code of the refusal that some work ends in."""
    with pytest.raises(Refused) as caught:
        work()
    return caught.value.code


def ticket_of(world: World, contract: str) -> Ticket:
    return ticket_for(need(world, Contract, contract), needs_approval=True)


# -- who may decide


@pytest.mark.parametrize("person", ["eve", "nobody"])
def test_d11_only_people_of_the_group_decide(person: str) -> None:
    world = shop(2)
    contract = incident(world)
    assert code(lambda: vote(world, contract, person)) == {"eve": "not_yours", "nobody": "unknown_person"}[person]
    assert every(world, Vote) == []
    assert world.head(contract).status is ContractStatus.AWAITING_APPROVAL


def test_d11_f30_who_orders_the_retry_is_the_requester_and_may_not_approve_it() -> None:
    world = shop(2)
    first = incident(world)
    vote(world, first, "bob", "reject")
    run(world)
    order(world, "retry", missions(world)[0].mission_id, "ada")
    run(world)
    second = world.contracts()[-1]
    assert second != first
    assert need(world, Contract, second).requested_by == "ada"
    assert code(lambda: vote(world, second, "ada")) == "not_yours"
    vote(world, second, "bob")
    run(world)
    assert world.head(second).status is ContractStatus.VERIFIED


def test_d11_a_requester_in_the_record_counts_for_nothing_even_with_a_vote_in_the_store() -> None:
    """The gate counts again: votes of people who are excluded, or not asked, do not open it."""
    world = shop(2)
    contract = incident(world)
    vote(world, contract, "ada")
    approval = need(world, Approval, contract, "1")
    forge(world, contract, approval.model_copy(update={"excluded": ("ada", "grace")}))
    run(world)
    assert world.head(contract).status is ContractStatus.REFUSED
    assert world.lambdas.changes == 0


def forge(world: World, contract: str, *items: Any) -> None:
    """Write items as somebody with the table in hand could."""
    loaded = load(ticket_of(world, contract), world)
    advance(
        world,
        loaded,
        loaded.head,
        door="forger",
        command=("forged", str(loaded.head.version)),
        entries=[EntryDraft(type="contract.forged")],
        items=items,
    )


@pytest.mark.parametrize("group", [(), ("ada",)])
def test_d11_with_nobody_or_too_few_to_ask_nothing_is_done(group: tuple[str, ...]) -> None:
    world = shop(3, approvers="approvers")
    people = tuple(p for p in PEOPLE.people if p.id in group)
    world.catalogue = world.catalogue.model_copy(update={"directory": Directory(people=people)})
    contract = incident(world)
    assert world.head(contract).status is ContractStatus.REFUSED
    assert "add people" in world.head(contract).reason
    assert world.lambdas.changes == 0
    ended(world)


def test_f29_a_person_with_two_identities_has_one_vote() -> None:
    world = shop(3)
    twice = Person(
        id="ada",
        name="Ada",
        mail="ada@example.org",
        groups=("approvers",),
        principals=(f"arn:aws:iam::{ACCOUNT}:role/ada", f"arn:aws:iam::{ACCOUNT}:role/ada-admin"),
    )
    people = (twice, *(p for p in PEOPLE.people if p.id != "ada"))
    world.catalogue = world.catalogue.model_copy(update={"directory": Directory(people=people)})
    contract = incident(world)
    assert vote(world, contract, "ada").outcome == "recorded"
    assert vote(world, contract, "ada-admin").outcome == "already"
    assert need(world, Approval, contract, "1").status is ApprovalStatus.PENDING


# -- how many


def test_d12_tier_3_needs_two_distinct_people() -> None:
    world = shop(3)
    contract = incident(world)
    assert (vote(world, contract, "ada").status, vote(world, contract, "ada").have) == (ApprovalStatus.PENDING, 1)
    run(world)
    assert world.head(contract).status is ContractStatus.AWAITING_APPROVAL
    assert world.lambdas.changes == 0
    answer = vote(world, contract, "bob")
    assert (answer.status, answer.have, answer.need) == (ApprovalStatus.APPROVED, 2, 2)
    run(world)
    assert world.head(contract).status is ContractStatus.VERIFIED
    check(world)


def test_d12_the_gate_counts_the_people_again() -> None:
    """An approval that says approved with one vote at tier 3 opens nothing."""
    world = shop(3)
    contract = incident(world)
    vote(world, contract, "ada")
    loaded = load(ticket_of(world, contract), world)
    approval = need(world, Approval, contract, "1")
    advance(
        world,
        loaded,
        loaded.head.model_copy(update={"status": ContractStatus.APPROVED}),
        door="forger",
        command=("forged",),
        entries=[EntryDraft(type="contract.forged")],
        items=[approval.model_copy(update={"status": ApprovalStatus.APPROVED, "decided_at": loaded.at})],
    )
    run(world)
    assert world.head(contract).status is ContractStatus.REFUSED
    assert "2 distinct people" in world.head(contract).reason
    assert world.lambdas.changes == 0


def test_a_playbook_in_approval_mode_asks_at_tier_1() -> None:
    world = shop(1, mode=Mode.APPROVAL)
    contract = incident(world)
    assert world.head(contract).status is ContractStatus.AWAITING_APPROVAL
    vote(world, contract, "bob")
    run(world)
    assert world.head(contract).status is ContractStatus.VERIFIED


# -- how often


def test_d13_a_second_answer_is_told_the_first_and_the_other_decision_is_refused() -> None:
    world = shop(2)
    contract = incident(world)
    assert vote(world, contract, "ada").outcome == "recorded"
    for _ in range(3):
        again = vote(world, contract, "ada")
        assert (again.outcome, again.status, again.have) == ("already", ApprovalStatus.APPROVED, 1)
    assert code(lambda: vote(world, contract, "ada", "reject")) == "decided_otherwise"
    run(world)
    assert vote(world, contract, "ada").outcome == "already", "also after the end"
    assert story(world, contract).count("approval.vote") == 1


def test_f28_fifty_votes_of_one_person_at_once_are_one_vote() -> None:
    world = shop(3)
    contract = incident(world)
    outcomes = at_once(50, lambda n: vote(world, contract, "ada"))
    recorded = [o for o in outcomes if not isinstance(o, Exception) and o.outcome == "recorded"]
    assert len(recorded) == 1
    assert all(isinstance(o, Conflict) or o.outcome in {"recorded", "already"} for o in outcomes)
    assert [v.person for v in every(world, Vote)] == ["ada"]
    assert story(world, contract).count("approval.vote") == 1
    check(world)


def at_once(count: int, work: Callable[[int], Any]) -> list[Any]:
    """What so many threads get that begin at the same moment; a refusal is an outcome, too."""
    barrier = Barrier(count)

    def one(number: int) -> Any:
        barrier.wait()
        try:
            return work(number)
        except GraceError as exc:
            return exc

    with ThreadPoolExecutor(count) as pool:
        return list(pool.map(one, range(count)))


@pytest.mark.parametrize("_round", range(5))
def test_f31_approve_and_reject_at_the_same_moment_the_first_commit_wins(_round: int) -> None:
    world = shop(2)
    contract = incident(world)
    choices = (("ada", "approve"), ("bob", "reject"))
    outcomes = at_once(2, lambda n: vote(world, contract, *choices[n]))
    assert sum(not isinstance(o, Exception) for o in outcomes) == 1
    status = need(world, Approval, contract, "1").status
    won = next(n for n, o in enumerate(outcomes) if not isinstance(o, Exception))
    assert status is (ApprovalStatus.APPROVED if won == 0 else ApprovalStatus.REJECTED)
    run(world)
    expected = ContractStatus.VERIFIED if won == 0 else ContractStatus.DENIED
    assert world.head(contract).status is expected
    assert world.lambdas.changes == (won == 0)
    check(world)


def test_f31_two_approvers_at_the_same_moment_are_both_counted() -> None:
    for _ in range(5):
        world = shop(3)
        contract = incident(world)
        outcomes = at_once(2, lambda n, c=contract, w=world: vote(w, c, ("ada", "bob")[n]))  # type: ignore[misc]
        assert not [o for o in outcomes if isinstance(o, Exception)]
        assert need(world, Approval, contract, "1").status is ApprovalStatus.APPROVED


def test_a_rejection_is_final_and_ends_the_contract() -> None:
    world = shop(3)
    contract = incident(world)
    vote(world, contract, "ada")
    vote(world, contract, "bob", "reject")
    run(world)
    assert world.head(contract).status is ContractStatus.DENIED
    assert world.lambdas.changes == 0
    assert any("denied" in subject for _, subject, _ in world.messages.notified)
    ended(world)
    check(world)


# -- until when


@pytest.mark.parametrize(("early_ms", "counts"), [(1, True), (0, False), (-1, False)])
def test_f32_a_vote_counts_until_the_millisecond_before_expiry(early_ms: int, counts: bool) -> None:
    world = shop(2)
    contract = incident(world)
    expiry = need(world, Approval, contract, "1").expires_at
    world.clock.advance((expiry - timedelta(milliseconds=early_ms) - world.clock.now()).total_seconds())
    if counts:
        assert vote(world, contract, "ada").status is ApprovalStatus.APPROVED
    else:
        assert code(lambda: vote(world, contract, "ada")) == "closed"
        assert need(world, Approval, contract, "1").status is ApprovalStatus.EXPIRED
    run(world)
    assert world.head(contract).status is (ContractStatus.VERIFIED if counts else ContractStatus.EXPIRED)
    check(world)


def test_f32_a_vote_that_finds_the_time_over_expires_it_and_the_workflow_ends() -> None:
    world = shop(2)
    contract = incident(world)
    world.clock.advance(3600)
    assert code(lambda: vote(world, contract, "ada")) == "closed"
    run(world)
    assert world.workflow.status(contract) == "SUCCEEDED"
    assert every(world, Vote) == []
    ended(world)


def test_f33_a_vote_after_the_end_is_refused_and_the_dead_token_is_no_error() -> None:
    world = shop(2)
    contract = incident(world)
    sweep(world, 3600)
    run(world)
    assert world.head(contract).status is ContractStatus.EXPIRED
    assert code(lambda: vote(world, contract, "ada")) == "closed"
    world.workflow.stop(contract, "a test")
    stream(world)
    assert world.telemetry.troubles == []
    assert world.lambdas.changes == 0


# -- a wake-up authorises nothing


@pytest.mark.parametrize("tier", [2, 3])
def test_f34_a_stolen_task_token_opens_nothing(tier: int) -> None:
    world = shop(tier)
    contract = incident(world)
    world.machine.wake(world.workflow.executions[contract])
    run(world)
    assert world.head(contract).status is ContractStatus.EXPIRED
    assert world.lambdas.changes == 0
    assert code(lambda: vote(world, contract, "ada")) == "closed"
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
    assert code(lambda: vote(world, contract, "ada", digest="0" * 64)) == "digest"
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
    assert code(lambda: vote(world, contract, "ada")) == "closed"
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
        assert code(lambda who=nobody: answer(decision, who, world)) == "unknown_person"  # type: ignore[misc]


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
