"""Put the resource back, and measure that it is back. Nothing of somebody else's is ever overwritten."""

from __future__ import annotations

from dataclasses import dataclass, replace
from datetime import timedelta
from typing import Any

from grace.errors import PermanentError, StaleFence
from grace.flow import gate
from grace.flow.ask import withdrawn
from grace.flow.expiry import put_back
from grace.flow.loading import Loaded, advance, load
from grace.flow.snapshot import ROLLBACK_SECONDS
from grace.model.contract import BEFORE_EFFECT, Call, ContractStatus, Ticket, Undo
from grace.model.entry import EntryDraft, ref
from grace.model.records import Evidence, Expiry, Lease, Observation, Snapshot, Step, StepStatus
from grace.ports import Services
from grace.resources.base import Captured, resource_type


def rollback(call: Call, services: Services) -> Ticket:
    """Undo the contract's action, whatever led here, and prove field by field that the snapshot's state is back.

    Ends in `rolled_back` only when that was measured; otherwise in `safe_hold`, and a person is told. A contract that
    never began to act is `refused`: there is nothing to undo. Runs also while the kill switch is on.

    Raises:
        AnswerLost, TransientError: called again, this looks first and goes on where it was.
        StaleFence: another contract has taken the resource over.
    """
    ticket = call.ticket
    refs = (
        ref(Step, ticket.contract_id, "execute"),
        ref(Step, ticket.contract_id, "restore"),
        ref(Lease, ticket.resource),
    )
    expiry = ref(Expiry, ticket.contract_id)
    loaded = load(ticket, services, *refs, expiry)
    acted, undoing, lease = (loaded.view.get(refs[0]), loaded.view.get(refs[1]), loaded.view.get(refs[2]))
    if loaded.head.terminal:
        put_back(loaded, loaded.view.get(expiry), lease, services)
        return ticket
    if acted is None:
        _nothing_done(loaded, why(ticket, loaded), services)
        return ticket
    if loaded.contract.action.undo is Undo.NONE:
        _hold(loaded, lease, f"{loaded.contract.action.use} cannot be undone: {why(ticket, loaded)}", services)
        return ticket
    if lease is None or lease.owner != loaded.head.contract_id or lease.fence != loaded.head.fence:
        raise StaleFence(f"the lease of {ticket.resource} is no longer held by this contract")
    if undoing is None:
        loaded, undoing, lease = _begin(loaded, acted, lease, why(ticket, loaded), services)
    _restore(_Undoing(loaded, acted, undoing, lease, gate.read_snapshot(loaded.head, services)), services)
    return ticket


def why(ticket: Ticket, loaded: Loaded) -> str:
    """Return in one sentence what led to the rollback: an order, an error, or the verdict."""
    if loaded.head.stop:
        return loaded.head.stop
    if isinstance(ticket.error, dict):
        return _told(ticket.error)
    return loaded.head.reason or "the promise did not hold"


def _told(error: dict[str, Any]) -> str:
    """Read the sentence out of what a Catch wrote: a Lambda error carries it as `errorMessage` inside the cause."""
    name, cause = str(error.get("Error", "error")), str(error.get("Cause", ""))
    marker = '"errorMessage":'
    if marker in cause:
        cause = cause.split(marker, 1)[1].strip().lstrip('"').split('", "', 1)[0].split('","', 1)[0].rstrip('"}')
    return f"{name}: {cause}"[:240]


def _nothing_done(loaded: Loaded, reason: str, services: Services) -> None:
    if loaded.head.status not in BEFORE_EFFECT:
        raise PermanentError(f"the contract is {loaded.head.status.value} and has no record of its step")
    advance(
        services,
        loaded,
        loaded.head.model_copy(update={"status": ContractStatus.REFUSED, "reason": reason[:240]}),
        door="rollback",
        command=("refused",),
        entries=[EntryDraft(type="contract.refused", body={"reason": reason[:1000]})],
        items=withdrawn(loaded.head, services),
    )


def _begin(loaded: Loaded, acted: Step, lease: Lease, reason: str, services: Services) -> tuple[Loaded, Step, Lease]:
    """Write the intent to restore, and renew the lease for it: undoing is never given up for want of time."""
    step = Step(
        contract_id=loaded.head.contract_id,
        name="restore",
        status=StepStatus.INTENT,
        attempt=1,
        fence=loaded.head.fence,
        effect=acted.effect,
        before_digest=acted.after_digest or acted.expected_digest,
        expected_digest=acted.before_digest,
        at=loaded.at,
    )
    until = max(lease.until, loaded.at + timedelta(seconds=ROLLBACK_SECONDS))
    after = advance(
        services,
        loaded,
        loaded.head.model_copy(
            update={
                "status": ContractStatus.ROLLING_BACK,
                "reason": reason[:240],
                "deadline": loaded.at + timedelta(seconds=ROLLBACK_SECONDS),
            }
        ),
        door="rollback",
        command=("restoring",),
        entries=[EntryDraft(type="contract.rolling_back", body={"reason": reason[:1000]})],
        items=[step, lease.model_copy(update={"until": until})],
    )
    bumped = lease.model_copy(update={"until": until, "version": lease.version + 1})
    return after, step.model_copy(update={"version": 1}), bumped


@dataclass(frozen=True, slots=True)
class _Undoing:
    """All that putting one resource back needs to know."""

    loaded: Loaded
    acted: Step
    step: Step
    lease: Lease
    kept: Snapshot


def _restore(undo: _Undoing, services: Services) -> None:
    contract = undo.loaded.contract
    kind = resource_type(contract.resource.type)
    wanted = kind.parse(undo.kept.state)
    now = kind.capture(contract.resource, services.aws)
    if _foreign(now.digest, undo):
        found = "; ".join(kind.differences(wanted, now.state))
        reason = f"somebody else changed the resource after us, so it is left as it is: {found}"
        _hold(undo.loaded, undo.lease, reason, services)
        return
    if now.digest != undo.kept.digest:
        kind.restore(contract.resource, wanted, now, services.aws)
        now = kind.capture(contract.resource, services.aws)
    undo = replace(undo, loaded=replace(undo.loaded, at=services.clock.now()))
    differences = kind.differences(wanted, now.state)
    if differences or now.digest != undo.kept.digest:
        _hold(undo.loaded, undo.lease, f"the restore did not take: {'; '.join(differences)}", services)
        return
    _restored(undo, now, services)


def _foreign(digest: str, undo: _Undoing) -> bool:
    """Whether the resource is neither as the snapshot has it nor as our own action leaves it."""
    ours = set() if undo.acted.refused else {undo.acted.after_digest, undo.acted.expected_digest}
    return digest not in {undo.kept.digest, *ours}


def _restored(undo: _Undoing, now: Captured[Any], services: Services) -> None:
    """Write the rollback's own verdict: every field of the snapshot is back; how the alarm stands is said beside it."""
    loaded = undo.loaded
    alarm = services.alarms.describe(loaded.contract.alarm) if loaded.contract.alarm else None
    seen = Observation(
        id="restored",
        kind="state",
        must=True,
        result="passed",
        predicate="every field of the snapshot is back",
        expected=undo.kept.digest,
        observed=now.digest,
        samples=len(undo.kept.state),
        supporting=len(undo.kept.state),
        source=f"capture of {loaded.contract.resource.arn}",
        note=f"the alarm is {alarm.state}" if alarm else "",
    )
    advance(
        services,
        loaded,
        loaded.head.model_copy(update={"status": ContractStatus.ROLLED_BACK}),
        door="rollback",
        command=("restored",),
        entries=[
            EntryDraft(
                type="contract.rolled_back",
                body={"restored": True, "state": now.digest, "alarm": alarm.state if alarm else ""},
            )
        ],
        items=[
            undo.step.model_copy(update={"status": StepStatus.DONE, "after_digest": now.digest, "done_at": loaded.at}),
            Evidence(
                contract_id=loaded.head.contract_id,
                phase="rollback",
                taken_at=loaded.at,
                observations=(seen,),
                state_digest=now.digest,
            ),
        ],
    )


def _hold(loaded: Loaded, lease: Lease | None, reason: str, services: Services) -> None:
    """Leave everything as it is, keep everybody of ours away from it, and let a person decide."""
    held = [lease.model_copy(update={"hold": loaded.head.contract_id})] if lease else []
    advance(
        services,
        loaded,
        loaded.head.model_copy(update={"status": ContractStatus.SAFE_HOLD, "reason": reason[:240]}),
        door="rollback",
        command=("hold",),
        entries=[EntryDraft(type="contract.safe_hold", body={"reason": reason[:1000]})],
        items=held,
    )
