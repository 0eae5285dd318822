"""Put the resource back, and measure that it is back. Nothing of somebody else's is ever overwritten."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from datetime import timedelta
from typing import Any, NamedTuple

from grace.errors import PermanentError, StaleFence
from grace.evidence.restoration import judge, no_worse
from grace.flow import gate
from grace.flow.cause import why
from grace.flow.deadlines import ROLLBACK_SECONDS
from grace.flow.expiry import put_back
from grace.flow.loading import Loaded, advance, load
from grace.flow.withdrawing import refuse
from grace.model.base import Item, Json
from grace.model.contract import BEFORE_EFFECT, Call, ContractStatus, Ticket, Undo
from grace.model.entry import EntryDraft, ref
from grace.model.records import Evidence, Expiry, Lease, Observation, Snapshot, Step, StepStatus
from grace.ports import Services
from grace.resources.base import Captured, resource_type


def rollback(call: Call, services: Services) -> Ticket:
    """Undo the contract's action, whatever led here, and prove field by field that the snapshot's state is back.

    Ends in `rolled_back` only when that was measured, and that the alarm stands no worse than before the action; otherwise in `safe_hold`, and a person is told. A contract that
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


def _nothing_done(loaded: Loaded, reason: str, services: Services) -> None:
    if loaded.head.status not in BEFORE_EFFECT:
        raise PermanentError(f"the contract is {loaded.head.status.value} and has no record of its step")
    refuse(loaded, reason, services, door="rollback")


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


class _Undoing(NamedTuple):
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
    undo = undo._replace(loaded=undo.loaded._replace(at=services.clock.now()))
    _judge(undo, now, kind.differences(wanted, now.state), services)


def _foreign(digest: str, undo: _Undoing) -> bool:
    """Whether the resource is neither as the snapshot has it nor as our own action leaves it."""
    ours = set() if undo.acted.refused else {undo.acted.after_digest, undo.acted.expected_digest}
    return digest not in {undo.kept.digest, *ours}


def _judge(undo: _Undoing, now: Captured[Any], differences: Sequence[str], services: Services) -> None:
    """Write the rollback's own verdict: every field of the snapshot is back, and the alarm stands no worse.

    Only both, measured, are `rolled_back`. Whatever else was seen is kept as it was seen: that the fields are back is
    said also where the alarm's half cannot be, and then a person decides.
    """
    loaded = undo.loaded
    fields, alarm = _fields(undo, now, differences), _alarm(undo, services)
    verdict = judge(fields.result, alarm.result if alarm else None)
    back, proven = fields.result == "passed", verdict == "verified"
    body: dict[str, Json] = {
        "restored": back,
        "state": now.digest,
        "alarm": alarm.observed if alarm else "",
        "verdict": verdict,
    }
    reason = "" if proven else _unproven(differences, alarm if back else None)
    step = undo.step.model_copy(update={"status": StepStatus.DONE, "after_digest": now.digest, "done_at": loaded.at})
    evidence = Evidence(
        contract_id=loaded.head.contract_id,
        phase="rollback",
        taken_at=loaded.at,
        observations=(fields, *([alarm] if alarm else [])),
        state_digest=now.digest,
        verdict=verdict,
    )
    items: list[Item] = [*([step] if back else []), evidence]
    if not proven:
        _hold(loaded, undo.lease, reason, services, seen=body, items=items)
        return
    advance(
        services,
        loaded,
        loaded.head.model_copy(update={"status": ContractStatus.ROLLED_BACK}),
        door="rollback",
        command=("restored",),
        entries=[EntryDraft(type="contract.rolled_back", body=body)],
        items=items,
    )


def _fields(undo: _Undoing, now: Captured[Any], differences: Sequence[str]) -> Observation:
    """Compare the resource as it was just captured with the snapshot, field by field."""
    same, count = not differences and now.digest == undo.kept.digest, len(undo.kept.state)
    return Observation(
        id="restored",
        kind="state",
        must=True,
        result="passed" if same else "failed",
        predicate="every field of the snapshot is back",
        expected=undo.kept.digest,
        observed=now.digest,
        samples=count,
        supporting=count if same else max(0, count - len(differences)),
        source=f"capture of {undo.loaded.contract.resource.arn}",
        note="; ".join(differences)[:1000],
    )


def _alarm(undo: _Undoing, services: Services) -> Observation | None:
    """Read the alarm and compare it with how it stood directly before the action; None where there is no alarm.

    Not being allowed to read it is an answer that more tries do not change; it counts as not read.
    """
    name, before = undo.loaded.contract.alarm, undo.acted.baseline.alarm if undo.acted.baseline else ""
    if not name:
        return None
    trouble = ""
    try:
        facts = services.alarms.describe(name)
    except PermanentError as exc:
        facts, trouble = None, f"{type(exc).__name__}: {exc}"
    after = facts.state if facts else ""
    result, note = no_worse(before, after)
    return Observation(
        id="alarm",
        kind="alarm",
        must=True,
        result=result,
        predicate=f"alarm {facts.name if facts else name} is no worse than when the action was decided",
        expected=before or "not known",
        observed=after or "nothing",
        samples=int(result != "inconclusive"),
        supporting=int(result == "passed"),
        source=f"DescribeAlarms {name}",
        note=f"{note}: {trouble}"[:1000] if trouble else note,
    )


def _unproven(differences: Sequence[str], alarm: Observation | None) -> str:
    """Return why it is not proven; `alarm` is given where the fields are back and it alone is in the way."""
    if alarm is None:
        return f"the restore did not take: {'; '.join(differences)}"
    told = "got worse" if alarm.result == "failed" else "cannot be shown to be no worse"
    return f"every field is back as in the snapshot, but its alarm {told}: {alarm.note}"


def _hold(
    loaded: Loaded,
    lease: Lease | None,
    reason: str,
    services: Services,
    *,
    seen: Mapping[str, Json] | None = None,
    items: Sequence[Item] = (),
) -> None:
    """Leave everything as it is, keep everybody of ours away from it, and let a person decide; `seen` is told too."""
    held = [lease.model_copy(update={"hold": loaded.head.contract_id})] if lease else []
    advance(
        services,
        loaded,
        loaded.head.model_copy(update={"status": ContractStatus.SAFE_HOLD, "reason": reason[:240]}),
        door="rollback",
        command=("hold",),
        entries=[EntryDraft(type="contract.safe_hold", body={"reason": reason[:1000], **(seen or {})})],
        items=[*held, *items],
    )
