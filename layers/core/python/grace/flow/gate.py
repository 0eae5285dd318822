"""The gate: everything that must still be so directly before a side effect."""

from __future__ import annotations

from datetime import datetime, timedelta
from typing import Any, NamedTuple

from grace.errors import IntegrityError, Refused, StaleFence
from grace.flow.breaker import may_call
from grace.flow.loading import Loaded
from grace.flow.standing import may_act
from grace.model.approval import Approval, ApprovalStatus, Vote, counted
from grace.model.base import Item
from grace.model.contract import TERMINAL, Contract, ContractHead, ContractStatus, Mode
from grace.model.entry import Ref, ref
from grace.model.records import Breaker, InFlight, KillSwitch, Lease, Snapshot, Standing
from grace.ports import Services

APPROVAL_FRESH = timedelta(minutes=10)
"""An approval older than this no longer starts an action: the world has moved on."""
LEASE_MARGIN = timedelta(seconds=30)


class Passed(NamedTuple):
    """What the gate saw, which the intent's transaction requires to be still so."""

    lease: Lease
    in_flight: InFlight
    snapshot: Snapshot
    breaker: Breaker
    unchanged: tuple[Item, ...]
    absent: tuple[Ref[Any], ...]


def hour_of(at: datetime) -> str:
    """Return the clock hour a limit counts in, in UTC, for example 2026013112."""
    return at.strftime("%Y%m%d%H")


def refs(
    contract_id: str, resource: str, playbook: str
) -> tuple[Ref[Lease], Ref[KillSwitch], Ref[InFlight], Ref[Breaker], Ref[Standing], Ref[Approval]]:
    """Return the addresses of all that the gate reads beside the contract; of approvals the first, mostly the only one."""
    return (
        ref(Lease, resource),
        ref(KillSwitch),
        ref(InFlight),
        ref(Breaker, resource.split(":")[2]),
        ref(Standing, playbook),
        ref(Approval, contract_id, "1"),
    )


def foreseen(resource: str, playbook: str) -> tuple[Ref[Lease], Ref[KillSwitch], Ref[InFlight], Ref[Standing]]:
    """Return the addresses of what `could_run` reads beside the contract."""
    return ref(Lease, resource), ref(KillSwitch), ref(InFlight), ref(Standing, playbook)


def could_run(loaded: Loaded, services: Services, until: datetime) -> None:
    """Refuse what is known now to be refused later, before people are asked; they may decide `until` then.

    What passes by itself while they decide (another contract on the resource, all that acts now) is no reason.

    Raises:
        Refused: `kill_switch`, `safe_hold`, `cooldown`, `limit`, and what `may_act` raises.
    """
    contract, view = loaded.contract, loaded.view
    lease_ref, kill_ref, flight_ref, standing_ref = foreseen(contract.resource.arn, contract.playbook)
    not_killed(view.get(kill_ref))
    may_act(contract, view.get(standing_ref), services.catalogue, asked=True)
    if lease := view.get(lease_ref):
        not_held(lease)
        cooled(lease, contract, until)
    _hour(loaded, view.get(flight_ref) or InFlight())


def not_killed(kill: KillSwitch | None) -> None:
    """Refuse while the kill switch is on.

    Raises:
        Refused: `kill_switch`.
    """
    if kill and kill.on:
        raise Refused("kill_switch", f"the kill switch is on since {kill.at.isoformat()}: {kill.reason}")


def not_held(lease: Lease) -> None:
    """Refuse a resource in safe-hold.

    Raises:
        Refused: `safe_hold`.
    """
    if lease.hold:
        raise Refused(
            "safe_hold", f"{lease.resource} is in safe-hold since {lease.hold}: release it with grace release first"
        )


def cooled(lease: Lease, contract: Contract, at: datetime) -> None:
    """Refuse a resource that will not have been left alone for its cooldown at that time.

    Raises:
        Refused: `cooldown`.
    """
    if lease.last_action_at and at < lease.last_action_at + timedelta(seconds=contract.limits.cooldown):
        until = lease.last_action_at + timedelta(seconds=contract.limits.cooldown)
        raise Refused("cooldown", f"{lease.resource} was acted on recently; not again before {until.isoformat()}")


def check(loaded: Loaded, services: Services, call_seconds: int, *, begun: bool) -> Passed:
    """Check status, approval, kill switch, the playbook's mode, lease, fence, time left, snapshot and limits.

    `begun` says that the intent was written before: its own use of the limits is counted already.

    Raises:
        Refused: one of them says no; nothing has been done.
        StaleFence: another contract took the resource over.
        IntegrityError: the snapshot is not the one that was taken.
    """
    contract, view = loaded.contract, loaded.view
    lease_ref, kill_ref, flight_ref, breaker_ref, standing_ref, approval_ref = refs(
        contract.contract_id, contract.resource.arn, contract.playbook
    )
    _standing(loaded)
    unchanged: list[Item] = []
    if asks(contract):
        unchanged.append(_approved(loaded, view.get(approval_ref), services))
    kill = view.get(kill_ref)
    not_killed(kill)
    standing = view.get(standing_ref)
    may_act(contract, standing, services.catalogue, asked=asks(contract))
    unchanged += [item for item in (kill, standing) if item is not None]
    absent = [where for where, item in ((kill_ref, kill), (standing_ref, standing)) if item is None]
    lease = _lease(view.get(lease_ref), loaded, call_seconds)
    kept = read_snapshot(loaded.head, services)
    flight = view.get(flight_ref) or InFlight()
    if not begun:
        _limits(loaded, flight, services.catalogue.global_in_flight)
    service = view.get(breaker_ref) or Breaker(service=contract.resource.service)
    may_call(service, contract.contract_id, loaded.at, begun=begun)
    return Passed(lease, flight, kept, service, tuple(unchanged), tuple(absent))


def asks(contract: Contract) -> bool:
    """Return whether the contract may run only with an approval."""
    return asks_for(contract.tier, contract.mode)


def asks_for(tier: int, mode: Mode) -> bool:
    """Return whether a tier and a mode together need an approval."""
    return tier > 1 or mode is Mode.APPROVAL


def not_ended(head: ContractHead) -> None:
    """Refuse a contract that has come to its end: whoever runs a step of it again is too late.

    Raises:
        Refused: its status.
    """
    if head.status in TERMINAL:
        raise Refused(head.status.value, f"the contract is {head.status.value} already")


def _standing(loaded: Loaded) -> None:
    head, contract = loaded.head, loaded.contract
    not_ended(head)
    if head.stop:
        raise Refused("stopped", head.stop)
    if contract.mode is Mode.SHADOW:
        raise Refused("shadow", f"{contract.playbook} is in shadow: it never acts")
    if head.status is ContractStatus.AWAITING_APPROVAL:
        raise Refused("not_approved", "somebody was asked and has not answered")


def _lease(lease: Lease | None, loaded: Loaded, call_seconds: int) -> Lease:
    resource = loaded.contract.resource.arn
    if not lease or lease.owner != loaded.head.contract_id or lease.fence != loaded.head.fence:
        raise StaleFence(f"the lease of {resource} is no longer held by this contract")
    if loaded.at + timedelta(seconds=call_seconds) + LEASE_MARGIN > lease.until:
        raise Refused("lease_time", f"the lease of {resource} ends too soon to act safely")
    return lease


def _limits(loaded: Loaded, flight: InFlight, in_flight: int) -> None:
    _hour(loaded, flight)
    if len(set(flight.contracts) - {loaded.contract.contract_id}) >= in_flight:
        raise Refused("in_flight", f"{len(flight.contracts)} contracts are acting now, which is the global limit")


def _hour(loaded: Loaded, flight: InFlight) -> None:
    contract = loaded.contract
    used = flight.used(contract.playbook, hour_of(loaded.at))
    if used >= contract.limits.per_hour:
        raise Refused("limit", f"{contract.playbook} has acted {used} times this hour, which is its limit")


def _approved(loaded: Loaded, first: Approval | None, services: Services) -> Approval:
    """Take the record as it stands: it must be approved, by enough allowed people, on this digest, and not long ago."""
    head, contract = loaded.head, loaded.contract
    approval_ref = ref(Approval, head.contract_id, str(head.generation))
    approval = first if head.generation == 1 else services.store.read(approval_ref).get(approval_ref)
    begun = (ContractStatus.APPROVED, ContractStatus.EXECUTING)
    if head.status not in begun or approval is None or approval.status is not ApprovalStatus.APPROVED:
        raise Refused("not_approved", "the contract needs an approval and has none")
    if approval.digest != contract.digest():
        raise Refused("not_approved", "the approval is for another contract than the one about to run")
    votes = services.store.members(Vote, head.contract_id)
    if len(counted(votes, approval, services.catalogue.directory)) < approval.need:
        raise Refused("not_approved", f"the approval needs {approval.need} distinct people who may decide")
    if approval.decided_at is None or loaded.at > approval.decided_at + APPROVAL_FRESH:
        raise Refused("approval_old", "the approval is older than ten minutes: ask again with grace retry")
    return approval


def read_snapshot(head: ContractHead, services: Services) -> Snapshot:
    """Return the snapshot taken for this contract.

    Raises:
        Refused: `no_snapshot`, there is none.
        IntegrityError: its bytes differ from its digest, or it was taken for another contract or fence.
    """
    if head.snapshot is None:
        raise Refused("no_snapshot", "there is no snapshot: nothing is done to a resource that cannot be put back")
    kept = Snapshot.model_validate_json(services.vault.get(head.snapshot))
    if kept.contract_id != head.contract_id or kept.fence != head.fence:
        raise IntegrityError(f"the snapshot {head.snapshot.key} was not taken for this contract and fence")
    return kept
