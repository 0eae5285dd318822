"""Why Grace did, or would do, or would not do something. Reads; never writes, and never acts."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta

from grace.diagnoses.rulebook import Rulebook
from grace.errors import GraceError, NotFound
from grace.flow.gate import asks_for, hour_of
from grace.flow.standing import effective
from grace.model.base import Json, Model
from grace.model.catalogue import Catalogue, CataloguedPlaybook
from grace.model.contract import ContractHead, Mode
from grace.model.diagnosis import Diagnosis
from grace.model.entry import ref
from grace.model.mission import Mission, OpenGroup
from grace.model.records import InFlight, KillSwitch, Lease, Standing
from grace.model.resource import ResourceRef, is_arn
from grace.model.signal import Severity, Signal, SignalState
from grace.playbooks.index import candidates
from grace.ports import AlarmFacts, Services
from grace.resources.base import Restorable, require_opt_in, resource_type
from grace.signals.alarms import from_description


class Explanation(Model):
    """What an alert would lead to: from the alert and the catalogue alone, without touching anything."""

    signal: Signal
    diagnosis: Diagnosis
    considered: tuple[str, ...]
    playbook: str
    resource: ResourceRef | None
    action: dict[str, Json]
    promises: tuple[dict[str, Json], ...]
    guards: tuple[dict[str, Json], ...]
    tier: int
    mode: Mode
    asks: bool
    verdict: str


class Check(Model):
    """One thing that must be so before Grace acts."""

    name: str
    ok: bool
    says: str


def explain(signal: Signal, catalogue: Catalogue, rulebook: Rulebook) -> Explanation:
    """Say what would be diagnosed, chosen, promised and asked for this alert."""
    diagnosis = rulebook.diagnose(signal)
    found = list(candidates(catalogue, diagnosis.code, signal))
    chosen, resource = _first(found, signal)
    considered = tuple(each.spec.name for each in found)
    if chosen is None:
        told = diagnosis.reason if not considered else f"none of {', '.join(considered)} acts on what the alert names"
        return Explanation(
            signal=signal,
            diagnosis=diagnosis,
            considered=considered,
            playbook="",
            resource=None,
            action={},
            promises=(),
            guards=(),
            tier=0,
            mode=Mode.SHADOW,
            asks=False,
            verdict=f"a person is told: {told}",
        )
    spec, mode = chosen.spec, catalogue.mode(chosen.spec.name)
    asked = asks_for(spec.tier, mode)
    ends = {Mode.SHADOW: "it is in shadow: the contract is drafted and nothing is done"}
    return Explanation(
        signal=signal,
        diagnosis=diagnosis,
        considered=considered,
        playbook=spec.name,
        resource=resource,
        action=spec.action,
        promises=spec.expect,
        guards=spec.guard,
        tier=spec.tier,
        mode=mode,
        asks=asked,
        verdict=ends.get(mode, "people are asked first" if asked else "it is done, measured, and undone if it fails"),
    )


def why(subject: str, services: Services, rulebook: Rulebook) -> tuple[Check, ...]:
    """Check, for an alarm's name or ARN or for a resource's ARN, all that decides whether Grace acts on it now.

    Raises:
        NotFound: there is no such alarm.
    """
    alarm = None if is_arn(subject) and ":alarm:" not in subject else services.alarms.describe(subject)
    if alarm is None and (not is_arn(subject) or ":alarm:" in subject):
        raise NotFound(f"there is no alarm {subject}")
    signal = _of_alarm(alarm) if alarm else _of_resource(subject, services)
    checks: list[Check] = []
    if alarm:
        checks.append(
            _checked("alarm", alarm.state == "ALARM", f"it is {alarm.state} since {alarm.changed_at.isoformat()}")
        )
        checks += _history(signal, services)
        checks += _diagnosed(signal, services, rulebook)
    found = _named(signal, services)
    if found is None:
        checks.append(_checked("resource", ok=False, says="it names nothing that a playbook acts on"))
        return tuple(checks)
    return (*checks, *_resource(*found, services), *_switches(services))


def _of_alarm(alarm: AlarmFacts) -> Signal:
    return from_description(
        arn=alarm.arn,
        state=SignalState.ALARM,
        at=alarm.changed_at,
        metric=alarm.metric,
        threshold=alarm.threshold,
        comparison=alarm.comparison,
    )


def _of_resource(arn: str, services: Services) -> Signal:
    """Return an alert that names the resource and says nothing else, for those who find resources in alerts."""
    account, region = arn.split(":")[4], arn.split(":")[3]
    return Signal(
        fingerprint="0" * 64,
        source="operator",
        kind="resource",
        subject=arn,
        name=arn.rsplit(":", 1)[-1][:256],
        account=account or "000000000000",
        region=region or "us-east-1",
        service="operator",
        alarm_class="question",
        state=SignalState.EVENT,
        at=services.clock.now(),
        severity=Severity.INFO,
        resources=(arn,),
        corr="r-question",
    )


def _first(playbooks: list[CataloguedPlaybook], signal: Signal) -> tuple[CataloguedPlaybook | None, ResourceRef | None]:
    for playbook in playbooks:
        resource = resource_type(playbook.spec.resource).from_signal(signal)
        if resource is not None:
            return playbook, resource
    return None, None


def _named(signal: Signal, services: Services) -> tuple[Restorable[Model], ResourceRef] | None:
    for name in sorted({p.spec.resource for p in services.catalogue.playbooks}):
        kind = resource_type(name)
        resource = kind.from_signal(signal)
        if resource is not None:
            return kind, resource
    return None


def _checked(name: str, ok: bool, says: str) -> Check:
    return Check(name=name, ok=ok, says=says)


def _history(signal: Signal, services: Services) -> list[Check]:
    group_ref = ref(OpenGroup, signal.group)
    group = services.store.read(group_ref).get(group_ref)
    if group is None:
        return [
            _checked("matched", ok=False, says="no alert of this group ever arrived: check the rules and the topic")
        ]
    mission_ref = ref(Mission, group.mission_id)
    mission = services.store.read(mission_ref).get(mission_ref)
    if mission is None:
        return [_checked("matched", ok=False, says=f"{group.mission_id} is gone")]
    told = f": {mission.reason}" if mission.reason else ""
    checks = [_checked("matched", ok=True, says=f"mission {mission.mission_id} is {mission.status.value}{told}")]
    if mission.contract_id:
        head_ref = ref(ContractHead, mission.contract_id)
        head = services.store.read(head_ref).need(head_ref)
        told = f": {head.reason}" if head.reason else ""
        checks.append(_checked("contract", ok=True, says=f"{head.contract_id} is {head.status.value}{told}"))
    return checks


def _diagnosed(signal: Signal, services: Services, rulebook: Rulebook) -> list[Check]:
    said = explain(signal, services.catalogue, rulebook)
    rules = ", ".join(match.rule for match in said.diagnosis.matches) or "no rule"
    checks = [
        _checked(
            "diagnosed",
            ok=bool(said.diagnosis.matches),
            says=f"{said.diagnosis.code.value} ({said.diagnosis.likelihood:.0%}, by {rules})",
        ),
        _checked("playbook", ok=bool(said.playbook), says=said.playbook or said.verdict),
    ]
    if said.playbook:
        where = ref(Standing, said.playbook)
        now = effective(said.playbook, services.store.read(where).get(where), services.catalogue)
        checks.append(_checked("mode", now.mode is not Mode.SHADOW, f"{now.mode.value}: {now.why or said.verdict}"))
        checks.append(_limit(said.playbook, services))
    return checks


def _limit(playbook: str, services: Services) -> Check:
    flight_ref = ref(InFlight)
    flight = services.store.read(flight_ref).get(flight_ref)
    allowed = next(p.spec.limits.per_hour for p in services.catalogue.playbooks if p.spec.name == playbook)
    acted = flight.used(playbook, hour_of(services.clock.now())) if flight else 0
    return _checked("limit", ok=acted < allowed, says=f"{playbook} acted {acted} of {allowed} times this hour")


def _resource(kind: Restorable[Model], resource: ResourceRef, services: Services) -> list[Check]:
    checks = []
    try:
        resource = kind.locate(resource, services.aws)
        tags = kind.tags(resource, services.aws)
        require_opt_in(tags, resource.arn)
        checks.append(_checked("tag", ok=True, says=f"{resource.arn} is in Grace's hands"))
        moving = kind.in_progress(resource, services.aws)
        checks.append(_checked("freeze", ok=not moving, says=moving or "nobody else is changing it"))
    except GraceError as exc:
        checks.append(_checked("tag", ok=False, says=str(exc)))
    lease_ref = ref(Lease, resource.arn)
    lease = services.store.read(lease_ref).get(lease_ref)
    limits = [p.spec.limits.cooldown for p in services.catalogue.playbooks if p.spec.resource == resource.type]
    checks.append(_lease(lease, timedelta(seconds=max(limits, default=0)), services.clock.now()))
    return checks


def _lease(lease: Lease | None, cooldown: timedelta, at: datetime) -> Check:
    """Say who holds the resource, or how long it is left alone; `cooldown` is the longest of its playbooks'."""
    if lease is None:
        return _checked("lease", ok=True, says="nobody of ours ever acted on it")
    if lease.hold:
        return _checked("lease", ok=False, says=f"in safe-hold since {lease.hold}: grace release {lease.resource}")
    if lease.owner and at < lease.until:
        return _checked("lease", ok=False, says=f"{lease.owner} is at work on it until {lease.until.isoformat()}")
    last = lease.last_action_at
    if last and at < last + cooldown:
        return _checked("lease", ok=False, says=f"acted on recently: left alone until {(last + cooldown).isoformat()}")
    told = f"last acted on {(at - last) // timedelta(minutes=1)} minutes ago" if last else "never acted on"
    return _checked("lease", ok=True, says=told)


def _switches(services: Services) -> list[Check]:
    kill_ref = ref(KillSwitch)
    kill = services.store.read(kill_ref).get(kill_ref)
    thrown = kill is not None and kill.on
    since = kill.at.astimezone(UTC).isoformat() if kill else ""
    says = f"on since {since}: {kill.reason}" if thrown and kill else "off"
    return [_checked("gate", ok=not thrown, says=f"the kill switch is {says}")]
