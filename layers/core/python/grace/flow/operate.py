"""What an operator orders: stop, resume, roll back, release, retry, dismiss, demote, close a breaker. Each is written with who ordered it and why."""

from __future__ import annotations

from datetime import timedelta
from typing import Literal, Self

from pydantic import Field, model_validator

from grace.errors import Refused
from grace.flow.deadlines import DRAFT_SECONDS
from grace.flow.gate import asks
from grace.flow.loading import advance, load, ticket_for
from grace.flow.lower import close_breaker, demote
from grace.flow.resolve import start_rollback
from grace.model.base import Model
from grace.model.contract import TERMINAL, Contract, ContractHead, Mode
from grace.model.entry import Commit, EntryDraft, ref
from grace.model.ids import command_id
from grace.model.mission import DraftRequest, Mission, MissionStatus
from grace.model.records import KillSwitch, Lease
from grace.ports import Services


class Order(Model):
    """One order. `target` is a contract, a resource's ARN, a mission or a playbook; the kill switch needs none."""

    command: Literal["stop", "resume", "rollback", "release", "retry", "dismiss", "demote", "close-breaker"]
    target: str = Field(default="", max_length=2048)
    reason: str = Field(min_length=3, max_length=240)
    to: Literal[Mode.SHADOW, Mode.APPROVAL] = Mode.SHADOW
    """What `demote` lowers a playbook to."""

    @model_validator(mode="after")
    def _names_its_target(self) -> Self:
        if self.command not in {"stop", "resume"} and not self.target:
            raise ValueError(f"{self.command} needs a target: a contract, a resource, a mission or a playbook")
        return self


def operate(order: Order, principal: str, services: Services) -> str:
    """Carry out an order and return, in one sentence, what is so now.

    Raises:
        Refused: `unknown_person`, `not_operator`, or the order makes no sense as things stand.
        NotFound: there is no such target.
    """
    person = services.catalogue.directory.by_principal(principal)
    if person is None:
        raise Refused("unknown_person", f"{principal} is nobody in the people file")
    if services.catalogue.operators not in person.groups:
        raise Refused(
            "not_operator",
            f"{person.id} is not in the group {services.catalogue.operators!r}, whose orders are carried out",
        )
    match order.command:
        case "stop" | "resume":
            return _kill_switch(order, person.id, services, on=order.command == "stop")
        case "rollback":
            return _roll_back(order, person.id, services)
        case "release":
            return _release(order, person.id, services)
        case "retry" | "dismiss":
            return (_retry if order.command == "retry" else _dismiss)(order, person.id, services)
        case "demote" | "close-breaker":
            return _lower(order, person.id, services)


def _lower(order: Order, person: str, services: Services) -> str:
    """Lower a playbook's mode, or let it act again after its breaker opened."""
    now = (
        demote(order.target, order.to, order.reason, person, services)
        if order.command == "demote"
        else close_breaker(order.target, order.reason, person, services)
    )
    services.telemetry.about(playbook=order.target)
    return now


def _kill_switch(order: Order, person: str, services: Services, *, on: bool) -> str:
    """Throw or lift the kill switch: no new side effect starts while it is on; rollbacks still run."""
    at, switch = services.clock.now(), ref(KillSwitch)
    was = services.store.read(switch, stream="sys:kill").get(switch)
    now = f"The kill switch is {'on: nothing new will be done; rollbacks still run' if on else 'off'}."
    if (was.on if was else False) is on:
        return now
    head = KillSwitch(on=on, reason=order.reason, by=person, at=at)
    if was:
        head = was.model_copy(update={"on": on, "reason": order.reason, "by": person, "at": at})
    services.store.commit(
        Commit(
            command=command_id("kill", str(was.version if was else 0), str(on)),
            head=head,
            was=was,
            entries=(EntryDraft(type="operator.stop" if on else "operator.resume", body={"reason": order.reason}),),
            at=services.clock.now(),
            actor=f"person:{person}",
            subsystem="operate",
        )
    )
    services.messages.notify("high", f"kill switch {'on' if on else 'off'}", f"{person}: {order.reason}\n{now}")
    return now


def _roll_back(order: Order, person: str, services: Services) -> str:
    head_ref, body_ref = ref(ContractHead, order.target), ref(Contract, order.target)
    view = services.store.read(head_ref, body_ref)
    head, contract = view.need(head_ref), view.need(body_ref)
    if head.status in TERMINAL:
        raise Refused("ended", f"{order.target} is {head.status.value}: a closed contract is never undone")
    loaded = load(ticket_for(contract, needs_approval=asks(contract)), services)
    reason = f"{person} ordered the rollback: {order.reason}"[:120]
    advance(
        services,
        loaded,
        loaded.head.model_copy(update={"stop": reason}),
        door="operate",
        command=("order", "rollback", str(head.version)),
        entries=[EntryDraft(type="operator.rollback", body={"reason": order.reason})],
        actor=f"person:{person}",
    )
    ticket = start_rollback(contract, reason, services)
    return f"{order.target} is being rolled back (rollback {ticket.attempt}); the undo is measured: grace show {order.target}"


def _release(order: Order, person: str, services: Services) -> str:
    """Take a resource out of safe-hold; the contract that left it there keeps its status."""
    lease_ref = ref(Lease, order.target)
    lease = services.store.read(lease_ref).need(lease_ref)
    if not lease.hold:
        return f"{order.target} is not in safe-hold."
    head_ref, body_ref = ref(ContractHead, lease.hold), ref(Contract, lease.hold)
    contract = services.store.read(head_ref, body_ref).need(body_ref)
    loaded = load(ticket_for(contract, needs_approval=asks(contract)), services)
    advance(
        services,
        loaded,
        loaded.head,
        door="operate",
        command=("order", "release", str(lease.version)),
        entries=[EntryDraft(type="operator.release", body={"reason": order.reason, "resource": order.target})],
        items=[lease.model_copy(update={"hold": "", "owner": "", "until": loaded.at})],
        actor=f"person:{person}",
    )
    return f"{order.target} is out of safe-hold; contracts may act on it again."


def _mission(mission_id: str, services: Services) -> Mission:
    """Return the mission that an order is about."""
    where = ref(Mission, mission_id)
    mission = services.store.read(where, stream=mission_id).need(where)
    services.telemetry.about(mission_id=mission_id, contract_id=mission.contract_id or "", corr=mission.corr)
    return mission


def _retry(order: Order, person: str, services: Services) -> str:
    """Draft a mission's next attempt, after a person has seen why the last one ended as it did."""
    mission = _mission(order.target, services)
    if mission.status is MissionStatus.OPEN and mission.contract_id is None:
        services.messages.draft(DraftRequest(mission_id=mission.mission_id, attempt=mission.attempt))
        return f"{order.target} is being drafted."
    if mission.contract_id:
        head_ref = ref(ContractHead, mission.contract_id)
        head = services.store.read(head_ref).need(head_ref)
        if not head.closed:
            raise Refused("at_work", f"{mission.contract_id} is {head.status.value}: wait, or roll it back first")
    at = services.clock.now()
    services.store.commit(
        Commit(
            command=command_id("retry", mission.mission_id, str(mission.attempt)),
            head=mission.model_copy(
                update={
                    "status": MissionStatus.OPEN,
                    "attempt": mission.attempt + 1,
                    "contract_id": None,
                    "requested_by": person,
                    "updated_at": at,
                    "deadline": at + timedelta(seconds=DRAFT_SECONDS),
                    "reason": "",
                }
            ),
            was=mission,
            entries=(EntryDraft(type="operator.retry", body={"reason": order.reason}),),
            at=services.clock.now(),
            actor=f"person:{person}",
            subsystem="operate",
        )
    )
    services.messages.draft(DraftRequest(mission_id=mission.mission_id, attempt=mission.attempt + 1))
    return f"{order.target} is being drafted again (attempt {mission.attempt + 1})."


def _dismiss(order: Order, person: str, services: Services) -> str:
    """Close a mission that waits for a person: somebody has dealt with it, or there was nothing to deal with."""
    mission = _mission(order.target, services)
    if mission.status is MissionStatus.CLOSED:
        return f"{order.target} is closed."
    if mission.status is MissionStatus.OPEN:
        raise Refused("at_work", f"{order.target} is open and ends by itself; its contract can be rolled back")
    at = services.clock.now()
    services.store.commit(
        Commit(
            command=command_id("dismiss", mission.mission_id, str(mission.attempt)),
            head=mission.model_copy(
                update={
                    "status": MissionStatus.CLOSED,
                    "reason": f"dismissed by {person}: {order.reason}"[:240],
                    "updated_at": at,
                }
            ),
            was=mission,
            entries=(EntryDraft(type="operator.dismiss", body={"reason": order.reason}),),
            at=services.clock.now(),
            actor=f"person:{person}",
            subsystem="operate",
        )
    )
    return f"{order.target} is closed."
