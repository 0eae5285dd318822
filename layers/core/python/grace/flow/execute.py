"""The one place that changes a target resource: gate, intent, call, read back."""

from __future__ import annotations

from datetime import timedelta
from typing import NamedTuple

from grace.actions.base import Action, action
from grace.errors import (
    AnswerLost,
    Conflict,
    GraceError,
    Mismatch,
    PermanentError,
    Refused,
    ThirdPartyChange,
    TransientError,
)
from grace.flow import gate, permit
from grace.flow.breaker import answered, failed, probing
from grace.flow.deadlines import PHASE_SECONDS, later
from grace.flow.loading import Loaded, advance, contended, load
from grace.flow.snapshot import lease_seconds
from grace.model.base import Json, Model
from grace.model.contract import Baseline, Call, ContractStatus, EffectClass, Ticket
from grace.model.entry import EntryDraft, ref
from grace.model.ids import command_id
from grace.model.metric import Metric
from grace.model.records import Breaker, Step, StepStatus
from grace.ports import Services
from grace.resources.base import Captured, Restorable, digest_of, resource_type

_SAME_CALL = frozenset({EffectClass.DEDUPLICATED, EffectClass.NATURAL_KEY})
"""Made again under the same token or name, such a call is still the first one, wherever its effect shows."""


class _Work(NamedTuple):
    """The contract's action, ready to run on its resource as it was just read."""

    kind: Restorable[Model]
    act: Action[Model, Model, Model]
    parameters: Model
    now: Captured[Model]


def execute(call: Call, services: Services) -> Ticket:
    """Do what the contract says, once, and prove by reading the resource that it was done.

    Called again after a crash it looks first: what is seen to have happened is not done again. So it may begin again
    by itself, too, when others write to what all contracts count in.

    Raises:
        Refused: the gate said no; nothing was done.
        AnswerLost: nobody knows yet whether it happened; called again, this looks.
        ThirdPartyChange: the resource is neither as before nor as we would have left it.
        PermanentError: the service refused, or the effect is not to be seen.
    """
    return contended(lambda: _execute(call.ticket, services), services)


def _execute(ticket: Ticket, services: Services) -> Ticket:
    step_ref = ref(Step, ticket.contract_id, "execute")
    record, *_ = permit.record(ticket.playbook, ticket.diagnosis.value)
    where = gate.refs(ticket.contract_id, ticket.resource, ticket.playbook)
    loaded = load(ticket, services, step_ref, record, *where)
    step = loaded.view.get(step_ref)
    gate.not_ended(loaded.head)
    if step and step.status is StepStatus.DONE:
        return _went(ticket)
    contract = loaded.contract
    kind, act = resource_type(contract.resource.type), action(contract.action.use)
    passed = gate.check(loaded, services, act.call_seconds, begun=step is not None)
    work = _Work(kind, act, act.parse(contract.action.parameters), kind.capture(contract.resource, services.aws))
    service = passed.breaker
    if step is None:
        loaded, step, service = _intend(loaded, work, passed, ticket.baseline, services)
    elif _happened_before(step, work, loaded, services):
        return _done(_Seen(ticket, loaded, step, work.now, service), services)
    else:
        _allowed(loaded, work, services)
    try:
        act.run(contract.resource, work.parameters, work.now, services.aws, command_id(contract.contract_id, "execute"))
    except Mismatch:
        _refused(step, loaded, services)
        raise
    except (TransientError, AnswerLost) as exc:
        _unanswered(loaded, service, exc, services)
        raise
    after = kind.capture(contract.resource, services.aws)
    if after.digest != step.expected_digest:
        expected = act.predict(work.now.state, work.parameters)
        missing = "; ".join(kind.differences(expected, after.state))
        raise PermanentError(f"{contract.action.use} answered well and its effect is not to be seen: {missing}")
    return _done(_Seen(ticket, loaded, step, after, service), services)


def _allowed(loaded: Loaded, work: _Work, services: Services) -> dict[str, Json]:
    """Ask policy once more, with the resource's tags and the world as they are now; return what it said."""
    tags = work.kind.tags(loaded.contract.resource, services.aws)
    return permit.still(loaded, permit.Deed(work.act, work.now.state, work.parameters), tags, services)


def _intend(
    loaded: Loaded, work: _Work, passed: gate.Passed, baseline: Baseline | None, services: Services
) -> tuple[Loaded, Step, Breaker]:
    """Write, before the call, that it is about to be made, and what policy says; the limits are counted in the same
    transaction.

    What was measured before the action is kept in it too.
    """
    head, contract = loaded.head, loaded.contract
    if work.now.digest != passed.snapshot.digest:
        raise Refused("changed", f"{contract.resource.arn} was changed by somebody else after the snapshot")
    policy = _allowed(loaded, work, services)
    step = Step(
        contract_id=head.contract_id,
        name="execute",
        status=StepStatus.INTENT,
        attempt=1,
        fence=head.fence,
        effect=contract.action.effect,
        before_digest=work.now.digest,
        expected_digest=digest_of(work.act.predict(work.now.state, work.parameters)),
        at=loaded.at,
        baseline=baseline,
    )
    lease_until = loaded.at + timedelta(seconds=lease_seconds(contract))
    probe = probing(passed.breaker, head.contract_id, loaded.at)
    flying = passed.in_flight.joined(head.contract_id, contract.playbook, gate.hour_of(loaded.at))
    after = advance(
        services,
        loaded,
        head.model_copy(
            update={
                "status": ContractStatus.EXECUTING,
                "acted_at": loaded.at,
                "deadline": later(head, loaded.at, PHASE_SECONDS),
            }
        ),
        door="execute",
        command=("intent",),
        entries=[
            EntryDraft(
                type="contract.executing",
                body={
                    "action": contract.action.use,
                    "what": work.act.describe(work.parameters),
                    "policy": policy,
                    "state": step.before_digest,
                    "before": {line.id: line.result for line in baseline.lines} if baseline else {},
                },
            )
        ],
        items=[
            step,
            passed.lease.model_copy(update={"until": lease_until, "last_action_at": loaded.at}),
            flying,
            *([probe] if probe else []),
        ],
        unchanged=passed.unchanged,
        absent=passed.absent,
    )
    service = probe.model_copy(update={"version": probe.version + 1}) if probe else passed.breaker
    return after, step.model_copy(update={"version": 1}), service


def _unanswered(loaded: Loaded, service: Breaker, error: GraceError, services: Services) -> None:
    """Write that the service did not answer, and count it; whoever counted at the same moment counts for both."""
    loaded = loaded._replace(at=services.clock.now())
    after = failed(service, loaded.head.contract_id, loaded.at)
    try:
        advance(
            services,
            loaded,
            loaded.head,
            door="execute",
            command=("unanswered", str(loaded.head.version)),
            entries=[
                EntryDraft(
                    type="contract.unanswered",
                    body={
                        "error": type(error).__name__,
                        "failures": after.failures,
                        "open": after.opened_at is not None,
                    },
                )
            ],
            items=[after],
        )
    except TransientError as exc:
        services.telemetry.trouble("breaker", exc)


def _happened_before(step: Step, work: _Work, loaded: Loaded, services: Services) -> bool:
    """Look, after an ambiguous end of an earlier try, whether the effect is there.

    Returns:
        True when it is; False when it is not and the effect's class allows to call again.

    Raises:
        ThirdPartyChange: the resource is in a state that neither we nor the snapshot know.
        PermanentError: class E, and nobody can say: the step is marked UNKNOWN and people decide.
    """
    if step.effect is EffectClass.ONCE:
        if work.act.happened(loaded.contract.resource, step.at, services.aws):
            return True
        if step.status is not StepStatus.UNKNOWN:
            _unknown(step, loaded, services)
        raise PermanentError(f"nobody can say whether {loaded.contract.action.use} took effect; it is not repeated")
    if work.now.digest not in {step.before_digest, step.expected_digest}:
        raise ThirdPartyChange(f"{loaded.contract.resource.arn} was changed by somebody else while the action ran")
    if step.before_digest == step.expected_digest and step.effect in _SAME_CALL:
        return False
    return work.now.digest == step.expected_digest


def _refused(step: Step, loaded: Loaded, services: Services) -> None:
    """Write that a compare-and-set found somebody else's change: whatever stands there now, it is not ours to undo."""
    advance(
        services,
        loaded,
        loaded.head,
        door="execute",
        command=("mismatch",),
        entries=[EntryDraft(type="contract.action_refused", body={"action": loaded.contract.action.use})],
        items=[step.model_copy(update={"refused": True})],
    )


def _unknown(step: Step, loaded: Loaded, services: Services) -> None:
    advance(
        services,
        loaded,
        loaded.head,
        door="execute",
        command=("unknown",),
        entries=[EntryDraft(type="contract.effect_unknown", body={"action": loaded.contract.action.use})],
        items=[step.model_copy(update={"status": StepStatus.UNKNOWN})],
    )


class _Seen(NamedTuple):
    """An effect that is there: the resource as read, and the service that has answered."""

    ticket: Ticket
    loaded: Loaded
    step: Step
    after: Captured[Model]
    service: Breaker


def _done(seen: _Seen, services: Services) -> Ticket:
    """Write that the effect was seen.

    What others write at that moment (an order, a guard's breach, the breaker's count) changes nothing of what was seen,
    so this alone is written again, on what stands then. To look again could only tell less: what leaves no trace yet
    would be called unknown though it was answered.
    """
    try:
        _write_done(seen, services)
    except Conflict:
        contended(lambda: _write_done(_again(seen, services), services), services)
    services.telemetry.count(Metric.ACTIONS_EXECUTED)
    return _went(seen.ticket)


def _again(seen: _Seen, services: Services) -> _Seen:
    """Return the same effect with the contract, its step and the breaker as they stand now."""
    step_ref, breaker_ref = ref(Step, seen.ticket.contract_id, "execute"), ref(Breaker, seen.service.service)
    loaded = load(seen.ticket, services, step_ref, breaker_ref)
    service = loaded.view.get(breaker_ref) or seen.service
    return seen._replace(loaded=loaded, step=loaded.view.need(step_ref), service=service)


def _write_done(seen: _Seen, services: Services) -> None:
    """Write it once; from here the clock of the settle time runs."""
    if seen.step.status is StepStatus.DONE:
        return
    loaded, step, after = seen.loaded._replace(at=services.clock.now()), seen.step, seen.after
    well = answered(seen.service)
    advance(
        services,
        loaded,
        loaded.head.model_copy(
            update={
                "status": ContractStatus.VERIFYING,
                "after_digest": after.digest,
                "deadline": later(loaded.head, loaded.at, 2 * loaded.contract.settle + PHASE_SECONDS),
            }
        ),
        door="execute",
        command=("done",),
        entries=[EntryDraft(type="contract.executed", body={"before": step.before_digest, "after": after.digest})],
        items=[
            step.model_copy(update={"status": StepStatus.DONE, "after_digest": after.digest, "done_at": loaded.at}),
            *([well] if well else []),
        ],
    )


def _went(ticket: Ticket) -> Ticket:
    """Return the ticket without what is written down by now."""
    return ticket.model_copy(update={"baseline": None})
