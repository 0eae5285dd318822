"""Preflight, before anybody is disturbed; and the snapshot, taken under the lease before anything is changed."""

from __future__ import annotations

from datetime import datetime, timedelta

from grace.actions.base import action
from grace.errors import Busy, Refused
from grace.flow.deadlines import PHASE_SECONDS, ROLLBACK_SECONDS, later
from grace.flow.gate import asks, cooled, could_run, foreseen, not_ended, not_held
from grace.flow.loading import Loaded, advance, load
from grace.flow.looking import Look
from grace.model.base import Model, canonical
from grace.model.contract import (
    BEFORE_EFFECT,
    Call,
    Contract,
    ContractHead,
    ContractStatus,
    Mode,
    Preflight,
    Ticket,
)
from grace.model.entry import EntryDraft, ref
from grace.model.records import Lease, Snapshot, Step
from grace.ports import Aws, Services
from grace.resources.base import Captured, Restorable, require_opt_in, resource_type


def preflight(call: Call, services: Services) -> Ticket:
    """Prove that the contract could be executed now: opted in, unchanged, permitted, within bounds, and not held up.

    Takes no lease and writes nothing: what it found travels in the ticket, and is kept with the question to people.

    Raises:
        Refused: what is missing, in a sentence for the operator.
    """
    loaded = load(call.ticket, services, *foreseen(call.ticket.resource, call.ticket.playbook))
    contract = loaded.contract
    if loaded.head.status is not ContractStatus.DRAFTED:
        raise Refused(loaded.head.status.value, f"the contract is {loaded.head.status.value} already")
    could_run(
        loaded, services, loaded.at + timedelta(seconds=services.catalogue.approval_seconds[max(2, contract.tier)])
    )
    kind, act = resource_type(contract.resource.type), action(contract.action.use)
    aws = Look(services).aws
    require_opt_in(kind.tags(contract.resource, aws), contract.resource.arn)
    captured = _unchanged(contract, contract.state_digest, kind, aws)
    act.check(contract.resource, captured, act.parse(contract.action.parameters), aws)
    missing = services.permissions.missing(act.iam, kind.writes, contract.resource.arn)
    if missing:
        raise Refused("permission", f"the roles that would act lack {', '.join(missing)} on {contract.resource.arn}")
    return call.ticket.model_copy(update={"preflight": Preflight(taken_at=loaded.at, state=captured.digest)})


def snapshot(call: Call, services: Services) -> Ticket:
    """Take the resource's lease and keep its state in the vault; without both nothing will be done to it.

    Raises:
        Busy: another contract holds the lease; the workflow tries again.
        Refused: the resource is in safe-hold, in its cooldown, changing, or not as it was when people decided.
    """
    lease_ref = ref(Lease, call.ticket.resource)
    loaded = load(call.ticket, services, lease_ref)
    head, contract = loaded.head, loaded.contract
    lease = loaded.view.get(lease_ref) or Lease(resource=contract.resource.arn, until=loaded.at)
    not_ended(head)
    if head.snapshot and lease.owner == head.contract_id:
        return call.ticket
    _may_start(head, contract, call.ticket)
    _lease_free(lease, loaded, services)
    kind = resource_type(contract.resource.type)
    captured = _unchanged(contract, head.preflight or contract.state_digest, kind, Look(services).aws)
    fence = lease.fence + 1
    body = Snapshot(
        contract_id=head.contract_id,
        resource=contract.resource,
        fence=fence,
        state=captured.state.model_dump(mode="json"),
        digest=captured.digest,
    )
    pointer = services.vault.put(f"snapshots/{head.contract_id}/{fence}.json", canonical(body.model_dump(mode="json")))
    until = loaded.at + timedelta(seconds=lease_seconds(contract))
    advance(
        services,
        loaded,
        head.model_copy(
            update={"snapshot": pointer, "fence": fence, "deadline": later(head, loaded.at, PHASE_SECONDS)}
        ),
        door="snapshot",
        command=("snapshot", str(fence)),
        entries=[
            EntryDraft(
                type="contract.snapshotted",
                body={"snapshot": pointer.sha256, "key": pointer.key, "state": captured.digest, "fence": fence},
            )
        ],
        items=[lease.model_copy(update={"owner": head.contract_id, "fence": fence, "until": until})],
    )
    return call.ticket


def lease_seconds(contract: Contract) -> int:
    """Return how long a contract may need its resource: call, two settles, the rollback, and five minutes to spare."""
    return action(contract.action.use).call_seconds + 2 * contract.settle + ROLLBACK_SECONDS + 300


def _may_start(head: ContractHead, contract: Contract, ticket: Ticket) -> None:
    if head.status not in BEFORE_EFFECT:
        raise Refused(head.status.value, f"the contract is {head.status.value} already")
    if head.stop:
        raise Refused("stopped", head.stop)
    if contract.mode is Mode.SHADOW:
        raise Refused("shadow", f"{contract.playbook} is in shadow: it never acts")
    if (asks(contract) or ticket.needs_approval) and head.status is not ContractStatus.APPROVED:
        raise Refused("not_approved", "the contract needs an approval and has none")


def _lease_free(lease: Lease, loaded: Loaded, services: Services) -> None:
    contract = loaded.contract
    not_held(lease)
    if taken(lease, contract.contract_id, loaded.at, services):
        raise Busy(f"{lease.resource} is held by {lease.owner} until {lease.until.isoformat()}")
    cooled(lease, contract, loaded.at)


def taken(lease: Lease, contract_id: str, at: datetime, services: Services) -> bool:
    """Whether another contract may still act on the resource: by its lease, or by what it has begun and not ended."""
    others = lease.owner not in {"", contract_id}
    return others and (at < lease.until or _unfinished(lease.owner, services))


def _unfinished(owner: str, services: Services) -> bool:
    """Whether a lapsed lease still protects its resource: the holder has begun to act and has not ended."""
    head_ref, step_ref = ref(ContractHead, owner), ref(Step, owner, "execute")
    view = services.store.read(head_ref, step_ref)
    head = view.get(head_ref)
    return bool(head and not head.terminal and view.get(step_ref))


def _unchanged(contract: Contract, digest: str, kind: Restorable[Model], aws: Aws) -> Captured[Model]:
    """Capture the resource and refuse one that is changing, or is not as it was when the contract was drafted."""
    moving = kind.in_progress(contract.resource, aws)
    if moving:
        raise Refused("in_progress", f"{contract.resource.arn} is being changed by somebody else: {moving}")
    captured = kind.capture(contract.resource, aws)
    if captured.digest != digest:
        raise Refused("changed", f"{contract.resource.arn} is not as it was when the contract was drafted")
    return captured
