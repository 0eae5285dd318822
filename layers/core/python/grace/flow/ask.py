"""Ask people, and read what they decided. The record decides; the workflow's wake-up carries no authority."""

from __future__ import annotations

from datetime import timedelta
from typing import Literal

from grace.errors import Refused
from grace.flow.escalation import called
from grace.flow.inviting import Invited, checkpoint_in, invite, may_decide
from grace.flow.loading import Loaded, advance, load
from grace.flow.permit import admitted
from grace.flow.withdrawing import expire
from grace.model.approval import Approval, ApprovalStatus
from grace.model.contract import Call, Contract, ContractStatus, Preflight, Ticket
from grace.model.entry import EntryDraft, ref
from grace.model.log import AuditPin
from grace.model.metric import Metric
from grace.model.records import Evidence, Observation
from grace.ports import Services

GRACE_SECONDS = 120
"""How long after an approval's expiry the sweep may take to write it."""


def ask(call: Call, services: Services) -> Ticket:
    """Open the approval and tell those who may decide; with the task token sealed into the record.

    They are told before it is written: a crash in between tells them twice rather than never. When a letter is refused
    at once, the first of the escalation is asked as well.

    What the preflight found is kept in the same transaction: nobody is asked about a contract that could not run.

    Raises:
        Refused: there was no preflight, or there are not enough people who may decide.
    """
    if not call.task_token:
        return decided(call, services)
    ticket = call.ticket
    approval_ref = ref(Approval, ticket.contract_id, "1")
    loaded = load(ticket, services, approval_ref, ref(AuditPin))
    found = loaded.view.get(approval_ref)
    if loaded.head.generation > 1:
        approval_ref = ref(Approval, ticket.contract_id, str(loaded.head.generation))
        found = services.store.read(approval_ref).get(approval_ref)
    sealed = services.sealer.seal(call.task_token, ticket.contract_id)
    if found:
        _new_token(loaded, found, sealed, services)
        return ticket
    proof = ticket.preflight
    if loaded.head.status is not ContractStatus.DRAFTED or not proof or proof.state != loaded.contract.state_digest:
        raise Refused(loaded.head.status.value, f"the contract is {loaded.head.status.value}, or has no preflight")
    approval, invited = _invite(loaded, _approval(loaded, sealed, services), services)
    _tell(loaded.contract, approval, services)
    advance(
        services,
        loaded,
        loaded.head.model_copy(
            update={
                "status": ContractStatus.AWAITING_APPROVAL,
                "generation": 1,
                "preflight": proof.state,
                "deadline": approval.expires_at + timedelta(seconds=GRACE_SECONDS),
            }
        ),
        door="ask",
        command=("ask", "1"),
        entries=[
            EntryDraft(
                type="approval.requested",
                body={
                    "approvers": list(approval.approvers),
                    "need": approval.need,
                    "expires": approval.expires_at.isoformat(),
                    "digest": approval.digest,
                    "preflight": proof.taken_at.isoformat(),
                    "mailed": len(invited.mailed),
                }
                | ({"unreached": list(invited.unreached)} if invited.unreached else {}),
            )
        ],
        items=[approval, _evidence(loaded.contract, proof)],
    )
    services.telemetry.count(Metric.APPROVALS_REQUESTED)
    return ticket


def _evidence(contract: Contract, proof: Preflight) -> Evidence:
    """Return what the preflight proved, as it is shown beside what is measured later."""
    seen = Observation(
        id="preflight",
        kind="preflight",
        must=True,
        result="passed",
        predicate="the action can run: opted in, unchanged, permitted, within bounds",
        expected="no objection",
        observed="no objection",
        samples=1,
        supporting=1,
        source=f"{contract.action.use} on {contract.resource.arn}",
    )
    return Evidence(
        contract_id=contract.contract_id,
        phase="preflight",
        taken_at=proof.taken_at,
        observations=(seen,),
        state_digest=proof.state,
    )


def decided(call: Call, services: Services) -> Ticket:
    """Read the record after whatever woke the workflow; go on only when it says approved.

    Raises:
        Refused: rejected, expired, superseded, or not decided at all.
    """
    ticket = call.ticket
    loaded = load(ticket, services)
    head = loaded.head
    if head.status is ContractStatus.APPROVED:
        return ticket
    if head.status is ContractStatus.AWAITING_APPROVAL:
        approval_ref = ref(Approval, head.contract_id, str(head.generation))
        approval = services.store.read(approval_ref).need(approval_ref)
        expire(loaded, approval, services)
        raise Refused("expired", "nobody decided in time")
    raise Refused(head.status.value, head.reason or f"the contract is {head.status.value}")


def _invite(loaded: Loaded, approval: Approval, services: Services) -> tuple[Approval, Invited]:
    """Write to those who may decide; who cannot be reached is made up for at once.

    When the key makes no links people are told through the topic alone, and are written to when they are asked again.
    """
    contract = loaded.contract
    checkpoint = checkpoint_in(loaded.view)
    able = may_decide(approval, services)
    invited = invite(contract, approval, able, services, at=loaded.at, checkpoint=checkpoint) or Invited()
    if invited.unreached:
        more = admitted(called(approval, 1, loaded.at, services.catalogue), contract, loaded.at, services)
        wider = (*approval.approvers, *(person.id for person in more))
        approval = approval.model_copy(update={"approvers": wider, "escalated": 1})
        further = invite(contract, approval, more, services, at=loaded.at, checkpoint=checkpoint)
        invited = invited.and_(further or Invited())
    update = {"key_id": invited.key_id, "unreached": invited.unreached}
    return approval.model_copy(update=update), invited


def _approval(loaded: Loaded, sealed: str, services: Services) -> Approval:
    contract, catalogue = loaded.contract, services.catalogue
    if contract.policy and contract.policy.digest != services.policy.digest:
        raise Refused("policy", "the policies were changed after it was drafted: draft it anew with grace retry")
    tier: Literal[2, 3] = 3 if contract.tier == 3 else 2
    need = 2 if tier == 3 else 1
    barred = contract.policy.barred if contract.policy else ()
    group = catalogue.group_for(contract.playbook, tier)
    members = catalogue.directory.members(group)
    people = tuple(person.id for person in members)
    able = [person.id for person in admitted(members, contract, loaded.at, services)]
    excluded = tuple(sorted({contract.requested_by, *contract.caused_by, *barred, *people} - set(able)))
    if len(able) < need:
        raise Refused(
            "nobody_to_ask",
            f"the group {group!r} has {len(able)} people who may decide this, and {need} are needed: "
            "add people to the people file and deploy",
        )
    return Approval(
        contract_id=contract.contract_id,
        generation=1,
        status=ApprovalStatus.PENDING,
        digest=contract.digest(),
        tier=tier,
        need=need,
        approvers=people,
        excluded=excluded,
        asked_at=loaded.at,
        expires_at=loaded.at + timedelta(seconds=catalogue.approval_seconds[tier]),
        task_token=sealed,
    )


def _new_token(loaded: Loaded, found: Approval, sealed: str, services: Services) -> None:
    """A repeated Ask waits on a new token; the old one wakes nobody.

    Also when people have approved meanwhile: writing the new token wakes it, and the record says that it may go on.
    """
    if found.status not in {ApprovalStatus.PENDING, ApprovalStatus.APPROVED}:
        raise Refused(found.status.value, f"the approval is {found.status.value} already")
    advance(
        services,
        loaded,
        loaded.head,
        door="ask",
        command=("token", str(found.version)),
        entries=[EntryDraft(type="approval.reissued", body={"generation": found.generation, "why": "token"})],
        items=[found.model_copy(update={"task_token": sealed})],
    )


def _tell(contract: Contract, approval: Approval, services: Services) -> None:
    services.messages.publish(
        "approval.requested",
        {
            "contract": contract.contract_id,
            "mission": contract.mission_id,
            "corr": contract.corr,
            "approvers": list(approval.approvers),
            "need": approval.need,
            "expires": approval.expires_at.isoformat(),
        },
    )
    services.messages.notify(
        "medium",
        f"approval needed: {contract.playbook} on {contract.resource.path}"[:100],
        f"What happened: {contract.reason}\n"
        f"What would be done: {contract.action.use} {contract.action.parameters} on {contract.resource.arn}\n"
        f"How it would be undone: {contract.undo_text}\n"
        f"Who may decide: {', '.join(approval.approvers)} ({approval.need} needed) until {approval.expires_at.isoformat()}\n"
        f"What next: grace show {contract.contract_id}, then grace decide {contract.contract_id} approve|reject",
    )
