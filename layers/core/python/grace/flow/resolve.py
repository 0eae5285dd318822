"""Wake what waits: a decided approval releases its task; an order to stop ends the execution and starts the undo."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from datetime import timedelta
from typing import Any

from grace.errors import GraceError
from grace.flow.deadlines import ROLLBACK_SECONDS
from grace.flow.loading import advance, execution_name, load, ticket_for
from grace.model.approval import Approval, ApprovalStatus
from grace.model.contract import Contract, ContractHead, Ticket
from grace.model.entry import EntryDraft, Ref, ref
from grace.model.records import StopOrder
from grace.ports import Services

_Change = tuple[str, Ref[Any]]
_EVENTS = {
    ApprovalStatus.APPROVED: "approval.granted",
    ApprovalStatus.REJECTED: "approval.rejected",
    ApprovalStatus.EXPIRED: "approval.expired",
}


_CONCERNS: dict[type, str] = {Approval: "woken", StopOrder: "stopped"}
"""What is looked at, and what a line says when it led to something."""


def react(changes: Sequence[_Change], services: Services) -> list[str]:
    """Take the changes of a batch in order; stop at the first that fails, so none is overtaken.

    All that waits is woken first, and the bus is told after it: a bus that is away holds up no work that was approved.

    Returns:
        The sequence number to begin again from, or nothing when all went well.
    """
    woken, failed = _each(changes, changed, services)
    _, unheard = _each(woken, announce, services)
    return unheard or failed


def _each(
    changes: Sequence[_Change], work: Callable[[Ref[Any], Services], object], services: Services
) -> tuple[Sequence[_Change], list[str]]:
    """Return the changes that were dealt with, and the sequence number of the first that was not."""
    for place, (sequence, what) in enumerate(changes):
        if what.kind not in _CONCERNS:
            continue
        services.telemetry.about(contract_id=what.ids[0])
        try:
            if work(what, services):
                services.telemetry.done(_CONCERNS[what.kind])
        except GraceError as exc:
            services.telemetry.trouble("resolve", exc)
            return changes[:place], [sequence]
    services.telemetry.about()
    return changes, []


def changed(what: Ref[Any], services: Services) -> bool:
    """React to one changed item of the state table; what concerns nobody here is passed over.

    Returns:
        Whether something was woken or stopped.
    """
    if what.kind is Approval:
        return approval_changed(what.ids[0], int(what.ids[1]), services)
    if what.kind is StopOrder:
        return stop_ordered(what.ids[0], services)
    return False


def approval_changed(contract_id: str, generation: int, services: Services) -> bool:
    """Wake the workflow of a contract whose approval is decided; whether it may go on it reads for itself.

    Returns:
        Whether something was waiting. A workflow that has moved on is not an error.
    """
    approval_ref, head_ref = ref(Approval, contract_id, str(generation)), ref(ContractHead, contract_id)
    view = services.store.read(approval_ref, head_ref)
    approval = view.get(approval_ref)
    if head := view.get(head_ref):
        services.telemetry.about(contract_id=contract_id, mission_id=head.mission_id, corr=head.corr)
    if approval is None or approval.status is ApprovalStatus.PENDING or not approval.task_token:
        return False
    return services.workflow.wake(services.sealer.unseal(approval.task_token, contract_id), contract_id)


def announce(what: Ref[Any], services: Services) -> None:
    """Tell the bus how an approval was decided. The stream repeats it until the bus has heard it, so perhaps twice."""
    if what.kind is not Approval:
        return
    approval_ref, head_ref = ref(Approval, *what.ids), ref(ContractHead, what.ids[0])
    view = services.store.read(approval_ref, head_ref)
    approval, head = view.get(approval_ref), view.get(head_ref)
    if approval is None or head is None or approval.status not in _EVENTS:
        return
    services.telemetry.about(contract_id=head.contract_id, mission_id=head.mission_id, corr=head.corr)
    said = {"contract": head.contract_id, "mission": head.mission_id, "corr": head.corr}
    by = {"by": approval.decided_by[-1]} if approval.decided_by else {}
    services.messages.publish(_EVENTS[approval.status], said | by)


def stop_ordered(contract_id: str, services: Services) -> bool:
    """Carry out an order to stop a contract: end its execution and start its rollback.

    Returns:
        Whether there was such an order and the contract had not ended.
    """
    head_ref, body_ref = ref(ContractHead, contract_id), ref(Contract, contract_id)
    view = services.store.read(head_ref, body_ref)
    head, contract = view.get(head_ref), view.get(body_ref)
    if head is None or contract is None or not head.stop or head.terminal or head.rollbacks:
        return False
    start_rollback(contract, head.stop, services)
    return True


def start_rollback(contract: Contract, reason: str, services: Services) -> Ticket:
    """Stop whatever execution runs for a contract and start the next rollback execution; the undo itself is verified.

    Raises:
        Conflict: somebody else is starting one; called again, this sees it.
    """
    loaded = load(ticket_for(contract, needs_approval=False), services)
    head, number = loaded.head, loaded.head.rollbacks + 1
    why = head.reason if head.terminal else head.reason or reason[:240]
    deadline = loaded.at + timedelta(seconds=ROLLBACK_SECONDS)
    advance(
        services,
        loaded,
        head.model_copy(update={"rollbacks": number, "deadline": deadline, "reason": why}),
        door="resolve",
        command=("rollback", str(number)),
        entries=[EntryDraft(type="contract.rollback_started", body={"n": number, "reason": reason[:1000]})],
    )
    return restart_rollback(contract, number, reason, services)


def restart_rollback(contract: Contract, number: int, reason: str, services: Services) -> Ticket:
    """Start the rollback execution `number`, after the one before it was stopped; starting it twice starts it once."""
    earlier = ticket_for(contract, needs_approval=False, rollback=number - 1)
    services.workflow.stop(execution_name(earlier), reason)
    ticket = ticket_for(contract, needs_approval=False, rollback=number)
    services.workflow.start(execution_name(ticket), ticket)
    return ticket
