"""The verdict: decided on measured values alone, and written with its reasons."""

from __future__ import annotations

from grace.errors import Refused
from grace.evidence.guards import GuardKind, GuardResult
from grace.evidence.verdict import ExpectationResult, Importance, Outcome, Verdict, VerdictKind, decide
from grace.flow.loading import Loaded, advance, load
from grace.model.contract import Call, ContractStatus, Ticket
from grace.model.entry import EntryDraft, ref
from grace.model.records import Evidence, GuardReading, Observation
from grace.ports import Services

_KEPT = {VerdictKind.VERIFIED: ContractStatus.VERIFIED, VerdictKind.PARTIAL: ContractStatus.PARTIAL}


def verify(call: Call, services: Services) -> Ticket:
    """Decide the verdict on the newest evidence of the contract.

    Verified and partial end the contract. Inconclusive extends the window once; after that, and when the promise does
    not hold, the ticket says so and the workflow goes to the rollback.

    Raises:
        Refused: there is nothing to judge, because the contract is not in `verifying`; or `stopped`, it is to be undone.
    """
    ticket = call.ticket
    first, second = (ref(Evidence, ticket.contract_id, phase) for phase in ("outcome", "extended"))
    loaded = load(ticket, services, first, second)
    head = loaded.head
    if head.status in _KEPT.values():
        return ticket.model_copy(update={"verdict": head.verdict})
    if head.status is not ContractStatus.VERIFYING:
        raise Refused(head.status.value, f"the contract is {head.status.value}: there is nothing to verify")
    if head.stop:
        raise Refused("stopped", head.stop)
    if head.verdict:
        return ticket.model_copy(update={"verdict": head.verdict})
    newest = loaded.view.get(second) or loaded.view.get(first)
    verdict = judge(loaded, newest)
    if verdict.kind is VerdictKind.INCONCLUSIVE and loaded.view.get(second) is None:
        if not head.extended:
            _extend(loaded, verdict, services)
        return ticket.model_copy(update={"verdict": "extend"})
    status = _KEPT.get(verdict.kind, head.status)
    reason = "; ".join(verdict.reasons) if verdict.reasons else "; ".join(verdict.notes)
    advance(
        services,
        loaded,
        head.model_copy(
            update={
                "status": status,
                "verdict": verdict.kind.value,
                "confidence": f"{verdict.confidence:.3f}",
                "reason": reason[:240],
            }
        ),
        door="verify",
        command=("verdict",),
        entries=[
            EntryDraft(
                type="contract.judged",
                body={
                    "verdict": verdict.kind.value,
                    "confidence": f"{verdict.confidence:.3f}",
                    "reasons": list(verdict.reasons),
                    "notes": list(verdict.notes),
                },
            )
        ],
    )
    return ticket.model_copy(update={"verdict": verdict.kind.value})


def judge(loaded: Loaded, evidence: Evidence | None) -> Verdict:
    """Return the verdict on the evidence; every line of the contract that was not measured counts as unmeasured."""
    measured = {o.id: o for o in evidence.observations} if evidence else {}
    results = [_result(measured.get(line.id), line.id, must=line.must) for line in loaded.contract.expect]
    guards = {g.id: _guard(g) for g in evidence.guards} if evidence else {}
    return decide(results, guards)


def _result(seen: Observation | None, line: str, *, must: bool) -> ExpectationResult:
    importance = Importance.MUST if must else Importance.SHOULD
    if seen is None:
        return ExpectationResult(line, importance, Outcome.INCONCLUSIVE, 0, 0)
    return ExpectationResult(seen.predicate, importance, Outcome(seen.result), seen.samples, seen.supporting)


def _guard(reading: GuardReading) -> GuardResult:
    return GuardResult(
        kind=GuardKind(reading.result),
        effect=(reading.after or 0.0) - (reading.before or 0.0),
        p_value=reading.p_value,
        effective_n=float(min(reading.samples_before, reading.samples_after)),
        tolerance=None,
        detectable=None,
        reason=reading.note,
    )


def _extend(loaded: Loaded, verdict: Verdict, services: Services) -> None:
    """Write that the window is extended, which happens once."""
    advance(
        services,
        loaded,
        loaded.head.model_copy(update={"extended": True}),
        door="verify",
        command=("extend",),
        entries=[EntryDraft(type="contract.extended", body={"reasons": list(verdict.reasons)})],
    )
