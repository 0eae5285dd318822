"""Measure: directly before the action, and what was promised after it."""

from __future__ import annotations

from grace.errors import Refused
from grace.flow.loading import Loaded, advance, load
from grace.model.base import Model
from grace.model.contract import BEFORE_EFFECT, Baseline, BeforeLine, Call, ContractStatus, Ticket
from grace.model.entry import EntryDraft, ref
from grace.model.expectation import MetricLine
from grace.model.records import Evidence, Step
from grace.ports import Services
from grace.probes.measure import Measured, Reading, measure
from grace.resources.base import Captured, resource_type


def baseline(call: Call, services: Services) -> Ticket:
    """Measure the window directly before the action. It shows improvement and never fails a contract.

    Nothing is written: the lines travel in the ticket, and the intent's transaction keeps them beside it.

    Raises:
        Refused: `superseded`, the alarm has recovered by itself, so nothing is done any more.
    """
    ticket = call.ticket
    loaded = load(ticket, services)
    if loaded.head.status not in BEFORE_EFFECT:
        raise Refused(loaded.head.status.value, f"the contract is {loaded.head.status.value} already")
    contract, now = loaded.contract, int(loaded.at.timestamp())
    alarm = services.alarms.describe(contract.alarm) if contract.alarm else None
    if alarm and alarm.state == "OK":
        _superseded(loaded, services)
        raise Refused("superseded", "the alarm recovered by itself before the action")
    reading = Reading.before_action(services, contract, now=now)
    series = [line for line in contract.expect if isinstance(line, MetricLine)]
    lines = tuple(
        BeforeLine(id=o.id, result=o.result, observed=o.observed, samples=o.samples, supporting=o.supporting)
        for o in measure(series, (), reading).observations
    )
    measured = Baseline(taken_at=loaded.at, alarm=alarm.state if alarm else "", lines=lines)
    return ticket.model_copy(update={"baseline": measured})


def outcome(call: Call, services: Services) -> Ticket:
    """Measure every promise over the time since the action settled, and the resource as it stands.

    Raises:
        Refused: the contract is not in `verifying`.
    """
    ticket = call.ticket
    refs = (
        ref(Step, ticket.contract_id, "execute"),
        ref(Evidence, ticket.contract_id, "outcome"),
        ref(Evidence, ticket.contract_id, "extended"),
    )
    loaded = load(ticket, services, *refs)
    head, contract = loaded.head, loaded.contract
    if head.status is not ContractStatus.VERIFYING:
        raise Refused(head.status.value, f"the contract is {head.status.value}: there is nothing to measure")
    phase = "extended" if head.extended else "outcome"
    if loaded.view.get(refs[2] if head.extended else refs[1]):
        return ticket
    step = loaded.view.need(refs[0])
    kind = resource_type(contract.resource.type)
    now = kind.capture(contract.resource, services.aws)
    reading = Reading.after_action(
        services,
        contract,
        state=now.state.model_dump(mode="json"),
        acted=int((step.done_at or step.at).timestamp()),
        now=int(loaded.at.timestamp()),
    )
    _keep(loaded, phase, measure(contract.expect, contract.guards, reading), now, services)
    return ticket


def _keep(loaded: Loaded, phase: str, measured: Measured, now: Captured[Model], services: Services) -> None:
    """Write the evidence; one entry says what was seen, line by line."""
    evidence = Evidence.model_validate(
        {
            "contract_id": loaded.head.contract_id,
            "phase": phase,
            "taken_at": loaded.at,
            "observations": measured.observations,
            "guards": measured.guards,
            "state_digest": now.digest,
            "notes": measured.notes,
        }
    )
    advance(
        services,
        loaded,
        loaded.head,
        door="benchmark",
        command=("evidence", phase),
        entries=[
            EntryDraft(
                type="contract.measured",
                body={
                    "phase": phase,
                    "lines": {o.id: o.result for o in measured.observations},
                    "guards": {g.id: g.result for g in measured.guards},
                    "state": evidence.state_digest,
                },
            )
        ],
        items=[evidence],
    )


def _superseded(loaded: Loaded, services: Services) -> None:
    advance(
        services,
        loaded,
        loaded.head.model_copy(
            update={"status": ContractStatus.SUPERSEDED, "reason": "the alarm recovered by itself before the action"}
        ),
        door="benchmark",
        command=("superseded",),
        entries=[EntryDraft(type="contract.superseded", body={"alarm": loaded.contract.alarm})],
    )
