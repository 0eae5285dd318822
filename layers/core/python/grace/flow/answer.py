"""One person's decision. Who it is has been proved before this; whether they may decide is said by the record."""

from __future__ import annotations

from typing import NamedTuple

from grace.errors import Refused
from grace.flow.deadlines import verdict_due
from grace.flow.loading import Loaded, advance, contended, load, ticket_for
from grace.flow.withdrawing import expire
from grace.model.approval import Approval, ApprovalStatus, Decision, Person, Via, Vote, counted
from grace.model.contract import Contract, ContractHead, ContractStatus
from grace.model.entry import EntryDraft, ref
from grace.model.metric import Metric
from grace.ports import Services


class Answer(NamedTuple):
    """What the person is told: `recorded`, `already` (the same decision before), and how the approval stands now.

    Once the vote is written nothing more is called that could fail: the bus hears of a decision from the table's stream.
    """

    outcome: str
    status: ApprovalStatus
    have: int
    need: int
    votes: tuple[Vote, ...] = ()


def answer(decision: Decision, principal: str, services: Services) -> Answer:
    """Record the decision of the person behind an IAM principal.

    Votes of several people at once are both counted: a lost race is read again and tried again.

    Raises:
        Refused: `unknown_person`, `not_yours`, `closed` (decided, expired, superseded), `digest`, `decided_otherwise`.
        Conflict: the record stayed contended; nothing was recorded.
        NotFound: there is no such contract.
    """
    person = services.catalogue.directory.by_principal(principal)
    if person is None:
        raise Refused("unknown_person", f"{principal} is nobody in the people file")
    return cast(decision, person, services, via="iam")


def cast(decision: Decision, person: Person, services: Services, *, via: Via, generation: int | None = None) -> Answer:
    """Record the decision of a person who has been proved, by whatever road; a link names the generation it is for.

    Raises:
        Refused: `not_yours`, `closed`, `digest`, `decided_otherwise`, `reissued` (another generation is asked now).
        Conflict: the record stayed contended; nothing was recorded.
        NotFound: there is no such contract.
    """
    return contended(lambda: _vote(decision, person, services, via, generation), services)


def _vote(decision: Decision, person: Person, services: Services, via: Via, generation: int | None) -> Answer:
    loaded, approval = _read(decision, services)
    directory = services.catalogue.directory
    votes = services.store.members(Vote, decision.contract_id)
    mine = next((v for v in votes if v.person == person.id), None)
    if mine:
        if mine.decision != decision.decision:
            raise Refused("decided_otherwise", f"{person.id} has voted {mine.decision} already; a vote is final")
        return Answer("already", approval.status, len(counted(votes, approval, directory)), approval.need, tuple(votes))
    if generation not in {None, approval.generation}:
        raise Refused("reissued", "this was asked anew meanwhile: use the newest mail")
    _may_decide(decision, person, loaded, approval, services)
    vote = Vote(
        contract_id=decision.contract_id,
        person=person.id,
        decision=decision.decision,
        digest=approval.digest,
        via=via,
        at=loaded.at,
    )
    have = len(counted([*votes, vote], approval, directory))
    status, contract_status = approval.status, loaded.head.status
    if decision.decision == "reject":
        status, contract_status = ApprovalStatus.REJECTED, ContractStatus.DENIED
    elif have >= approval.need:
        status, contract_status = ApprovalStatus.APPROVED, ContractStatus.APPROVED
    _record(_Cast(loaded, approval, vote, status, contract_status), services)
    if status is not ApprovalStatus.PENDING:
        services.telemetry.count(Metric.APPROVALS_DECIDED)
    return Answer("recorded", status, have, approval.need, (*votes, vote))


def _read(decision: Decision, services: Services) -> tuple[Loaded, Approval]:
    head_ref, body_ref = ref(ContractHead, decision.contract_id), ref(Contract, decision.contract_id)
    first = services.store.read(head_ref, body_ref)
    head, contract = first.need(head_ref), first.need(body_ref)
    if head.generation == 0:
        raise Refused("closed", f"the contract is {head.status.value}: nobody was asked")
    approval_ref = ref(Approval, head.contract_id, str(head.generation))
    loaded = load(ticket_for(contract, needs_approval=True), services, approval_ref)
    return loaded, loaded.view.need(approval_ref)


def _may_decide(decision: Decision, person: Person, loaded: Loaded, approval: Approval, services: Services) -> None:
    if approval.status is not ApprovalStatus.PENDING or loaded.head.status is not ContractStatus.AWAITING_APPROVAL:
        raise Refused("closed", f"the approval is {approval.status.value} already")
    if loaded.at >= approval.expires_at:
        expire(loaded, approval, services)
        raise Refused("closed", "the approval has expired")
    if decision.digest != approval.digest:
        raise Refused("digest", "you decided on another contract than the one that waits: read it again")
    if person.id not in approval.approvers or person.id in approval.excluded:
        raise Refused("not_yours", f"{person.id} may not decide this contract")


class _Cast(NamedTuple):
    """A vote and what it leads to."""

    loaded: Loaded
    approval: Approval
    vote: Vote
    status: ApprovalStatus
    contract_status: ContractStatus


def _record(cast: _Cast, services: Services) -> None:
    """Write vote, approval and contract in one transaction, so approve, reject and expiry have one order."""
    loaded, vote = cast.loaded, cast.vote
    final = cast.status is not ApprovalStatus.PENDING
    voters = (*cast.approval.votes, vote.person)
    # The vote that decides and the decision are one event: one entry.
    entry = EntryDraft(
        type=f"approval.{cast.status.value}" if final else "approval.vote",
        body={
            "person": vote.person,
            "decision": vote.decision,
            "digest": vote.digest,
            **({"by": list(voters)} if final else {}),
        },
    )
    after = cast.approval.model_copy(
        update={
            "status": cast.status,
            "votes": voters,
            "decided_at": loaded.at if final else None,
            "decided_by": voters if final else (),
        }
    )
    head = loaded.head.model_copy(update={"status": cast.contract_status})
    if cast.status is ApprovalStatus.REJECTED:
        head = head.model_copy(update={"reason": f"rejected by {vote.person}"})
    if cast.status is ApprovalStatus.APPROVED:
        head = head.model_copy(update={"deadline": verdict_due(loaded.at, loaded.contract.settle)})
    advance(
        services,
        loaded,
        head,
        door="answer",
        command=("vote", vote.person),
        entries=[entry],
        items=[vote, after],
        actor=f"person:{vote.person}",
    )
