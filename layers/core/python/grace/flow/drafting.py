"""What a contract is made of: the playbook and resource chosen, absolute values, promises, windows, settle time."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import datetime
from typing import NamedTuple

from grace.actions.base import Action, action
from grace.errors import AccessDenied, NotFound, Refused
from grace.evidence.series import Series
from grace.evidence.settle import AlarmSettings, UnsupportedAlarm, settle_seconds
from grace.evidence.windows import COMPARISONS, before_window
from grace.flow.looking import Look
from grace.model.approval import Directory
from grace.model.base import Model
from grace.model.catalogue import CataloguedPlaybook
from grace.model.contract import Contract, Limits, Mode, PlannedAction, Undo, Window
from grace.model.diagnosis import Diagnosis
from grace.model.expectation import AlarmLine, Expectation, Guard, MetricLine
from grace.model.mission import Mission
from grace.model.resource import Owner, ResourceRef
from grace.model.shown import shown, worded
from grace.model.signal import MetricRef, Signal
from grace.playbooks.index import candidates
from grace.ports import AlarmFacts, SeriesRequest
from grace.probes.base import PROOF_SECONDS, probe_of
from grace.probes.measure import PromiseContext, compile_promises, guard_ripens, prove
from grace.resources.base import CHANGED_BY_TAG, GUARD_TAG, Captured, Restorable, require_opt_in, resource_type

HEALTHY_SECONDS = 1800
"""How much of the time before the incident the healthy window may cover."""
HEALTHY_MINIMUM_PERIODS = 5
"""A healthy window of fewer of the alarm's periods is no reference."""
LOOK_BACK = 3 * 3600
"""How far back the alarm's own series is read to find where the incident began."""
DURING_SECONDS = 300
SETTLE_WITHOUT_ALARM = 60
CLAIM_BYTES, MOST_UNKNOWN = 128, 5
"""How much a contract keeps of people whom the directory does not know: it stays small."""
SETTLE_LIMIT = 7200
"""The longest a contract may wait for its verdict, in seconds."""


class Chosen(NamedTuple):
    """The playbook that fits a diagnosis on a resource that may be touched, and the resource as it stands."""

    playbook: CataloguedPlaybook
    kind: Restorable[Model]
    act: Action[Model, Model, Model]
    resource: ResourceRef
    before: Captured[Model]
    owner: Owner
    tags: dict[str, str]
    guard_alarms: tuple[str, ...]
    signal: Signal
    diagnosis: Diagnosis


class Plan(NamedTuple):
    """A choice made absolute."""

    chosen: Chosen
    parameters: Model
    expect: tuple[Expectation, ...]
    guards: tuple[Guard, ...]
    before: Window | None
    settle: int


def choose(signal: Signal, diagnosis: Diagnosis, look: Look) -> Chosen:
    """Take the first playbook for the diagnosis whose resource the signal names, and see that it may be touched.

    Raises:
        Refused: `no_playbook`, `not_managed`, `in_progress`, `not_found`, `foreign`.
    """
    for playbook in candidates(look.catalogue, diagnosis.code, signal):
        kind = resource_type(playbook.spec.resource)
        named = kind.from_signal(signal)
        if named is not None:
            resource, tags, before = _touchable(kind, named, signal, look)
            act = action(str(playbook.spec.action["use"]))
            armed = guard_alarms(tags, signal, look)
            return Chosen(playbook, kind, act, resource, before, kind.owner(tags), tags, armed, signal, diagnosis)
    raise Refused(
        "no_playbook", f"no playbook for {diagnosis.code.value} acts on anything that {signal.name} names: add one"
    )


def guard_alarms(tags: dict[str, str], signal: Signal, look: Look) -> tuple[str, ...]:
    """Return the alarms that the resource's owner wants watched, each of which must exist and be quiet now.

    Raises:
        Refused: `guard_alarm`, one is missing or on already, so it could not tell us anything.
    """
    names = tuple(dict.fromkeys(tags.get(GUARD_TAG, "").split()))
    for name in names:
        found = look.alarms.describe(name)
        if found is None or (found.state == "ALARM" and found.arn != signal.subject):
            told = "does not exist" if found is None else "is on already"
            raise Refused("guard_alarm", f"the guard alarm {name} {told}: mend it, or take it off the tag {GUARD_TAG}")
    return tuple(name for name in names if name != signal.name)


def _touchable(
    kind: Restorable[Model], named: ResourceRef, signal: Signal, look: Look
) -> tuple[ResourceRef, dict[str, str], Captured[Model]]:
    """Return the resource, its tags and state, or refuse it: foreign, not opted in, changing, or not there."""
    if (named.account, named.region) != (signal.account, signal.region):
        raise Refused("foreign", f"{named.arn} is not in the account and region of its alarm")
    try:
        resource = kind.locate(named, look.aws)
        tags = kind.tags(resource, look.aws)
        require_opt_in(tags, resource.arn)
        moving = kind.in_progress(resource, look.aws)
        if moving:
            raise Refused("in_progress", f"{resource.arn} is being changed by somebody else: {moving}")
        return resource, tags, kind.capture(resource, look.aws)
    except NotFound as exc:
        raise Refused("not_found", f"{named.arn} does not exist: {exc}") from exc
    except AccessDenied as exc:
        raise Refused("permission", f"Grace may not look at {named.arn}: {exc}") from exc


def plan_of(chosen: Chosen, alarm: AlarmFacts | None, look: Look) -> Plan:
    """Compute absolute values and compile the promises; each must resolve to a real observation.

    Raises:
        Refused: there is nothing sensible to do, or (`unobservable`) a promise that nobody could measure.
    """
    spec = chosen.playbook.spec
    ask = chosen.act.ask.model_validate({key: value for key, value in spec.action.items() if key != "use"})
    parameters = chosen.act.plan(chosen.resource, chosen.before, ask, look.aws)
    context = PromiseContext(
        resource=chosen.resource,
        kind=chosen.kind,
        before=chosen.before.state.model_dump(mode="json"),
        predicted=chosen.act.predict(chosen.before.state, parameters).model_dump(mode="json"),
        parameters=parameters.model_dump(mode="json"),
        signal=chosen.signal,
        alarm=alarm,
        http_hosts=look.catalogue.http_hosts,
    )
    expect, guards = compile_promises(spec, context)
    settle = _settle(spec.settle, alarm, expect, guards)
    _read_ahead(expect, alarm, look)
    before = healthy_window(alarm, look)
    prove(expect, context._replace(healthy=before), look)
    return Plan(chosen, parameters, tuple(_not_before(line, settle) for line in expect), guards, before, settle)


def _read_ahead(expect: Sequence[Expectation], alarm: AlarmFacts | None, look: Look) -> None:
    """Fetch in one call what the healthy window and the proof of the promises will ask for."""
    now = int(look.clock.now().timestamp())
    series = {metric.key: metric for line in expect if isinstance(line, MetricLine) for metric in line.series}
    wanted = [SeriesRequest(metric, now - PROOF_SECONDS, now) for metric in series.values()]
    settings = _settings(alarm)
    if alarm and alarm.metric and settings:
        wanted.append(_history(alarm, alarm.metric, settings, now))
    look.metrics.fetch(wanted)


def _history(alarm: AlarmFacts, metric: MetricRef, settings: AlarmSettings, now: int) -> SeriesRequest:
    """The alarm's own series, from long enough before it went off to find where the incident began."""
    at = int(alarm.changed_at.timestamp())
    reach = settings.evaluation_range * settings.period + _healthy_minimum(settings)
    start = at - max(LOOK_BACK, reach)
    if settings.high_resolution:
        start = max(start, now - PROOF_SECONDS)
    return SeriesRequest(metric, start, at + settings.period)


def _healthy_minimum(settings: AlarmSettings) -> int:
    return HEALTHY_MINIMUM_PERIODS * settings.period


def healthy_window(alarm: AlarmFacts | None, look: Look) -> Window | None:
    """Return the healthy window that ends where the alarm's first breaching datapoint began, or None."""
    settings = _settings(alarm)
    if alarm is None or settings is None or alarm.metric is None or alarm.threshold is None:
        return None
    if alarm.comparison not in COMPARISONS:
        return None
    [points] = look.metrics.fetch([_history(alarm, alarm.metric, settings, int(look.clock.now().timestamp()))])
    return before_window(
        Series.of(settings.period, points),
        settings,
        threshold=alarm.threshold,
        comparison=alarm.comparison,
        alarm_at=int(alarm.changed_at.timestamp()),
        length=max(HEALTHY_SECONDS, _healthy_minimum(settings)),
        minimum=_healthy_minimum(settings),
    )


def _settle(said: int | str, alarm: AlarmFacts | None, expect: Sequence[Expectation], guards: Sequence[Guard]) -> int:
    """Return the seconds from the action to the verdict: what the playbook says, or more where nothing could be judged.

    Nothing is judged before the alarm can be, and before each line has its points. `auto` waits for the guards, too, but
    not for one whose period is longer than the alarm's: how closely the alarm looks is how soon its owner wants to know.

    Raises:
        Refused: `unobservable`, it would take longer than a contract may.
    """
    settings = _settings(alarm)
    needs = [probe_of(line).ripens(line) for line in expect]
    needs.append(settle_seconds(settings) if settings else 0)
    if isinstance(said, int):
        needs.append(said)
    elif settings:
        needs += [guard_ripens(guard) for guard in guards if guard.series[0].period <= settings.period]
    else:
        needs.append(SETTLE_WITHOUT_ALARM)
    settle = max(needs)
    if settle > SETTLE_LIMIT:
        raise Refused(
            "unobservable",
            f"what is promised could be judged {settle} s after the action, and {SETTLE_LIMIT} s are the limit: "
            "promise on series and alarms of shorter periods",
        )
    return settle


def _not_before(line: Expectation, settle: int) -> Expectation:
    """An alarm that must recover has until the verdict at the least."""
    return line.model_copy(update={"within": max(line.within, settle)}) if isinstance(line, AlarmLine) else line


def _settings(alarm: AlarmFacts | None) -> AlarmSettings | None:
    if alarm is None:
        return None
    try:
        return AlarmSettings.of(
            alarm.name,
            alarm.metric.period if alarm.metric else None,
            alarm.evaluation_periods,
            alarm.datapoints_to_alarm,
            alarm.treat_missing,
        )
    except UnsupportedAlarm as exc:
        raise Refused("alarm", str(exc)) from exc


def causers(chosen: Chosen, directory: Directory) -> tuple[str, ...]:
    """Return the people who made the change that the alert follows from, as the alert and the resource's tag name them.

    Whom the directory does not know decides nothing; what was said of the first few is kept, for they may be in the
    directory before people are asked again.
    """
    claims = (*chosen.signal.caused_by, *chosen.tags.get(CHANGED_BY_TAG, "").split())
    known = {claim: person.id for claim in claims if (person := directory.by_claim(claim))}
    unknown = [claim for claim in dict.fromkeys(claims) if claim not in known and len(claim) <= CLAIM_BYTES]
    return tuple(sorted({*known.values(), *unknown[:MOST_UNKNOWN]}))


def contract_of(
    plan: Plan, *, key: str, mission: Mission, mode: Mode, at: datetime, deadline: datetime, directory: Directory
) -> Contract:
    """Return the contract's body: everything that approval, execution and verdict will be held to."""
    chosen, spec = plan.chosen, plan.chosen.playbook.spec
    match = chosen.diagnosis.matches[0]
    return Contract(
        contract_id=key,
        mission_id=mission.mission_id,
        attempt=mission.attempt,
        corr=mission.corr,
        playbook=spec.name,
        playbook_digest=chosen.playbook.digest,
        diagnosis=chosen.diagnosis.code,
        likelihood=chosen.diagnosis.likelihood,
        rule=match.rule,
        reason=chosen.diagnosis.reason,
        alarm=chosen.signal.subject if chosen.signal.is_alarm else "",
        resource=chosen.resource,
        owner=chosen.owner,
        action=PlannedAction(
            use=chosen.act.name,
            parameters=plan.parameters.model_dump(mode="json"),
            effect=chosen.act.effect,
            undo=chosen.act.undo,
        ),
        undo_text=_undo_text(plan),
        tier=spec.tier,
        mode=mode,
        expect=plan.expect,
        guards=plan.guards,
        guard_alarms=chosen.guard_alarms,
        before=plan.before,
        during_seconds=DURING_SECONDS,
        settle=plan.settle,
        relapse=spec.relapse,
        limits=Limits(per_hour=spec.limits.per_hour, cooldown=spec.limits.cooldown),
        requested_by=mission.requested_by,
        caused_by=causers(chosen, directory),
        state_digest=chosen.before.digest,
        cost_per_hour=chosen.act.cost_per_hour(chosen.before.state, plan.parameters),
        created_at=at,
        deadline=deadline,
    )


def _undo_text(plan: Plan) -> str:
    chosen = plan.chosen
    if chosen.act.undo is Undo.NONE:
        return "this action cannot be undone; if the promise does not hold, the resource is left alone and you are told"
    before = chosen.before.state.model_dump(mode="json")
    after = chosen.act.predict(chosen.before.state, plan.parameters).model_dump(mode="json")
    values = ", ".join(f"{name} = {worded(was)}" for name, was in before.items() if after.get(name) != was)
    return shown(f"put back {values}, then compare every field with the snapshot", 400)
