"""Ask again: those who have not voted and those who are asked next. A new generation voids every link before it."""

from __future__ import annotations

from typing import NamedTuple

from grace.errors import Refused, Unavailable
from grace.flow.escalation import called, step_of
from grace.flow.gate import could_run, foreseen
from grace.flow.inviting import Invited, checkpoint_in, invite, may_decide
from grace.flow.loading import Loaded, advance, contended, load, ticket_for
from grace.flow.permit import admitted
from grace.flow.withdrawing import refuse
from grace.model.approval import Approval, ApprovalStatus, Reminder, Undelivered, Urgency
from grace.model.base import Json
from grace.model.contract import Contract, ContractHead, ContractStatus
from grace.model.entry import EntryDraft, ref
from grace.model.log import AuditPin
from grace.ports import Services

_WHY = {
    Urgency.HALF: "Half of the time to decide has passed and nobody's answer has settled it.",
    Urgency.LATE: "Most of the time to decide has passed and nobody's answer has settled it.",
    Urgency.UNREACHED: "Somebody who was asked could not be reached.",
    Urgency.KEY: "The links sent before are no longer valid.",
}


class _Cause(NamedTuple):
    """Why people are asked again; for mail that came back, whose, and what happened to it."""

    urgency: Urgency
    person: str = ""
    mail: str = ""


def remind(reminder: Reminder, services: Services) -> bool:
    """Write anew to those who have not voted and to the next of the escalation; their earlier links end.

    Votes stand: they are on the contract's digest, which is the same. The time to decide stays what it was. All are told
    before it is written: a crash in between tells them twice rather than never.

    What could not run any more is refused instead: people are asked about nothing that is known to be in vain.

    Returns:
        Whether anybody was asked again; not when it is decided, over, or was done already.

    Raises:
        Unavailable: no link can be made now, so nothing is changed; the next sweep tries again.
    """
    return contended(lambda: _again(reminder.contract_id, _Cause(reminder.urgency), services), services)


def undelivered(what: Undelivered, services: Services) -> bool:
    """Take note that somebody was not reached, and ask the next of the escalation at once.

    Returns:
        Whether that was news.
    """
    cause = _Cause(Urgency.UNREACHED, what.person, what.what)
    return contended(lambda: _again(what.contract_id, cause, services), services)


def _again(contract_id: str, cause: _Cause, services: Services) -> bool:
    found = _waiting(contract_id, services)
    if found is None or not _still(cause, found[1], services):
        return False
    loaded, approval = found
    try:
        could_run(loaded, services, approval.expires_at)
    except Refused as exc:
        refuse(loaded, f"{exc.code}: {exc}", services, door="ask")
        return False
    if cause.person:
        approval = approval.model_copy(update={"unreached": (*approval.unreached, cause.person)})
    step = step_of(cause.urgency, approval)
    more = admitted(called(approval, step, loaded.at, services.catalogue), loaded.contract, loaded.at, services)
    if cause.person and not more:
        _note(loaded, approval, cause, services)
        return True
    update = {
        "version": 0,
        "generation": approval.generation + 1,
        "approvers": (*approval.approvers, *(person.id for person in more)),
        "escalated": step,
    }
    anew = approval.model_copy(update=update)
    people = [each for each in may_decide(anew, services) if each.id not in {*anew.votes, *anew.unreached}]
    invited = invite(
        loaded.contract,
        anew,
        people,
        services,
        at=loaded.at,
        again=_WHY[cause.urgency],
        checkpoint=checkpoint_in(loaded.view),
    )
    if invited is None:
        raise Unavailable(
            "the key makes no links: nobody is asked again yet, and the links sent before stay as they are"
        )
    update = {"key_id": invited.key_id, "unreached": (*anew.unreached, *invited.unreached)}
    anew = anew.model_copy(update=update)
    _tell(loaded.contract, anew, cause.urgency, services)
    _write(loaded, found[1], anew, cause, invited, services=services)
    return True


def _waiting(contract_id: str, services: Services) -> tuple[Loaded, Approval] | None:
    """Return the contract and its approval while people are still asked; None when it is over, or never was."""
    head_ref, body_ref = ref(ContractHead, contract_id), ref(Contract, contract_id)
    view = services.store.read(head_ref, body_ref)
    head, contract = view.get(head_ref), view.get(body_ref)
    if head is None or contract is None or head.status is not ContractStatus.AWAITING_APPROVAL:
        return None
    approval_ref = ref(Approval, contract_id, str(head.generation))
    loaded = load(
        ticket_for(contract, needs_approval=True),
        services,
        approval_ref,
        ref(AuditPin),
        *foreseen(head.resource, head.playbook),
    )
    approval = loaded.view.need(approval_ref)
    open_ = approval.status is ApprovalStatus.PENDING and loaded.at < approval.expires_at
    return (loaded, approval) if open_ else None


def _still(cause: _Cause, approval: Approval, services: Services) -> bool:
    """Whether the reason to ask again still holds: two sweeps may have seen it, and a bounce may be told twice."""
    if cause.urgency is Urgency.UNREACHED:
        return cause.person in approval.approvers and cause.person not in {*approval.unreached, *approval.votes}
    if cause.urgency is Urgency.KEY:
        return bool(approval.key_id) and not services.macs.stands(approval.key_id)
    return step_of(cause.urgency, approval) > approval.escalated


def _write(
    loaded: Loaded, before: Approval, anew: Approval, cause: _Cause, invited: Invited, *, services: Services
) -> None:
    body = _body(anew, cause) | {
        "asked": [name for name in anew.approvers if name not in before.approvers],
        "mailed": list(invited.mailed),
    }
    advance(
        services,
        loaded,
        loaded.head.model_copy(update={"generation": anew.generation}),
        door="ask",
        command=("again", str(anew.generation)),
        entries=[
            EntryDraft(type="approval.reissued" if cause.urgency is Urgency.KEY else "approval.escalated", body=body)
        ],
        # The record that is left behind wakes nobody: its token goes with the one that counts.
        items=[before.model_copy(update={"status": ApprovalStatus.SUPERSEDED, "task_token": ""}), anew],
    )


def _note(loaded: Loaded, approval: Approval, cause: _Cause, services: Services) -> None:
    """Keep that somebody was not reached, where nobody is left to ask beside them; the others' links stay good."""
    _tell(loaded.contract, approval, cause.urgency, services)
    advance(
        services,
        loaded,
        loaded.head,
        door="ask",
        command=("unreached", cause.person),
        entries=[EntryDraft(type="approval.escalated", body=_body(approval, cause) | {"asked": [], "mailed": []})],
        items=[approval],
    )


def _body(approval: Approval, cause: _Cause) -> dict[str, Json]:
    """Return what the entry says: ids and reasons, nothing of a link."""
    body: dict[str, Json] = {
        "generation": approval.generation,
        "why": cause.urgency.value,
        "unreached": list(approval.unreached),
    }
    return body | ({"person": cause.person, "mail": cause.mail} if cause.person else {})


def _tell(contract: Contract, approval: Approval, urgency: Urgency, services: Services) -> None:
    unreached = f"Not reached by mail: {', '.join(approval.unreached)}\n" if approval.unreached else ""
    services.messages.notify(
        "high",
        f"approval still needed: {contract.playbook} on {contract.resource.path}"[:100],
        f"{_WHY[urgency]}\n"
        f"Who may decide: {', '.join(approval.approvers)} ({approval.need} needed) "
        f"until {approval.expires_at.isoformat()}\n"
        f"Who has voted: {', '.join(approval.votes) or 'nobody'}\n{unreached}"
        f"What next: grace show {contract.contract_id}, then grace decide {contract.contract_id} approve|reject",
    )
