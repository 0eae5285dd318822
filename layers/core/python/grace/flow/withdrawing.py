"""A question to people ends without their answer: its time is over, or what it was about has ended."""

from __future__ import annotations

from grace.flow.loading import Loaded, advance
from grace.model.approval import Approval, ApprovalStatus
from grace.model.contract import ContractHead, ContractStatus
from grace.model.entry import EntryDraft, ref
from grace.ports import Services


def withdrawn(head: ContractHead, services: Services) -> list[Approval]:
    """Return the approval that a contract waits for as superseded, to be written with what ended the wait."""
    if head.status is not ContractStatus.AWAITING_APPROVAL:
        return []
    approval_ref = ref(Approval, head.contract_id, str(head.generation))
    approval = services.store.read(approval_ref).need(approval_ref)
    return [approval.model_copy(update={"status": ApprovalStatus.SUPERSEDED})]


def expire(loaded: Loaded, approval: Approval, services: Services) -> None:
    """Write that the time to decide is over; the one who writes first, a vote or this, is right."""
    advance(
        services,
        loaded,
        loaded.head.model_copy(update={"status": ContractStatus.EXPIRED, "reason": "nobody decided in time"}),
        door="ask",
        command=("expire", str(approval.generation)),
        entries=[EntryDraft(type="approval.expired", body={"generation": approval.generation})],
        items=[approval.model_copy(update={"status": ApprovalStatus.EXPIRED, "decided_at": loaded.at})],
    )


def refuse(loaded: Loaded, reason: str, services: Services, *, door: str) -> None:
    """Write that it cannot be done any more; a workflow that waits for people is woken, closes it and tells why."""
    advance(
        services,
        loaded,
        loaded.head.model_copy(update={"status": ContractStatus.REFUSED, "reason": reason[:240]}),
        door=door,
        command=("refused",),
        entries=[EntryDraft(type="contract.refused", body={"reason": reason[:1000]})],
        items=withdrawn(loaded.head, services),
    )
