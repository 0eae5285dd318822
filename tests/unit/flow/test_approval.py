"""Who may decide, how often, until when; and that nothing of tier 2 or 3 is ever done without it."""

from __future__ import annotations

from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from datetime import timedelta
from threading import Barrier
from typing import Any

import pytest

from grace.errors import Conflict, GraceError
from grace.flow import drafting, gate
from grace.flow.loading import advance, load
from grace.model.approval import Approval, ApprovalStatus, Directory, Person, Vote, counted
from grace.model.contract import Contract, ContractStatus, Mode
from grace.model.entry import EntryDraft
from grace.resources.base import CHANGED_BY_TAG
from tests.support.world import ACCOUNT, PEOPLE, World
from tests.unit.flow.scenes import (
    check,
    ended,
    every,
    forge,
    incident,
    missions,
    need,
    order,
    refusal,
    run,
    shop,
    story,
    stream,
    sweep,
    ticket_of,
    vote,
)

# -- who may decide


@pytest.mark.parametrize("person", ["eve", "nobody"])
def test_d11_only_people_of_the_group_decide(person: str) -> None:
    world = shop(2)
    contract = incident(world)
    assert refusal(lambda: vote(world, contract, person)) == {"eve": "not_yours", "nobody": "unknown_person"}[person]
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
    assert refusal(lambda: vote(world, second, "ada")) == "not_yours"
    vote(world, second, "bob")
    run(world)
    assert world.head(second).status is ContractStatus.VERIFIED


@pytest.mark.parametrize("claim", ["ada", "Ada@Example.org", "arn"])
def test_d11_who_made_the_change_does_not_decide_on_its_repair(claim: str) -> None:
    """Their name is on the resource, in whatever form the release pipeline knows it."""
    world = shop(2)
    ada = world.catalogue.directory.by_id("ada")
    assert ada is not None
    named = {"ada": "ada", "Ada@Example.org": ada.mail.upper(), "arn": ada.principals[0]}[claim]
    assert named
    world.lambdas.functions["shop"]["tags"][CHANGED_BY_TAG] = f"ci-bot {named}"
    contract = incident(world)
    assert need(world, Contract, contract).caused_by == ("ada", "ci-bot")
    assert refusal(lambda: vote(world, contract, "ada")) == "not_yours"
    vote(world, contract, "bob")
    run(world)
    assert world.head(contract).status is ContractStatus.VERIFIED


def test_without_the_tag_being_read_who_made_the_change_would_decide(monkeypatch: pytest.MonkeyPatch) -> None:
    """The mutant."""
    monkeypatch.setattr(drafting, "causers", lambda *_: ())
    world = shop(2)
    world.lambdas.functions["shop"]["tags"][CHANGED_BY_TAG] = "ada"
    contract = incident(world)
    vote(world, contract, "ada")
    run(world)
    assert world.head(contract).status is ContractStatus.VERIFIED


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


def leaves(world: World, person: str) -> None:
    """A deploy with a people file in which somebody no longer stands."""
    people = tuple(each for each in PEOPLE.people if each.id != person)
    world.catalogue = world.catalogue.model_copy(update={"directory": Directory(people=people)})


@pytest.mark.parametrize("tier", [2, 3])
def test_d12_whoever_left_after_voting_does_not_count_at_the_gate(tier: int) -> None:
    world = shop(tier)
    contract = incident(world)
    for person in ("ada", "bob")[: tier - 1]:
        vote(world, contract, person)
    leaves(world, "ada")
    run(world)
    assert world.head(contract).status is ContractStatus.REFUSED
    assert world.lambdas.changes == 0


def test_d12_whoever_left_after_voting_is_made_up_for_by_another() -> None:
    world = shop(3)
    carol = Person(id="carol", name="Carol", groups=("approvers",), principals=(f"arn:aws:iam::{ACCOUNT}:role/carol",))
    everybody = (*PEOPLE.people, carol)
    world.catalogue = world.catalogue.model_copy(update={"directory": Directory(people=everybody)})
    contract = incident(world)
    vote(world, contract, "ada")
    left = Directory(people=tuple(person for person in everybody if person.id != "ada"))
    world.catalogue = world.catalogue.model_copy(update={"directory": left})
    assert vote(world, contract, "bob").have == 1
    assert vote(world, contract, "carol").status is ApprovalStatus.APPROVED
    run(world)
    assert world.head(contract).status is ContractStatus.VERIFIED


def test_d12_without_the_present_directory_the_vote_of_who_left_would_count(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(gate, "counted", lambda votes, approval, _: counted(votes, approval, PEOPLE))
    world = shop(2)
    contract = incident(world)
    vote(world, contract, "ada")
    leaves(world, "ada")
    run(world)
    assert world.head(contract).status is ContractStatus.VERIFIED


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
    assert refusal(lambda: vote(world, contract, "ada", "reject")) == "decided_otherwise"
    run(world)
    assert vote(world, contract, "ada").outcome == "already", "also after the end"
    assert story(world, contract).count("approval.approved") == 1


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
        assert refusal(lambda: vote(world, contract, "ada")) == "closed"
        assert need(world, Approval, contract, "1").status is ApprovalStatus.EXPIRED
    run(world)
    assert world.head(contract).status is (ContractStatus.VERIFIED if counts else ContractStatus.EXPIRED)
    check(world)


def test_f32_a_vote_that_finds_the_time_over_expires_it_and_the_workflow_ends() -> None:
    world = shop(2)
    contract = incident(world)
    world.clock.advance(3600)
    assert refusal(lambda: vote(world, contract, "ada")) == "closed"
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
    assert refusal(lambda: vote(world, contract, "ada")) == "closed"
    world.workflow.stop(contract, "a test")
    stream(world)
    assert world.telemetry.troubles == []
    assert world.lambdas.changes == 0
