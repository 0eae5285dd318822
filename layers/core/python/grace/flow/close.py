"""The end of every contract: the lease goes back, the outcome is kept, people are told."""

from __future__ import annotations

from datetime import datetime, timedelta

from grace.actions.base import action
from grace.flow.cause import why
from grace.flow.loading import Loaded, advance, contended, load
from grace.flow.standing import BAD_ENDS, bad_end, entry_of, opened, tell
from grace.flow.withdrawing import withdrawn
from grace.model.base import Item
from grace.model.contract import BEFORE_EFFECT, Call, Contract, ContractHead, ContractStatus, Ticket
from grace.model.entry import Change, EntryDraft, ref
from grace.model.metric import Metric
from grace.model.mission import Mission, MissionStatus
from grace.model.records import Evidence, Expiry, GuardAlarm, InFlight, Lease, Outcome, PlaybookStats, Standing, Step
from grace.ports import Services

_SEVERITY = {
    ContractStatus.SAFE_HOLD: "critical",
    ContractStatus.ROLLED_BACK: "high",
    ContractStatus.PARTIAL: "medium",
    ContractStatus.REFUSED: "medium",
    ContractStatus.EXPIRED: "medium",
}
_METRICS = {
    ContractStatus.VERIFIED: Metric.CONTRACTS_VERIFIED,
    ContractStatus.ROLLED_BACK: Metric.ROLLBACKS,
    ContractStatus.SAFE_HOLD: Metric.SAFE_HOLDS,
    ContractStatus.REFUSED: Metric.REFUSED,
}
_COUNTED = frozenset({"verified", "partial", "rolled_back", "safe_hold"})


def close(call: Call, services: Services) -> Ticket:
    """Close a contract, whatever its end; one that has not ended ends here, in the only honest way left.

    Before any effect that is `refused`; after one, when not even the rollback could say how it went, it is
    `safe_hold`: the lease stays and people are told. People are told before the closing is written, so that a crash
    in between tells them twice rather than never.
    """
    told: set[str] = set()
    return contended(lambda: _close(call.ticket, told, services), services)


def _close(ticket: Ticket, told: set[str], services: Services) -> Ticket:
    """Close it as it stands now; what was told by an earlier try, which others wrote before, is not told again."""
    refs = (
        ref(Lease, ticket.resource),
        ref(Mission, ticket.mission_id),
        ref(InFlight),
        ref(Step, ticket.contract_id, "execute"),
        ref(PlaybookStats, ticket.playbook, ticket.diagnosis.value),
        ref(Standing, ticket.playbook),
        ref(Evidence, ticket.contract_id, "rollback"),
    )
    loaded = load(ticket, services, *refs)
    if loaded.head.closed:
        return ticket
    acted = loaded.view.get(refs[3]) is not None
    head = _ended(ticket, loaded, acted=acted)
    items: list[Item] = [
        *_lease(loaded, head, loaded.view.get(refs[0])),
        _outcome(loaded, head, loaded.view.get(refs[6]), acted=acted),
    ]
    if head.status.value in _COUNTED:
        items.append(_count(loaded.view.get(refs[4]), loaded, head.status))
    flight = loaded.view.get(refs[2])
    if flight and head.contract_id in flight.contracts:
        left = tuple(c for c in flight.contracts if c != head.contract_id)
        items.append(flight.model_copy(update={"contracts": left}))
    items += [*_disarmed(loaded, services), *withdrawn(loaded.head, services)]
    if expiry := _expiry_of(loaded.contract, head):
        items.append(expiry)
    if head.status.value not in told:
        _tell(loaded, head, services)
        told.add(head.status.value)
    breaker: list[EntryDraft] = []
    if acted and head.status in BAD_ENDS:
        before = loaded.view.get(refs[5])
        after = bad_end(before, head.playbook, head.contract_id, loaded.at)
        items.append(after)
        if opened(before, after):
            breaker.append(entry_of(after))
            if "breaker" not in told:
                tell(after, services)
                told.add("breaker")
    advance(
        services,
        loaded,
        head.model_copy(update={"closed": True}),
        door="close",
        command=("close",),
        entries=[
            *breaker,
            EntryDraft(
                type="contract.closed",
                body={"status": head.status.value, "reason": head.reason, "verdict": head.verdict},
            ),
        ],
        items=items,
        also=_mission(loaded, head, loaded.view.get(refs[1])),
    )
    if head.status in _METRICS:
        services.telemetry.count(_METRICS[head.status])
    return ticket


def _ended(ticket: Ticket, loaded: Loaded, *, acted: bool) -> ContractHead:
    head = loaded.head
    if head.terminal:
        return head
    reason = why(ticket, loaded)[:240]
    if head.status in BEFORE_EFFECT and not acted:
        return head.model_copy(update={"status": ContractStatus.REFUSED, "reason": reason})
    return head.model_copy(update={"status": ContractStatus.SAFE_HOLD, "reason": reason})


def _lease(loaded: Loaded, head: ContractHead, lease: Lease | None) -> list[Lease]:
    """Give the lease back; in safe-hold it stays with the resource until a person releases it."""
    if lease is None or lease.owner != head.contract_id:
        return []
    if head.status is ContractStatus.SAFE_HOLD:
        return [] if lease.hold == head.contract_id else [lease.model_copy(update={"hold": head.contract_id})]
    return [lease.model_copy(update={"owner": "", "until": loaded.at})]


def _disarmed(loaded: Loaded, services: Services) -> list[GuardAlarm]:
    found = []
    for name in loaded.contract.guard_alarms:
        where = ref(GuardAlarm, name)
        alarm = services.store.read(where).get(where)
        if alarm and loaded.head.contract_id in alarm.contracts:
            left = tuple(c for c in alarm.contracts if c != loaded.head.contract_id)
            found.append(alarm.model_copy(update={"contracts": left}))
    return found


def _outcome(loaded: Loaded, head: ContractHead, undone: Evidence | None, *, acted: bool) -> Outcome:
    contract = loaded.contract
    kept = head.status in {ContractStatus.VERIFIED, ContractStatus.PARTIAL}
    back = any(seen.id == "restored" and seen.result == "passed" for seen in undone.observations) if undone else False
    return Outcome(
        contract_id=head.contract_id,
        playbook=contract.playbook,
        diagnosis=contract.diagnosis,
        resource=contract.resource.arn,
        status=head.status,
        verdict=head.verdict,
        confidence=head.confidence,
        tier=contract.tier,
        mode=contract.mode,
        acted=acted,
        restored=back if acted and not kept else None,
        seconds=_seconds(head.created_at, loaded.at),
        at=loaded.at,
        relapse_until=loaded.at + timedelta(seconds=contract.relapse) if kept else None,
    )


def _seconds(since: datetime, until: datetime) -> int:
    return max(0, int((until - since).total_seconds()))


def _count(stats: PlaybookStats | None, loaded: Loaded, status: ContractStatus) -> PlaybookStats:
    contract = loaded.contract
    stats = stats or PlaybookStats(playbook=contract.playbook, diagnosis=contract.diagnosis)
    return stats.model_copy(update={status.value: getattr(stats, status.value) + 1})


def _mission(loaded: Loaded, head: ContractHead, mission: Mission | None) -> list[Change]:
    """End the mission with its contract; anything but verified leaves it to a person."""
    if mission is None or mission.status is MissionStatus.CLOSED:
        return []
    settled = {ContractStatus.VERIFIED, ContractStatus.SUPERSEDED}
    after = mission.model_copy(
        update={
            "status": MissionStatus.CLOSED,
            "updated_at": loaded.at,
            "reason": f"{head.status.value}{'' if head.status in settled else ': a person was told'}",
        }
    )
    entry = EntryDraft(type="mission.closed", body={"contract": head.contract_id, "status": head.status.value})
    return [Change(head=after, was=mission, entries=(entry,))]


def _tell(loaded: Loaded, head: ContractHead, services: Services) -> None:
    """Tell the bus of every end, and people of every end but verified."""
    contract = loaded.contract
    services.messages.publish(
        "agentic.problem_resolved" if head.status is ContractStatus.VERIFIED else "agentic.action_failed",
        {
            "contract": head.contract_id,
            "mission": head.mission_id,
            "corr": head.corr,
            "status": head.status.value,
            "verdict": head.verdict,
            "confidence": head.confidence,
            "resource": contract.resource.arn,
            "playbook": contract.playbook,
        },
    )
    if head.status is ContractStatus.VERIFIED:
        return
    safe = (
        "Nobody of ours will touch it until you release it."
        if head.status is ContractStatus.SAFE_HOLD
        else ("It is as it was before." if head.status is not ContractStatus.PARTIAL else "The change is kept.")
    )
    services.messages.notify(
        _SEVERITY.get(head.status, "low"),
        f"{head.status.value}: {contract.playbook} on {contract.resource.path}"[:100],
        f"What happened: {contract.reason}\n"
        f"What Grace did: {head.status.value} ({head.reason})\n"
        f"To what: {contract.resource.arn}\n"
        f"Is it safe now: {safe}\n"
        f"What next: grace show {head.contract_id}",
    )


def _expiry_of(contract: Contract, head: ContractHead) -> Expiry | None:
    """Return when a kept change is to be put back, or None when it stays."""
    if head.status not in {ContractStatus.VERIFIED, ContractStatus.PARTIAL} or head.acted_at is None:
        return None
    act = action(contract.action.use)
    seconds = act.lasts(act.parse(contract.action.parameters))
    if seconds is None:
        return None
    return Expiry(
        contract_id=contract.contract_id,
        resource=contract.resource.arn,
        until=head.acted_at + timedelta(seconds=seconds),
    )
