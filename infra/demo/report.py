"""`var/demo-report.json`: how each incident ended, from the records and never from the telling."""

from __future__ import annotations

import json
from collections.abc import Iterable
from pathlib import Path
from typing import Any

from grace.errors import NotFound
from grace.flow.gate import read_snapshot
from grace.model.base import Model
from grace.model.contract import ContractStatus
from grace.ports import Services
from grace.resources.base import resource_type
from infra.cli.dossier import Dossier, dossier
from infra.cli.reach import Reach
from infra.demo.incidents import Incident
from infra.demo.proving import LedgerReport

SUCCESS = frozenset({ContractStatus.VERIFIED, ContractStatus.PARTIAL})
FILE = Path("var") / "demo-report.json"


class IncidentReport(Model):
    """One incident. What was never reached is null: an incident without a contract has no verdict to report."""

    name: str
    contract: str | None
    tier: int | None
    status: str | None
    verdict: str | None
    confidence: float | None
    snapshot_sha256: str | None
    effect_before: dict[str, Any] | None
    effect_after: dict[str, Any] | None
    restored: bool | None
    approved_by: tuple[str, ...]
    approved_via: str | None
    """How: by the mailed `link`, or by `iam`, on the command line. Null when nobody was asked."""
    transitions: int
    seconds: float
    entries: int


class DemoReport(Model):
    """The whole demo."""

    engine: str
    deploy_seconds: float
    incidents: tuple[IncidentReport, ...]
    reported_success_without_verification: int
    ledger: LedgerReport | None
    """What the log proved; null when it did not."""

    def write(self, root: Path) -> Path:
        """Write it below `root` and return where."""
        file = root / FILE
        file.parent.mkdir(parents=True, exist_ok=True)
        file.write_text(json.dumps(self.model_dump(mode="json"), indent=2) + "\n", encoding="utf-8")
        return file


def report(place: Reach, deploy_seconds: float, told: Iterable[Incident], proved: LedgerReport | None) -> DemoReport:
    """Read every incident's records again and return what they say."""
    engine = place.engine
    assert engine is not None
    told = list(told)
    found = {each.name: dossier(each.contract, place.services) for each in told if each.contract}
    return DemoReport(
        engine=engine.name,
        deploy_seconds=round(deploy_seconds, 1),
        incidents=tuple(_incident(each, found.get(each.name), place) for each in told),
        reported_success_without_verification=sum(unproven(each) for each in found.values()),
        ledger=proved,
    )


def unproven(found: Dossier) -> bool:
    """Whether a contract is called a success although a promise that must hold was not measured to hold."""
    if found.head.status not in SUCCESS:
        return False
    seen = found.observed
    return not all(
        line.id in seen and seen[line.id].result == "passed" and seen[line.id].supporting > 0
        for line in found.contract.expect
        if line.must
    )


def _incident(told: Incident, found: Dossier | None, place: Reach) -> IncidentReport:
    if found is None:
        return IncidentReport(
            name=told.name,
            contract=None,
            tier=None,
            status=told.status or None,
            verdict=None,
            confidence=None,
            snapshot_sha256=None,
            effect_before=None,
            effect_after=None,
            restored=None,
            approved_by=(),
            approved_via=None,
            transitions=0,
            seconds=round(told.seconds, 1),
            entries=0,
        )
    head = found.head
    return IncidentReport(
        name=told.name,
        contract=head.contract_id,
        tier=head.tier,
        status=head.status.value,
        verdict=head.verdict or None,
        confidence=float(head.confidence),
        snapshot_sha256=head.snapshot.sha256 if head.snapshot else None,
        effect_before=_before(found, place.services),
        effect_after=_now(found, place.services),
        restored=found.outcome.restored if found.outcome else None,
        approved_by=found.approval.decided_by if found.approval else (),
        approved_via=found.votes[-1].via if found.votes else None,
        transitions=_transitions(found, place),
        seconds=round(told.seconds, 1),
        entries=len(found.story),
    )


def _before(found: Dossier, services: Services) -> dict[str, Any] | None:
    """Return the resource's state in the snapshot."""
    return read_snapshot(found.head, services).state if found.head.snapshot else None


def _now(found: Dossier, services: Services) -> dict[str, Any]:
    """Return the resource's state as it is captured now."""
    resource = found.contract.resource
    state = resource_type(resource.type).capture(resource, services.aws).state
    return state.model_dump(mode="json")


def _transitions(found: Dossier, place: Reach) -> int:
    """Count the states that the contract's executions entered."""
    machine = place.outputs["StateMachineArn"].replace(":stateMachine:", ":execution:")
    names = [found.head.contract_id, *(f"{found.head.contract_id}-rb-{n + 1}" for n in range(found.head.rollbacks))]
    return sum(_entered(f"{machine}:{name}", place) for name in names)


def _entered(execution: str, place: Reach) -> int:
    entered = 0
    page: dict[str, str] = {}
    while True:
        try:
            answer = place.aws.call("stepfunctions", "get_execution_history", executionArn=execution, **page)
        except NotFound:
            return entered
        entered += sum(str(event["type"]).endswith("StateEntered") for event in answer["events"])
        if not answer.get("nextToken"):
            return entered
        page = {"nextToken": answer["nextToken"]}
