"""A change that was to last a time only: when that is over, the values from before come back, and that is measured."""

from __future__ import annotations

from datetime import datetime, timedelta
from typing import Any

from grace.actions.base import action
from grace.errors import Busy, Mismatch, PermanentError
from grace.flow import gate
from grace.flow.loading import Loaded, advance, load, ticket_for
from grace.flow.resolve import start_rollback
from grace.flow.snapshot import taken
from grace.model.base import Json, Model
from grace.model.contract import Contract, ContractHead
from grace.model.entry import EntryDraft, ref
from grace.model.records import Expiry, Lease
from grace.ports import Services
from grace.resources.base import Captured, Restorable, digest_of, resource_type

LEASE_SECONDS = 300
"""How long putting one value back may hold the resource."""


def begin(expiry: Expiry, services: Services) -> str:
    """Start the execution that puts an expired change back; one that runs already is left to run.

    While somebody else has the resource none is started: that is said once, and the sweep looks again.
    """
    body_ref, head_ref = ref(Contract, expiry.contract_id), ref(ContractHead, expiry.contract_id)
    lease_ref = ref(Lease, expiry.resource)
    view = services.store.read(body_ref, head_ref, lease_ref)
    contract, head = view.need(body_ref), view.need(head_ref)
    latest = f"{expiry.contract_id}-rb-{head.rollbacks}"
    if head.rollbacks and services.workflow.status(latest) == "RUNNING":
        return ""
    if by := _kept(view.get(lease_ref), expiry.contract_id, services.clock.now(), services):
        if not expiry.says:
            _waits(contract, expiry, by, services)
        return ""
    start_rollback(contract, "its time to live is over", services)
    return "put_back"


def _kept(lease: Lease | None, contract_id: str, at: datetime, services: Services) -> str:
    """Return the contract for which the resource is not to be touched now, or an empty string."""
    if lease is None:
        return ""
    return lease.hold or (lease.owner if taken(lease, contract_id, at, services) else "")


def _waits(contract: Contract, expiry: Expiry, by: str, services: Services) -> None:
    """Say that a change stays longer than was promised; people are told before it is written."""
    services.messages.notify(
        "low",
        f"put back later: {contract.playbook}"[:100],
        f"What happened: the time to live of {contract.action.use} is over.\n"
        f"To what: {expiry.resource}\n"
        f"Is it safe now: it stays as it is while {by} has the resource.\n"
        f"What next: grace show {by}; then it is put back by itself",
    )
    loaded = load(ticket_for(contract, needs_approval=False), services)
    advance(
        services,
        loaded,
        loaded.head,
        door="reap",
        command=("expiry_waits",),
        entries=[EntryDraft(type="contract.expiry_waits", body={"by": by})],
        items=[expiry.model_copy(update={"says": f"it waits for {by}"})],
    )


def put_back(loaded: Loaded, expiry: Expiry | None, lease: Lease | None, services: Services) -> None:
    """Set the fields that the action changed to their values from before, if they are still as the action left them.

    Other fields may have changed since: they are somebody else's and stay. The contract keeps its status. What can
    never be put back (the resource is gone, we may not touch it) is told to people once, and not tried again.

    Raises:
        Busy: another contract is at work on the resource, or has not ended; the next sweep tries again.
        AnswerLost, TransientError: called again, this looks first.
    """
    if expiry is None or expiry.done or loaded.at < expiry.until:
        return
    lease = lease or Lease(resource=expiry.resource, until=loaded.at)
    if by := _kept(lease, expiry.contract_id, loaded.at, services):
        raise Busy(f"{expiry.resource} is held by {by}")
    loaded, lease = _leased(loaded, lease, services)
    try:
        says = _set(loaded, services)
    except Mismatch:
        raise  # changed between our look and our call: the next look sees by whom
    except PermanentError as exc:
        says = f"it could not be put back: {exc}"
    _ended(loaded._replace(at=services.clock.now()), expiry, lease, says, services)


def _set(loaded: Loaded, services: Services) -> str:
    """Put our fields back, and return why they are not as they were before, or nothing."""
    contract = loaded.contract
    kind = resource_type(contract.resource.type)
    before = kind.parse(gate.read_snapshot(loaded.head, services).state)
    now = kind.capture(contract.resource, services.aws)
    wanted = _wanted(contract, kind, before, now)
    if wanted is None:
        return "somebody else has changed the value since, so it is left as it is"
    if digest_of(wanted) != now.digest:
        kind.restore(contract.resource, wanted, now, services.aws)
        now = kind.capture(contract.resource, services.aws)
    left = kind.differences(wanted, now.state)
    return f"the value from before did not take: {'; '.join(left)}" if left else ""


def _leased(loaded: Loaded, lease: Lease, services: Services) -> tuple[Loaded, Lease]:
    """Take the resource for the moment it takes, with the next fence."""
    until = loaded.at + timedelta(seconds=LEASE_SECONDS)
    taken = lease.model_copy(update={"owner": loaded.head.contract_id, "fence": lease.fence + 1, "until": until})
    after = advance(
        services,
        loaded,
        loaded.head,
        door="rollback",
        command=("expiring", str(lease.version)),
        entries=[EntryDraft(type="contract.expiring", body={"resource": lease.resource, "fence": taken.fence})],
        items=[taken],
    )
    return after, taken.model_copy(update={"version": lease.version + 1})


def _wanted(contract: Contract, kind: Restorable[Model], before: Model, now: Captured[Any]) -> Model | None:
    """Return the present state with our fields as they were before; None when one of them is no longer as we left it."""
    act = action(contract.action.use)
    was: dict[str, Json] = before.model_dump(mode="json")
    ours: dict[str, Json] = act.predict(before, act.parse(contract.action.parameters)).model_dump(mode="json")
    present: dict[str, Json] = now.state.model_dump(mode="json")
    changed = [key for key in was if was[key] != ours[key]]
    if any(present[key] not in (ours[key], was[key]) for key in changed):
        return None
    return kind.parse({**present, **{key: was[key] for key in changed}})


def _ended(loaded: Loaded, expiry: Expiry, lease: Lease, says: str, services: Services) -> None:
    """Write how it ended, and give the lease back; people are told first when the value is not as it was before."""
    if says:
        services.messages.notify(
            "medium",
            f"not put back: {loaded.contract.playbook}"[:100],
            f"What happened: the time to live of {loaded.contract.action.use} is over.\n"
            f"To what: {expiry.resource}\n"
            f"Is it safe now: {says}.\n"
            f"What next: grace show {expiry.contract_id}",
        )
    advance(
        services,
        loaded,
        loaded.head,
        door="rollback",
        command=("expired", str(lease.version)),
        entries=[EntryDraft(type="contract.expired_back", body={"restored": not says, "says": says})],
        items=[
            expiry.model_copy(update={"done": True, "says": says[:240]}),
            lease.model_copy(update={"owner": "", "until": loaded.at}),
        ],
    )
