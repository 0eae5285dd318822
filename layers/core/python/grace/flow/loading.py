"""What every door does first and last: read the contract as it stands, and write the next change."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from datetime import datetime
from typing import Any, NamedTuple, TypeVar

from grace.errors import Conflict, IntegrityError
from grace.model.base import Item
from grace.model.contract import Contract, ContractHead, Ticket
from grace.model.entry import Change, Commit, EntryDraft, Ref, ref
from grace.model.ids import command_id
from grace.ports import Services, View

T = TypeVar("T")
TRIES, FIRST_PAUSE = 5, 0.05
"""How often it is tried, and how many seconds the first pause lasts at most: together less than one second."""


class Loaded(NamedTuple):
    """A contract as read at one moment, with whatever else was read beside it."""

    head: ContractHead
    contract: Contract
    view: View
    at: datetime


def load(ticket: Ticket, services: Services, *more: Ref[Any]) -> Loaded:
    """Read head, body and `more` in one call and prove that the body is the one the ticket and the head speak of.

    Raises:
        IntegrityError: the body's bytes, the head's digest and the ticket's digest are not one and the same.
        NotFound: there is no such contract.
    """
    at = services.clock.now()
    head_ref, body_ref = ref(ContractHead, ticket.contract_id), ref(Contract, ticket.contract_id)
    view = services.store.read(head_ref, body_ref, *more, stream=ticket.mission_id)
    head, contract = view.need(head_ref), view.need(body_ref)
    services.telemetry.about(contract_id=head.contract_id, mission_id=head.mission_id, corr=head.corr)
    if not contract.digest() == head.digest == ticket.digest:
        raise IntegrityError(f"contract {ticket.contract_id} is not the one that was drafted: its digest differs")
    return Loaded(head, contract, view, at)


def ticket_for(contract: Contract, *, needs_approval: bool, rollback: int = 0, digest: str = "") -> Ticket:
    """Return the ticket an execution starts with; it follows from the contract alone, so starting twice is the same.

    `digest` is the contract's, where its head is at hand.
    """
    return Ticket(
        contract_id=contract.contract_id,
        mission_id=contract.mission_id,
        digest=digest or contract.digest(),
        corr=contract.corr,
        resource=contract.resource.arn,
        playbook=contract.playbook,
        diagnosis=contract.diagnosis,
        mode="rollback" if rollback else "remediate",
        needs_approval=needs_approval,
        settle=contract.settle,
        attempt=rollback,
    )


def contended(work: Callable[[], T], services: Services) -> T:
    """Do it again after a pause, a few times, when somebody else wrote first; each try reads anew.

    What all contracts count in (those in flight, a playbook's hour) is written by many at once. The pause has full jitter
    and grows: those who collided do not collide again.

    Raises:
        Conflict: it stayed contended; the caller's own caller may come back later.
    """
    for done in range(TRIES - 1):
        try:
            return work()
        except Conflict:
            services.clock.pause(FIRST_PAUSE * 2**done)
    return work()


def execution_name(ticket: Ticket) -> str:
    """Return the execution's name: the contract's id, and `-rb-<n>` for its n-th rollback execution."""
    return f"{ticket.contract_id}-rb-{ticket.attempt}" if ticket.mode == "rollback" else ticket.contract_id


def advance(
    services: Services,
    loaded: Loaded,
    head: ContractHead,
    *,
    door: str,
    command: Sequence[str],
    entries: Sequence[EntryDraft],
    items: Sequence[Item] = (),
    unchanged: Sequence[Item] = (),
    absent: Sequence[Ref[Any]] = (),
    also: Sequence[Change] = (),
    actor: str = "grace",
) -> Loaded:
    """Commit the contract's next head with what belongs to it, and return the contract as it stands then.

    `command` names what is being done, and which try of it.

    Raises:
        Conflict: somebody wrote first, or this command had been carried out before: read again and decide anew.
    """
    committed = services.store.commit(
        Commit(
            command=command_id(head.contract_id, *command),
            head=head.model_copy(update={"updated_at": loaded.at}),
            was=loaded.head,
            entries=tuple(entries),
            at=services.clock.now(),
            actor=actor,
            subsystem=door,
            items=tuple(items),
            unchanged=tuple(unchanged),
            absent=tuple(absent),
            also=tuple(also),
        )
    )
    if not isinstance(committed.head, ContractHead):
        raise Conflict(f"{'/'.join(command)} of {head.contract_id} had been carried out before")
    return loaded._replace(head=committed.head)
